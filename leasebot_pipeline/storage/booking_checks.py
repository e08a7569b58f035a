"""What must be true of a visit before it takes an agent's time; read under the locks, whole batches at once."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import Connection, Row, text

from leasebot_pipeline.domain.booking import BookingReason, BookingRefusal, Visit, fit, local_day
from leasebot_pipeline.domain.showings import LIVE_SHOWING_STATES
from leasebot_pipeline.domain.slot_offers import OfferState
from leasebot_pipeline.domain.slots_policy import SlotPolicy
from leasebot_pipeline.storage import appointments, booking_audit, slot_offers
from leasebot_pipeline.storage.appointments import Booked
from leasebot_pipeline.storage.audit import record
from leasebot_pipeline.storage.transitions import Actor, LockedConversation, lock_conversations

SYSTEM: Final = Actor("system")

# Not FOR UPDATE: foreign keys to these rows may still be checked meanwhile.
_LOCK_AGENTS = text('SELECT id FROM "Agents" WHERE id = ANY(:ids) ORDER BY id FOR NO KEY UPDATE')
_LOCK_UNITS = text('SELECT id FROM "Units" WHERE id = ANY(:ids) ORDER BY id FOR NO KEY UPDATE')


def lock(
    conn: Connection,
    conversations: Iterable[UUID | None],
    agents: Iterable[UUID | None],
    units: Iterable[UUID | None],
) -> dict[UUID, LockedConversation]:
    """Lock conversations, agents, units, each in id order: two callers never wait for each other crosswise."""
    locked = lock_conversations(conn, (one for one in conversations if one is not None))
    for statement, wanted in ((_LOCK_AGENTS, agents), (_LOCK_UNITS, units)):
        ids = sorted({one for one in wanted if one is not None})
        if ids:
            conn.execute(statement, {"ids": ids})
    return locked


@dataclass(frozen=True, slots=True)
class Wish:
    """A visit as it is checked. ``own`` are appointments it does not compete with: itself, its holds."""

    account_id: UUID
    unit_id: UUID
    agent_id: UUID
    starts_at: datetime
    ends_at: datetime
    listing_id: UUID | None = None
    conversation: LockedConversation | None = None
    own: frozenset[UUID] = frozenset()


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What the database says about a wish. ``refusal``: why it can't be, whoever else has booked."""

    platform: str | None
    agent_zone: str
    refusal: BookingRefusal | None


# A unit is open where its open windows, joined, cover the visit and nothing blocks it; an agent likewise. Only
# when no active agent of the unit has stated any available time do the unit's windows alone count.
_SURROUNDINGS = text("""
    SELECT r.n, acc.platform, u.id AS unit, u.is_active, g.id AS agent, g.removed_at, g.timezone, ua.id AS assignment,
           l.id AS listing, l.unit_id AS listing_unit, l.platform_account_id AS listing_account,
           COALESCE(su.open @> tstzrange(r.starts_at, r.ends_at), false) AND NOT COALESCE(su.blocked, false) AS unit_open,
           COALESCE(sa.available @> tstzrange(r.starts_at, r.ends_at), false) AS agent_available,
           COALESCE(sa.unavailable, false) AS agent_unavailable,
           EXISTS (SELECT 1 FROM "UnitAgentAssignments" x JOIN "AgentAvailabilitySlots" s ON s.agent_id = x.agent_id
                    WHERE x.unit_id = r.unit_id AND x.assignment_mode = 'active' AND s.status = 'available' AND s.ends_at > :now
                  ) AS stated
      FROM jsonb_to_recordset(CAST(:rows AS jsonb)) AS r(
             n int, account_id uuid, unit_id uuid, agent_id uuid, listing_id uuid, starts_at timestamptz, ends_at timestamptz)
      LEFT JOIN "PlatformAccounts" acc ON acc.id = r.account_id
      LEFT JOIN "Units" u ON u.id = r.unit_id
      LEFT JOIN "Agents" g ON g.id = r.agent_id
      LEFT JOIN "UnitAgentAssignments" ua ON ua.unit_id = r.unit_id AND ua.agent_id = r.agent_id
      LEFT JOIN "Listings" l ON l.id = r.listing_id
      LEFT JOIN LATERAL (
           SELECT range_agg(tstzrange(s.starts_at, s.ends_at)) FILTER (WHERE s.status = 'open') AS open,
                  bool_or(s.status = 'blocked') AS blocked
             FROM "AvailabilitySlots" s
            WHERE s.unit_id = r.unit_id AND s.ends_at > r.starts_at AND s.starts_at < r.ends_at) su ON true
      LEFT JOIN LATERAL (
           SELECT range_agg(tstzrange(s.starts_at, s.ends_at)) FILTER (WHERE s.status = 'available') AS available,
                  bool_or(s.status = 'unavailable') AS unavailable
             FROM "AgentAvailabilitySlots" s
            WHERE s.agent_id = r.agent_id AND s.ends_at > r.starts_at AND s.starts_at < r.ends_at) sa ON true
     ORDER BY r.n
""")


