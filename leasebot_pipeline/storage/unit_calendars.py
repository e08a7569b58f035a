"""Calendars of all units together, a page at a time: weekly rules, and the times ahead."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, time
from typing import Final
from uuid import UUID

from sqlalchemy import Connection, text


@dataclass(frozen=True, slots=True)
class RuleOfUnit:
    """A weekly rule with its unit's name. ``day_of_week`` 0 is Sunday."""

    id: UUID
    unit_id: UUID
    unit: str
    day_of_week: int
    start_time: time
    end_time: time
    timezone: str
    status: str
    valid_from: date | None
    valid_until: date | None


@dataclass(frozen=True, slots=True)
class TimeOfUnit:
    """A time a unit is open or blocked; ``weekly``: it comes from a rule."""

    id: UUID
    unit_id: UUID
    unit: str
    starts_at: datetime
    ends_at: datetime
    timezone: str
    status: str
    weekly: bool
    notes: str | None


_NAME: Final = "concat_ws(' ', u.property_name, u.unit_number)"
_RULES = text(f"""
    SELECT r.id, r.unit_id, {_NAME} AS unit, r.day_of_week, r.start_time, r.end_time, r.timezone, r.status,
           r.valid_from, r.valid_until, count(*) OVER () AS total
      FROM "AvailabilityRules" r JOIN "Units" u ON u.id = r.unit_id AND u.deleted_at IS NULL
     WHERE CAST(:unit AS uuid) IS NULL OR r.unit_id = :unit
     ORDER BY u.property_name, u.unit_number, r.day_of_week, r.start_time, r.id
     LIMIT :limit OFFSET :offset
""")
_AHEAD: Final = """"AvailabilitySlots" s
       WHERE s.ends_at > :now AND (CAST(:unit AS uuid) IS NULL OR s.unit_id = :unit)
         AND (NOT :exceptions OR s.rule_id IS NULL)"""
# Names are joined to the page only; counted apart, since a window would carry all rows along.
_TIMES = text(f"""
    WITH page AS MATERIALIZED (
      SELECT s.*, (SELECT count(*) FROM {_AHEAD}) AS total FROM {_AHEAD}
       ORDER BY s.starts_at, s.id LIMIT :limit OFFSET :offset)
    SELECT s.id, s.unit_id, {_NAME} AS unit, s.starts_at, s.ends_at, s.timezone, s.status, s.rule_id IS NOT NULL AS weekly,
           s.notes, s.total
      FROM page s JOIN "Units" u ON u.id = s.unit_id
     ORDER BY s.starts_at, s.id
""")


def rules_of_units(
    conn: Connection, unit_id: UUID | None, limit: int, offset: int
) -> tuple[list[RuleOfUnit], int]:
    """Weekly rules (of one unit) by unit and weekday, Sunday first; and how many there are."""
    rows = conn.execute(_RULES, {"unit": unit_id, "limit": limit, "offset": offset}).all()
    return [RuleOfUnit(*row[:-1]) for row in rows], rows[0].total if rows else 0


def times_of_units(
    conn: Connection,
    unit_id: UUID | None,
    now: datetime,
    limit: int,
    offset: int,
    *,
    exceptions: bool = False,
) -> tuple[list[TimeOfUnit], int]:
    """Times that are not over, by start; with ``exceptions`` only those no rule gives; and how many there are."""
    values = {"unit": unit_id, "now": now, "limit": limit, "offset": offset, "exceptions": exceptions}
    rows = conn.execute(_TIMES, values).all()
    return [TimeOfUnit(*row[:-1]) for row in rows], rows[0].total if rows else 0


_ZONE = text("""
    SELECT COALESCE(
             (SELECT timezone FROM "Agents" WHERE id = CAST(:agent AS uuid)),
             (SELECT mode() WITHIN GROUP (ORDER BY timezone) FROM "AvailabilityRules"
               WHERE unit_id IS NOT NULL AND (CAST(:unit AS uuid) IS NULL OR unit_id = CAST(:unit AS uuid))),
             (SELECT mode() WITHIN GROUP (ORDER BY timezone) FROM "Agents" WHERE removed_at IS NULL),
             'UTC')
""")


def zone_of_calendar(conn: Connection, unit_id: UUID | None, agent_id: UUID | None) -> str:
    """The zone whose today a calendar marks: the agent's, the unit's, else the one most of the team's units are in.

    Told by the weekly rules of the units; where there are none, by the agents.
    """
    return str(conn.execute(_ZONE, {"unit": unit_id, "agent": agent_id}).scalar_one())
