"""The inbox as people see it: conversations with what waits in them, one conversation with its messages."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from hashlib import sha256
from typing import Any, Final
from uuid import UUID

from sqlalchemy import Connection, Row, text

UNRANKED: Final = 2_147_483_647


@dataclass(frozen=True, slots=True)
class InboxRow:
    """A conversation in the list. ``at`` is its newest message's time, the list's order.

    A message counts as new or held only while nothing of ours was sent after it (G-63).
    """

    id: UUID
    platform_account_id: UUID
    platform: str
    listing_id: UUID | None
    assigned_agent_id: UUID | None
    external_thread_id: str
    lead_name: str | None
    lead_contact: dict[str, Any]
    conversation_status: str
    workflow_state: str
    workflow_outcome: str | None
    showing_state: str | None
    follow_up_stage: str | None
    follow_up_due_at: datetime | None
    follow_up_owner_agent_id: UUID | None
    follow_up_status: str
    workflow_updated_at: datetime
    message_status: str
    new_count: int
    draft_count: int
    hold_count: int
    sent_count: int
    unit: str | None
    thread_label: str | None
    thread_message_count: int | None
    inbox_sort_rank: int | None
    latest_message: str | None
    latest_direction: str | None
    latest_status: str | None
    latest_sent_at_text: str | None
    last_message_at: datetime | None
    updated_at: datetime
    at: datetime


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


@dataclass(frozen=True, slots=True)
class InboxFilter:
    """What the list shows; None: anything. ``agent_id`` limits it to what an agent is in charge of."""

    agent_id: UUID | None = None
    status: str | None = None
    platform: str | None = None
    workflow_state: str | None = None
    workflow_outcome: str | None = None
    search: str | None = None


_AT = "COALESCE(c.last_message_at, c.created_at)"
_RANK = f"COALESCE(c.external_inbox_sort_rank, {UNRANKED})"
_SENT = "m.direction = 'outbound' AND COALESCE(m.metadata ->> 'reviewStatus', 'sent') = 'sent'"
_UNIT = """CASE WHEN u.id IS NULL THEN NULLIF(c.external_thread_label, '')
                ELSE concat_ws(' ', u.property_name, u.unit_number) END"""
STATUS: Final = """CASE WHEN m.metadata ->> 'reviewStatus' IN ('new', 'draft', 'hold', 'sent') THEN m.metadata ->> 'reviewStatus'
            WHEN m.direction = 'inbound' THEN 'new' ELSE 'sent' END"""
_COUNTS = f"""
    SELECT count(*) FILTER (WHERE x.status = 'draft') AS draft_count,
           count(*) FILTER (WHERE x.status = 'hold' AND NOT x.answered) AS hold_count,
           count(*) FILTER (WHERE x.status = 'new' AND NOT x.answered AND NOT x.decided) AS new_count,
           count(*) FILTER (WHERE x.status = 'sent') AS sent_count
      FROM (SELECT {STATUS} AS status, m.metadata ? 'aiProcessedAt' AS decided,
                   m.seq < COALESCE(max(m.seq) FILTER (WHERE {_SENT}) OVER (), 0) AS answered
              FROM "Messages" m WHERE m.conversation_id = c.id AND NOT m.metadata ? 'discarded') x
"""
_STATUS_OF = """CASE WHEN n.draft_count > 0 THEN 'draft' WHEN n.hold_count > 0 THEN 'hold'
                     WHEN n.new_count > 0 THEN 'new' ELSE 'sent' END"""
_COLUMNS = f"""
    c.id, c.platform_account_id, a.platform, c.listing_id, c.assigned_agent_id, c.external_thread_id, c.lead_name,
    c.lead_contact, c.status AS conversation_status, c.workflow_state, c.workflow_outcome, c.showing_state,
    c.follow_up_stage, c.follow_up_due_at, c.follow_up_owner_agent_id, c.follow_up_status, c.workflow_updated_at,
    {_STATUS_OF} AS message_status, n.new_count, n.draft_count, n.hold_count, n.sent_count, {_UNIT} AS unit,
    c.external_thread_label AS thread_label, c.external_thread_message_count AS thread_message_count,
    c.external_inbox_sort_rank AS inbox_sort_rank, l.body AS latest_message, l.direction AS latest_direction,
    l.status AS latest_status, l.sent_at_text AS latest_sent_at_text, c.last_message_at, c.updated_at, n.at
"""
_JOINS = """
      JOIN "PlatformAccounts" a ON a.id = c.platform_account_id
      LEFT JOIN "Listings" li ON li.id = c.listing_id
      LEFT JOIN "Units" u ON u.id = li.unit_id
