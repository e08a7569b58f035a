"""Statuses of showings, and the end of holds. In the caller's transaction."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import Connection

from leasebot_pipeline.domain.booking import BookingReason, BookingRefusal
from leasebot_pipeline.domain.showings import ShowingState, showing_transition_allowed
from leasebot_pipeline.domain.slot_offers import OfferState
from leasebot_pipeline.domain.workflow_changes import showing_patch
from leasebot_pipeline.storage import appointments, booking_audit, transitions
from leasebot_pipeline.storage.appointments import Booked
from leasebot_pipeline.storage.audit import AuditEntry, record
from leasebot_pipeline.storage.booking_checks import end_holds
from leasebot_pipeline.storage.booking_values import BookingResult, HoldRelease, StatusChange, refused
from leasebot_pipeline.storage.transitions import TransitionRequest, TransitionResult

_NOT_FOUND = BookingRefusal(BookingReason.NOT_FOUND, "appointmentId", "a showing that exists")
_HOLD = BookingRefusal(BookingReason.INVALID_TRANSITION, "status", "a hold is confirmed or given up")


def change_status(conn: Connection, requests: Sequence[StatusChange], now: datetime) -> list[BookingResult]:
    """Change statuses along the showing table; see ``booking.change_status``."""
    if not requests:
        return []
    by_conversation = appointments.current(conn, [r.conversation_id for r in requests if r.conversation_id])
    named = appointments.by_ids(conn, [r.appointment_id for r in requests if r.appointment_id])
    found: dict[int, UUID] = {}
    conversations: set[UUID] = {r.conversation_id for r in requests if r.conversation_id}
    for n, r in enumerate(requests):
        one = named.get(r.appointment_id) if r.appointment_id else None
        if one is None and r.conversation_id is not None:
            one = by_conversation.get(r.conversation_id)
        if one is not None:
            found[n] = one.id
            conversations |= {one.conversation_id} if one.conversation_id else set()
    locked = transitions.lock_conversations(conn, conversations)
    rows = appointments.by_ids(conn, found.values(), lock=True)
    current = appointments.current(conn, locked)
    results: dict[int, BookingResult] = {}
    asked: dict[int, TransitionRequest] = {}
    apart: dict[UUID, ShowingState] = {}
    entries: list[AuditEntry] = []
    platform = booking_audit.platforms(conn, [a.platform_account_id for a in rows.values()])
    for n, r in enumerate(requests):
        showing = rows.get(found[n]) if n in found else None
        if showing is None:
            results[n] = refused(_NOT_FOUND)
        elif showing.hold_expires_at is not None:
            results[n] = refused(_HOLD, showing)
        elif not showing_transition_allowed(apart.get(showing.id, showing.status), r.status):
            results[n] = refused(_forbidden(showing.status, r.status), showing)
        elif _is_current(showing, current):
            asked[n] = _transition(r, showing)
        elif apart.get(showing.id, showing.status) is r.status:
            results[n] = BookingResult("replay", showing)
        else:
            entries.append(_synced(r, showing, platform.get(showing.platform_account_id)))
            apart[showing.id] = r.status
    moved = transitions.apply(conn, list(asked.values()), locked, now)
    appointments.set_status(conn, apart, now)
    after = appointments.by_ids(conn, found.values())
    for n, outcome in zip(asked, moved, strict=True):
        results[n] = _result(outcome, after[found[n]], requests[n])
    for n in found:
        results.setdefault(n, BookingResult("booked", after[found[n]]))
    record(conn, entries)
    _give_up_holds_of_the_cancelled(conn, requests, results, now)
    return [results[n] for n in range(len(requests))]


def _is_current(showing: Booked, current: dict[UUID, Booked]) -> bool:
    newest = current.get(showing.conversation_id) if showing.conversation_id else None
    return newest is not None and newest.id == showing.id


def _transition(r: StatusChange, showing: Booked) -> TransitionRequest:
    assert showing.conversation_id is not None
    return TransitionRequest(
        showing.conversation_id,
        showing_patch(r.status, r.workflow_outcome),
        source=r.source,
        trigger=r.trigger,
        actor=r.actor,
        message_id=r.message_id,
        run_id=r.run_id,
        reopen=True,
    )


def _result(outcome: TransitionResult, showing: Booked, r: StatusChange) -> BookingResult:
    if outcome.applied:
        return BookingResult("booked", showing)
    if outcome.reason == "no_change":
        return BookingResult("replay", showing)
    rule = outcome.message or f"no change to {r.status}"
    return refused(BookingRefusal(BookingReason.INVALID_TRANSITION, "status", rule), showing)


def _forbidden(current: ShowingState, target: ShowingState) -> BookingRefusal:
    rule = f"no change from {current} to {target}"
    return BookingRefusal(BookingReason.INVALID_TRANSITION, "status", rule)


def _synced(r: StatusChange, showing: Booked, platform: str | None) -> AuditEntry:
    """A showing its conversation no longer stands for: only the showing changes."""
    return booking_audit.change_entry(
        "showing_workflow_outcome_synced",
        showing,
        platform,
        r.actor,
        r.run_id,
        workflowOutcome=None,
        previousStatus=showing.status,
        nextStatus=r.status,
        source=r.source,
        messageId=str(r.message_id) if r.message_id else None,
        autoCreated=False,
    )


def _give_up_holds_of_the_cancelled(
    conn: Connection, requests: Sequence[StatusChange], results: dict[int, BookingResult], now: datetime
) -> None:
    """Whoever calls off a showing keeps no other time either."""
    given_up = [
        HoldRelease(
            conversation_id=result.appointment.conversation_id,
            reason="showing_cancelled",
            message_id=requests[n].message_id,
            actor=requests[n].actor,
            run_id=requests[n].run_id,
        )
        for n, result in results.items()
        if result.outcome == "booked"
        and requests[n].status is ShowingState.CANCELLED
        and result.appointment is not None
        and result.appointment.conversation_id is not None
    ]
    if given_up:
        release_holds(conn, given_up, now)


def release_holds(conn: Connection, requests: Sequence[HoldRelease], now: datetime) -> int:
    """Give up holds; see ``booking.release_holds``."""
    if not requests:
        return 0
    found = [
        *appointments.by_ids(conn, [r.appointment_id for r in requests if r.appointment_id]).values(),
        *appointments.holds_of_decisions(conn, [r.decision_id for r in requests if r.decision_id]).values(),
        *appointments.holds(conn, [r.conversation_id for r in requests if r.conversation_id]),
    ]
    locked = appointments.by_ids(conn, [hold.id for hold in found], lock=True)
    released = 0
    for r in requests:
        mine = [
            hold
            for hold in locked.values()
            if r.appointment_id == hold.id
            or (r.decision_id is not None and r.decision_id == hold.decision_id)
            or (r.conversation_id is not None and r.conversation_id == hold.conversation_id)
        ]
        ended = end_holds(
            conn,
            mine,
            r.reason,
            now,
            offer=OfferState(r.offer),
            actor=r.actor,
            message_id=r.message_id,
            run_id=r.run_id,
        )
        released += len(ended)
    return released


def expire_holds(conn: Connection, now: datetime, limit: int = 1000) -> int:
    """Free what was held past its time; see ``booking.expire_holds``."""
    return len(end_holds(conn, appointments.expired_holds(conn, now, limit), "expired", now))
