"""Units and who shows them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, text
from sqlalchemy.exc import IntegrityError


class UnitExists(Exception):
    """Another unit has that property name and number."""


class UnitUnknown(Exception):
    """No unit has that id."""


class AgentUnknown(Exception):
    """No agent has that id."""


class PriorityTaken(Exception):
    """Another active assignment of the unit has that priority."""


@dataclass(frozen=True, slots=True)
class Assignment:
    """That an agent shows a unit; the lowest active priority is the primary agent's."""

    unit_id: UUID
    agent_id: UUID
    assignment_mode: str
    priority: int
    created_at: datetime
    updated_at: datetime
    agent_name: str
    agent_email: str | None
    agent_timezone: str
    agent_role: str


@dataclass(frozen=True, slots=True)
class Unit:
    """A unit with its assignments, best priority first."""

    id: UUID
    external_id: str | None
    property_name: str
    unit_number: str
    address_line1: str | None
    city: str | None
    state: str | None
    postal_code: str | None
    bedrooms: int | None
    bathrooms: float | None
    square_feet: int | None
    is_active: bool
    created_at: datetime
    updated_at: datetime
    assigned_agents: tuple[Assignment, ...]

    @property
    def assigned_agent_id(self) -> UUID | None:
        """The primary agent."""
        active = (a.agent_id for a in self.assigned_agents if a.assignment_mode == "active")
        return next(active, None)


FIELDS = (
    "external_id",
    "property_name",
    "unit_number",
    "address_line1",
    "city",
    "state",
    "postal_code",
    "bedrooms",
    "bathrooms",
    "square_feet",
    "is_active",
)
_COLUMNS = "u.id, " + ", ".join(f"u.{name}" for name in FIELDS) + ", u.created_at, u.updated_at"
# Units of one agent, whether it shows them now or stands by; of all without an agent.
_SHOWN_BY = """(CAST(:agent AS uuid) IS NULL OR EXISTS (
            SELECT 1 FROM "UnitAgentAssignments" s WHERE s.unit_id = u.id AND s.agent_id = :agent))"""
