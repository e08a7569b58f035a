"""Dispatch: replies that are due leave through the browser, at most one click each, proven by reading back.

A reply is claimed just before its turn, its intent is committed just before the click. Whatever fails
after the click is unknown and settled by reading the thread, never by sending again.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

import structlog
from sqlalchemy.exc import SQLAlchemyError

from leasebot_pipeline.domain.dispatching import DispatchState
from leasebot_pipeline.domain.failures import PlatformFailure
from leasebot_pipeline.domain.platforms import Platform, ReleaseStage
from leasebot_pipeline.domain.policy import PlatformPolicy
from leasebot_pipeline.domain.polling import reason_not_to_visit
from leasebot_pipeline.domain.shards import WHOLE, Shard
from leasebot_pipeline.stages.dispatch_attempt import Sender, send_next
from leasebot_pipeline.stages.dispatch_audit import dead_letter_event, moved_entries
from leasebot_pipeline.stages.dispatch_settle import settle_next
from leasebot_pipeline.stages.follow_up_hold import hold_back
from leasebot_pipeline.stages.pipeline import Pipeline
from leasebot_pipeline.stages.visits import expire_dead_workers, leased
from leasebot_pipeline.storage import accounts_runtime, audit, incidents, outbox, outbox_sweeps, policies
from leasebot_pipeline.storage.accounts_runtime import AccountRow
from leasebot_pipeline.storage.crash_points import transaction

_log: structlog.stdlib.BoundLogger = structlog.get_logger("leasebot.dispatch")


@dataclass(frozen=True, slots=True)
class DispatchResult:
    """What happened to the replies of a platform in one run."""

    claimed: int = 0
    sent: int = 0
    unknown: int = 0
    retried: int = 0
    dead_lettered: int = 0
    held: int = 0
    """Taken out of the queue for people: policy or age."""
    superseded: int = 0
    """Cancelled because the thread moved on; decided again where a lead waits."""
    withdrawn: int = 0
    """Called off before the click: a kill switch, or account and claim were taken over."""
    requeued: int = 0
    reconciled: int = 0
    left: str | None = None
    """Why due replies were left for later, if any were."""


def dispatch(
    pipeline: Pipeline, platform: Platform, run_id: str | None, shard: Shard = WHOLE
) -> DispatchResult:
    """Settle what is in doubt, then send what is due, until nothing is left or the time budget is spent.

    Accounts are independent: what goes wrong on one never keeps the others waiting. An unexpected error is
    raised after all had their turn. Only accounts of the shard are worked through; one that another run is at
    work on is left to it.
    """
    counts: Counter[str] = Counter()
    expire_dead_workers(pipeline, platform)
    by_account, rows = _sweep(pipeline, platform, run_id, counts)
    left: list[str] = []
    unexpected: Exception | None = None
    for row in rows:
        if not shard.holds(row.state.id):
            continue
        reason = reason_not_to_visit(row.state, pipeline.clock())
        try:
            if reason is None:
                reason = _work_account(pipeline, row, by_account[row.state.id], run_id, counts)
        except SQLAlchemyError:
            raise
        except Exception as error:
            _log.exception("dispatch_failed", platform=platform.value, account=row.state.name)
            unexpected = unexpected or error
        if reason is not None:
            left.append(reason)
    if unexpected is not None:
        raise unexpected
    return DispatchResult(**counts, left="; ".join(left) or None)


def _sweep(
    pipeline: Pipeline, platform: Platform, run_id: str | None, counts: Counter[str]
) -> tuple[dict[UUID, PlatformPolicy], list[AccountRow]]:
    """Move, set by set, what needs no browser; then the accounts that have something to do."""
    now = pipeline.clock()
    with transaction(pipeline.engine, "dispatch.before_sweep", "dispatch.after_sweep") as conn:
        expired = outbox.expire_claims(conn, platform, now)
        by_account = policies.account_policies(conn, platform, pipeline.policy.default_send_mode)
        superseded = outbox_sweeps.collapse_superseded(conn, platform, now)
        held = outbox_sweeps.demote_disallowed(conn, platform, by_account, now)
        hold_back(pipeline, conn, platform, now, run_id)
        held += outbox_sweeps.hold_too_old(conn, platform, now - pipeline.policy.history_bound, now)
        audit.record(conn, moved_entries([*expired, *superseded, *held], run_id))
        due = outbox_sweeps.accounts_with_due(conn, platform, now)
        rows = accounts_runtime.accounts(conn, platform)
        names = {row.state.id: row.state.name for row in rows}
        given_up = [one for one in expired if one.state is DispatchState.DEAD_LETTER]
        events = [
            dead_letter_event(one.platform_account_id, names, platform, "CLAIM_LOST", now) for one in given_up
        ]
        incidents.note(conn, events, now)
    for event in {event.incident_key: event for event in events}.values():
        pipeline.alerts.notify(event)
    states = [one.state for one in expired]
    counts["requeued"] += states.count(DispatchState.QUEUED)
    counts["unknown"] += states.count(DispatchState.UNKNOWN)
    counts["dead_lettered"] += len(given_up)
    counts["superseded"] += len(superseded)
    counts["held"] += len(held)
    return by_account, [row for row in rows if row.state.id in due]


def _work_account(
    pipeline: Pipeline, row: AccountRow, policy: PlatformPolicy, run_id: str | None, counts: Counter[str]
) -> str | None:
    """Work through one account's replies; the reason when some are left."""
    deadline = pipeline.clock() + timedelta(seconds=pipeline.policy.dispatch_deadline_s)
    sender = _sender(pipeline, row, policy)
    page_reason = reason_not_to_visit(row.state, pipeline.clock(), "send")
    doubt_reason = reason_not_to_visit(row.state, pipeline.clock(), "reconcile")
    with leased(pipeline, row) as lease:
        if lease is None:
            return f"{row.state.name}: busy, another visit of this account is under way"
        while pipeline.clock() < deadline:
            try:
                lease.keep()
            except PlatformFailure:
                return f"{row.state.name}: taken over by another worker, who goes on with the rest"
            stopped = settle_next(lease, run_id, counts) if doubt_reason is None else None
            if stopped is None and sender is not None and page_reason is None:
                stopped = send_next(lease, sender, run_id, counts)
            if stopped is None:
                return page_reason or doubt_reason
            if stopped:
                return f"{row.state.name}: the account stopped or its platform fails; the rest waits"
        return f"{row.state.name}: time budget spent, the rest follows in the next run"


def _sender(pipeline: Pipeline, row: AccountRow, policy: PlatformPolicy) -> Sender | None:
    """The function that can click, or None: in shadow and on inactive accounts there is no such thing."""
    if policy.release_stage is ReleaseStage.SHADOW or not policy.is_active:
        return None
    return pipeline.connectors.for_platform(row.platform).send
