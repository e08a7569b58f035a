"""What waits for a person: conversations with something to review or to answer, longest waiting first.

The one definition of it: the inbox's Waiting list is a page of these conversations, Today shows the first of each kind.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any, Final, Generic, Literal, TypeVar, get_args
from uuid import UUID

from sqlalchemy import Connection, text

from leasebot_pipeline.storage.inbox_sql import JOINS, ONE_OF, SENT, UNIT
from leasebot_pipeline.storage.steering import SNOOZED

Kind = Literal["person", "draft", "in_doubt"]
Item = TypeVar("Item")


@dataclass(frozen=True, slots=True)
class WaitingRow:
    """A conversation that waits since ``since``: since the lead wrote what nobody answered, or it came to wait otherwise.

    ``kind`` says for what: a person's answer, a word on a draft, or a delivery (``delivery``: unknown or dead_letter,
    ``delivery_detail`` why) to be settled. ``message_status`` is draft, in_doubt or hold. ``reason`` is the bot's.
    """

    id: UUID
    kind: Kind
    platform: str
    external_thread_id: str
    lead_name: str | None
    unit: str | None
    thread_label: str | None
    thread_message_count: int | None
    assigned_agent_id: UUID | None
    agent_name: str | None
    workflow_state: str
    workflow_outcome: str | None
    message_status: str
    delivery: str | None
    delivery_detail: str | None
    reason: str | None
    latest_message: str | None
    latest_direction: str | None
    last_message_at: datetime | None
    since: datetime


@dataclass(frozen=True, slots=True)
class WaitingPage:
    """``total`` counts all that wait, on whichever page."""

    items: tuple[WaitingRow, ...]
    total: int


@dataclass(frozen=True, slots=True)
class Counted(Generic[Item]):
    """The first rows of a list, and how many there are."""

    rows: tuple[Item, ...]
    total: int


_LAST_SENT: Final = f"""COALESCE((SELECT s.seq FROM "Messages" s WHERE s.conversation_id = {{of}}
                        AND {SENT.replace("m.", "s.")} ORDER BY s.seq DESC LIMIT 1), 0)"""
# Only what came after is read, and a reply's row in the outbox only of what is a reply.
_SENT_SINCE: Final = f"""(SELECT true FROM "Messages" s WHERE s.conversation_id = m.conversation_id AND s.seq > m.seq
                         AND {SENT.replace("m.", "s.")} LIMIT 1)"""
_UNDECIDED: Final = """COALESCE((SELECT bool_or(d.state IN ('draft', 'held')) FROM "OutboundDispatches" d
                                  WHERE d.message_id = m.id AND d.conversation_id = m.conversation_id), true)"""
_MINE: Final = ":agent IN (c.assigned_agent_id, c.follow_up_owner_agent_id)"

# Conversation `c`: something of ours was said to the lead since a person was asked for, and since the lead last wrote.
_ANSWERED: Final = f"""(SELECT true FROM "Messages" m
               WHERE m.conversation_id = c.id AND m.seq > COALESCE(c.newest_inbound_seq, 0) AND {SENT}
                 AND COALESCE(GREATEST(m.sent_at, m.created_at) >= c.workflow_outcome_at, true) LIMIT 1)"""
_ON_ITS_WAY: Final = """EXISTS (
               SELECT 1 FROM "OutboundDispatches" o
                WHERE o.conversation_id = c.id AND o.purpose IN ('manual_reply', 'approved_draft')
                  AND o.state IN ('queued', 'claimed', 'sending', 'retry_scheduled'))"""
ASKED_AND_ANSWERED: Final = (
    f"""(c.workflow_outcome = 'human_required' AND COALESCE({_ANSWERED}, {_ON_ITS_WAY}))"""
)
"""Of conversation `c`: a person was asked for, and one has answered or is about to; it waits for none any more."""

# A message waits while nobody answered it: held words of the lead, drafts, what was rejected; each by its own
# small index. So does a conversation for which the bot asked for a person, until one answers. Replies given up, or in
# doubt that reading the thread did not settle, wait whatever came after. A person's answer that is on its way, or an
# outcome a person set, ends the other waits. Conversations are few of many, and each is looked at by itself: subqueries
# are scalar, so that no join makes them questions to the whole inbox.
_FOUND: Final = f"""
    WITH each AS (
      SELECT m.conversation_id, COALESCE(m.sent_at, m.created_at) AS since, m.created_at AS newest,
             CAST(NULL AS text) AS delivery, CAST(NULL AS text) AS detail,
             m.direction = 'outbound' AND m.metadata ->> 'reviewStatus' = 'draft' AS draft
        FROM (SELECT * FROM "Messages" m WHERE {ONE_OF["draft"]} UNION ALL SELECT * FROM "Messages" m WHERE {ONE_OF["hold"]}) m
       WHERE NOT m.metadata ? 'superseded' AND (m.direction = 'inbound' OR {_UNDECIDED})
         AND (m.metadata ->> 'reviewStatus' = 'draft' OR {_SENT_SINCE} IS NULL)
      UNION ALL
      SELECT c.id, COALESCE(c.workflow_outcome_at, c.workflow_updated_at), c.workflow_updated_at, NULL, NULL, false
        FROM "Conversations" c
       WHERE c.workflow_outcome = 'human_required' AND c.status = 'open' {{mine}}
         AND {_ANSWERED} IS NULL
      UNION ALL
      SELECT d.conversation_id, d.updated_at, d.updated_at, d.state, COALESCE(d.error_code, left(d.last_error, 160)), false
        FROM "OutboundDispatches" d
       WHERE d.state = 'dead_letter' OR (d.state = 'unknown' AND d.next_attempt_at IS NULL)
    ), waits AS (
      SELECT conversation_id, min(since) AS since, max(newest) AS newest, max(delivery) AS delivery, max(detail) AS detail,
             bool_or(draft) AS draft, bool_or(delivery IS NULL AND NOT draft) AS person
        FROM each GROUP BY conversation_id
    ), found AS (
      SELECT w.conversation_id AS id, w.delivery, w.detail,
             CASE WHEN w.delivery IS NOT NULL THEN 'in_doubt' WHEN w.person THEN 'person' ELSE 'draft' END AS kind,
             CASE WHEN w.delivery IS NOT NULL THEN 'in_doubt' WHEN w.draft THEN 'draft' ELSE 'hold' END AS message_status,
             COALESCE((SELECT min(COALESCE(m.sent_at, m.created_at)) FROM "Messages" m
                        WHERE w.delivery IS NULL AND m.conversation_id = c.id AND m.direction = 'inbound'
                          AND m.seq > {_LAST_SENT.format(of="c.id")}), w.since) AS since
        FROM waits w
       CROSS JOIN LATERAL (SELECT * FROM "Conversations" x WHERE x.id = w.conversation_id OFFSET 0) c  -- by id, each
       WHERE c.status = 'open' AND NOT {SNOOZED}
         AND (w.delivery IS NOT NULL
              OR NOT (COALESCE(c.workflow_outcome IN ('not_interested', 'no_show', 'completed'), false)
                      AND COALESCE(c.workflow_outcome_at >= w.newest, false)))
         AND (w.delivery IS NOT NULL OR NOT {_ON_ITS_WAY})
         {{mine}}
    )
