"""People beside the pipeline: what they do in the inbox while everything breaks, and a lead whom all have forgotten."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from sqlalchemy import Connection, text

from leasebot_pipeline.domain.platforms import Platform
from leasebot_pipeline.storage import audit, manual_replies
from leasebot_pipeline.storage.booking import Actor

_NEWEST = text("""
    SELECT c.id FROM "Conversations" c JOIN "PlatformAccounts" a ON a.id = c.platform_account_id
     WHERE a.platform = :platform AND c.status = 'open' ORDER BY c.last_message_at DESC NULLS LAST LIMIT 1
""")
_ACCOUNT = text("""
    SELECT c.platform_account_id, a.platform
      FROM "Conversations" c JOIN "PlatformAccounts" a ON a.id = c.platform_account_id WHERE c.id = :conversation
""")

SILENT_FOR: Final = timedelta(days=400)
_FORGOTTEN = text("""
    INSERT INTO "Conversations" (platform_account_id, external_thread_id, lead_name, lead_external_id, status,
                                 last_message_at, created_at)
    SELECT id, 'forgotten-' || gen_random_uuid(), 'Robin Forgotten', 'forgotten', 'archived', :at, :at
      FROM "PlatformAccounts" WHERE platform = :platform
""")


def forgotten_lead(conn: Connection, platform: Platform, now: datetime) -> None:
    """A lead of long ago, of whom nothing is left but who they were: no site knows of them."""
    conn.execute(_FORGOTTEN, {"platform": platform.value, "at": now - SILENT_FOR})


def newest_conversation(conn: Connection, platform: Platform) -> UUID | None:
    """What stands on top of the team's inbox."""
    found: UUID | None = conn.execute(_NEWEST, {"platform": platform.value}).scalar_one_or_none()
    return found


def write(conn: Connection, conversation: UUID, body: str, now: datetime) -> UUID:
    """A person answers, as the API stores it: the reply is queued, and audited as hers."""
    actor = Actor("admin", "play")
    message = manual_replies.write(
        conn, conversation, body, {}, agent_id=None, send=True, actor=actor, now=now
    )
    account = conn.execute(_ACCOUNT, {"conversation": conversation}).one()
    audit.record(
        conn,
        [
            audit.AuditEntry(
                actor_type=actor.actor_type,
                actor_id=actor.actor_id,
                entity_type="message",
                entity_id=str(message),
                action="inbox_manual_reply_dispatched",
                details={},
                platform=account.platform,
                platform_account_id=account.platform_account_id,
                conversation_id=conversation,
            )
        ],
    )
    return message
