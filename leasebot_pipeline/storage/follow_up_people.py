"""Follow-ups a person sets or calls off on the conversation itself: the plan follows the person's word."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from sqlalchemy import Connection, text

from leasebot_pipeline.domain.platforms import Platform

# A person's follow-up says when; one whose time is long past, such as one taken over from the earlier system,
# is left alone.
_ASKED_FOR: Final = """
    a.platform = :platform AND c.status = 'open' AND c.follow_up_stage IS NOT NULL AND c.follow_up_status = 'pending'
    AND c.follow_up_due_at > :not_before AND c.opted_out_at IS NULL AND c.workflow_state <> 'outcome'
    AND NOT EXISTS (SELECT 1 FROM "FollowUps" f
                     WHERE f.conversation_id = c.id AND f.stage = c.follow_up_stage AND f.status = 'pending'
                       AND (f.handed_at IS NOT NULL OR f.due_at = c.follow_up_due_at))
"""
_CALLED_OFF: Final = """
    f.status = 'pending' AND f.handed_at IS NULL AND f.appointment_id IS NULL AND a.platform = :platform
    AND c.follow_up_stage = f.stage AND c.follow_up_status <> 'pending'
"""
_FROM_STEPS: Final = """
      FROM "FollowUps" f JOIN "Conversations" c ON c.id = f.conversation_id
      JOIN "PlatformAccounts" a ON a.id = c.platform_account_id
"""
_FROM_CONVERSATIONS: Final = """
      FROM "Conversations" c JOIN "PlatformAccounts" a ON a.id = c.platform_account_id
"""
_ASKED = text(f"""
    SELECT c.id, c.platform_account_id, c.follow_up_stage AS stage, c.follow_up_due_at AS due_at,
           c.follow_up_owner_agent_id AS owner_agent_id,
           COALESCE((SELECT max(m.seq) FROM "Messages" m
                      WHERE m.conversation_id = c.id
                        AND (m.direction = 'inbound' OR COALESCE(m.metadata ->> 'reviewStatus', 'sent') = 'sent')), 0) AS after_seq,
           p.id AS pending_id
      {_FROM_CONVERSATIONS}
      LEFT JOIN "FollowUps" p ON p.conversation_id = c.id AND p.appointment_id IS NULL AND p.status = 'pending'
     WHERE {_ASKED_FOR}
     ORDER BY c.id
     LIMIT :limit
     FOR UPDATE OF c SKIP LOCKED
""")
_OFF = text(f"SELECT f.id {_FROM_STEPS} WHERE {_CALLED_OFF} ORDER BY f.id LIMIT :limit")
_WORK = text(f"""
    SELECT (SELECT count(*) FROM (SELECT 1 {_FROM_CONVERSATIONS} WHERE {_ASKED_FOR} LIMIT 10000) asked)
         + (SELECT count(*) FROM (SELECT 1 {_FROM_STEPS} WHERE {_CALLED_OFF} LIMIT 10000) off)
""")


@dataclass(frozen=True, slots=True)
class AskedFor:
    """A follow-up a person set on a conversation, not planned yet, or planned for another time."""

    conversation_id: UUID
    platform_account_id: UUID
    stage: str
    due_at: datetime
    owner_agent_id: UUID | None
    after_seq: int
    pending_id: UUID | None


def asked_for(
    conn: Connection, platform: Platform, now: datetime, most_overdue: timedelta, limit: int
) -> list[AskedFor]:
    """What people set, with the conversations locked; those others hold are left for the next time."""
    parameters = {"platform": platform.value, "not_before": now - most_overdue, "limit": limit}
    return [AskedFor(*row) for row in conn.execute(_ASKED, parameters)]


def called_off(conn: Connection, platform: Platform, limit: int) -> list[UUID]:
    """Planned steps whose conversation says that they are not pending any more."""
    return list(conn.execute(_OFF, {"platform": platform.value, "limit": limit}).scalars())


def pending_work(conn: Connection, platform: Platform, now: datetime, most_overdue: timedelta) -> int:
    """How many conversations and plans disagree."""
    parameters = {"platform": platform.value, "not_before": now - most_overdue}
    return int(conn.execute(_WORK, parameters).scalar_one())
