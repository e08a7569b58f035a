"""One attempt at one reply: claim, type, commit the intent, look once more, click once, record what came of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Final, Protocol
from zoneinfo import ZoneInfoNotFoundError

import structlog
from sqlalchemy import Connection
from sqlalchemy.exc import SQLAlchemyError

from leasebot_pipeline.domain.alerts import SEND_CAP_REACHED, AlertEvent
from leasebot_pipeline.domain.dispatching import DispatchState, after_failure
from leasebot_pipeline.domain.failures import PAGE_CODES, FailureClass, PlatformFailure, SendPhase
from leasebot_pipeline.domain.pacing_daily import SendDay, cap_in_force, is_capped, send_day
from leasebot_pipeline.domain.readings import DeliveryReceipt, SendBaseline, SendRequest
from leasebot_pipeline.domain.reconciling import FIRST_LOOK
from leasebot_pipeline.platforms.protocol import AccountRef
from leasebot_pipeline.stages import reliability_events
from leasebot_pipeline.stages.dispatch_audit import (
    cap_entry,
    dead_letter_event,
    failure_entries,
    sent_entries,
)
from leasebot_pipeline.stages.visits import Lease, account_ref, visit
from leasebot_pipeline.storage import accounts_runtime, audit, incidents, outbox, outbox_sweeps
from leasebot_pipeline.storage.crash_points import crash_point, transaction
from leasebot_pipeline.storage.outbox import ClaimedDispatch
from leasebot_pipeline.storage.outbox_receipts import mark_sent

_log: structlog.stdlib.BoundLogger = structlog.get_logger("leasebot.dispatch")

_AFTERWARDS_S: Final = 15.0
"""What an attempt may take beyond its visit: pacing before it, cleaning up and recording after it."""

_REFUSALS: Final = {
    "CLAIM_LOST": "the reply or its account was taken over by another worker",
    "SENDING_STOPPED": "a kill switch is engaged",
    "ACCOUNT_INACTIVE": "the account was switched off",
    "REPLY_NOT_ALLOWED": "send mode or release stage do not allow this reply now",
    "REPLY_SUPERSEDED": "the thread has a newer message than this reply answers",
    "REPLY_TAKEN_OVER": "a person has taken the conversation over",
    "REPLY_GROUNDLESS": "what the text was planned on no longer holds",
    "REPLY_ALREADY_SHOWN": "the thread shows the reply of an earlier attempt",
}


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


def send_next(lease: Lease, send: Sender, run_id: str | None, counts: Counter[str]) -> bool | None:
    """Send the oldest due reply. None: nothing due; True: the account should be left alone now."""
    pipeline, policy = lease.pipeline, lease.pipeline.policy
    now = pipeline.clock()
    longest = timedelta(seconds=policy.action_deadline_s + _AFTERWARDS_S)
    with transaction(pipeline.engine, "dispatch.before_claim", "dispatch.after_claim") as conn:
        day = _spent_day(conn, lease)
        claim = outbox.claim_due(
            conn,
            lease.account.state.id,
            lease.owner,
            run_id,
            now,
            policy.lease_ttl,
            attempt=max(policy.claim_ttl, longest),
            personal_only=day is not None,
        )
    if claim is None:
        if day is not None:
            _note_capped(lease, day, run_id)
        return None
    counts["claimed"] += 1
    attempt = _Attempt(lease, claim, run_id, counts)
    lease.claim = claim
    try:
        return attempt.run(send)
    except SQLAlchemyError:
        raise  # the claim runs out and is taken back; without a database nothing can be recorded anyway
    except Exception as error:
        _log.exception("attempt_failed", dispatch=str(claim.id))
        phase = SendPhase.AFTER_CLICK if attempt.intended else SendPhase.BEFORE_CLICK
        attempt.record_failure(
            PlatformFailure("INTERNAL_ERROR", f"{type(error).__name__} during the attempt", phase=phase)
        )
        return True
    finally:
        lease.claim = None


@dataclass(slots=True)
class _Attempt:
    """``intended``: the intent is committed and was not taken back, so the click may have happened."""

    lease: Lease
    claim: ClaimedDispatch
    run_id: str | None
    counts: Counter[str]
    intended: bool = False

    def run(self, send: Sender) -> bool:
        """Send; True when the account should be left alone now."""
        lease, claim = self.lease, self.claim
        receipt: DeliveryReceipt | None = None
        with visit(lease, "send", "run", self.run_id) as current:
            lease.pace("send")
            receipt = send(
                account_ref(lease.account),
                SendRequest(claim.external_thread_id, claim.body),
                before_click=self.commit_intent,
                deadline_s=lease.pipeline.policy.action_deadline_s,
            )
            current.counts = {"sent": 1}
        if receipt is not None and current.failure is None:
            crash_point("dispatch.after_click")
            self.record_sent(receipt)
            return False
        failure = current.failure
        assert failure is not None
        self.record_failure(failure)
        return _leave_account(failure)

    def commit_intent(self, baseline: SendBaseline) -> None:
        """Called by the connector when all is ready but the click. Raising calls the click off."""
        lease, pipeline = self.lease, self.lease.pipeline
        sender = outbox.Sender(lease.owner, lease.fence, pipeline.policy.default_send_mode)
        with transaction(pipeline.engine, "dispatch.before_intent", "dispatch.after_intent") as conn:
            refusal = outbox.commit_intent(
                conn, self.claim, sender, baseline, pipeline.clock(), pipeline.policy.lease_ttl
            )
        if refusal is None:
            self.intended = True
            crash_point("dispatch.before_click")
            with pipeline.engine.connect() as conn:
                refusal = outbox.last_look(conn, self.claim, sender, pipeline.clock())
        if refusal is not None:
            self.intended = False
            raise PlatformFailure(refusal, _REFUSALS[refusal])

    def record_sent(self, receipt: DeliveryReceipt) -> None:
        """Store the proof, unless the claim was taken over: then the thread is read back by the other worker."""
        with transaction(
            self.lease.pipeline.engine, "dispatch.before_receipt", "dispatch.after_receipt"
        ) as conn:
            ours = mark_sent(conn, self.claim, receipt, self.lease.pipeline.clock())
            if ours:
                audit.record(
                    conn, sent_entries(self.lease.account.platform, self.claim, receipt, self.run_id)
                )
        self.counts["sent"] += int(ours)

    def record_failure(self, failure: PlatformFailure) -> None:
        """Leave the reply where the rules say, and tell people when it is given up."""
        lease, claim, pipeline = self.lease, self.claim, self.lease.pipeline
        now = pipeline.clock()
        outcome = after_failure(
            failure,
            attempts=claim.attempts,
            max_attempts=claim.max_attempts,
            now=now,
            fraction=pipeline.fraction(),
        )
        recheck = now + FIRST_LOOK if failure.phase is SendPhase.AFTER_CLICK else None
        account = lease.account.state
        events: list[AlertEvent] = []
        with transaction(pipeline.engine, "dispatch.before_failure", "dispatch.after_failure") as conn:
            if not outbox.mark_failed(conn, claim, outcome, failure, now, recheck_at=recheck):
                return
            if outcome.state is DispatchState.DEAD_LETTER:
                names = {account.id: account.name}
                events = [
                    dead_letter_event(
                        account.id, names, lease.account.platform, failure.code, now, str(failure)
                    )
                ]
            if outcome.state in (DispatchState.DRAFT, DispatchState.HELD):
                outbox_sweeps.show_to_people(conn, [claim.id], now)
            if outcome.state is DispatchState.CANCELLED:
                outbox_sweeps.mark_superseded(conn, [claim.id])
            audit.record(conn, failure_entries(lease.account.platform, claim, failure, outcome, self.run_id))
            incidents.note(conn, events, now)
        if outcome.state is DispatchState.RETRY_SCHEDULED:
            due = outcome.next_attempt_at
            reliability_events.retry_scheduled(lease.account, failure, claim.attempts, due, now)
        self.counts[_counted(failure, outcome.state)] += 1
        for event in events:
            pipeline.alerts.notify(event)


def _counted(failure: PlatformFailure, state: DispatchState) -> str:
    if failure.withdrawn and state in (DispatchState.QUEUED, DispatchState.RETRY_SCHEDULED):
        return "withdrawn"
    return {
        DispatchState.UNKNOWN: "unknown",
        DispatchState.DEAD_LETTER: "dead_lettered",
        DispatchState.CANCELLED: "superseded",
        DispatchState.DRAFT: "held",
        DispatchState.HELD: "held",
    }.get(state, "retried")


def _leave_account(failure: PlatformFailure) -> bool:
    """Whether the failure is about more than this reply."""
    if failure.withdrawn:
        return failure.code in ("CLAIM_LOST", "ACCOUNT_BUSY", "CIRCUIT_OPEN")
    return (
        failure.stops_account or failure.code in PAGE_CODES or failure.failure_class is FailureClass.TRANSIENT
    )


def _spent_day(conn: Connection, lease: Lease) -> SendDay | None:
    """The account's day when its share of automatic replies is spent, else None."""
    policy, account = lease.pipeline.policy, lease.account
    cap = cap_in_force(account.daily_send_cap, policy.daily_send_caps.get(account.platform))
    if cap is None:
        return None
    now = lease.pipeline.clock()
    try:
        day = send_day(now, account.timezone or policy.day_timezone)
    except (ZoneInfoNotFoundError, ValueError):
        day = send_day(now, policy.day_timezone)
    clicks = accounts_runtime.clicks_since(conn, account.state.id, day.begins)
    return day if is_capped(clicks, cap) else None


def _note_capped(lease: Lease, day: SendDay, run_id: str | None) -> None:
    """Let what waits wait until the account's next day, and say so, once a day."""
    pipeline, account = lease.pipeline, lease.account
    now = pipeline.clock()
    event = AlertEvent(
        type=SEND_CAP_REACHED,
        platform=account.platform,
        account_id=account.state.id,
        account_name=account.state.name,
        action="send",
        at=now,
        source="worker",
        retry_after=day.ends - now,
    )
    with transaction(pipeline.engine, "dispatch.before_cap", "dispatch.after_cap") as conn:
        if not outbox_sweeps.automatic_reply_waits(conn, account.state.id, now):
            return
        if not accounts_runtime.note_capped(conn, account, day.ends, now):
            return
        audit.record(conn, [cap_entry(account, day.ends, run_id)])
        incidents.note(conn, [event], now)
    pipeline.alerts.notify(event)
