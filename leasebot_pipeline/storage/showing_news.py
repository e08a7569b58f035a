"""What the lead of a showing was not told: that a person moved it, or called it off."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal
from uuid import UUID

from sqlalchemy import Connection, text

Said = Literal["moved", "cancelled"]

_BY_PEOPLE: Final = frozenset({"admin", "agent"})


@dataclass(frozen=True, slots=True)
class News:
    """``known_start`` and ``known_end``: the time the lead has in mind."""

    conversation_id: UUID
    what: Said
    known_start: datetime
    known_end: datetime


# By the database's clock throughout. A reply written or approved in the change's own transaction tells of it.
_UNTOLD = text("""
    WITH told AS (
      SELECT max(x.created_at) AS at
        FROM "ShowingAppointments" s
        JOIN "AuditLogs" x ON x.conversation_id = s.conversation_id
         AND x.action IN ('inbox_manual_reply_dispatched', 'inbox_message_approved') AND NOT x.details ? 'keptBecause'
       WHERE s.id = :id
    )
    SELECT s.conversation_id, a.actor_type, a.action = 'showing_rescheduled' AS moved, s.status, s.starts_at, s.ends_at,
           CAST(a.details #>> '{previous,startsAt}' AS timestamptz) AS was_start,
           CAST(a.details #>> '{previous,endsAt}' AS timestamptz) AS was_end
      FROM "ShowingAppointments" s
     CROSS JOIN told
      JOIN "AuditLogs" a ON a.entity_type = 'showing_appointment' AND a.entity_id = CAST(s.id AS text)
       AND (a.action = 'showing_rescheduled'
            OR (a.action = 'showing_workflow_outcome_synced' AND a.details ->> 'nextStatus' = 'cancelled'))
       AND a.created_at > COALESCE(told.at, '-infinity')
     WHERE s.id = :id AND s.conversation_id IS NOT NULL AND s.hold_expires_at IS NULL
       AND NOT EXISTS (SELECT 1 FROM "ShowingAppointments" n
                        WHERE n.conversation_id = s.conversation_id AND n.hold_expires_at IS NULL AND n.seq > s.seq)
     ORDER BY a.created_at, a.id
""")


def untold(conn: Connection, showing_id: UUID) -> News | None:
    """What people changed about a conversation's current showing since one of us last wrote to its lead, if anything.

    What the bot changes it tells in the same breath.
    """
    changes = conn.execute(_UNTOLD, {"id": showing_id}).all()
    if not changes or changes[-1].actor_type not in _BY_PEOPLE:
        return None
    last = changes[-1]
    moved = next((change for change in changes if change.moved), None)
    known = (moved.was_start, moved.was_end) if moved else (last.starts_at, last.ends_at)
    if last.status == "cancelled":
        return News(last.conversation_id, "cancelled", *known)
    if not last.moved or known[0] == last.starts_at:
        return None
    return News(last.conversation_id, "moved", *known)
