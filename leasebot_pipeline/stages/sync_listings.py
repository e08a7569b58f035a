"""Listing sync: read our own adverts on a platform and keep units and listings in step with them."""

from __future__ import annotations

from dataclasses import dataclass

from leasebot_pipeline.domain.listings import sync_row
from leasebot_pipeline.domain.platforms import Platform
from leasebot_pipeline.domain.polling import reason_not_to_visit
from leasebot_pipeline.domain.readings import ListingsReading
from leasebot_pipeline.stages.pipeline import Pipeline
from leasebot_pipeline.stages.visits import Lease, account_ref, leased, visit
from leasebot_pipeline.storage import accounts_runtime, listings, sync_requests
from leasebot_pipeline.storage.accounts_runtime import AccountRow
from leasebot_pipeline.storage.crash_points import transaction

# Polls and sends come first; adverts can wait for the account to be free.
_PATIENCE_S = 45


@dataclass(frozen=True, slots=True)
class AccountSync:
    """One account's sync; ``error`` says why it failed or was left alone."""

    platform: Platform
    account_name: str
    fetched: int = 0
    inserted: int = 0
    updated: int = 0
    vanished: int = 0
    error: str | None = None


@dataclass(frozen=True, slots=True)
class ListingSyncResult:
    """All accounts of a platform; one that fails never stops the others."""

    platform: Platform
    accounts: tuple[AccountSync, ...]


def sync_listings(pipeline: Pipeline, platform: Platform, run_id: str | None) -> ListingSyncResult:
    """Sync the adverts of every account of the platform that may be visited now."""
    started_at = pipeline.clock()
    with pipeline.engine.connect() as conn:
        rows = accounts_runtime.accounts(conn, platform)
    result = ListingSyncResult(platform, tuple(_sync_account(pipeline, row, run_id) for row in rows))
    with transaction(pipeline.engine, "listings.before_commit", "listings.after_commit") as conn:
        sync_requests.take_listings(conn, [platform], started_at)
    return result


def _sync_account(pipeline: Pipeline, row: AccountRow, run_id: str | None) -> AccountSync:
    reason = reason_not_to_visit(row.state, pipeline.clock(), "listing_sync")
    if reason is not None:
        return AccountSync(row.platform, row.state.name, error=reason)
    for _ in range(_PATIENCE_S):
        with leased(pipeline, row) as lease:
            if lease is not None:
                return _visit_listings(lease, run_id)
        pipeline.sleep(1.0)
    return AccountSync(row.platform, row.state.name, error="busy, another visit of this account is under way")


def _visit_listings(lease: Lease, run_id: str | None) -> AccountSync:
    pipeline, account = lease.pipeline, lease.account
    reading: ListingsReading | None = None
    with visit(lease, "listing_sync", "schedule", run_id) as current:
        lease.pace("listing_sync")
        reading = pipeline.connectors.for_platform(account.platform).list_listings(
            account_ref(account), deadline_s=pipeline.policy.action_deadline_s * 2
        )
        current.counts = {"rows": len(reading.rows), "pages": reading.pages_read}
    if reading is None or current.failure is not None:
        return AccountSync(account.platform, account.state.name, error=str(current.failure))
    now = pipeline.clock()
    synced_at = now.isoformat(timespec="milliseconds").replace("+00:00", "Z")
    rows = [sync_row(account.state.id, row, synced_at) for row in reading.rows]
    with transaction(pipeline.engine, "listings.before_commit", "listings.after_commit") as conn:
        counts = listings.sync(conn, account.state.id, rows, complete=reading.complete, now=now)
    return AccountSync(
        account.platform,
        account.state.name,
        fetched=len(rows),
        inserted=counts.inserted,
        updated=counts.updated,
        vanished=counts.vanished,
    )
