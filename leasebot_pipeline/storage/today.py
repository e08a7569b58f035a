"""What else there is to do today beside the conversations that wait: follow-ups due, and what stands still.

Each list is one statement that reads what there is, by a small index of exactly that, not the inbox.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from typing import Final, Literal
from uuid import UUID

from sqlalchemy import Connection, TextClause, text

from leasebot_pipeline.storage.inbox_sql import JOINS, UNIT
from leasebot_pipeline.storage.waiting_for_people import Counted

OUTCOME_ASKED_FOR: Final = timedelta(days=30)
"""How long after its end a showing without an outcome is asked about."""


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

    kind: Literal["kill_switch", "stopped", "circuit"]
    platform: str | None
    account_name: str | None
    detail: str | None
    at: datetime | None


@cache
def _due(own: bool) -> TextClause:
    mine = "AND c.follow_up_owner_agent_id = :agent" if own else ""
    return text(f"""
        SELECT c.id, c.follow_up_stage, c.follow_up_due_at, c.lead_name, c.external_thread_id, {UNIT} AS unit,
               o.full_name AS agent_name, count(*) OVER () AS total
          FROM "Conversations" c {JOINS}
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
              k.reason AS detail, k.engaged_at AS at, count(*) OVER () AS total
         FROM "KillSwitches" k LEFT JOIN "PlatformAccounts" a ON a.id = k.platform_account_id
        WHERE k.lifted_at IS NULL ORDER BY k.engaged_at LIMIT :limit)
      UNION ALL
      (SELECT 2, 'stopped', a.platform, a.account_name, COALESCE(r.stop_reason, r.stop_code), r.stopped_at, count(*) OVER ()
         FROM "AccountRuntime" r JOIN "PlatformAccounts" a ON a.id = r.platform_account_id
        WHERE r.stop_code IS NOT NULL AND a.is_active ORDER BY r.stopped_at LIMIT :limit)
      UNION ALL
      (SELECT 3, 'circuit', a.platform, a.account_name, x.action, r.circuit_open_until, count(*) OVER ()
         FROM "AccountRuntime" r JOIN "PlatformAccounts" a ON a.id = r.platform_account_id
        CROSS JOIN LATERAL (
              SELECT CAST(NULL AS text) AS action WHERE r.circuit_state <> 'closed'
              UNION ALL
              SELECT key FROM jsonb_each(r.action_circuits) WHERE COALESCE(value ->> 'state', 'closed') <> 'closed') x
        WHERE a.is_active AND r.stop_code IS NULL ORDER BY a.platform, x.action LIMIT :limit)) p
     ORDER BY rank, at, platform
""")


def problems(conn: Connection, limit: int) -> Counted[ProblemRow]:
    """What an administrator has to look at: switches, accounts, breakers. One statement."""
    rows = conn.execute(_PROBLEMS, {"limit": limit}).all()
    groups = {row.kind: row.total for row in rows}
    return Counted(tuple(ProblemRow(*row[1:-1]) for row in rows), sum(groups.values()))