_ASSIGNED = """
    SELECT s.unit_id, s.agent_id, s.assignment_mode, s.priority, s.created_at, s.updated_at,
           a.full_name, a.email, a.timezone, a.role
      FROM "UnitAgentAssignments" s JOIN "Agents" a ON a.id = s.agent_id
     WHERE s.unit_id = ANY(:units)
     ORDER BY s.unit_id, s.assignment_mode, s.priority, s.created_at, s.agent_id
"""
_ASSIGNMENTS = text(_ASSIGNED)
_LIST = text(f"""
    SELECT {_COLUMNS} FROM "Units" u
     WHERE u.deleted_at IS NULL AND {_SHOWN_BY}
       AND (CAST(:after_name AS text) IS NULL
            OR (u.property_name, u.unit_number, u.id) > (:after_name, :after_number, CAST(:after_id AS uuid)))
     ORDER BY u.property_name, u.unit_number, u.id LIMIT :limit
""")
_NAMES = text("""
    SELECT u.id, u.property_name || ' ' || u.unit_number AS name FROM "Units" u
     WHERE u.deleted_at IS NULL ORDER BY u.property_name, u.unit_number, u.id LIMIT :limit
""")
_FIND = text(f"""
    SELECT {_COLUMNS} FROM "Units" u WHERE u.id = :id AND u.deleted_at IS NULL AND {_SHOWN_BY}
""")
# A deleted unit of the same name comes back: its conversations and showings still point to it.
_CREATE = text("""
    INSERT INTO "Units" AS u (external_id, property_name, unit_number, address_line1, city, state, postal_code,
                              bedrooms, bathrooms, square_feet, is_active)
    VALUES (:external_id, :property_name, :unit_number, :address_line1, :city, :state, :postal_code,
            :bedrooms, :bathrooms, :square_feet, COALESCE(:is_active, true))
    ON CONFLICT (property_name, unit_number) DO UPDATE
       SET external_id = excluded.external_id, address_line1 = excluded.address_line1, city = excluded.city,
           state = excluded.state, postal_code = excluded.postal_code, bedrooms = excluded.bedrooms,
           bathrooms = excluded.bathrooms, square_feet = excluded.square_feet, is_active = excluded.is_active,
           deleted_at = NULL, updated_at = :now
     WHERE u.deleted_at IS NOT NULL
    RETURNING id
""")
_DELETE = text("""
    WITH gone AS (
      UPDATE "Units" SET deleted_at = :now, is_active = false, updated_at = :now
       WHERE id = :id AND deleted_at IS NULL RETURNING id
    ), listings AS (
      UPDATE "Listings" SET deleted_at = :now, status = 'inactive', updated_at = :now
       WHERE unit_id IN (SELECT id FROM gone) AND deleted_at IS NULL
    ), assignments AS (
      UPDATE "UnitAgentAssignments" SET assignment_mode = 'passive', updated_at = :now
       WHERE unit_id IN (SELECT id FROM gone) AND assignment_mode = 'active'
    )
    SELECT count(*) FROM gone
""")
_LOCK = text('SELECT id FROM "Units" WHERE id = :id AND deleted_at IS NULL FOR UPDATE')
_AGENT_EXISTS = text('SELECT EXISTS (SELECT 1 FROM "Agents" WHERE id = :id)')
_RETIRE_OTHERS = text("""
    UPDATE "UnitAgentAssignments" SET assignment_mode = 'passive', updated_at = :now
     WHERE unit_id = :unit AND assignment_mode = 'active' AND agent_id IS DISTINCT FROM CAST(:agent AS uuid)
""")
_UPSERT_ASSIGNMENT = text("""
    INSERT INTO "UnitAgentAssignments" (unit_id, agent_id, assignment_mode, priority)
    VALUES (:unit, :agent, :mode, :priority)
    ON CONFLICT (unit_id, agent_id) DO UPDATE
       SET assignment_mode = excluded.assignment_mode, priority = excluded.priority, updated_at = :now
""")
_DELETE_ASSIGNMENT = text("""
    DELETE FROM "UnitAgentAssignments" WHERE unit_id = :unit AND agent_id = :agent RETURNING agent_id
""")
# Open conversations about the unit follow its primary agent, unless somebody else was put in charge of them.
_FOLLOW_PRIMARY = text("""
    UPDATE "Conversations" c SET assigned_agent_id = p.agent_id, updated_at = :now
      FROM "Listings" l
      LEFT JOIN LATERAL (SELECT s.agent_id FROM "UnitAgentAssignments" s
                          WHERE s.unit_id = l.unit_id AND s.assignment_mode = 'active'
                          ORDER BY s.priority, s.created_at LIMIT 1) p ON true
     WHERE c.listing_id = l.id AND l.unit_id = :unit AND c.status = 'open' AND p.agent_id IS NOT NULL
       AND (c.assigned_agent_id IS NULL OR NOT EXISTS (
            SELECT 1 FROM "UnitAgentAssignments" s
             WHERE s.unit_id = l.unit_id AND s.agent_id = c.assigned_agent_id AND s.assignment_mode = 'active'))
""")


def list_units(
    conn: Connection, limit: int, after: Sequence[object] | None = None, agent_id: UUID | None = None
) -> list[Unit]:
    """Units by property and number with their assignments, those after the key (property, number, id)."""
    name, number, key = after if after is not None else (None, None, None)
    parameters = {
        "limit": limit,
        "after_name": name,
        "after_number": number,
        "after_id": key,
        "agent": agent_id,
    }
    rows = conn.execute(_LIST, parameters).all()
    assigned = _by_unit(conn, [row.id for row in rows])
    return [_unit(row, assigned.get(row.id, ())) for row in rows]


def names(conn: Connection, limit: int) -> list[tuple[UUID, str]]:
    """Ids and names of all units in the list's order."""
    return [(row.id, row.name) for row in conn.execute(_NAMES, {"limit": limit})]


def find_unit(conn: Connection, unit_id: UUID, agent_id: UUID | None = None) -> Unit | None:
    """The unit, if the agent (when one is given) has to do with it."""
    row = conn.execute(_FIND, {"id": unit_id, "agent": agent_id}).one_or_none()
    if row is None:
        return None
    return _unit(row, _by_unit(conn, [unit_id]).get(unit_id, ()))


def create_unit(conn: Connection, values: Mapping[str, Any], now: datetime) -> UUID:
    """Create a unit of ``FIELDS``. Raises UnitExists."""
    made = conn.execute(_CREATE, {**dict.fromkeys(FIELDS), **values, "now": now}).scalar_one_or_none()
    if made is None:
        raise UnitExists
    return UUID(str(made))


