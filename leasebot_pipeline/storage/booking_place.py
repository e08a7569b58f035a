"""Book and hold: new appointments, with everything that follows from them, in the caller's transaction."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Final
from uuid import UUID, uuid4

from sqlalchemy import Connection, text

from leasebot_pipeline.domain.booking import (
    BookingReason,
    BookingRefusal,
    Visit,
    plain_refusal,
)
from leasebot_pipeline.domain.showings import LIVE_SHOWING_STATES, ShowingState
from leasebot_pipeline.domain.slot_offers import OfferState
from leasebot_pipeline.domain.slots_policy import SlotPolicy
from leasebot_pipeline.domain.workflow_changes import showing_patch
from leasebot_pipeline.storage import appointments, booking_audit, slot_offers, transitions
from leasebot_pipeline.storage.appointments import Booked
from leasebot_pipeline.storage.booking_checks import Ledger, Wish, end_holds, lock, surroundings, sweep
from leasebot_pipeline.storage.booking_values import BookingRequest, BookingResult, refused
from leasebot_pipeline.storage.crash_points import crash_point
from leasebot_pipeline.storage.slot_offers import OfferChange
from leasebot_pipeline.storage.transitions import LockedConversation, TransitionRequest

_OURS: Final = frozenset({"bookedAs", "moves", "holdEnded"})
"""Keys of an appointment's metadata that a client does not set."""
_UNKNOWN_CONVERSATION = BookingRefusal(
    BookingReason.UNKNOWN_CONVERSATION, "conversationId", "a conversation that exists"
)
_ALREADY_BOOKED = BookingRefusal(
    BookingReason.ALREADY_BOOKED, "conversationId", "one showing ahead at a time: reschedule that one"
)
_KEY_USED = BookingRefusal(
    BookingReason.IDEMPOTENCY_CONFLICT, "idempotencyKey", "a key is used for one booking"
)
_REFERENCE_USED = BookingRefusal(
    BookingReason.REFERENCE_IN_USE, "externalBookingRef", "a reference is used once per account"
)
_HOLD_OVER = BookingRefusal(BookingReason.HOLD_EXPIRED, "holdUntil", "in the future")
_TAKEN = BookingRefusal(BookingReason.AGENT_BUSY, "startsAt", "the agent must be free, buffers included")


def place(
    conn: Connection,
    requests: Sequence[BookingRequest],
    policy: SlotPolicy,
    now: datetime,
    *,
    audit_refusals: bool = True,
) -> list[BookingResult]:
    """Book or hold each visit; see ``booking.book``."""
    if not requests:
        return []
    batch = _Batch(conn, requests, policy, now)
    batch.refuse_what_is_wrong_by_itself()
    batch.lock()
    batch.replay()
    batch.check()
    batch.write()
    answered = [(request, batch.results[n]) for n, request in enumerate(requests)]
    booking_audit.record_requests(
        conn, [pair for pair in answered if audit_refusals or pair[1].outcome != "refused"]
    )
    if batch.placed:
        crash_point("book.before_commit")
    return [result for _, result in answered]


