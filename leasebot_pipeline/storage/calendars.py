"""Calendars of units and their agents, as the slot search takes them, loaded for any number of units at once."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import Connection, text

from leasebot_pipeline.domain.slots import AgentWindow, Appointment, Assignment, Slot, UnitWindow
from leasebot_pipeline.domain.slots_policy import SlotPolicy
from leasebot_pipeline.domain.slots_search import UnitCalendar, free_slots


@dataclass(frozen=True, slots=True)
class Calendars:
    """Everything that decides which visits of some units can be offered."""

    unit_windows: dict[UUID, list[UnitWindow]] = field(default_factory=dict)
    assignments: dict[UUID, list[Assignment]] = field(default_factory=dict)
    agent_windows: dict[UUID, list[AgentWindow]] = field(default_factory=dict)
    appointments_of_units: dict[UUID, list[Appointment]] = field(default_factory=lambda: defaultdict(list))
    appointments_of_agents: dict[UUID, list[Appointment]] = field(default_factory=lambda: defaultdict(list))

    def for_unit(self, unit_id: UUID, also: UUID | None = None) -> UnitCalendar:
        """One unit's part, as the slot search takes it; ``also`` brings an agent who is not assigned to it."""
        assignments = self.assignments.get(unit_id, [])
        agents = dict.fromkeys(
            [*(assignment.agent_id for assignment in assignments), *([also] if also else [])]
        )
        elsewhere = (
            taken
            for agent in agents
            for taken in self.appointments_of_agents.get(agent, [])
            if taken.unit_id != unit_id
        )
        return UnitCalendar(
            unit_id,
            self.unit_windows.get(unit_id, []),
            assignments,
            [window for agent in agents for window in self.agent_windows.get(agent, [])],
            [*self.appointments_of_units.get(unit_id, []), *elsewhere],
        )


_UNIT_WINDOWS = text("""
    SELECT s.unit_id, s.starts_at, s.ends_at, s.timezone, s.status
      FROM "AvailabilitySlots" s JOIN "Units" u ON u.id = s.unit_id
     WHERE s.unit_id = ANY(:units) AND s.status IN ('open', 'blocked') AND s.ends_at > :now AND s.starts_at < :until
       AND (u.is_active OR :inactive_too)
     ORDER BY s.starts_at
""")
_ASSIGNMENTS = text("""
    SELECT ua.unit_id, ua.agent_id, g.full_name, ua.priority, g.timezone, ua.assignment_mode = 'active'
      FROM "UnitAgentAssignments" ua JOIN "Agents" g ON g.id = ua.agent_id
     WHERE ua.unit_id = ANY(:units) AND g.removed_at IS NULL
     ORDER BY ua.priority, ua.created_at
""")
_AGENT_WINDOWS = text("""
    SELECT agent_id, starts_at, ends_at, timezone, status FROM "AgentAvailabilitySlots"
     WHERE agent_id = ANY(:agents) AND ends_at > :now AND starts_at < :until
     ORDER BY starts_at
""")
# Back over the whole current day of whichever zone: what is over counts for the daily cap.
_APPOINTMENTS = text("""
    SELECT agent_id, unit_id, starts_at, ends_at, status IN ('pending', 'confirmed', 'reschedule_requested') AS blocks,
           conversation_id, starts_at - busy_from AS buffer_before, busy_until - ends_at AS buffer_after, seat
      FROM "ShowingAppointments"
     WHERE (agent_id = ANY(:agents) OR unit_id = ANY(:units)) AND status <> 'cancelled'
       AND (hold_expires_at IS NULL OR hold_expires_at > :now)
       AND starts_at > CAST(:now AS timestamptz) - interval '2 days' AND starts_at < :until
""")


def load_calendars(
    conn: Connection,
    units: Iterable[UUID],
    now: datetime,
    horizon: timedelta,
    *,
    also_agents: Iterable[UUID] = (),
    inactive_too: bool = False,
) -> Calendars:
    """Calendars of the units and their agents from now to the horizon: four statements.

    Units that are not active have no open time, unless ``inactive_too``.
    """
    unit_ids = list(set(units))
    if not unit_ids:
        return Calendars()
    calendars = Calendars()
    window = {"now": now, "until": now + horizon}
    for row in conn.execute(_UNIT_WINDOWS, {"units": unit_ids, "inactive_too": inactive_too, **window}):
        calendars.unit_windows.setdefault(row.unit_id, []).append(UnitWindow(*row))
    agents = set(also_agents)
    for row in conn.execute(_ASSIGNMENTS, {"units": unit_ids}):
        calendars.assignments.setdefault(row.unit_id, []).append(Assignment(*row))
        agents.add(row.agent_id)
    for row in conn.execute(_AGENT_WINDOWS, {"agents": list(agents), **window}):
        calendars.agent_windows.setdefault(row.agent_id, []).append(AgentWindow(*row))
    for row in conn.execute(_APPOINTMENTS, {"agents": list(agents), "units": unit_ids, **window}):
        appointment = Appointment(*row)
        calendars.appointments_of_units[appointment.unit_id].append(appointment)
        calendars.appointments_of_agents[appointment.agent_id].append(appointment)
    return calendars


@dataclass(frozen=True, slots=True)
class Candidate:
    """A free visit with an assigned agent, and how that agent is assigned."""

    slot: Slot
    assignment: Assignment


def unit_candidates(
    conn: Connection,
    unit_id: UUID,
    policy: SlotPolicy,
    now: datetime,
    begin: datetime,
    end: datetime,
    *,
    include_passive: bool = False,
    ignoring_conversation: UUID | None = None,
) -> list[Candidate]:
    """Every free visit of a unit that begins within [begin, end), by priority, then start: four statements.

    ``ignoring_conversation``: its showings, which are about to be moved, take no time.
    """
    calendar = load_calendars(conn, [unit_id], now, max(end - now, timedelta(0))).for_unit(unit_id)
    assigned = {assignment.agent_id: assignment for assignment in calendar.assignments}
    found = [
        Candidate(slot, assigned[slot.agent_id])
        for slot in free_slots(
            calendar,
            policy,
            now,
            include_passive=include_passive,
            ignoring_conversation=ignoring_conversation,
        )
        if slot.agent_id is not None and begin <= slot.starts_at < end
    ]
    return sorted(found, key=lambda candidate: (candidate.assignment.priority, candidate.slot.starts_at))