"""
# What is shown of the few on the page.
_PAGE: Final = f"""
    SELECT p.id, p.kind, a.platform, c.external_thread_id, c.lead_name, {UNIT} AS unit,
           c.external_thread_label AS thread_label, c.external_thread_message_count AS thread_message_count,
           c.assigned_agent_id, g.full_name AS agent_name, c.workflow_state, c.workflow_outcome, p.message_status, p.delivery,
           p.detail AS delivery_detail, d.reason, l.body AS latest_message, l.direction AS latest_direction,
           c.last_message_at, p.since, p.total
      FROM ({{page}}) p
     CROSS JOIN LATERAL (SELECT * FROM "Conversations" x WHERE x.id = p.id OFFSET 0) c {JOINS}
      LEFT JOIN "Agents" g ON g.id = c.assigned_agent_id
      LEFT JOIN LATERAL (SELECT m.body, m.direction FROM "Messages" m
                          WHERE m.conversation_id = p.id AND NOT m.metadata ? 'discarded' ORDER BY m.seq DESC LIMIT 1) l ON true
      LEFT JOIN LATERAL (SELECT x.reason FROM "Decisions" x WHERE x.conversation_id = p.id
                          ORDER BY x.decided_at DESC LIMIT 1) d ON true
     ORDER BY p.since, p.id
