"""Times a draft offers, looked at once more before a person lets it go out: can each still be booked?"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import Connection, text

from leasebot_pipeline.domain.booking import BookingReason, BookingRefusal
from leasebot_pipeline.domain.slot_offers import OfferState
from leasebot_pipeline.domain.slots_policy import SlotPolicy
from leasebot_pipeline.storage import slot_offers
from leasebot_pipeline.storage.booking_checks import Ledger, Wish, surroundings
from leasebot_pipeline.storage.slot_offers import OfferChange
from leasebot_pipeline.storage.transitions import Actor


@dataclass(frozen=True, slots=True)
class GoneTime:
    """A time a text names that a lead who picks it would be refused, and why."""

    label: str
    starts_at: datetime
    timezone: str
    reason: BookingReason


# What a reply holds or has booked is confirmed with it, or refused as gone: not an offer of several. An offer without
# an agent is never booked by itself.
_NAMED = text("""
    SELECT m.id AS message_id, c.platform_account_id, o.unit_id, o.agent_id, o.starts_at, o.ends_at, o.timezone, o.label,
           ARRAY(SELECT a.id FROM "ShowingAppointments" a WHERE a.conversation_id = c.id) AS own
      FROM "Messages" m
      JOIN "Conversations" c ON c.id = m.conversation_id
      LEFT JOIN LATERAL (SELECT x.state, x.decision_id FROM "OutboundDispatches" x
                          WHERE x.conversation_id = c.id AND x.message_id = m.id ORDER BY x.created_at DESC LIMIT 1) d ON true
     CROSS JOIN LATERAL (
           SELECT s.unit_id, s.agent_id, s.starts_at, s.ends_at, s.timezone, s.label FROM "SlotOffers" s
            WHERE s.decision_id = d.decision_id AND s.state NOT IN ('held', 'confirmed')
           UNION ALL
           SELECT k."unitId", k."agentId", k."startsAt", k."endsAt", k.timezone, k.label
             FROM jsonb_to_recordset(CASE jsonb_typeof(m.metadata -> 'offeredSlots') WHEN 'array' THEN m.metadata -> 'offeredSlots'
                                     ELSE '[]' END) AS k(
                  "unitId" uuid, "agentId" uuid, "startsAt" timestamptz, "endsAt" timestamptz, timezone text, label text)) o
     WHERE m.id = ANY(:ids) AND m.direction = 'outbound' AND COALESCE(d.state, 'draft') IN ('draft', 'held')
       AND o.agent_id IS NOT NULL AND strpos(m.body, o.label) > 0
     ORDER BY m.id, o.starts_at, o.label
""")


def gone(
    conn: Connection, drafts: Sequence[UUID], policy: SlotPolicy, now: datetime
) -> dict[UUID, tuple[GoneTime, ...]]:
    """For each of these drafts the times its text names that are not to be had any more, by the rules of booking.

    The lead's own showing and holds are not in the way. One statement where nothing is offered, at most four.
    """
    if not drafts:
        return {}
    named = conn.execute(_NAMED, {"ids": list(drafts)}).all()
    wishes = [
        Wish(
            row.platform_account_id,
            row.unit_id,
            row.agent_id,
            row.starts_at,
            row.ends_at,
            own=frozenset(row.own),
        )
        for row in named
    ]
    around = surroundings(conn, wishes, now)
    zones = [(wish, it.agent_zone) for wish, it in zip(wishes, around, strict=True)]
    ledger = Ledger(conn, zones, policy, now)
    found: dict[UUID, list[GoneTime]] = defaultdict(list)
    for row, wish, it in zip(named, wishes, around, strict=True):
        refusal = it.refusal or ledger.refusal(wish, it.agent_zone)
        if wish.starts_at <= now:
            refusal = BookingRefusal(BookingReason.IN_THE_PAST, "startsAt", "in the future")
        if refusal is not None:
            found[row.message_id].append(GoneTime(row.label, row.starts_at, row.timezone, refusal.reason))
    return {message: tuple(times) for message, times in found.items()}


_UNNAMED = text("""
    SELECT id FROM "SlotOffers" WHERE decision_id = :decision AND state = 'offered' AND strpos(:body, label) = 0
""")


def drop_unnamed(conn: Connection, decision_id: UUID, body: str, actor: Actor, now: datetime) -> None:
    """End the decision's offers that an edited text names no more: the lead counts by what it reads."""
    dropped = conn.execute(_UNNAMED, {"decision": decision_id, "body": body}).scalars()
    slot_offers.change(
        conn, [OfferChange(OfferState.SUPERSEDED, offer_id=one, actor=actor) for one in dropped], now
    )
