"""What a lead may answer: the newest offer of each conversation, for a whole batch in one statement."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import Connection, text

from leasebot_pipeline.domain.platforms import Platform
from leasebot_pipeline.domain.slots import Slot


@dataclass(frozen=True, slots=True)
class OfferedRow:
    """A slot of an open offer. ``id`` is None when the offer's row has ended and cannot be taken up any more."""

    id: UUID | None
    slot: Slot
    asked_to_confirm: bool
    """It is or was held for the lead, who was asked to confirm it."""
    gone: bool = False
    """Its time has passed. It keeps its place: the lead counts by the list that was sent."""


@dataclass(frozen=True, slots=True)
class OpenOffer:
    """Slots in the order the lead saw them."""

    rows: tuple[OfferedRow, ...]

    @property
    def slots(self) -> tuple[Slot, ...]:
        return tuple(row.slot for row in self.rows)

    @property
    def takeable(self) -> tuple[Slot, ...]:
        """The slots the lead can still take up."""
        return tuple(row.slot for row in self.rows if row.id is not None and not row.gone)

    @property
    def held_position(self) -> int | None:
        return next((n for n, row in enumerate(self.rows, start=1) if row.asked_to_confirm), None)

    @property
    def gone_positions(self) -> tuple[int, ...]:
        return tuple(n for n, row in enumerate(self.rows, start=1) if row.gone)


NO_OFFER = OpenOffer(())

# The bot's offers and people's stand in the order of the thread. A hold is short, and leads answer late: a slot whose
# hold ran out is still what "confirm" is about. Whether it is still free is for the booking to say.
_NEWEST = text("""
    SELECT o.conversation_id, o.state, o.id, o.starts_at, o.ends_at, o.timezone, o.agent_id, g.full_name, o.unit_id,
           o.state = 'held' OR (o.state = 'expired' AND o.hold_expires_at IS NOT NULL) AS asked_to_confirm,
           o.starts_at <= :now OR (o.expires_at <= :now AND o.hold_expires_at IS NULL) AS gone
      FROM unnest(CAST(:conversations AS uuid[])) AS c(id)
     CROSS JOIN LATERAL (
           (SELECT d.id AS decision_id, CAST(NULL AS uuid) AS message_id, d.through_seq AS seq FROM "Decisions" d
             WHERE d.conversation_id = c.id AND EXISTS (SELECT 1 FROM "SlotOffers" x WHERE x.decision_id = d.id)
             ORDER BY d.through_seq DESC LIMIT 1)
           UNION ALL
           (SELECT NULL, m.id, m.seq FROM "SlotOffers" x JOIN "Messages" m ON m.id = x.message_id
             WHERE x.conversation_id = c.id AND x.message_id IS NOT NULL ORDER BY m.seq DESC LIMIT 1)
           ORDER BY seq DESC LIMIT 1) AS newest
     CROSS JOIN LATERAL (
           SELECT * FROM "SlotOffers" x WHERE x.decision_id = newest.decision_id
           UNION ALL
           SELECT * FROM "SlotOffers" x WHERE x.message_id = newest.message_id) AS o
      LEFT JOIN "Agents" g ON g.id = o.agent_id
     WHERE o.state IN ('offered', 'held', 'expired')
     ORDER BY o.conversation_id, o.position
""")


def load_offers(conn: Connection, conversations: Sequence[UUID], now: datetime) -> dict[UUID, OpenOffer]:
    """The newest offer of each conversation that has an open one."""
    found: dict[UUID, list[OfferedRow]] = defaultdict(list)
    for row in conn.execute(_NEWEST, {"conversations": list(conversations), "now": now}):
        slot = Slot(row.starts_at, row.ends_at, row.timezone, row.agent_id, row.full_name, row.unit_id)
        ended = row.state == "expired"
        gone = row.gone or (ended and not row.asked_to_confirm)
        found[row.conversation_id].append(
            OfferedRow(None if ended else row.id, slot, row.asked_to_confirm and not gone, gone)
        )
    return {
        conversation: OpenOffer(tuple(rows))
        for conversation, rows in found.items()
        if not all(row.gone for row in rows)
    }


_AHEAD = text("""
    SELECT CASE WHEN s.hold_expires_at IS NULL THEN s.status ELSE 'held' END AS state, count(*) AS showings
      FROM "ShowingAppointments" s JOIN "PlatformAccounts" a ON a.id = s.platform_account_id
     WHERE a.platform = :platform AND s.ends_at > :now
       AND (s.hold_expires_at IS NULL OR (s.status = 'pending' AND s.hold_expires_at > :now))
     GROUP BY 1 ORDER BY 1
""")


def showings_ahead(conn: Connection, platform: Platform, now: datetime) -> dict[str, int]:
    """Showings of a platform that are not over, by status."""
    return {
        str(row.state): int(row.showings)
        for row in conn.execute(_AHEAD, {"platform": platform.value, "now": now})
    }