class _Batch:
    """One call, step by step. ``results`` fills up; what is not in it is still open."""

    def __init__(
        self, conn: Connection, requests: Sequence[BookingRequest], policy: SlotPolicy, now: datetime
    ) -> None:
        self.conn, self.requests, self.policy, self.now = conn, requests, policy, now
        self.results: dict[int, BookingResult] = {}
        self.placed: dict[int, tuple[UUID, Visit]] = {}
        self.conversations: dict[UUID, LockedConversation] = {}
        self.current: dict[UUID, Booked] = {}
        self.holds: dict[UUID, list[Booked]] = {}

    def open(self) -> Iterator[tuple[int, BookingRequest]]:
        return ((n, r) for n, r in enumerate(self.requests) if n not in self.results and n not in self.placed)

    def refuse(self, n: int, refusal: BookingRefusal, appointment: Booked | None = None) -> None:
        self.results[n] = refused(refusal, appointment)

    def refuse_what_is_wrong_by_itself(self) -> None:
        for n, r in self.open():
            refusal = plain_refusal(r.idempotency_key, r.starts_at, r.ends_at, r.timezone, self.now)
            # A repeated request is answered as it was before, even when its time has passed meanwhile.
            if refusal is not None and refusal.reason is not BookingReason.IN_THE_PAST:
                self.refuse(n, refusal)

    def lock(self) -> None:
        asked = [r for _, r in self.open()]
        self.conversations = lock(
            self.conn,
            [r.conversation_id for r in asked],
            [r.agent_id for r in asked],
            [r.unit_id for r in asked],
        )

    def replay(self) -> None:
        """Answer what was asked before; a key that is asked twice in the batch waits for its first."""
        known = appointments.by_keys(self.conn, [r.idempotency_key for _, r in self.open()])
        for n, r in list(self.open()):
            stored = known.get(r.idempotency_key)
            if stored is not None:
                self.results[n] = _repeated(r, stored)

    def check(self) -> None:
        """Give each open request its place, in their order, or refuse it."""
        conn, now = self.conn, self.now
        for n, r in list(self.open()):
            if r.starts_at <= now:
                past = plain_refusal(r.idempotency_key, r.starts_at, r.ends_at, r.timezone, now)
                assert past is not None
                self.refuse(n, past)
            elif r.hold_until is not None and r.hold_until <= now:
                self.refuse(n, _HOLD_OVER)
            elif r.conversation_id is not None and r.conversation_id not in self.conversations:
                self.refuse(n, _UNKNOWN_CONVERSATION)
        left = list(self.open())
        if not left:
            return
        sweep(conn, [r.agent_id for _, r in left], [r.unit_id for _, r in left], now)
        self.current = appointments.current(conn, self.conversations)
        for hold in appointments.holds(conn, self.conversations):
            assert hold.conversation_id is not None
            self.holds.setdefault(hold.conversation_id, []).append(hold)
        wishes = [self._wish(r) for _, r in left]
        around = surroundings(conn, wishes, now)
        ledger = Ledger(
            conn, [(wish, it.agent_zone) for wish, it in zip(wishes, around, strict=True)], self.policy, now
        )
        keys: set[str] = set()
        busy: set[UUID] = set()
        for (n, r), wish, it in zip(left, wishes, around, strict=True):
            if r.idempotency_key in keys:
                continue
            keys.add(r.idempotency_key)
            if it.refusal is not None:
                self.refuse(n, it.refusal)
                continue
            live = self._live(r)
            if r.hold_until is None and live is not None:
                if _same_visit(r, live):
                    self.results[n] = BookingResult("replay", live)
                else:
                    self.refuse(n, _ALREADY_BOOKED, live)
                continue
            if r.conversation_id is not None and r.conversation_id in busy:
                self.refuse(n, _ALREADY_BOOKED)  # a second wish of one lead in one batch
                continue
            identity = uuid4()
            seat = (
                ledger.place(identity, wish, it.agent_zone, live)
                if r.status in LIVE_SHOWING_STATES
                else ledger.visit(wish)
            )
            if isinstance(seat, BookingRefusal):
                self.refuse(n, seat)
                continue
            self.placed[n] = (identity, seat)
            if r.conversation_id is not None:
                busy.add(r.conversation_id)

    def write(self) -> None:
        conn, now = self.conn, self.now
        replaced = [
            hold
            for n in self.placed
            for hold in self.holds.get(self.requests[n].conversation_id, ())  # type: ignore[arg-type]
        ]
        end_holds(conn, replaced, "replaced", now, offer=None)
        stands = appointments.insert(
            conn, [_row(self.requests[n], *place) for n, place in self.placed.items()], now
        )
        written = appointments.by_ids(conn, stands)
        booked: list[tuple[BookingRequest, Booked]] = []
        for n, (identity, _) in self.placed.items():
            if identity in written:
                self.results[n] = BookingResult("booked", written[identity])
                booked.append((self.requests[n], written[identity]))
        self._answer_the_rest()
        self._offers(booked, replaced)
        transitions.apply(
            conn, [q for pair in booked if (q := _transition(*pair)) is not None], self.conversations, now
        )

    def _answer_the_rest(self) -> None:
        """Repeated keys of the batch, and what a constraint kept out although it looked free."""
        rest = [(n, r) for n, r in enumerate(self.requests) if n not in self.results]
        if not rest:
            return
        known = appointments.by_keys(self.conn, [r.idempotency_key for _, r in rest])
        references = _references_in_use(self.conn, [r for _, r in rest])
        first = {r.idempotency_key: n for n, r in reversed(list(enumerate(self.requests)))}
        for n, r in rest:
            stored = known.get(r.idempotency_key)
            if stored is not None:
                self.results[n] = _repeated(r, stored)
            elif (r.platform_account_id, r.external_booking_ref) in references:
                self.refuse(n, _REFERENCE_USED)
            elif first[r.idempotency_key] in self.results:
                self.results[n] = self.results[first[r.idempotency_key]]
            else:
                self.refuse(n, _TAKEN)

    def _wish(self, r: BookingRequest) -> Wish:
        own = {hold.id for hold in self.holds.get(r.conversation_id, ())} if r.conversation_id else set()
        live = self._live(r)
        return Wish(
            r.platform_account_id,
            r.unit_id,
            r.agent_id,
            r.starts_at.astimezone(UTC),
            r.ends_at.astimezone(UTC),
            r.listing_id,
            self.conversations.get(r.conversation_id) if r.conversation_id else None,
            frozenset(own | ({live.id} if live else set())),
        )

    def _live(self, r: BookingRequest) -> Booked | None:
        """The showing the lead already has ahead."""
        found = self.current.get(r.conversation_id) if r.conversation_id else None
        if found is None or found.status not in LIVE_SHOWING_STATES or found.ends_at <= self.now:
            return None
        return found

    def _offers(self, booked: Sequence[tuple[BookingRequest, Booked]], replaced: Sequence[Booked]) -> None:
        changes: list[OfferChange] = []
        for r, _ in booked:
            if r.slot_offer_id is not None:
                target = OfferState.HELD if r.hold_until else OfferState.CONFIRMED
                changes.append(
                    OfferChange(
                        target,
                        offer_id=r.slot_offer_id,
                        hold_expires_at=r.hold_until,
                        message_id=r.message_id,
                        actor=r.actor,
                        run_id=r.run_id,
                    )
                )
            if r.conversation_id is not None and r.hold_until is None:
                changes.append(
                    OfferChange(
                        OfferState.SUPERSEDED,
                        conversation_id=r.conversation_id,
                        keep=() if r.slot_offer_id is None else (r.slot_offer_id,),
                        message_id=r.message_id,
                        actor=r.actor,
                        run_id=r.run_id,
                    )
                )
        taken_up = {r.slot_offer_id for r, _ in booked}
        changes += [
            OfferChange(OfferState.SUPERSEDED, offer_id=hold.slot_offer_id)
            for hold in replaced
            if hold.slot_offer_id is not None and hold.slot_offer_id not in taken_up
        ]
        slot_offers.change(self.conn, changes, self.now)