"""
_FIRST_OF_EACH: Final = """
    SELECT * FROM (SELECT *, count(*) OVER (PARTITION BY kind) AS total,
                          row_number() OVER (PARTITION BY kind ORDER BY since, id) AS place FROM found) r
     WHERE r.place <= :limit
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
    asked, later = [], ""
    if platform is not None:
        asked.append("a.platform = :platform")
        parameters["platform"] = platform
    if search:
        asked.append(
            "concat_ws(' ', c.lead_name, c.external_thread_label, u.property_name, u.unit_number) ILIKE :search"
        )
        escaped = search.replace("\\", "\\\\").replace("%", r"\%").replace("_", r"\_")
        parameters["search"] = f"%{escaped}%"
    named = f'JOIN "Conversations" c ON c.id = f.id {JOINS} WHERE {" AND ".join(asked)}' if asked else ""
    if after is not None:
        later = "WHERE (since, id) > (CAST(:since AS timestamptz), CAST(:after AS uuid))"
        parameters["since"], parameters["after"] = after
    page = f"""
        SELECT * FROM (SELECT f.*, count(*) OVER () AS total FROM found f {named}) x {later} ORDER BY since, id LIMIT :limit
    """
    rows = _read(conn, page, parameters, agent_id)
    return WaitingPage(tuple(row for row, _ in rows), rows[0][1] if rows else 0)


def by_kind(
    conn: Connection, now: datetime, limit: int, *, agent_id: UUID | None = None
) -> dict[Kind, Counted[WaitingRow]]:
    """The same conversations: the first of each kind, and how many there are. One statement."""
    rows = _read(conn, _FIRST_OF_EACH, {"now": now, "limit": limit}, agent_id)
    found: dict[Kind, Counted[WaitingRow]] = {}
    for kind in get_args(Kind):
        mine = [(row, total) for row, total in rows if row.kind == kind]
        found[kind] = Counted(tuple(row for row, _ in mine), mine[0][1] if mine else 0)
    return found


def count_waiting(conn: Connection, now: datetime, agent_id: UUID | None = None) -> int:
    """How many there are of them, of all kinds."""
    mine, parameters = _of(agent_id)
    statement = text(_FOUND.format(mine=mine) + "SELECT count(*) FROM found")
    return int(conn.execute(statement, parameters | {"now": now}).scalar_one())


def _read(
    conn: Connection, page: str, parameters: dict[str, Any], agent_id: UUID | None
) -> list[tuple[WaitingRow, int]]:
    mine, of_agent = _of(agent_id)
    statement = text(_FOUND.format(mine=mine) + _PAGE.format(page=page))
    names = [field.name for field in fields(WaitingRow)]
    return [
        (WaitingRow(**{name: getattr(row, name) for name in names}), row.total)
        for row in conn.execute(statement, parameters | of_agent)
    ]


def _of(agent_id: UUID | None) -> tuple[str, dict[str, Any]]:
    """The condition for an agent, or none for all: each has a plan of its own."""
    return ("", {}) if agent_id is None else (f"AND {_MINE}", {"agent": agent_id})
