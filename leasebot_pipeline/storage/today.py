"""What waits for a person today: conversations, drafts, follow-ups, outcomes nobody told, and what stands still.

Each list is one statement that reads what waits, by the small indexes of exactly that, not the inbox. Statements are
put together for an agent or for all, so that each has a plan of its own.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from typing import Final, Generic, Literal, TypeVar
from uuid import UUID

from sqlalchemy import Connection, TextClause, text

Row = TypeVar("Row")

OUTCOME_ASKED_FOR: Final = timedelta(days=30)
"""How long after its end a showing without an outcome is asked about."""


@dataclass(frozen=True, slots=True)
class WaitingRow:
    """A conversation that waits for a person: to be answered (``person``) or for a word on its draft (``draft``)."""

    id: UUID
    kind: Literal["person", "draft"]
    platform: str
    lead_name: str | None
    external_thread_id: str
    unit: str | None
    agent_name: str | None
    latest: str | None
    reason: str | None
    since: datetime


@dataclass(frozen=True, slots=True)
class FollowUpRow:
    """A follow-up somebody asked for that is due."""

    conversation_id: UUID
    stage: str
    due_at: datetime
    lead_name: str | None
    external_thread_id: str
    unit: str | None
    agent_name: str | None


@dataclass(frozen=True, slots=True)
class ProblemRow:
    """Something that stands still until a person looks: ``kind`` says what, ``detail`` why, where it is known."""

    kind: Literal["kill_switch", "stopped", "circuit", "unknown", "dead_letter"]
    platform: str | None
    account_name: str | None
    conversation_id: UUID | None
    lead_name: str | None
    detail: str | None
    at: datetime | None


@dataclass(frozen=True, slots=True)
class Counted(Generic[Row]):
    """The first rows of a list, and how many there are."""

    rows: tuple[Row, ...]
    total: int


_SENT: Final = "s.direction = 'outbound' AND COALESCE(s.metadata ->> 'reviewStatus', 'sent') = 'sent'"
_UNIT: Final = """CASE WHEN u.id IS NULL THEN NULLIF(c.external_thread_label, '')
                  ELSE concat_ws(' ', u.property_name, u.unit_number) END"""
_NAMES: Final = """
      JOIN "PlatformAccounts" a ON a.id = c.platform_account_id
      LEFT JOIN "Listings" li ON li.id = c.listing_id
      LEFT JOIN "Units" u ON u.id = li.unit_id
      LEFT JOIN "Agents" g ON g.id = c.assigned_agent_id
