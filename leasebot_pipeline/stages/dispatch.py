"""Dispatch: replies that are due leave through the browser, at most one click each, proven by reading back.

A reply is claimed just before its turn, its intent is committed just before the click. Whatever fails
after the click is unknown and settled by reading the thread, never by sending again.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from leasebot_pipeline.domain.dispatching import AfterFailure, DispatchState, after_failure
from leasebot_pipeline.domain.failures import FailureClass, PlatformFailure, SendPhase
from leasebot_pipeline.domain.identity import normalise_text
from leasebot_pipeline.domain.platforms import Platform, ReleaseStage
from leasebot_pipeline.domain.policy import PlatformPolicy
from leasebot_pipeline.domain.polling import reason_not_to_visit
from leasebot_pipeline.domain.readings import (
    DeliveryReceipt,
    Direction,
    SendBaseline,
    SendRequest,
    ThreadReading,
)
from leasebot_pipeline.platforms.protocol import AccountRef
from leasebot_pipeline.stages.dispatch_audit import failure_entries, sent_entries
from leasebot_pipeline.stages.follow_up_hold import hold_back
from leasebot_pipeline.stages.pipeline import Pipeline
from leasebot_pipeline.stages.visits import Lease, account_ref, expire_dead_workers, leased, visit
from leasebot_pipeline.storage import accounts_runtime, audit, outbox, policies
from leasebot_pipeline.storage.accounts_runtime import AccountRow
from leasebot_pipeline.storage.crash_points import crash_point
from leasebot_pipeline.storage.outbox import ClaimedDispatch

# A page may show a message late: absence is proof only when some time has passed since the click.
SETTLE = timedelta(seconds=20)
RECONCILE_EVERY = timedelta(seconds=30)
RECONCILE_FOR = timedelta(minutes=30)


class Sender(Protocol):
    """A connector's ``send``."""

    def __call__(
        self,
        account: AccountRef,
        request: SendRequest,
        *,
        before_click: Callable[[SendBaseline], None],
        deadline_s: float,
    ) -> DeliveryReceipt: ...


@dataclass(frozen=True, slots=True)
class DispatchResult:
    """What happened to the replies of a platform in one run."""

    claimed: int = 0
    sent: int = 0
    unknown: int = 0
    retried: int = 0
    dead_lettered: int = 0
    held: int = 0
    requeued: int = 0
    reconciled: int = 0
    left: str | None = None
    """Why due replies were left for later, if any were."""


def dispatch(pipeline: Pipeline, platform: Platform, run_id: str | None) -> DispatchResult:
    """Settle what is in doubt, then send what is due, until nothing is left or the time budget is spent."""
    counts: Counter[str] = Counter()
    expire_dead_workers(pipeline, platform)
    now = pipeline.clock()
    with pipeline.engine.begin() as conn:
        counts["requeued"], counts["unknown"] = outbox.expire_claims(conn, platform, now)
        by_account = policies.account_policies(conn, platform, pipeline.policy.default_send_mode)
        counts["held"] = outbox.demote_disallowed(conn, platform, by_account, now)
        hold_back(pipeline, conn, platform, now, run_id)
        due = outbox.accounts_with_due(conn, platform, now)
        rows = [row for row in accounts_runtime.accounts(conn, platform) if row.state.id in due]
    left: list[str] = []
    for row in rows:
        reason = reason_not_to_visit(row.state, pipeline.clock())
        if reason is None:
            reason = _work_account(pipeline, row, by_account[row.state.id], run_id, counts)
        if reason is not None:
            left.append(reason)
    return DispatchResult(**counts, left="; ".join(left) or None)