def surroundings(conn: Connection, wishes: Sequence[Wish], now: datetime) -> list[Surroundings]:
    """What the database says about each wish, in one statement."""
    if not wishes:
        return []
    rows = [
        {
            "n": n,
            "account_id": wish.account_id,
            "unit_id": wish.unit_id,
            "agent_id": wish.agent_id,
            "listing_id": wish.listing_id,
            "starts_at": wish.starts_at,
            "ends_at": wish.ends_at,
        }
        for n, wish in enumerate(wishes)
    ]
    found = conn.execute(_SURROUNDINGS, {"rows": _rows(rows), "now": now})
    return [
        Surroundings(row.platform, row.timezone or "UTC", _refusal(wish, row))
        for wish, row in zip(wishes, found, strict=True)
    ]


def _refusal(wish: Wish, row: Row[Any]) -> BookingRefusal | None:
    """The first rule the wish breaks."""
    conversation = wish.conversation
    unit_of_lead = conversation.unit_id if conversation else None
    rules = (
        (
            row.platform is not None,
            BookingReason.UNKNOWN_ACCOUNT,
            "platformAccountId",
            "an account that exists",
        ),
        (row.unit is not None, BookingReason.UNKNOWN_UNIT, "unitId", "a unit that exists"),
        (row.is_active, BookingReason.UNIT_INACTIVE, "unitId", "a unit that is let"),
        (row.agent is not None, BookingReason.UNKNOWN_AGENT, "agentId", "an agent that exists"),
        (row.removed_at is None, BookingReason.AGENT_REMOVED, "agentId", "an agent who was not removed"),
        (row.assignment is not None, BookingReason.AGENT_NOT_ASSIGNED, "agentId", "an agent of the unit"),
        (
            wish.listing_id is None or row.listing is not None,
            BookingReason.UNKNOWN_LISTING,
            "listingId",
            "a listing that exists",
        ),
        (
            row.listing is None or (row.listing_unit, row.listing_account) == (wish.unit_id, wish.account_id),
            BookingReason.LISTING_MISMATCH,
            "listingId",
            "a listing of the unit on the account",
        ),
        (
            conversation is None or conversation.platform_account_id == wish.account_id,
            BookingReason.CONVERSATION_MISMATCH,
            "conversationId",
            "a conversation of the account",
        ),
        (
            unit_of_lead is None or unit_of_lead == wish.unit_id,
            BookingReason.CONVERSATION_MISMATCH,
            "conversationId",
            "a conversation about the unit",
        ),
        (row.unit_open, BookingReason.SLOT_UNAVAILABLE, "startsAt", "the unit must be open during the visit"),
        (
            not row.agent_unavailable and (row.agent_available or not row.stated),
            BookingReason.SLOT_UNAVAILABLE,
            "startsAt",
            "the agent must be available during the visit",
        ),
    )
    return next(
        (BookingRefusal(reason, field, rule) for holds, reason, field, rule in rules if not holds), None
    )