"""


def _mine(own: bool) -> str:
    return "AND (c.assigned_agent_id = :agent OR c.follow_up_owner_agent_id = :agent)" if own else ""


def _to_review(status: str, own: bool) -> str:
    """Conversations with a reply of that status that nothing we sent has overtaken.

    Each is looked up by itself: they are few of many, which the planner can't know.
    """
    return f"""
        SELECT m.conversation_id AS id FROM "Messages" m
         CROSS JOIN LATERAL (SELECT 1 FROM "Conversations" c
                              WHERE c.id = m.conversation_id AND c.status = 'open' {_mine(own)} LIMIT 1) mine
         WHERE m.metadata ->> 'reviewStatus' = '{status}' AND NOT m.metadata ? 'discarded'
           AND COALESCE((SELECT s.seq FROM "Messages" s WHERE s.conversation_id = m.conversation_id AND {_SENT}
                          ORDER BY s.seq DESC LIMIT 1), 0) < m.seq
    """


@cache
def _waiting(own: bool) -> TextClause:
    return text(f"""
        WITH person AS (
          SELECT c.id FROM "Conversations" c
           WHERE c.workflow_outcome = 'human_required' AND c.status = 'open' {_mine(own)}
             AND NOT EXISTS (SELECT 1 FROM "Messages" s
                              WHERE s.conversation_id = c.id AND s.seq > COALESCE(c.newest_inbound_seq, 0) AND {_SENT})
          UNION {_to_review("hold", own)}
        ), draft AS (
          {_to_review("draft", own)} EXCEPT SELECT id FROM person
        ), found AS (
          SELECT id, 'person' AS kind FROM person UNION ALL SELECT id, 'draft' FROM draft
        ), aged AS (
          SELECT f.id, f.kind, COALESCE(w.since, c.workflow_updated_at) AS since
            FROM found f
           CROSS JOIN LATERAL (SELECT x.workflow_updated_at FROM "Conversations" x WHERE x.id = f.id LIMIT 1) c
           CROSS JOIN LATERAL (
                 SELECT min(COALESCE(m.sent_at, m.created_at)) AS since FROM "Messages" m
                  WHERE m.conversation_id = f.id AND m.direction = 'inbound'
                    AND m.seq > COALESCE((SELECT s.seq FROM "Messages" s WHERE s.conversation_id = f.id AND {_SENT}
                                           ORDER BY s.seq DESC LIMIT 1), 0)) w
        ), ranked AS (
          SELECT *, row_number() OVER (PARTITION BY kind ORDER BY since, id) AS place, count(*) OVER (PARTITION BY kind) AS total
            FROM aged
        )
        SELECT r.id, r.kind, a.platform, c.lead_name, c.external_thread_id, {_UNIT} AS unit, g.full_name AS agent_name,
               l.body AS latest, d.reason, r.since, r.total
          FROM ranked r
         CROSS JOIN LATERAL (SELECT * FROM "Conversations" x WHERE x.id = r.id LIMIT 1) c {_NAMES}
          LEFT JOIN LATERAL (SELECT left(m.body, 240) AS body FROM "Messages" m
                              WHERE m.conversation_id = c.id AND m.seq = c.newest_inbound_seq) l ON true
          LEFT JOIN LATERAL (SELECT x.reason FROM "Decisions" x WHERE x.conversation_id = c.id
                              ORDER BY x.decided_at DESC LIMIT 1) d ON true
         WHERE r.place <= :limit
         ORDER BY r.kind DESC, r.since, r.id
    """)


def waiting(
    conn: Connection, agent_id: UUID | None, limit: int
) -> tuple[Counted[WaitingRow], Counted[WaitingRow]]:
    """Those that need a person, and those with a draft only; who waits longest first. One statement."""
    parameters: dict[str, object] = {"limit": limit}
    if agent_id is not None:
        parameters["agent"] = agent_id
    kinds: dict[str, list[WaitingRow]] = {"person": [], "draft": []}
    totals = {"person": 0, "draft": 0}
    for row in conn.execute(_waiting(agent_id is not None), parameters):
        *values, total = row
        kinds[row.kind].append(WaitingRow(*values))
        totals[row.kind] = total
    person, draft = (Counted(tuple(kinds[kind]), totals[kind]) for kind in ("person", "draft"))
    return person, draft


@cache
def _due(own: bool) -> TextClause:
    mine = "AND c.follow_up_owner_agent_id = :agent" if own else ""
    return text(f"""
        SELECT c.id, c.follow_up_stage, c.follow_up_due_at, c.lead_name, c.external_thread_id, {_UNIT} AS unit,
               o.full_name AS agent_name, count(*) OVER () AS total
          FROM "Conversations" c {_NAMES}
          LEFT JOIN "Agents" o ON o.id = c.follow_up_owner_agent_id
         WHERE c.follow_up_stage IS NOT NULL AND c.follow_up_status = 'pending' AND c.follow_up_due_at < :until
           AND c.status = 'open' {mine}
         ORDER BY c.follow_up_due_at, c.id LIMIT :limit
    """)


def follow_ups_due(
    conn: Connection, agent_id: UUID | None, until: datetime, limit: int
) -> Counted[FollowUpRow]:
    """Follow-ups due before an instant, the longest overdue first."""
    parameters: dict[str, object] = {"limit": limit, "until": until}
    if agent_id is not None:
        parameters["agent"] = agent_id
    rows = conn.execute(_due(agent_id is not None), parameters).all()
    return Counted(tuple(FollowUpRow(*row[:-1]) for row in rows), rows[0].total if rows else 0)


_PROBLEMS = text("""
    SELECT * FROM (
      (SELECT 1 AS rank, 'kill_switch' AS kind, COALESCE(k.platform, a.platform) AS platform, a.account_name,
              CAST(NULL AS uuid) AS conversation_id, CAST(NULL AS text) AS lead_name, k.reason AS detail, k.engaged_at AS at,
              count(*) OVER () AS total
         FROM "KillSwitches" k LEFT JOIN "PlatformAccounts" a ON a.id = k.platform_account_id
        WHERE k.lifted_at IS NULL ORDER BY k.engaged_at LIMIT :limit)
      UNION ALL
      (SELECT 2, 'stopped', a.platform, a.account_name, NULL, NULL, COALESCE(r.stop_reason, r.stop_code), r.stopped_at, count(*) OVER ()
         FROM "AccountRuntime" r JOIN "PlatformAccounts" a ON a.id = r.platform_account_id
        WHERE r.stop_code IS NOT NULL AND a.is_active ORDER BY r.stopped_at LIMIT :limit)
      UNION ALL
      (SELECT 3, 'circuit', a.platform, a.account_name, NULL, NULL, x.action, r.circuit_open_until, count(*) OVER ()
         FROM "AccountRuntime" r JOIN "PlatformAccounts" a ON a.id = r.platform_account_id
        CROSS JOIN LATERAL (
              SELECT CAST(NULL AS text) AS action WHERE r.circuit_state <> 'closed'
              UNION ALL
              SELECT key FROM jsonb_each(r.action_circuits) WHERE COALESCE(value ->> 'state', 'closed') <> 'closed') x
        WHERE a.is_active AND r.stop_code IS NULL ORDER BY a.platform, x.action LIMIT :limit)
      UNION ALL
      (SELECT CASE d.state WHEN 'unknown' THEN 4 ELSE 5 END, d.state, a.platform, a.account_name, d.conversation_id, c.lead_name,
              COALESCE(d.error_code, left(d.last_error, 160)), d.updated_at, count(*) OVER ()
         FROM "OutboundDispatches" d
         JOIN "PlatformAccounts" a ON a.id = d.platform_account_id
         JOIN "Conversations" c ON c.id = d.conversation_id
        WHERE d.state IN ('unknown', 'dead_letter') ORDER BY d.state DESC, d.updated_at LIMIT :limit)) p
     ORDER BY rank, at, lead_name
""")


def problems(conn: Connection, limit: int) -> Counted[ProblemRow]:
    """What an administrator has to look at: switches, accounts, breakers, deliveries. One statement."""
    rows = conn.execute(_PROBLEMS, {"limit": limit}).all()
    groups = {("deliveries" if row.rank > 3 else row.kind): row.total for row in rows}
    return Counted(tuple(ProblemRow(*row[1:-1]) for row in rows), sum(groups.values()))