def _work_account(
    pipeline: Pipeline, row: AccountRow, policy: PlatformPolicy, run_id: str | None, counts: Counter[str]
) -> str | None:
    """Work through one account's replies; the reason when some are left."""
    deadline = pipeline.clock() + timedelta(seconds=pipeline.policy.dispatch_deadline_s)
    sender = _sender(pipeline, row, policy)
    with leased(pipeline, row) as lease:
        if lease is None:
            return f"{row.state.name}: busy, another visit of this account is under way"
        while pipeline.clock() < deadline:
            lease.keep()
            stopped = _settle_next(lease, run_id, counts)
            if stopped is None and sender is not None:
                stopped = _send_next(lease, sender, run_id, counts)
            if stopped is None:
                return None
            if stopped:
                return f"{row.state.name}: the account stopped or its platform fails; the rest waits"
        return f"{row.state.name}: time budget spent, the rest follows in the next run"


def _sender(pipeline: Pipeline, row: AccountRow, policy: PlatformPolicy) -> Sender | None:
    """The function that can click, or None: in shadow and on inactive accounts there is no such thing."""
    if policy.release_stage is ReleaseStage.SHADOW or not policy.is_active:
        return None
    return pipeline.connectors.for_platform(row.platform).send


def _send_next(lease: Lease, send: Sender, run_id: str | None, counts: Counter[str]) -> bool | None:
    """Send the oldest due reply. None: nothing due; True: the account should be left alone now."""
    pipeline, account = lease.pipeline, lease.account
    with pipeline.engine.begin() as conn:
        claim = outbox.claim_due(
            conn, account.state.id, lease.owner, run_id, pipeline.clock(), pipeline.policy.claim_ttl
        )
    if claim is None:
        return None
    counts["claimed"] += 1
    crash_point("dispatch.after_claim")

    def commit_intent(baseline: SendBaseline) -> None:
        with pipeline.engine.begin() as conn:
            ours = outbox.commit_intent(
                conn, claim, lease.owner, baseline, pipeline.clock(), pipeline.policy.claim_ttl
            )
        if not ours:
            raise PlatformFailure(
                "ACCOUNT_BUSY", "the reply was taken over, its account switched off, or its reason is gone"
            )
        crash_point("dispatch.before_click")

    receipt: DeliveryReceipt | None = None
    with visit(lease, "send", "run", run_id) as current:
        lease.pace("send")
        receipt = send(
            account_ref(account),
            SendRequest(claim.external_thread_id, claim.body),
            before_click=commit_intent,
            deadline_s=pipeline.policy.action_deadline_s,
        )
        current.counts = {"sent": 1}
    if receipt is not None and current.failure is None:
        crash_point("dispatch.after_click")
        _record_sent(lease, claim, receipt, run_id)
        crash_point("dispatch.after_receipt")
        counts["sent"] += 1
        return False
    assert current.failure is not None
    _record_failure(lease, claim, current.failure, run_id, counts)
    return current.failure.stops_account or current.failure.failure_class is FailureClass.TRANSIENT


def _settle_next(lease: Lease, run_id: str | None, counts: Counter[str]) -> bool | None:
    """Read the thread of the next unproven reply. None: nothing in doubt; True: leave the account alone."""
    pipeline, account = lease.pipeline, lease.account
    with pipeline.engine.begin() as conn:
        claim = outbox.claim_unknown(
            conn, account.state.id, lease.owner, run_id, pipeline.clock(), pipeline.policy.claim_ttl
        )
    if claim is None:
        return None
    thread: ThreadReading | None = None
    with visit(lease, "reconcile", "run", run_id) as current:
        lease.pace("thread_sync")
        thread = pipeline.connectors.for_platform(account.platform).read_thread(
            account_ref(account), claim.external_thread_id, deadline_s=pipeline.policy.action_deadline_s
        )
    now = pipeline.clock()
    if thread is not None and current.failure is None:
        counts["reconciled"] += 1
        receipt = find_sent(thread, claim.body, claim.baseline, now)
        if receipt is not None:
            _record_sent(lease, claim, receipt, run_id)
            counts["sent"] += 1
        else:
            _record_absence(lease, claim, run_id, now, counts)
        return False
    assert current.failure is not None
    with pipeline.engine.begin() as conn:
        outbox.mark_failed(
            conn, claim, _STILL_UNKNOWN, current.failure, now, recheck_at=_recheck_at(claim, now)
        )
    return current.failure.stops_account or current.failure.failure_class is FailureClass.TRANSIENT