class Ledger:
    """Whose time is taken around some wishes, and by what; grows with every visit that is placed."""

    def __init__(
        self,
        conn: Connection,
        wishes: Sequence[tuple[Wish, str]],
        policy: SlotPolicy,
        now: datetime,
    ) -> None:
        """``wishes``: each with its agent's time zone. Two statements, one without a daily cap."""
        self._policy = policy
        self._taken: list[tuple[UUID, Visit]] = [
            (one.id, one.visit)
            for one in appointments.taken(conn, [self.visit(wish) for wish, _ in wishes], now)
        ]
        self._days: dict[tuple[UUID, datetime], set[UUID]] = {}
        if policy.daily_cap is not None:
            days = {(w.agent_id, *local_day(w.starts_at, zone)) for w, zone in wishes}
            ordered = sorted(days)
            for (agent, begin, _), counted in zip(
                ordered, appointments.that_day(conn, ordered, now), strict=True
            ):
                self._days[agent, begin] = counted

    def visit(self, wish: Wish, seat: int = 1) -> Visit:
        """The wish with its buffers."""
        return Visit(
            wish.agent_id,
            wish.unit_id,
            wish.starts_at,
            wish.ends_at,
            wish.starts_at - self._policy.buffer_before,
            wish.ends_at + self._policy.buffer_after,
            seat,
        )

    def place(
        self, identity: UUID, wish: Wish, zone: str, stays: Booked | None = None
    ) -> Visit | BookingRefusal:
        """Give the wish its place and remember it under that id.

        ``stays``: the lead's own showing, which keeps its place while the new one is only held.
        """
        counted = self._counted(wish, zone)
        seat = self._fit(wish, counted)
        if isinstance(seat, BookingRefusal):
            return seat
        if stays is not None and stays.status in LIVE_SHOWING_STATES and stays.unit_id == wish.unit_id:
            meets = stays.starts_at < wish.ends_at and wish.starts_at < stays.ends_at
            if meets and stays.seat == seat:
                seat = max(seat, *(visit.seat for _, visit in self._taken)) + 1
        placed = self.visit(wish, seat)
        self._taken.append((identity, placed))
        counted.add(identity)
        return placed

    def refusal(self, wish: Wish, zone: str) -> BookingRefusal | None:
        """Why the wish has no place just now; nothing is remembered."""
        seat = self._fit(wish, self._counted(wish, zone))
        return seat if isinstance(seat, BookingRefusal) else None

    def _counted(self, wish: Wish, zone: str) -> set[UUID]:
        """What counts against the cap of that agent's day."""
        return self._days.get((wish.agent_id, local_day(wish.starts_at, zone)[0]), set())

    def _fit(self, wish: Wish, counted: set[UUID]) -> int | BookingRefusal:
        taken = [visit for one, visit in self._taken if one not in wish.own]
        return fit(self.visit(wish), taken, self._policy, len(counted - wish.own))


def sweep(conn: Connection, agents: Iterable[UUID], units: Iterable[UUID], now: datetime) -> None:
    """Free what was held past its time around these agents and units, so that nobody waits for a sweeper."""
    end_holds(conn, appointments.expired_holds(conn, now, 1000, agents=agents, units=units), "expired", now)


def end_holds(
    conn: Connection,
    holds: Sequence[Booked],
    reason: str,
    now: datetime,
    *,
    offer: OfferState | None = OfferState.EXPIRED,
    actor: Actor = SYSTEM,
    message_id: UUID | None = None,
    run_id: str | None = None,
) -> list[Booked]:
    """Give up holds and, with ``offer``, take the offers behind them there; returns those that were held.

    One audit row ``showing_hold_released`` each.
    """
    gone = appointments.release(conn, {hold.id: reason for hold in holds}, now)
    ended = [hold for hold in holds if hold.id in gone]
    changes = [
        slot_offers.OfferChange(
            offer, offer_id=hold.slot_offer_id, actor=actor, message_id=message_id, run_id=run_id
        )
        for hold in ended
        if offer is not None and hold.slot_offer_id is not None
    ]
    slot_offers.change(conn, changes, now)
    platform = booking_audit.platforms(conn, [hold.platform_account_id for hold in ended])
    record(
        conn,
        [
            booking_audit.change_entry(
                "showing_hold_released",
                hold,
                platform.get(hold.platform_account_id),
                actor,
                run_id,
                reason=reason,
                messageId=str(message_id) if message_id else None,
            )
            for hold in ended
        ],
    )
    return ended


def _rows(rows: Sequence[Mapping[str, object]]) -> str:
    return appointments.dumps(
        [{key: value for key, value in row.items() if value is not None} for row in rows]
    )
