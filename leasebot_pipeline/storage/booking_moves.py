"""Showings that exist: confirm what is held, move to another time. In the caller's transaction."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import UUID

from sqlalchemy import Connection
from sqlalchemy.exc import IntegrityError

from leasebot_pipeline.domain.booking import BookingReason, BookingRefusal, Visit, plain_refusal
from leasebot_pipeline.domain.showings import LIVE_SHOWING_STATES, ShowingState, showing_transition_allowed
from leasebot_pipeline.domain.slot_offers import OfferState
from leasebot_pipeline.domain.slots_policy import SlotPolicy
from leasebot_pipeline.domain.workflow_changes import showing_patch
from leasebot_pipeline.storage import appointments, booking_audit, slot_offers, transitions
from leasebot_pipeline.storage.appointments import Booked
from leasebot_pipeline.storage.audit import record
from leasebot_pipeline.storage.booking_checks import Ledger, Wish, end_holds, lock, surroundings, sweep
from leasebot_pipeline.storage.booking_values import BookingResult, HoldConfirmation, Reschedule, refused
from leasebot_pipeline.storage.crash_points import crash_point
from leasebot_pipeline.storage.slot_offers import OfferChange
from leasebot_pipeline.storage.transitions import LockedConversation, TransitionRequest

_NOT_FOUND = BookingRefusal(BookingReason.NOT_FOUND, "appointmentId", "a showing that exists")
_NO_HOLD = BookingRefusal(BookingReason.NOT_HELD, "appointmentId", "a hold")
_HOLD_OVER = BookingRefusal(BookingReason.HOLD_EXPIRED, "appointmentId", "a hold that has not run out")
_TAKEN = BookingRefusal(BookingReason.AGENT_BUSY, "startsAt", "the agent must be free, buffers included")
_TWICE = BookingRefusal(BookingReason.INVALID_TRANSITION, "appointmentId", "one move of a showing at a time")

Request = HoldConfirmation | Reschedule


@dataclass(frozen=True, slots=True)
class _Move:
    """A change that is checked together with others: ``appointment`` is to take place as ``wish`` says."""

    n: int
    request: Request
    appointment: Booked
    wish: Wish
    timezone: str
    hold: Booked | None
    """The hold this comes from, if any; it is ``appointment`` itself when nothing has to move."""

    @property
    def in_place(self) -> bool:
        return self.hold is None or self.hold.id != self.appointment.id

    @property
    def key(self) -> str:
        request = self.request
        return request.idempotency_key if isinstance(request, Reschedule) else f"hold:{self._hold_id}"

    @property
    def _hold_id(self) -> UUID | None:
        return self.hold.id if self.hold else None

    @property
    def status(self) -> ShowingState:
        return self.request.status if isinstance(self.request, Reschedule) else ShowingState.CONFIRMED


def confirm_holds(
    conn: Connection, requests: Sequence[HoldConfirmation], policy: SlotPolicy, now: datetime
) -> list[BookingResult]:
    """Turn holds into confirmed showings; see ``booking.confirm_holds``."""
    if not requests:
        return []
    by_decision = appointments.holds_of_decisions(conn, [r.decision_id for r in requests if r.decision_id])
    confirmed_already = appointments.booked_by_decisions(
        conn, [r.decision_id for r in requests if r.decision_id and r.decision_id not in by_decision]
    )
    named = appointments.by_ids(conn, [r.appointment_id for r in requests if r.appointment_id])
    found: dict[int, Booked] = {}
    for n, r in enumerate(requests):
        one = named.get(r.appointment_id) if r.appointment_id else None
        if one is None and r.decision_id is not None:
            one = by_decision.get(r.decision_id) or confirmed_already.get(r.decision_id)
        if one is not None:
            found[n] = one
    before = appointments.current(conn, [h.conversation_id for h in found.values() if h.conversation_id])
    involved = [*found.values(), *before.values()]
    locked = lock(
        conn,
        [a.conversation_id for a in involved],
        [a.agent_id for a in involved],
        [a.unit_id for a in involved],
    )
    rows = appointments.by_ids(conn, [a.id for a in found.values()], lock=True)
    current = appointments.current(conn, locked)
    results: dict[int, BookingResult] = {}
    moves: list[_Move] = []
    for n, r in enumerate(requests):
        hold = rows.get(found[n].id) if n in found else None
        if hold is None:
            results[n] = refused(_NOT_FOUND)
            continue
        showing = current.get(hold.conversation_id) if hold.conversation_id else None
        if showing is not None and f"hold:{hold.id}" in showing.moves:
            results[n] = BookingResult("replay", showing)
        elif hold.hold_expires_at is None:
            live = hold.status in LIVE_SHOWING_STATES
            results[n] = BookingResult("replay", hold) if live else refused(_NO_HOLD, hold)
        elif hold.status is ShowingState.CANCELLED or hold.hold_expires_at <= now:
            results[n] = refused(_HOLD_OVER, hold)
        else:
            ahead = showing is not None and showing.status in LIVE_SHOWING_STATES and showing.ends_at > now
            moves.append(
                _move(n, r, showing if ahead and showing else hold, hold.visit, hold.timezone, locked, hold)
            )
    return _carry_out(conn, requests, moves, results, locked, current, policy, now)


def reschedule(
    conn: Connection, requests: Sequence[Reschedule], policy: SlotPolicy, now: datetime
) -> list[BookingResult]:
    """Move live showings; see ``booking.reschedule``."""
    if not requests:
        return []
    by_conversation = appointments.current(conn, [r.conversation_id for r in requests if r.conversation_id])
    named = appointments.by_ids(conn, [r.appointment_id for r in requests if r.appointment_id])
    found: dict[int, Booked] = {}
    for n, r in enumerate(requests):
        one = named.get(r.appointment_id) if r.appointment_id else None
        if one is None and r.conversation_id is not None:
            one = by_conversation.get(r.conversation_id)
        if one is not None:
            found[n] = one
    agents = [a.agent_id for a in found.values()] + [r.agent_id for r in requests if r.agent_id]
    locked = lock(
        conn, [a.conversation_id for a in found.values()], agents, [a.unit_id for a in found.values()]
    )
    rows = appointments.by_ids(conn, [a.id for a in found.values()], lock=True)
    current = appointments.current(conn, locked)
    results: dict[int, BookingResult] = {}
    moves: list[_Move] = []
    for n, r in enumerate(requests):
        showing = rows.get(found[n].id) if n in found else None
        refusal = plain_refusal(r.idempotency_key, r.starts_at, r.ends_at, r.timezone, now)
        if showing is None:
            results[n] = refused(_NOT_FOUND)
        elif r.idempotency_key in showing.moves:
            results[n] = BookingResult("replay", showing)
        elif refusal is not None:
            results[n] = refused(refusal, showing)
        elif (
            showing.hold_expires_at is not None
            or showing.status not in LIVE_SHOWING_STATES
            or not showing_transition_allowed(showing.status, r.status)
        ):
            results[n] = refused(_forbidden(showing, r.status), showing)
        else:
            agent = r.agent_id or showing.agent_id
            starts, ends = r.starts_at.astimezone(UTC), r.ends_at.astimezone(UTC)
            visit = Visit(agent, showing.unit_id, starts, ends, starts, ends)
            moves.append(_move(n, r, showing, visit, r.timezone or showing.timezone, locked, None))
    return _carry_out(conn, requests, moves, results, locked, current, policy, now)


def _forbidden(showing: Booked, target: ShowingState) -> BookingRefusal:
    if showing.hold_expires_at is not None:
        return BookingRefusal(
            BookingReason.INVALID_TRANSITION, "appointmentId", "a hold is confirmed or given up, not moved"
        )
    rule = f"no move from {showing.status} to {target}"
    return BookingRefusal(BookingReason.INVALID_TRANSITION, "status", rule)


def _move(
    n: int,
    request: Request,
    appointment: Booked,
    visit: Visit,
    timezone: str,
    locked: dict[UUID, LockedConversation],
    hold: Booked | None,
) -> _Move:
    conversation = locked.get(appointment.conversation_id) if appointment.conversation_id else None
    own = {appointment.id} | ({hold.id} if hold else set())
    wish = Wish(
        appointment.platform_account_id,
        visit.unit_id,
        visit.agent_id,
        visit.starts_at,
        visit.ends_at,
        None,
        conversation,
        frozenset(own),
    )
    return _Move(n, request, appointment, wish, timezone, hold)


def _carry_out(
    conn: Connection,
    requests: Sequence[Request],
    moves: Sequence[_Move],
    results: dict[int, BookingResult],
    locked: dict[UUID, LockedConversation],
    current: dict[UUID, Booked],
    policy: SlotPolicy,
    now: datetime,
) -> list[BookingResult]:
    """Check all moves, write those that fit, and let conversations, offers and audit follow."""
    placed = _check(conn, moves, results, locked, policy, now)
    done = _write(conn, placed, results, now)
    after = appointments.by_ids(conn, [move.appointment.id for move in done])
    for move in done:
        results[move.n] = BookingResult("booked", after[move.appointment.id])
    _follow(conn, done, after, locked, current, now)
    _audit(conn, requests, moves, results, done)
    if done:
        crash_point("book.before_commit")
    return [results[n] for n in range(len(requests))]


def _check(
    conn: Connection,
    moves: Sequence[_Move],
    results: dict[int, BookingResult],
    locked: dict[UUID, LockedConversation],
    policy: SlotPolicy,
    now: datetime,
) -> list[tuple[_Move, Visit]]:
    if not moves:
        return []
    sweep(conn, [m.wish.agent_id for m in moves], [m.wish.unit_id for m in moves], now)
    holds: dict[UUID, set[UUID]] = {}
    for hold in appointments.holds(conn, locked):
        if hold.conversation_id is not None:
            holds.setdefault(hold.conversation_id, set()).add(hold.id)
    wishes = [
        Wish(
            m.wish.account_id,
            m.wish.unit_id,
            m.wish.agent_id,
            m.wish.starts_at,
            m.wish.ends_at,
            None,
            m.wish.conversation,
            m.wish.own | (holds.get(m.wish.conversation.id, set()) if m.wish.conversation else set()),
        )
        for m in moves
    ]
    around = surroundings(conn, wishes, now)
    zones = [(wish, it.agent_zone) for wish, it in zip(wishes, around, strict=True)]
    ledger = Ledger(conn, zones, policy, now)
    placed: list[tuple[_Move, Visit]] = []
    touched: set[UUID] = set()
    for move, wish, it in zip(moves, wishes, around, strict=True):
        refusal = it.refusal
        if refusal is None and move.wish.starts_at <= now:
            refusal = BookingRefusal(BookingReason.IN_THE_PAST, "startsAt", "in the future")
        if refusal is None and move.appointment.id in touched:
            refusal = _TWICE
        seat = refusal or ledger.place(move.appointment.id, wish, it.agent_zone)
        if isinstance(seat, BookingRefusal):
            results[move.n] = refused(seat, move.appointment)
        else:
            touched.add(move.appointment.id)
            placed.append((move, seat))
    return placed


def _write(
    conn: Connection,
    placed: Sequence[tuple[_Move, Visit]],
    results: dict[int, BookingResult],
    now: datetime,
) -> list[_Move]:
    """Confirm holds where they are; move the others, whose own holds make room first."""
    stay = [move for move, _ in placed if not move.in_place]
    go = [(move, visit) for move, visit in placed if move.in_place]
    appointments.confirm(conn, [move.appointment.id for move in stay], now)
    own = appointments.holds(
        conn, [m.appointment.conversation_id for m, _ in placed if m.appointment.conversation_id]
    )
    confirmed = {move.appointment.id for move in stay}
    end_holds(conn, [hold for hold in own if hold.id not in confirmed], "moved", now, offer=None)
    rows = {move.n: _row(move, visit) for move, visit in go}
    refused_by_constraint = _move_rows(conn, rows, now)
    for move, _ in go:
        if move.n in refused_by_constraint:
            results[move.n] = refused(_TAKEN, move.appointment)
    return [move for move, _ in placed if move.n not in refused_by_constraint]


def _move_rows(conn: Connection, rows: dict[int, dict[str, object]], now: datetime) -> set[int]:
    """Move all in one statement; only when a constraint objects (somebody wrote without our locks), one by one."""
    if not rows:
        return set()
    try:
        with conn.begin_nested():
            appointments.move(conn, list(rows.values()), now)
    except IntegrityError:
        if len(rows) == 1:
            return set(rows)
        return set().union(*(_move_rows(conn, {n: row}, now) for n, row in rows.items()))
    return set()


def _row(move: _Move, visit: Visit) -> dict[str, object]:
    request = move.request
    decision = request.decision_id
    offer = request.slot_offer_id if isinstance(request, Reschedule) else None
    if move.hold is not None:
        decision, offer = move.hold.decision_id, move.hold.slot_offer_id
    row = {
        "id": move.appointment.id,
        "key": move.key,
        "agent_id": visit.agent_id,
        "starts_at": visit.starts_at,
        "ends_at": visit.ends_at,
        "timezone": move.timezone,
        "busy_from": visit.busy_from,
        "busy_until": visit.busy_until,
        "seat": visit.seat,
        "status": move.status,
        "decision_id": decision,
        "slot_offer_id": offer,
    }
    return {key: value for key, value in row.items() if value is not None}


def _follow(
    conn: Connection,
    done: Sequence[_Move],
    after: dict[UUID, Booked],
    locked: dict[UUID, LockedConversation],
    current: dict[UUID, Booked],
    now: datetime,
) -> None:
    offers: list[OfferChange] = []
    asked: list[TransitionRequest] = []
    for move in done:
        r, showing = move.request, after[move.appointment.id]
        picked = r.slot_offer_id if isinstance(r, Reschedule) else move.hold and move.hold.slot_offer_id
        if picked:
            offers.append(
                OfferChange(
                    OfferState.CONFIRMED,
                    offer_id=picked,
                    message_id=r.message_id,
                    actor=r.actor,
                    run_id=r.run_id,
                )
            )
        if showing.conversation_id is None:
            continue
        offers.append(
            OfferChange(
                OfferState.SUPERSEDED,
                conversation_id=showing.conversation_id,
                keep=(picked,) if picked else (),
                message_id=r.message_id,
                actor=r.actor,
                run_id=r.run_id,
            )
        )
        newest = current.get(showing.conversation_id)
        begins = not move.in_place  # a confirmed hold is a showing that begins
        if begins or (newest is not None and newest.id == showing.id):
            asked.append(
                TransitionRequest(
                    showing.conversation_id,
                    showing_patch(showing.status),
                    source="showing",
                    trigger="showing_moved" if move.in_place else "hold_confirmed",
                    actor=r.actor,
                    message_id=r.message_id,
                    run_id=r.run_id,
                    reopen=True,
                    new_appointment_id=showing.id if begins else None,
                )
            )
    slot_offers.change(conn, offers, now)
    transitions.apply(conn, asked, locked, now)


def _audit(
    conn: Connection,
    requests: Sequence[Request],
    moves: Sequence[_Move],
    results: dict[int, BookingResult],
    done: Sequence[_Move],
) -> None:
    platform = booking_audit.platforms(
        conn, [r.appointment.platform_account_id for r in results.values() if r.appointment]
    )
    by_n = {move.n: move for move in moves}
    carried_out = {move.n for move in done}
    entries = []
    for n, request in enumerate(requests):
        result, move = results[n], by_n.get(n)
        if result.appointment is None:
            continue
        details: dict[str, object] = {"messageId": str(request.message_id) if request.message_id else None}
        if n in carried_out and move is not None and move.in_place:
            action = "showing_rescheduled"
            before = move.appointment
            details |= {
                "previous": {
                    "startsAt": booking_audit.instant(before.starts_at),
                    "endsAt": booking_audit.instant(before.ends_at),
                    "agentId": str(before.agent_id),
                    "status": before.status,
                },
                "appointmentStatus": result.appointment.status,
            }
        elif n in carried_out:
            action = "showing_booking_created"
            details |= {"appointmentStatus": result.appointment.status, "fromHold": True}
        elif result.outcome == "replay":
            action = "showing_booking_replayed"
            details |= {"idempotentReplay": True}
        else:
            action = booking_audit.refused_action(result, details)
            details |= {"reason": result.reason, "field": result.field, "rule": result.rule}
        entries.append(
            booking_audit.change_entry(
                action,
                result.appointment,
                platform.get(result.appointment.platform_account_id),
                request.actor,
                request.run_id,
                **details,
            )
        )
    record(conn, entries)