def find_sent(
    thread: ThreadReading, body: str, baseline: SendBaseline | None, now: datetime
) -> DeliveryReceipt | None:
    """Proof that the reply is in the thread: one more message of ours with its text than before the click."""
    wanted = normalise_text(body)
    same = [
        message
        for message in thread.messages
        if message.direction is Direction.OUTBOUND and normalise_text(message.body) == wanted
    ]
    before = baseline.same_text_count if baseline else 0
    if len(same) <= before:
        return None
    return DeliveryReceipt(same[-1].external_message_id, "in_app", "reconciled", now)


_STILL_UNKNOWN = AfterFailure(DispatchState.UNKNOWN, None, counts_as_attempt=True)


def _recheck_at(claim: ClaimedDispatch, now: datetime) -> datetime | None:
    """When an unproven reply is looked for again; None gives it to a person."""
    if claim.sending_at is not None and now - claim.sending_at > RECONCILE_FOR:
        return None
    return now + RECONCILE_EVERY


def _record_absence(
    lease: Lease, claim: ClaimedDispatch, run_id: str | None, now: datetime, counts: Counter[str]
) -> None:
    """The thread was read and the reply is not there: one new try, once the page had time to show it."""
    pipeline = lease.pipeline
    absent = PlatformFailure("OUTBOUND_NOT_IN_THREAD", "read back: the reply is not in its thread")
    settled = claim.sending_at is None or now - claim.sending_at >= SETTLE
    if not settled:
        outcome, recheck = _STILL_UNKNOWN, now + RECONCILE_EVERY
    elif claim.attempts < claim.max_attempts:
        outcome, recheck = AfterFailure(DispatchState.RETRY_SCHEDULED, now, counts_as_attempt=True), None
    else:
        outcome, recheck = AfterFailure(DispatchState.DEAD_LETTER, None, True, exhausted=True), None
    with pipeline.engine.begin() as conn:
        changed = outbox.mark_failed(conn, claim, outcome, absent, now, recheck_at=recheck)
        if changed and settled:
            audit.record(conn, failure_entries(lease.account.platform, claim, absent, outcome, run_id))
    counts[_COUNTED.get(outcome.state, "unknown")] += int(settled)


_COUNTED = {
    DispatchState.UNKNOWN: "unknown",
    DispatchState.RETRY_SCHEDULED: "retried",
    DispatchState.DEAD_LETTER: "dead_lettered",
}


def _record_failure(
    lease: Lease, claim: ClaimedDispatch, failure: PlatformFailure, run_id: str | None, counts: Counter[str]
) -> None:
    pipeline = lease.pipeline
    now = pipeline.clock()
    outcome = after_failure(
        failure,
        attempts=claim.attempts,
        max_attempts=claim.max_attempts,
        now=now,
        fraction=pipeline.fraction(),
    )
    recheck = now + SETTLE if failure.phase is SendPhase.AFTER_CLICK else None
    with pipeline.engine.begin() as conn:
        if outbox.mark_failed(conn, claim, outcome, failure, now, recheck_at=recheck):
            audit.record(conn, failure_entries(lease.account.platform, claim, failure, outcome, run_id))
    counts[_COUNTED[outcome.state]] += 1


def _record_sent(lease: Lease, claim: ClaimedDispatch, receipt: DeliveryReceipt, run_id: str | None) -> None:
    with lease.pipeline.engine.begin() as conn:
        if outbox.mark_sent(conn, claim, receipt, lease.pipeline.clock()):
            audit.record(conn, sent_entries(lease.account.platform, claim, receipt, run_id))
