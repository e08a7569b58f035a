"""Showings: hold, book, confirm, move, change, release. The only writer of ``"ShowingAppointments"``.

Every function takes a batch in a bounded number of statements, in the caller's transaction (READ COMMITTED), and
answers each request with a typed result; a conflict is a result, never an exception. Locks are taken in a fixed
order (conversations, agents, units, appointments, each by id), after which all checks are made on committed rows;
the exclusion constraints are the last line. A hold is a ``pending`` appointment with ``hold_expires_at``, so the
same constraints cover held, pending and confirmed rows.

A conversation's showing state, outcome and offers follow in the same transaction (``transitions``,
``slot_offers``); its CURRENT appointment is the newest one that is not a hold (``seq``), and the two never
disagree. A caller that makes several calls in one transaction takes all locks first with ``lock``.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import Connection

from leasebot_pipeline.domain.slots_policy import SlotPolicy
from leasebot_pipeline.storage import (
    appointments,
    booking_audit,
    booking_checks,
    booking_moves,
    booking_place,
    booking_status,
)
from leasebot_pipeline.storage.appointments import Booked
from leasebot_pipeline.storage.booking_values import (
    BookingRequest,
    BookingResult,
    HoldConfirmation,
    HoldRelease,
    Reschedule,
    StatusChange,
)
from leasebot_pipeline.storage.transitions import Actor

__all__ = [
    "Actor",
    "Booked",
    "BookingRequest",
    "BookingResult",
    "HoldConfirmation",
    "HoldRelease",
    "Reschedule",
    "StatusChange",
    "audit_refused",
    "book",
    "booking_key",
    "change_status",
    "confirm_holds",
    "current_appointments",
    "current_holds",
    "expire_holds",
    "hold",
    "lock",
    "release_holds",
    "reschedule",
]


def booking_key(conversation_id: UUID, starts_at: datetime, ends_at: datetime, decision_id: UUID) -> str:
    """``wf:<conversation>:<start>:<end>:<decision>``: one decision books a time once; a later one may again."""
    start, end = booking_audit.instant(starts_at), booking_audit.instant(ends_at)
    return f"wf:{conversation_id}:{start}:{end}:{decision_id}"


def lock(
    conn: Connection, conversations: Iterable[UUID], agents: Iterable[UUID], units: Iterable[UUID] = ()
) -> None:
    """Lock conversations, then agents, then units, each in id order: two callers never wait crosswise."""
    booking_checks.lock(conn, conversations, agents, units)


def book(
    conn: Connection,
    requests: Sequence[BookingRequest],
    policy: SlotPolicy,
    now: datetime,
    *,
    audit_refusals: bool = True,
) -> list[BookingResult]:
    """Book (or, with ``hold_until``, hold) each visit; one result per request, in their order.

    A known key is a replay when it asks for the same, else refused. A conversation with a live showing ahead is
    refused ``already_booked`` (``reschedule`` moves it), or replayed when it asks for that very visit. A
    conversation's earlier holds end with its new hold or booking.

    ``audit_refusals`` False: the caller writes those rows with ``audit_refused``, once it knows how many
    alternatives it can offer.
    """
    return booking_place.place(conn, requests, policy, now, audit_refusals=audit_refusals)


def audit_refused(conn: Connection, answered: Sequence[tuple[BookingRequest, BookingResult, int]]) -> None:
    """The audit rows of refused requests, each with the number of alternatives that were offered."""
    booking_audit.record_requests(
        conn, [(request, result) for request, result, _ in answered], [count for *_, count in answered]
    )


def hold(
    conn: Connection, requests: Sequence[BookingRequest], policy: SlotPolicy, now: datetime
) -> list[BookingResult]:
    """``book`` for requests that all carry ``hold_until``; raises ValueError for one that does not.

    A lead with a showing ahead may hold another time beside it; confirming the hold moves the showing.
    """
    if any(request.hold_until is None for request in requests):
        raise ValueError("hold: every request needs hold_until")
    return book(conn, requests, policy, now)


def confirm_holds(
    conn: Connection, requests: Sequence[HoldConfirmation], policy: SlotPolicy, now: datetime
) -> list[BookingResult]:
    """Turn holds into confirmed showings, all checks made again.

    Where the conversation has a live showing ahead, that one is moved to the held time instead. A decision that
    booked without a hold, and a hold that was confirmed before, are replays.
    """
    return booking_moves.confirm_holds(conn, requests, policy, now)


def release_holds(conn: Connection, requests: Sequence[HoldRelease], now: datetime) -> int:
    """Give up holds; what is no hold (any more) is left alone. Returns how many were released."""
    return booking_status.release_holds(conn, requests, now)


def expire_holds(conn: Connection, now: datetime, limit: int = 1000) -> int:
    """Free what was held past its time, and expire the offers; returns how many. Never waits for a lock."""
    return booking_status.expire_holds(conn, now, limit)


def change_status(conn: Connection, requests: Sequence[StatusChange], now: datetime) -> list[BookingResult]:
    """Change statuses as the showing table allows; conversation and appointment in one.

    A cancelled showing frees its time and ends the lead's holds. The status it has already is a replay.
    """
    return booking_status.change_status(conn, requests, now)


def reschedule(
    conn: Connection, requests: Sequence[Reschedule], policy: SlotPolicy, now: datetime
) -> list[BookingResult]:
    """Move live showings; on a conflict the old time is kept. A key the showing has seen before is a replay."""
    return booking_moves.reschedule(conn, requests, policy, now)


def current_appointments(conn: Connection, conversations: Sequence[UUID]) -> dict[UUID, Booked]:
    """The current appointment of each conversation that has one, whatever its status."""
    return appointments.current(conn, conversations)


def current_holds(conn: Connection, conversations: Sequence[UUID], now: datetime) -> dict[UUID, Booked]:
    """The unexpired hold of each conversation that has one."""
    return {
        one.conversation_id: one
        for one in appointments.holds(conn, conversations)
        if one.conversation_id is not None and one.hold_expires_at is not None and one.hold_expires_at > now
    }
