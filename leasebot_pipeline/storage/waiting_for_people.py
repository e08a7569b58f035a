"""What waits for a person: conversations with something to review or to answer, longest waiting first."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, text

from leasebot_pipeline.storage.inbox_sql import ONE_OF
from leasebot_pipeline.storage.steering import SNOOZED


@dataclass(frozen=True, slots=True)
class WaitingRow:
    """A conversation that waits since ``since``; ``why`` is draft, in_doubt or hold."""

    id: UUID
    platform: str
    lead_name: str | None
    unit: str | None
    thread_label: str | None
    thread_message_count: int | None
    assigned_agent_id: UUID | None
    workflow_state: str
    workflow_outcome: str | None
    message_status: str
    latest_message: str | None
    latest_direction: str | None
    last_message_at: datetime | None
    since: datetime


@dataclass(frozen=True, slots=True)
class WaitingPage:
    """``total`` counts all that wait, on whichever page."""

    items: tuple[WaitingRow, ...]
    total: int


# A message waits while nobody answered it: held words of the lead, drafts, what was rejected; each by its own
# small index. Replies given up, or in doubt that reading the thread did not settle, wait whatever came after. A
# person's answer that is on its way, or an outcome a person set, ends the other waits.
_WAITING = """
    WITH each AS (
      SELECT m.conversation_id, COALESCE(m.sent_at, m.created_at) AS since, m.created_at AS newest, false AS doubt,
             m.direction = 'outbound' AND m.metadata ->> 'reviewStatus' = 'draft' AS draft
        FROM (SELECT * FROM "Messages" m WHERE {draft} UNION ALL SELECT * FROM "Messages" m WHERE {hold}) m
        LEFT JOIN "OutboundDispatches" d ON d.message_id = m.id AND d.conversation_id = m.conversation_id
       WHERE NOT m.metadata ? 'superseded'
         AND (m.direction = 'inbound' OR COALESCE(d.state, 'draft') IN ('draft', 'held'))
         AND (m.metadata ->> 'reviewStatus' = 'draft'
              OR m.seq > COALESCE((SELECT max(s.seq) FROM "Messages" s
                                    WHERE s.conversation_id = m.conversation_id AND s.direction = 'outbound'
                                      AND COALESCE(s.metadata ->> 'reviewStatus', 'sent') = 'sent'), 0))
      UNION ALL
      SELECT d.conversation_id, d.updated_at, d.updated_at, true, false
        FROM "OutboundDispatches" d
       WHERE d.state = 'dead_letter' OR (d.state = 'unknown' AND d.next_attempt_at IS NULL)
    ), waits AS (
      SELECT conversation_id, min(since) AS since, max(newest) AS newest, bool_or(doubt) AS doubt, bool_or(draft) AS draft
        FROM each GROUP BY conversation_id
    )
    SELECT c.id, a.platform, c.lead_name,
           CASE WHEN u.id IS NULL THEN NULLIF(c.external_thread_label, '')
                ELSE concat_ws(' ', u.property_name, u.unit_number) END AS unit,
           c.external_thread_label AS thread_label, c.external_thread_message_count AS thread_message_count,
           c.assigned_agent_id, c.workflow_state, c.workflow_outcome,
           CASE WHEN w.doubt THEN 'in_doubt' WHEN w.draft THEN 'draft' ELSE 'hold' END AS message_status,
           c.last_message_at, w.since, count(*) OVER () AS total
      FROM waits w
     CROSS JOIN LATERAL (SELECT * FROM "Conversations" x WHERE x.id = w.conversation_id OFFSET 0) c  -- by id, each
      JOIN "PlatformAccounts" a ON a.id = c.platform_account_id
      LEFT JOIN "Listings" li ON li.id = c.listing_id
      LEFT JOIN "Units" u ON u.id = li.unit_id
     WHERE c.status = 'open' AND NOT {snoozed}
       AND (w.doubt OR NOT (COALESCE(c.workflow_outcome IN ('not_interested', 'no_show', 'completed'), false)
                            AND COALESCE(c.workflow_outcome_at >= w.newest, false)))
       AND (w.doubt OR NOT EXISTS (
             SELECT 1 FROM "OutboundDispatches" o
              WHERE o.conversation_id = c.id AND o.purpose IN ('manual_reply', 'approved_draft')
                AND o.state IN ('queued', 'claimed', 'sending', 'retry_scheduled')))
       {more}
"""
_LATEST = """
    SELECT x.*, l.body AS latest_message, l.direction AS latest_direction
      FROM (SELECT * FROM ({found}) y {after} ORDER BY since, id LIMIT :limit) x
      LEFT JOIN LATERAL (SELECT m.body, m.direction FROM "Messages" m
                          WHERE m.conversation_id = x.id AND NOT m.metadata ? 'discarded'
                          ORDER BY m.seq DESC LIMIT 1) l ON true
     ORDER BY x.since, x.id
"""


def waiting_for_people(
    conn: Connection,
    now: datetime,
    limit: int,
    after: Sequence[object] | None = None,
    *,
    agent_id: UUID | None = None,
    platform: str | None = None,
    search: str | None = None,
) -> WaitingPage:
    """Those after the key (since as ISO text, id), longest waiting first, in one statement.

    ``agent_id`` limits them to what an agent is in charge of. What was put aside waits no more until its time.
    """
    parameters: dict[str, Any] = {"now": now, "limit": limit}
    more, later = "", ""
    if agent_id is not None:
        more += " AND :agent IN (c.assigned_agent_id, c.follow_up_owner_agent_id)"
        parameters["agent"] = agent_id
    if platform is not None:
        more += " AND a.platform = :platform"
        parameters["platform"] = platform
    if search:
        more += " AND concat_ws(' ', c.lead_name, c.external_thread_label, u.property_name, u.unit_number) ILIKE :search"
        escaped = search.replace("\\", "\\\\").replace("%", r"\%").replace("_", r"\_")
        parameters["search"] = f"%{escaped}%"
    if after is not None:
        later = "WHERE (since, id) > (CAST(:since AS timestamptz), CAST(:after AS uuid))"
        parameters["since"], parameters["after"] = after
    found = _WAITING.format(snoozed=SNOOZED, more=more, **ONE_OF)
    rows = conn.execute(text(_LATEST.format(found=found, after=later)), parameters).all()
    names = WaitingRow.__dataclass_fields__
    items = tuple(WaitingRow(**{name: getattr(row, name) for name in names}) for row in rows)
    return WaitingPage(items, rows[0].total if rows else 0)
