"""The inbox as people see it: conversations with what waits in them, one conversation with its messages."""

from __future__ import annotations

import json
from dataclasses import dataclass, fields
from datetime import datetime
from hashlib import sha256
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, Row, text

from leasebot_pipeline.storage.inbox_list import UNRANKED, InboxFilter, InboxRow, list_inbox
from leasebot_pipeline.storage.inbox_sql import STATUS, UNIT

__all__ = [
    "STATUS",
    "UNRANKED",
    "ConversationRow",
    "InboxFilter",
    "InboxRow",
    "MessageRow",
    "draft_version",
    "find_conversation",
    "list_inbox",
    "lock_conversation",
    "messages",
]


@dataclass(frozen=True, slots=True)
class ConversationRow:
    """One conversation, with the label of its unit."""

    id: UUID
    platform_account_id: UUID
    platform: str
    account_is_active: bool
    listing_id: UUID | None
    unit_id: UUID | None
    assigned_agent_id: UUID | None
    external_thread_id: str
    lead_name: str | None
    lead_contact: dict[str, Any]
    status: str
    workflow_state: str
    workflow_outcome: str | None
    showing_state: str | None
    follow_up_stage: str | None
    follow_up_due_at: datetime | None
    follow_up_owner_agent_id: UUID | None
    follow_up_status: str
    workflow_updated_at: datetime
    unit: str | None
    unit_number: str | None
    thread_label: str | None
    thread_message_count: int | None
    inbox_sort_rank: int | None
    linkage_strategy: str | None
    last_message_at: datetime | None
    updated_at: datetime
    rent_cents: int | None


@dataclass(frozen=True, slots=True)
class MessageRow:
    """A message of a conversation; ``status`` is its effective review status."""

    id: UUID
    conversation_id: UUID
    external_message_id: str | None
    sender_type: str
    sender_agent_id: UUID | None
    direction: str
    body: str
    metadata: dict[str, Any]
    status: str
    sent_at: datetime | None
    created_at: datetime
    seq: int
    dispatch_id: UUID | None
    dispatch_state: str | None
    receipt: dict[str, Any] | None

    @property
    def version(self) -> str | None:
        """Of a draft or held reply: changes with its text and with what was done about it."""
        if self.direction != "outbound" or self.status not in ("draft", "hold"):
            return None
        return draft_version(self.body, self.status, self.dispatch_state)


def draft_version(body: str, review_status: str, dispatch_state: str | None) -> str:
    """An ETag of a reply that was not sent."""
    told = json.dumps([body, review_status, dispatch_state])
    return f'"{sha256(told.encode()).hexdigest()[:16]}"'


_CONVERSATION = f"""
    SELECT c.id, c.platform_account_id, a.platform, a.is_active AS account_is_active, c.listing_id, li.unit_id,
           c.assigned_agent_id, c.external_thread_id, c.lead_name, c.lead_contact, c.status, c.workflow_state,
           c.workflow_outcome, c.showing_state, c.follow_up_stage, c.follow_up_due_at, c.follow_up_owner_agent_id,
           c.follow_up_status, c.workflow_updated_at, {UNIT} AS unit, u.unit_number,
           c.external_thread_label AS thread_label, c.external_thread_message_count AS thread_message_count,
           c.external_inbox_sort_rank AS inbox_sort_rank, c.linkage_strategy, c.last_message_at, c.updated_at,
           li.rent_cents
      FROM "Conversations" c
      JOIN "PlatformAccounts" a ON a.id = c.platform_account_id
      LEFT JOIN "Listings" li ON li.id = c.listing_id
      LEFT JOIN "Units" u ON u.id = li.unit_id
     WHERE c.id = :id
"""
_FIND = text(_CONVERSATION)
_LOCK = text(f"{_CONVERSATION} FOR UPDATE OF c")
# One row per external id: a page of the thread says more than a line of the inbox.
_MESSAGES = text(f"""
    SELECT * FROM (
      SELECT DISTINCT ON (COALESCE(m.external_message_id, m.id::text))
             m.id, m.conversation_id, m.external_message_id, m.sender_type, m.sender_agent_id, m.direction, m.body,
             m.metadata, {STATUS} AS status, m.sent_at, m.created_at, m.seq, d.id AS dispatch_id,
             d.state AS dispatch_state, d.receipt
        FROM "Messages" m
        LEFT JOIN "OutboundDispatches" d ON d.message_id = m.id AND d.conversation_id = m.conversation_id
       WHERE m.conversation_id = :id
       ORDER BY COALESCE(m.external_message_id, m.id::text),
                array_position(ARRAY['platform_thread', 'platform_outbound_send', 'platform_inbox'],
                               m.metadata ->> 'sentAtSource'), m.created_at DESC) x
     WHERE CAST(:before AS bigint) IS NULL OR x.seq < :before
     ORDER BY x.seq DESC LIMIT :limit
""")


def find_conversation(conn: Connection, conversation_id: UUID) -> ConversationRow | None:
    row = conn.execute(_FIND, {"id": conversation_id}).one_or_none()
    return None if row is None else _row(ConversationRow, row)


def lock_conversation(conn: Connection, conversation_id: UUID) -> ConversationRow | None:
    """The conversation, its row locked until the transaction ends."""
    row = conn.execute(_LOCK, {"id": conversation_id}).one_or_none()
    return None if row is None else _row(ConversationRow, row)


def messages(
    conn: Connection, conversation_id: UUID, limit: int, before: int | None = None
) -> list[MessageRow]:
    """The newest messages, oldest of them first; those before a ``seq``."""
    rows = conn.execute(_MESSAGES, {"id": conversation_id, "limit": limit, "before": before}).all()
    return [_row(MessageRow, row) for row in reversed(rows)]


def _row(kind: type[Any], row: Row[Any]) -> Any:
    return kind(**{field.name: getattr(row, field.name) for field in fields(kind)})