"""
_LATEST = f"""
      LEFT JOIN LATERAL (
           SELECT m.body, m.direction, {STATUS} AS status, m.metadata ->> 'sentAtText' AS sent_at_text
             FROM "Messages" m WHERE m.conversation_id = c.id AND NOT m.metadata ? 'discarded'
            ORDER BY m.seq DESC LIMIT 1) l ON true
"""
# What a conversation of the status must have, by small indexes of exactly that: few of many, not a walk through all.
_MUST_HAVE: Final = {
    "draft": "m.metadata ->> 'reviewStatus' = 'draft'",
    "hold": "m.metadata ->> 'reviewStatus' = 'hold'",
    "new": "NOT m.metadata ? 'aiProcessedAt' AND (m.direction = 'inbound' OR m.metadata ->> 'reviewStatus' = 'new')",
}
MINE: Final = "(c.assigned_agent_id = :agent_id OR c.follow_up_owner_agent_id = :agent_id)"


def list_inbox(
    conn: Connection, wanted: InboxFilter, limit: int, after: Sequence[object] | None = None
) -> list[InboxRow]:
    """Open conversations, newest message first, those after the key (at as ISO text, rank, id). One statement.

    Conditions are put together as needed, so that each list has a plan by its own index. Messages are looked at in
    the list's order and only until the page is full; the rest is joined to the page.
    """
    parameters: dict[str, object] = {"limit": limit}
    conditions = ["c.status = 'open'"]
    having = ""
    if wanted.agent_id is not None:
        conditions.append(MINE)
        parameters["agent_id"] = wanted.agent_id
    if wanted.status is not None:
        if wanted.status in _MUST_HAVE:
            conditions.append(
                f'c.id IN (SELECT m.conversation_id FROM "Messages" m WHERE {_MUST_HAVE[wanted.status]})'
            )
        having = f"WHERE {_STATUS_OF} = :status"
        parameters["status"] = wanted.status
    if wanted.platform is not None:
        conditions.append(
            'c.platform_account_id IN (SELECT id FROM "PlatformAccounts" WHERE platform = :platform)'
        )
        parameters["platform"] = wanted.platform
    for name in ("workflow_state", "workflow_outcome"):
        if getattr(wanted, name) is not None:
            conditions.append(f"c.{name} = :{name}")
            parameters[name] = getattr(wanted, name)
    if wanted.search:
        conditions.append(
            f"(c.lead_name ILIKE :search OR c.external_thread_label ILIKE :search OR {_UNIT} ILIKE :search)"
        )
        escaped = wanted.search.replace("\\", "\\\\").replace("%", r"\%").replace("_", r"\_")
        parameters["search"] = f"%{escaped}%"
    if after is not None:
        conditions.append(
            f"{_AT} <= CAST(:after_at AS timestamptz) AND ({_AT} < CAST(:after_at AS timestamptz) OR ({_AT} = CAST(:after_at AS timestamptz)"
            f" AND ({_RANK}, c.id) > (CAST(:after_rank AS integer), CAST(:after_id AS uuid))))"
        )
        parameters["after_at"], parameters["after_rank"], parameters["after_id"] = after
    named = _JOINS if wanted.search else ""
    statement = text(f"""
        WITH page AS MATERIALIZED (
          SELECT c.id, c.at, c.rank, n.*
            FROM (SELECT c.id, {_AT} AS at, {_RANK} AS rank FROM "Conversations" c {named}
                   WHERE {" AND ".join(conditions)}
                   ORDER BY {_AT} DESC, {_RANK}, c.id) c
           CROSS JOIN LATERAL ({_COUNTS}) n
          {having}
           ORDER BY c.at DESC, c.rank, c.id
           LIMIT :limit)
        SELECT {_COLUMNS} FROM page n JOIN "Conversations" c ON c.id = n.id {_JOINS} {_LATEST}
         ORDER BY n.at DESC, n.rank, n.id
    """)
    return [_row(InboxRow, row) for row in conn.execute(statement, parameters)]


_CONVERSATION = f"""
    SELECT c.id, c.platform_account_id, a.platform, a.is_active AS account_is_active, c.listing_id, li.unit_id,
           c.assigned_agent_id, c.external_thread_id, c.lead_name, c.lead_contact, c.status, c.workflow_state,
           c.workflow_outcome, c.showing_state, c.follow_up_stage, c.follow_up_due_at, c.follow_up_owner_agent_id,
           c.follow_up_status, c.workflow_updated_at, {_UNIT} AS unit, u.unit_number,
           c.external_thread_label AS thread_label, c.external_thread_message_count AS thread_message_count,
           c.external_inbox_sort_rank AS inbox_sort_rank, c.linkage_strategy, c.last_message_at, c.updated_at
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