def _transition(r: BookingRequest, appointment: Booked) -> TransitionRequest | None:
    if r.conversation_id is None or r.hold_until is not None:
        return None
    return TransitionRequest(
        r.conversation_id,
        showing_patch(r.status),
        source=r.source,
        trigger="showing_booked",
        actor=r.actor,
        message_id=r.message_id,
        run_id=r.run_id,
        reopen=True,
        new_appointment_id=appointment.id,
    )


def _row(r: BookingRequest, identity: UUID, visit: Visit) -> dict[str, object]:
    row: dict[str, object | None] = {
        "id": identity,
        "idempotency_key": r.idempotency_key,
        "platform_account_id": r.platform_account_id,
        "conversation_id": r.conversation_id,
        "unit_id": r.unit_id,
        "listing_id": r.listing_id,
        "agent_id": r.agent_id,
        "starts_at": visit.starts_at,
        "ends_at": visit.ends_at,
        "timezone": r.timezone,
        "status": ShowingState.PENDING if r.hold_until else r.status,
        "source": r.source,
        "external_booking_ref": r.external_booking_ref,
        "notes": r.notes,
        "metadata": {key: value for key, value in r.metadata.items() if key not in _OURS},
        "busy_from": visit.busy_from,
        "busy_until": visit.busy_until,
        "seat": visit.seat,
        "hold_expires_at": r.hold_until,
        "decision_id": r.decision_id,
        "slot_offer_id": r.slot_offer_id,
    }
    return {key: value for key, value in row.items() if value is not None}


def _same_visit(r: BookingRequest, stored: Booked) -> bool:
    return (r.agent_id, r.unit_id, r.starts_at, r.ends_at, r.status) == (
        stored.agent_id,
        stored.unit_id,
        stored.starts_at,
        stored.ends_at,
        stored.status,
    )


def _repeated(r: BookingRequest, stored: Booked) -> BookingResult:
    """A key that is known: the same booking again, or another one under a used key.

    A showing that was moved since is compared as it was first booked.
    """
    first = stored.booked_as or {}
    agent = UUID(str(first["agentId"])) if "agentId" in first else stored.agent_id
    starts = datetime.fromisoformat(str(first["startsAt"])) if "startsAt" in first else stored.starts_at
    ends = datetime.fromisoformat(str(first["endsAt"])) if "endsAt" in first else stored.ends_at
    same = (
        r.platform_account_id,
        r.unit_id,
        r.agent_id,
        r.starts_at,
        r.ends_at,
        r.listing_id,
        r.conversation_id,
    ) == (
        stored.platform_account_id,
        stored.unit_id,
        agent,
        starts,
        ends,
        stored.listing_id,
        stored.conversation_id,
    )
    return BookingResult("replay", stored) if same else refused(_KEY_USED, stored)


_REFERENCES = text("""
    SELECT a.platform_account_id, a.external_booking_ref
      FROM jsonb_to_recordset(CAST(:rows AS jsonb)) AS r(account uuid, reference text)
      JOIN "ShowingAppointments" a ON a.platform_account_id = r.account AND a.external_booking_ref = r.reference
""")


def _references_in_use(conn: Connection, requests: Sequence[BookingRequest]) -> set[tuple[UUID, str | None]]:
    rows = [
        {"account": r.platform_account_id, "reference": r.external_booking_ref}
        for r in requests
        if r.external_booking_ref
    ]
    if not rows:
        return set()
    return {(row[0], row[1]) for row in conn.execute(_REFERENCES, {"rows": appointments.dumps(rows)})}