def update_unit(conn: Connection, unit_id: UUID, values: Mapping[str, Any], now: datetime) -> bool:
    """Set the given ``FIELDS``; False when there is no such unit. Raises UnitExists."""
    chosen = [name for name in FIELDS if name in values]
    assignments = "".join(f", {name} = :{name}" for name in chosen)
    statement = text(
        f'UPDATE "Units" SET updated_at = :now{assignments} WHERE id = :id AND deleted_at IS NULL RETURNING id'
    )
    try:
        with conn.begin_nested():
            found = conn.execute(statement, {**values, "id": unit_id, "now": now})
            return found.one_or_none() is not None
    except IntegrityError as error:
        raise UnitExists from error


def delete_unit(conn: Connection, unit_id: UUID, now: datetime) -> bool:
    """Hide a unit and its listings, and let nobody show it; showings and conversations stay."""
    return bool(conn.execute(_DELETE, {"id": unit_id, "now": now}).scalar_one())


def assignments(conn: Connection, unit_id: UUID) -> list[Assignment]:
    """A unit's assignments by priority, then age."""
    found = _by_unit(conn, [unit_id]).get(unit_id, ())
    return sorted(found, key=lambda a: (a.priority, a.created_at, str(a.agent_id)))


def assign_primary(conn: Connection, unit_id: UUID, agent_id: UUID | None, now: datetime) -> None:
    """Make an agent the only active one, with priority 1; None leaves nobody active.

    Raises UnitUnknown, AgentUnknown.
    """
    _lock(conn, unit_id, agent_id)
    conn.execute(_RETIRE_OTHERS, {"unit": unit_id, "agent": agent_id, "now": now})
    if agent_id is not None:
        _upsert(conn, unit_id, agent_id, "active", 1, now)
    conn.execute(_FOLLOW_PRIMARY, {"unit": unit_id, "now": now})


def assign(
    conn: Connection, unit_id: UUID, agent_id: UUID, mode: str, priority: int, now: datetime
) -> list[Assignment]:
    """Set one assignment; all of the unit's. Raises UnitUnknown, AgentUnknown, PriorityTaken."""
    _lock(conn, unit_id, agent_id)
    _upsert(conn, unit_id, agent_id, mode, priority, now)
    conn.execute(_FOLLOW_PRIMARY, {"unit": unit_id, "now": now})
    return assignments(conn, unit_id)


def unassign(conn: Connection, unit_id: UUID, agent_id: UUID, now: datetime) -> bool:
    """Take an agent off a unit; False when it was not assigned."""
    gone = conn.execute(_DELETE_ASSIGNMENT, {"unit": unit_id, "agent": agent_id}).one_or_none()
    if gone is None:
        return False
    conn.execute(_FOLLOW_PRIMARY, {"unit": unit_id, "now": now})
    return True


def _lock(conn: Connection, unit_id: UUID, agent_id: UUID | None) -> None:
    if conn.execute(_LOCK, {"id": unit_id}).one_or_none() is None:
        raise UnitUnknown
    if agent_id is not None and not conn.execute(_AGENT_EXISTS, {"id": agent_id}).scalar_one():
        raise AgentUnknown


def _upsert(conn: Connection, unit_id: UUID, agent_id: UUID, mode: str, priority: int, now: datetime) -> None:
    row = {"unit": unit_id, "agent": agent_id, "mode": mode, "priority": priority, "now": now}
    try:
        with conn.begin_nested():
            conn.execute(_UPSERT_ASSIGNMENT, row)
    except IntegrityError as error:
        raise PriorityTaken from error


def _by_unit(conn: Connection, units: Sequence[UUID]) -> dict[UUID, tuple[Assignment, ...]]:
    found: dict[UUID, tuple[Assignment, ...]] = {}
    if units:
        for row in conn.execute(_ASSIGNMENTS, {"units": list(units)}):
            found[row.unit_id] = (*found.get(row.unit_id, ()), Assignment(*row))
    return found


def _unit(row: Any, assigned: tuple[Assignment, ...]) -> Unit:
    values = dict(row._mapping)
    bathrooms = values.pop("bathrooms")
    return Unit(**values, bathrooms=None if bathrooms is None else float(bathrooms), assigned_agents=assigned)
