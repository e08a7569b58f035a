"""Planning: a sent reply begins a silence, and a silence has a next step. A batch takes a fixed number of statements.

Each sent reply is looked at once (``silence_seen_at``), soon after its proof. What the policy says at that
moment holds for it: switching follow-ups on later reaches nobody who was written to before.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import Connection, text

from leasebot_pipeline.domain.platforms import Platform
from leasebot_pipeline.storage.follow_up_sql import (
    CONFIRMED_SHOWING_AHEAD,
    LEAD_WAITS,
    LEAD_WROTE_SINCE,
    OWNER,
    ZONES,
)


@dataclass(frozen=True, slots=True)
class SentReply:
    """A proven reply and what stands in the way of following it up, if anything does."""

    dispatch_id: UUID
    conversation_id: UUID
    platform_account_id: UUID
    purpose: str
    sent_at: datetime
    seq: int
    """Of its message: whatever the lead writes later has a higher one."""
    follow_up_id: UUID | None
    stage: str | None
    """The follow-up this reply was, if it was one."""
    workflow_state: str
    owner_agent_id: UUID | None
    zones: list[str | None]
    obstacle: str | None
    """A ``StopReason`` or ``planned_by_person``; None when the lead is silent and nothing else is arranged."""
    pending_id: UUID | None
    """A step that is planned already: the silence begins anew with this message."""


_LOCK = text("""
    SELECT d.id, d.conversation_id
      FROM "OutboundDispatches" d JOIN "Conversations" c ON c.id = d.conversation_id
     WHERE d.platform = :platform AND d.state = 'sent' AND d.silence_seen_at IS NULL
     ORDER BY d.sent_at, d.id
     LIMIT :limit
     FOR UPDATE OF d, c SKIP LOCKED
""")
_FACTS = text(f"""
    SELECT d.id AS dispatch_id, d.conversation_id, d.platform_account_id, d.purpose,
           COALESCE(d.sent_at, d.updated_at) AS sent_at, COALESCE(m.seq, 0) AS seq,
           f.id AS follow_up_id, f.stage, c.workflow_state, o.owner AS owner_agent_id,
           {ZONES.format(agent="o.owner")} AS zones,
           CASE WHEN m.id IS NULL OR EXISTS (
                       SELECT 1 FROM "Messages" n
                        WHERE n.conversation_id = c.id AND n.direction = 'outbound' AND n.seq > m.seq
                          AND COALESCE(n.metadata ->> 'reviewStatus', 'sent') = 'sent')
                THEN 'replaced_by_newer_message'
                WHEN c.opted_out_at IS NOT NULL THEN 'lead_opted_out'
                WHEN c.taken_over_at IS NOT NULL THEN 'taken_over_by_person'
                WHEN c.status <> 'open' THEN 'conversation_closed'
                WHEN {LEAD_WROTE_SINCE.format(seq="m.seq")} OR {LEAD_WAITS} THEN 'lead_replied'
                WHEN {CONFIRMED_SHOWING_AHEAD} THEN 'showing_booked'
                WHEN c.workflow_state = 'outcome' THEN 'outcome_reached'
                WHEN o.owner IS NULL THEN 'no_owner'
                WHEN p.planned_by = 'person' THEN 'planned_by_person'
           END AS obstacle,
           p.id AS pending_id
      FROM "OutboundDispatches" d
      JOIN "Conversations" c ON c.id = d.conversation_id
      LEFT JOIN "Messages" m ON m.id = d.message_id
      LEFT JOIN "FollowUps" f ON f.dispatch_id = d.id
      LEFT JOIN "FollowUps" p ON p.conversation_id = c.id AND p.appointment_id IS NULL AND p.status = 'pending'
                             AND p.id IS DISTINCT FROM f.id
     CROSS JOIN LATERAL (SELECT {OWNER} AS owner) o
     WHERE d.id = ANY(:ids)
     ORDER BY d.conversation_id, d.sent_at, d.id
""")


def lock_sent_replies(conn: Connection, platform: Platform, now: datetime, limit: int) -> list[SentReply]:
    """Sent replies nobody looked at yet, with their conversations locked. Others' locks are left to them."""
    rows = conn.execute(_LOCK, {"platform": platform.value, "limit": limit}).all()
    if not rows:
        return []
    # A statement of its own: only now, under the locks, is what it reads settled.
    facts = conn.execute(_FACTS, {"ids": [row.id for row in rows], "now": now}).mappings()
    return [SentReply(**row) for row in facts]


@dataclass(frozen=True, slots=True)
class PlannedStep:
    """A step to be stored."""

    id: UUID
    conversation_id: UUID
    stage: str
    due_at: datetime
    owner_agent_id: UUID | None
    after_seq: int
    planned_by: str = "policy"


_SEEN = text('UPDATE "OutboundDispatches" SET silence_seen_at = :now WHERE id = ANY(:ids)')
_COMPLETE = text("""
    UPDATE "FollowUps" SET status = 'completed', settled_at = :now, updated_at = :now
     WHERE dispatch_id = ANY(:ids) AND status = 'pending'
    RETURNING id
""")
_INSERT = text("""
    INSERT INTO "FollowUps" (id, conversation_id, stage, due_at, owner_agent_id, after_seq, planned_by, created_at, updated_at)
    SELECT id, conversation_id, stage, due_at, owner_agent_id, after_seq, planned_by, :now, :now
      FROM jsonb_to_recordset(CAST(:rows AS jsonb)) AS r(
             id uuid, conversation_id uuid, stage text, due_at timestamptz, owner_agent_id uuid, after_seq bigint,
             planned_by text)
    ON CONFLICT DO NOTHING
    RETURNING id
""")


def complete_sent(conn: Connection, dispatches: Sequence[UUID], now: datetime) -> int:
    """Steps whose text is proven sent are done."""
    return len(conn.execute(_COMPLETE, {"ids": list(dispatches), "now": now}).all())


def store_steps(conn: Connection, steps: Sequence[PlannedStep], now: datetime) -> set[UUID]:
    """Store planned steps; the ids that are new. One that is planned already stays as it is."""
    if not steps:
        return set()
    rows = json.dumps([{name: getattr(step, name) for name in _NAMES} for step in steps], default=_plain)
    return set(conn.execute(_INSERT, {"rows": rows, "now": now}).scalars())


_NAMES = tuple(PlannedStep.__dataclass_fields__)


def mark_seen(conn: Connection, dispatches: Sequence[UUID], now: datetime) -> None:
    """These replies were looked at; they never are again."""
    conn.execute(_SEEN, {"ids": list(dispatches), "now": now})


def _plain(value: object) -> str:
    return value.isoformat() if isinstance(value, datetime) else str(value)
