"""Accounts in people's hands: letting a stopped one go on (also once its session was renewed), breakers, limits; audited."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import UUID

from sqlalchemy import Engine

from leasebot_pipeline.domain.platforms import Platform
from leasebot_pipeline.domain.stops import RENEWABLE
from leasebot_pipeline.platforms.protocol import AccountRef
from leasebot_pipeline.stages.pipeline import Pipeline
from leasebot_pipeline.storage import accounts_circuits, accounts_runtime, audit, connector_state
from leasebot_pipeline.storage.accounts_runtime import AccountRow
from leasebot_pipeline.storage.crash_points import transaction


def find(engine: Engine, name: str) -> list[AccountRow]:
    """The accounts of a platform's name, or the one of an id; empty when it is neither."""
    with engine.connect() as conn:
        rows = [row for platform in Platform for row in accounts_runtime.accounts(conn, platform)]
    plain = name.strip().casefold()
    return [row for row in rows if plain in (row.platform.value, str(row.state.id))]


def resume(engine: Engine, platform: Platform, *, actor: str) -> list[UUID]:
    """Clear stop and breakers of the platform's accounts; returns those that were stopped or open."""
    with transaction(engine, "account.before_change", "account.after_change") as conn:
        rows = {row.state.id: row for row in accounts_runtime.accounts(conn, platform)}
        resumed = accounts_runtime.resume_accounts(conn, list(rows), datetime.now(UTC))
        entries = [_entry(rows[account], "platform_account_resumed", actor, {}) for account in resumed]
        audit.record(conn, entries)
    return resumed


def resume_renewed(pipeline: Pipeline, row: AccountRow) -> AccountRow:
    """Let an account go on whose session a person renewed since it stopped; returns it as it stands now."""
    state = row.state
    if not state.is_active or state.stop_code not in RENEWABLE:
        return row
    connector = pipeline.connectors.for_platform(row.platform)
    mark = connector.session_mark(
        AccountRef(state.id, row.platform, row.account_external_id, row.credentials)
    )
    with transaction(pipeline.engine, "account.before_change", "account.after_change") as conn:
        failed_with = connector_state.load(conn, state.id).session_mark
        if failed_with is None:
            connector_state.note_session(conn, state.id, mark)  # stopped before any look was noted
        if failed_with in (None, mark) or mark.startswith("none:"):
            return row
        now = pipeline.clock()
        if not accounts_runtime.resume_accounts(conn, [state.id], now):
            return row
        connector_state.note_session(conn, state.id, mark)
        audit.record(
            conn,
            [
                audit.AuditEntry(
                    actor_type="system",
                    entity_type="platform_account",
                    entity_id=str(state.id),
                    action="platform_account_resumed",
                    details={"code": state.stop_code, "cause": "session_renewed"},
                    platform=row.platform.value,
                    platform_account_id=state.id,
                )
            ],
        )
        rows = accounts_runtime.accounts(conn, row.platform)
    return next(current for current in rows if current.state.id == state.id)


def reset(engine: Engine, rows: Sequence[AccountRow], *, actor: str) -> list[UUID]:
    """Close all breakers of the accounts; returns those that had one open or counting."""
    now = datetime.now(UTC)
    with transaction(engine, "account.before_change", "account.after_change") as conn:
        done = [row for row in rows if accounts_circuits.reset_circuits(conn, row.state.id, now)]
        audit.record(conn, [_entry(row, "platform_circuit_reset", actor, {}) for row in done])
    return [row.state.id for row in done]


@dataclass(frozen=True, slots=True)
class Limits:
    """An account's own limits; what is not set stays, None set is the general one again."""

    cap: int | None = None
    timezone: str | None = None
    set_cap: bool = False
    set_timezone: bool = False


def limit(engine: Engine, rows: Sequence[AccountRow], limits: Limits, *, actor: str) -> None:
    """Give the accounts limits of their own."""
    details: dict[str, object] = {}
    if limits.set_cap:
        details["dailySendCap"] = limits.cap
    if limits.set_timezone:
        details["timezone"] = limits.timezone
    now = datetime.now(UTC)
    with transaction(engine, "account.before_change", "account.after_change") as conn:
        for row in rows:
            accounts_runtime.set_limits(
                conn,
                row.state.id,
                now=now,
                cap=limits.cap,
                timezone=limits.timezone,
                set_cap=limits.set_cap,
                set_timezone=limits.set_timezone,
            )
        audit.record(conn, [_entry(row, "platform_account_limited", actor, details) for row in rows])


def _entry(row: AccountRow, action: str, actor: str, details: dict[str, object]) -> audit.AuditEntry:
    return audit.AuditEntry(
        actor_type="admin",
        actor_id=actor,
        entity_type="platform_account",
        entity_id=str(row.state.id),
        action=action,
        details=details,
        platform=row.platform.value,
        platform_account_id=row.state.id,
    )
