"""When each assigned agent could show a unit: free time of both, minus blocks and other showings."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import Connection, text

from leasebot_pipeline.domain.slots_spans import Span, subtract


@dataclass(frozen=True, slots=True)
class Candidate:
    """A free stretch of time of a unit and one of its agents, with the two calendar rows it comes from."""

    unit_id: UUID
    agent_id: UUID
    assignment_mode: str
    priority: int
    agent_name: str
    agent_timezone: str
    unit_slot_id: UUID
    agent_slot_id: UUID
    unit_timezone: str
    agent_slot_timezone: str
    starts_at: datetime
    ends_at: datetime


_SHARED = text("""
    SELECT s.unit_id, s.agent_id, s.assignment_mode, s.priority, a.full_name AS agent_name, a.timezone AS agent_timezone,
           u.id AS unit_slot_id, w.id AS agent_slot_id, u.timezone AS unit_timezone, w.timezone AS agent_slot_timezone,
           GREATEST(u.starts_at, w.starts_at) AS starts_at, LEAST(u.ends_at, w.ends_at) AS ends_at
      FROM "UnitAgentAssignments" s
      JOIN "Agents" a ON a.id = s.agent_id AND a.removed_at IS NULL
      JOIN "AvailabilitySlots" u ON u.unit_id = s.unit_id AND u.status = 'open'
      JOIN "AgentAvailabilitySlots" w ON w.agent_id = s.agent_id AND w.status = 'available'
       AND w.starts_at < u.ends_at AND u.starts_at < w.ends_at
     WHERE s.unit_id = :unit AND s.assignment_mode = ANY(:modes)
       AND (CAST(:agent AS uuid) IS NULL OR s.agent_id = :agent)
       AND u.ends_at > :begin AND u.starts_at < :end AND w.ends_at > :begin AND w.starts_at < :end
     ORDER BY s.priority, GREATEST(u.starts_at, w.starts_at), s.created_at, w.id
""")
_BLOCKED = text("""
    SELECT agent_id, starts_at, ends_at FROM "AgentAvailabilitySlots"
     WHERE agent_id = ANY(:agents) AND status = 'unavailable' AND ends_at > :begin AND starts_at < :end
    UNION ALL
    SELECT agent_id, busy_from, busy_until FROM "ShowingAppointments"
     WHERE agent_id = ANY(:agents) AND unit_id <> :unit AND busy_until > :begin AND busy_from < :end
       AND status IN ('pending', 'confirmed', 'reschedule_requested')
    UNION ALL
    SELECT a.agent_id, u.starts_at, u.ends_at FROM unnest(CAST(:agents AS uuid[])) AS a(agent_id)
      JOIN "AvailabilitySlots" u ON u.unit_id = :unit AND u.status = 'blocked' AND u.ends_at > :begin AND u.starts_at < :end
""")


def candidates(
    conn: Connection,
    unit_id: UUID,
    begin: datetime,
    end: datetime,
    *,
    include_passive: bool = False,
    agent_id: UUID | None = None,
) -> list[Candidate]:
    """Free stretches that share time with [begin, end), by priority, then start. Two statements."""
    modes = ["active", "passive"] if include_passive else ["active"]
    window = {"unit": unit_id, "begin": begin, "end": end}
    shared = conn.execute(_SHARED, {**window, "modes": modes, "agent": agent_id}).all()
    if not shared:
        return []
    blocks: dict[UUID, list[Span]] = defaultdict(list)
    agents = list({row.agent_id for row in shared})
    for row in conn.execute(_BLOCKED, {**window, "agents": agents}):
        blocks[row.agent_id].append((row.starts_at, row.ends_at))
    return [
        Candidate(**{**row._mapping, "starts_at": start, "ends_at": stop})
        for row in shared
        for start, stop in subtract([(row.starts_at, row.ends_at)], blocks[row.agent_id])
    ]
