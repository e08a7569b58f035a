"""Leads who asked not to be written to: kept on every conversation of theirs on that platform, for good.

Nothing of ours leaves for them by itself any more; a person may still write, and may lift it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Literal
from uuid import UUID

from sqlalchemy import Connection, text

from leasebot_pipeline.domain.follow_ups import StopReason
from leasebot_pipeline.storage import audit, follow_up_ends, follow_up_stops

# The lead is known by the platform's own id where it tells one; else only the thread is.
_RECORD = text("""
    WITH told AS (
      SELECT c.id, c.lead_external_id, a.platform
        FROM "Conversations" c JOIN "PlatformAccounts" a ON a.id = c.platform_account_id
       WHERE c.id = ANY(:conversations)
    ), theirs AS (
      SELECT t.id, t.id AS said_in FROM told t
      UNION
      SELECT c.id, t.id FROM told t
        JOIN "Conversations" c ON c.lead_external_id = t.lead_external_id
        JOIN "PlatformAccounts" a ON a.id = c.platform_account_id AND a.platform = t.platform
    ), first AS (SELECT DISTINCT ON (id) id, said_in FROM theirs ORDER BY id, said_in = id DESC)
    UPDATE "Conversations" c SET opted_out_at = :now, updated_at = :now
      FROM first f JOIN "Conversations" x ON x.id = f.id JOIN "PlatformAccounts" a ON a.id = x.platform_account_id
     WHERE c.id = f.id AND c.opted_out_at IS NULL
    RETURNING c.id, f.said_in, c.assigned_agent_id, a.platform, a.id AS account
""")

# Replies of ours that nobody has clicked yet are withdrawn; a person's own stays with that person.
_WITHDRAW = text("""
    WITH gone AS (
      UPDATE "OutboundDispatches"
         SET state = 'cancelled', error_code = 'lead_opted_out', last_error = 'the lead asked not to be written to',
             next_attempt_at = NULL, updated_at = :now
       WHERE conversation_id = ANY(:conversations) AND purpose IN ('decision', 'follow_up', 'reminder')
         AND state IN ('draft', 'held', 'queued', 'retry_scheduled')
      RETURNING message_id
    )
    UPDATE "Messages" m SET metadata = m.metadata || '{"reviewStatus": "hold", "superseded": true}'::jsonb
      FROM gone WHERE m.id = gone.message_id AND m.metadata ->> 'reviewStatus' = 'draft'
""")


def record(
    conn: Connection, said: Mapping[UUID, UUID | None], now: datetime, run_id: str | None = None
) -> list[UUID]:
    """Keep opt-outs in the caller's transaction; ``said`` maps conversations to the message that said so.

    Stops what was planned, reminders included, and withdraws what was not clicked yet. Returns every
    conversation that is opted out by this, other threads of the same lead included.
    """
    if not said:
        return []
    rows = conn.execute(_RECORD, {"conversations": list(said), "now": now}).all()
    conversations = [row.id for row in rows]
    if not conversations:
        return []
    stopped = follow_up_stops.stop(
        conn, conversations, StopReason.OPTED_OUT, now, run_id=run_id, showings=True
    )
    follow_up_ends.say_cancelled(conn, stopped, now, run_id)
    conn.execute(_WITHDRAW, {"conversations": conversations, "now": now})
    audit.record(
        conn,
        [
            audit.AuditEntry(
                actor_type="worker",
                entity_type="conversation",
                entity_id=str(row.id),
                action="lead_opted_out",
                details={
                    "messageId": str(said.get(row.said_in) or ""),
                    "saidInConversation": str(row.said_in),
                },
                platform=row.platform,
                platform_account_id=row.account,
                conversation_id=row.id,
                agent_id=str(row.assigned_agent_id) if row.assigned_agent_id else None,
                run_id=run_id,
            )
            for row in rows
        ],
    )
    return conversations


_INHERIT = text("""
    UPDATE "Conversations" c SET opted_out_at = o.opted_out_at
      FROM "PlatformAccounts" a, "Conversations" o, "PlatformAccounts" b
     WHERE c.id = ANY(:conversations) AND c.opted_out_at IS NULL AND a.id = c.platform_account_id
       AND o.lead_external_id = c.lead_external_id AND o.opted_out_at IS NOT NULL
       AND b.id = o.platform_account_id AND b.platform = a.platform
""")


def inherit(conn: Connection, conversations: Sequence[UUID]) -> int:
    """A new thread of a lead who opted out elsewhere on the platform is opted out, too; how many were."""
    if not conversations:
        return 0
    return conn.execute(_INHERIT, {"conversations": list(conversations)}).rowcount


_LIFT = text("""
    UPDATE "Conversations" c SET opted_out_at = NULL, updated_at = :now
      FROM "PlatformAccounts" a
     WHERE c.id = :conversation AND c.opted_out_at IS NOT NULL AND a.id = c.platform_account_id
    RETURNING a.platform, a.id AS account
""")


def lift(
    conn: Connection,
    conversation: UUID,
    now: datetime,
    *,
    actor_type: Literal["admin", "agent", "user"],
    actor: str | None,
) -> bool:
    """A person says that this lead may be written to again; False when it was not opted out."""
    row = conn.execute(_LIFT, {"conversation": conversation, "now": now}).one_or_none()
    if row is None:
        return False
    audit.record(
        conn,
        [
            audit.AuditEntry(
                actor_type=actor_type,
                actor_id=actor,
                entity_type="conversation",
                entity_id=str(conversation),
                action="lead_opt_out_lifted",
                platform=row.platform,
                platform_account_id=row.account,
                conversation_id=conversation,
            )
        ],
    )
    return True
