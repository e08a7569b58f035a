"""Settling replies in doubt: the thread is read back, and what it proves is stored. Nothing is clicked here."""

from __future__ import annotations

from collections import Counter
from datetime import datetime

from leasebot_pipeline.domain.alerts import DELIVERY_UNKNOWN, AlertEvent
from leasebot_pipeline.domain.dispatching import AfterFailure, DispatchState, after_absence
from leasebot_pipeline.domain.failures import FailureClass, PlatformFailure
from leasebot_pipeline.domain.readings import DeliveryReceipt, ThreadReading
from leasebot_pipeline.domain.reconciling import (
    Proof,
    Reconciliation,
    recheck_after_failure,
    recheck_at,
    reconcile,
)
from leasebot_pipeline.stages.dispatch_audit import (
    dead_letter_event,
    failure_entries,
    left_to_person_entry,
    sent_entries,
)
from leasebot_pipeline.stages.visits import Lease, account_ref, visit
from leasebot_pipeline.storage import audit, incidents, outbox
from leasebot_pipeline.storage.crash_points import crash_point, transaction
from leasebot_pipeline.storage.outbox import ClaimedDispatch
from leasebot_pipeline.storage.outbox_receipts import mark_sent

_STILL_UNKNOWN = AfterFailure(DispatchState.UNKNOWN, None, counts_as_attempt=True)


def settle_next(lease: Lease, run_id: str | None, counts: Counter[str]) -> bool | None:
    """Read the thread of the next unproven reply. None: nothing in doubt; True: leave the account alone."""
    pipeline, account = lease.pipeline, lease.account
    with transaction(pipeline.engine, "reconcile.before_claim", "reconcile.after_claim") as conn:
        claim = outbox.claim_unknown(
            conn, account.state.id, lease.owner, pipeline.clock(), pipeline.policy.lease_ttl
        )
    if claim is None:
        return None
    thread: ThreadReading | None = None
    with visit(lease, "reconcile", "run", run_id) as current:
        lease.pace("thread_sync")
        thread = pipeline.connectors.for_platform(account.platform).read_thread(
            account_ref(account), claim.external_thread_id, deadline_s=pipeline.policy.action_deadline_s
        )
    crash_point("reconcile.after_reading")
    now = pipeline.clock()
    if thread is not None and current.failure is None:
        counts["reconciled"] += 1
        proven = reconcile(thread, claim.body, claim.baseline, claim.sending_at, now, claim.in_doubt_for)
        _record(lease, claim, proven, run_id, now, counts)
        return False
    failure = current.failure
    assert failure is not None
    _keep_in_doubt(lease, claim, failure, recheck_after_failure(failure, now), run_id, now)
    return failure.stops_account or failure.failure_class is FailureClass.TRANSIENT


def _record(
    lease: Lease,
    claim: ClaimedDispatch,
    proven: Reconciliation,
    run_id: str | None,
    now: datetime,
    counts: Counter[str],
) -> None:
    match proven.proof:
        case Proof.DELIVERED:
            assert proven.external_message_id is not None
            receipt = DeliveryReceipt(proven.external_message_id, "in_app", "reconciled", now)
            with transaction(
                lease.pipeline.engine, "reconcile.before_verdict", "reconcile.after_verdict"
            ) as conn:
                ours = mark_sent(conn, claim, receipt, now)
                if ours:
                    audit.record(conn, sent_entries(lease.account.platform, claim, receipt, run_id))
            counts["sent"] += int(ours)
        case Proof.ABSENT:
            _record_absence(lease, claim, run_id, now, counts)
        case Proof.NONE:
            unproven = PlatformFailure("OUTBOUND_DELIVERY_UNCONFIRMED", proven.reason or "nothing is proven")
            _keep_in_doubt(lease, claim, unproven, recheck_at(claim.in_doubt_for, now), run_id, now)


def _keep_in_doubt(
    lease: Lease,
    claim: ClaimedDispatch,
    failure: PlatformFailure,
    recheck: datetime | None,
    run_id: str | None,
    now: datetime,
) -> None:
    """Look again later, or give the reply to a person, who is told."""
    pipeline, account = lease.pipeline, lease.account
    events: list[AlertEvent] = []
    with transaction(pipeline.engine, "reconcile.before_verdict", "reconcile.after_verdict") as conn:
        if not outbox.mark_failed(conn, claim, _STILL_UNKNOWN, failure, now, recheck_at=recheck):
            return
        if recheck is None:
            events = [
                AlertEvent(
                    type=DELIVERY_UNKNOWN,
                    platform=account.platform,
                    account_id=account.state.id,
                    account_name=account.state.name,
                    action="send",
                    at=now,
                    source="worker",
                    error=str(failure),
                )
            ]
            audit.record(conn, [left_to_person_entry(account.platform, claim, failure, run_id)])
            incidents.note(conn, events, now)
    for event in events:
        pipeline.alerts.notify(event)


def _record_absence(
    lease: Lease, claim: ClaimedDispatch, run_id: str | None, now: datetime, counts: Counter[str]
) -> None:
    """The thread was read and proves that the reply did not arrive: one new try, else a person."""
    pipeline, account = lease.pipeline, lease.account
    absent = PlatformFailure("OUTBOUND_NOT_IN_THREAD", "read back: the reply is not in its thread")
    outcome = after_absence(
        attempts=claim.attempts,
        max_attempts=claim.max_attempts,
        absences=claim.absences + 1,
        lost_claims=claim.lost_claims,
        now=now,
        fraction=pipeline.fraction(),
    )
    events: list[AlertEvent] = []
    with transaction(pipeline.engine, "reconcile.before_verdict", "reconcile.after_verdict") as conn:
        if not outbox.mark_failed(conn, claim, outcome, absent, now, absent=True):
            return
        if outcome.state is DispatchState.DEAD_LETTER:
            names = {account.state.id: account.state.name}
            events = [
                dead_letter_event(account.state.id, names, account.platform, absent.code, now, str(absent))
            ]
        audit.record(conn, failure_entries(account.platform, claim, absent, outcome, run_id))
        incidents.note(conn, events, now)
    counts["dead_lettered" if outcome.state is DispatchState.DEAD_LETTER else "retried"] += 1
    for event in events:
        pipeline.alerts.notify(event)
