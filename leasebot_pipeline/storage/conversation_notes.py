"""What the team says to itself about a lead, and how far each has read. The lead never sees either."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from sqlalchemy import Connection, text

from leasebot_pipeline.storage.inbox_sql import ONE_OF
from leasebot_pipeline.storage.outbox_sql import killed
from leasebot_pipeline.storage.steering import SNOOZED
from leasebot_pipeline.storage.waiting_for_people import ASKED_AND_ANSWERED

MOST: Final = 100


@dataclass(frozen=True, slots=True)
class Note:
    id: UUID
    conversation_id: UUID
    author_id: str | None
    author_name: str | None
    body: str
    created_at: datetime


_NOTES = text("""
    SELECT n.id, n.conversation_id, n.author_id, u.name AS author_name, n.body, n.created_at
      FROM "ConversationNotes" n LEFT JOIN "user" u ON u.id = n.author_id
     WHERE n.conversation_id = :conversation
     ORDER BY n.created_at DESC, n.id LIMIT :limit
""")
_ADD = text("""
    INSERT INTO "ConversationNotes" (conversation_id, author_id, body, created_at)
    VALUES (:conversation, :author, :body, :now) RETURNING id
""")
_REMOVE = text("""
    DELETE FROM "ConversationNotes"
     WHERE id = :id AND conversation_id = :conversation AND (:anybodys OR author_id = :author) RETURNING author_id
""")
# What changed must show in the conversation's own version: pages that are open look at it.
_TOUCH = text('UPDATE "Conversations" SET updated_at = :now WHERE id = :conversation')


def notes(conn: Connection, conversation_id: UUID) -> list[Note]:
    """Newest first."""
    rows = conn.execute(_NOTES, {"conversation": conversation_id, "limit": MOST})
    return [Note(*row) for row in rows]


def add(conn: Connection, conversation_id: UUID, author: str, body: str, now: datetime) -> UUID:
    values = {"conversation": conversation_id, "author": author, "body": body, "now": now}
    found: UUID = conn.execute(_ADD, values).scalar_one()
    conn.execute(_TOUCH, {"conversation": conversation_id, "now": now})
    return found


def remove(
    conn: Connection, conversation_id: UUID, note_id: UUID, author: str, now: datetime, *, anybodys: bool
) -> bool:
    """Remove a note of the author's own, or ``anybodys``; False when there is no such note."""
    values = {"id": note_id, "conversation": conversation_id, "author": author, "anybodys": anybodys}
    if conn.execute(_REMOVE, values).one_or_none() is None:
        return False
    conn.execute(_TOUCH, {"conversation": conversation_id, "now": now})
    return True


_SEEN = text("""
    INSERT INTO "ConversationReads" (user_id, conversation_id, seen_seq, seen_at)
    SELECT :user, c.id, c.newest_inbound_seq, :now FROM "Conversations" c
     WHERE c.id = :conversation AND c.newest_inbound_seq IS NOT NULL
    ON CONFLICT (user_id, conversation_id) DO UPDATE
       SET seen_seq = EXCLUDED.seen_seq, seen_at = EXCLUDED.seen_at
     WHERE "ConversationReads".seen_seq < EXCLUDED.seen_seq
""")


def mark_seen(conn: Connection, conversation_id: UUID, user: str, now: datetime) -> bool:
    """The user has read it as it stands; False when nothing was new."""
    values = {"conversation": conversation_id, "user": user, "now": now}
    return conn.execute(_SEEN, values).rowcount == 1


@dataclass(frozen=True, slots=True)
class Marks:
    """What a list shows of a conversation beside its messages, for one user."""

    unread: bool
    snoozed: bool
    snoozed_until: datetime | None
    taken_over_by: str | None
    agent_name: str | None
    notes: int
    under_way: str | None
    """The state of a reply that is queued, being sent, in doubt or given up; ``stopped`` while a switch keeps it queued."""
    answered: bool
    """A person was asked for, and an answer went out since or is on its way."""
    rejected: bool
    """What is held is a reply that a person rejected."""


_MARKS = text(f"""
    SELECT c.id, COALESCE(c.newest_inbound_seq > COALESCE(r.seen_seq, 0), false) AS unread, {SNOOZED} AS snoozed,
           c.snoozed_until, CASE WHEN c.taken_over_at IS NOT NULL THEN COALESCE(t.name, 'somebody') END AS taken_over_by,
           g.full_name AS agent_name,
           (SELECT count(*) FROM "ConversationNotes" n WHERE n.conversation_id = c.id) AS notes,
           (SELECT CASE WHEN d.state IN ('queued', 'retry_scheduled') AND {killed("d")} THEN 'stopped' ELSE d.state END
              FROM "OutboundDispatches" d
             WHERE d.conversation_id = c.id AND d.state NOT IN ('draft', 'held', 'sent', 'cancelled')
             ORDER BY d.updated_at DESC LIMIT 1) AS under_way,
           COALESCE((SELECT m.metadata ? 'rejectedAt' FROM "Messages" m
                      WHERE m.conversation_id = c.id AND {ONE_OF["hold"]} ORDER BY m.seq DESC LIMIT 1), false) AS rejected,
           COALESCE({ASKED_AND_ANSWERED}, false) AS answered
      FROM "Conversations" c
      LEFT JOIN "ConversationReads" r ON r.conversation_id = c.id AND r.user_id = :user
      LEFT JOIN "user" t ON t.id = c.taken_over_by
      LEFT JOIN "Agents" g ON g.id = c.assigned_agent_id
     WHERE c.id = ANY(:ids)
""")


def marks(conn: Connection, conversations: Collection[UUID], user: str, now: datetime) -> dict[UUID, Marks]:
    """Marks of the conversations of a list, in one statement."""
    if not conversations:
        return {}
    rows = conn.execute(_MARKS, {"ids": list(conversations), "user": user, "now": now})
    return {
        row.id: Marks(
            row.unread,
            row.snoozed,
            row.snoozed_until,
            row.taken_over_by,
            row.agent_name,
            row.notes,
            row.under_way,
            row.answered,
            row.rejected,
        )
        for row in rows
    }
