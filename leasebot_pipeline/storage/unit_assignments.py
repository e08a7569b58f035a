"""Units with their listings and who shows them: the list assignments are made from."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import Connection, Row, text


@dataclass(frozen=True, slots=True)
class Wanted:
    """What rows must have; None: anything. ``status`` is a listing's, ``none`` for units without one."""

    text: str | None = None
    status: str | None = None
    assigned: str | None = None
    """``assigned`` or ``unassigned``."""


@dataclass(frozen=True, slots=True)
class UnitRow:
    """A unit by its best listing (active before others, newest first); None where it has none."""

    unit_id: UUID
    unit: str
    address: str | None
    platform: str | None
    title: str | None
    location: str | None
    rent_cents: int | None
    currency_code: str | None
    status: str | None
    listings: int
    agent_id: UUID | None
    agent_name: str | None
    updated_at: datetime


SORTS: Final = ("default", "listing", "status", "agent", "updated")
_ORDER: Final = {
    "default": "(status IS NOT DISTINCT FROM 'active') DESC, updated_at DESC",
    "listing": "lower(unit)",
    "status": "status NULLS LAST, lower(unit)",
    "agent": "lower(agent_name) NULLS FIRST, lower(unit)",
    "updated": "updated_at DESC",
}
_ROWS: Final = """
    WITH rows AS (
      SELECT u.id AS unit_id, concat_ws(' ', u.property_name, u.unit_number) AS unit,
             NULLIF(concat_ws(', ', u.address_line1, u.city), '') AS address,
             l.platform, l.title, l.location, l.rent_cents, l.currency_code, l.status,
             COALESCE(l.listings, 0) AS listings, p.agent_id, p.full_name AS agent_name,
             GREATEST(u.updated_at, l.updated_at, c.updated_at) AS updated_at
        FROM "Units" u
        LEFT JOIN LATERAL (
             SELECT x.status, x.rent_cents, x.currency_code, a.platform, x.metadata ->> 'title' AS title,
                    x.metadata ->> 'location' AS location, x.updated_at, count(*) OVER () AS listings
               FROM "Listings" x JOIN "PlatformAccounts" a ON a.id = x.platform_account_id
              WHERE x.unit_id = u.id AND x.deleted_at IS NULL
              ORDER BY (x.status = 'active') DESC, x.updated_at DESC, x.id LIMIT 1) l ON true
        LEFT JOIN LATERAL (
             SELECT s.agent_id, g.full_name
               FROM "UnitAgentAssignments" s JOIN "Agents" g ON g.id = s.agent_id
              WHERE s.unit_id = u.id AND s.assignment_mode = 'active'
              ORDER BY s.priority, s.created_at LIMIT 1) p ON true
        LEFT JOIN LATERAL (  -- who was taken off counts as a change, too
             SELECT max(s.updated_at) AS updated_at FROM "UnitAgentAssignments" s WHERE s.unit_id = u.id) c ON true
       WHERE u.deleted_at IS NULL
    )
"""
_WHERE: Final = """
     WHERE (CAST(:text AS text) IS NULL
            OR strpos(lower(concat_ws(' ', unit, address, platform, title, location, agent_name)), lower(:text)) > 0)
       AND (CAST(:status AS text) IS NULL OR COALESCE(status, 'none') = :status)
       AND (CAST(:assigned AS text) IS NULL OR (agent_id IS NOT NULL) = (:assigned = 'assigned'))
"""
_COUNTS = text("""
    SELECT (SELECT count(*) FROM "Units" WHERE deleted_at IS NULL) AS units,
           (SELECT count(*) FROM "Listings" WHERE deleted_at IS NULL) AS listings,
           (SELECT count(*) FROM "Agents" WHERE removed_at IS NULL) AS agents
""")


def search(
    conn: Connection, wanted: Wanted, *, sort: str, limit: int, skip: int
) -> tuple[list[UnitRow], int]:
    """A page of units in one of ``SORTS``, and how many match in all (0 beyond the last page)."""
    statement = text(
        f"{_ROWS} SELECT *, count(*) OVER () AS total FROM rows {_WHERE} "
        f"ORDER BY {_ORDER[sort]}, unit_id LIMIT :limit OFFSET :skip"
    )
    parameters = {
        "text": wanted.text,
        "status": wanted.status,
        "assigned": wanted.assigned,
        "limit": limit,
        "skip": skip,
    }
    rows = conn.execute(statement, parameters).all()
    return [_unit(row) for row in rows], rows[0].total if rows else 0


def counts(conn: Connection) -> tuple[int, int, int]:
    """How many units, listings and agents there are."""
    row = conn.execute(_COUNTS).one()
    return row.units, row.listings, row.agents


_NOBODY = text("""
    SELECT concat_ws(' ', u.property_name, u.unit_number) AS unit, count(*) OVER () AS total
      FROM "Units" u
     WHERE u.deleted_at IS NULL
       AND EXISTS (SELECT 1 FROM "Listings" l WHERE l.unit_id = u.id AND l.status = 'active' AND l.deleted_at IS NULL)
       AND NOT EXISTS (SELECT 1 FROM "UnitAgentAssignments" s WHERE s.unit_id = u.id AND s.assignment_mode = 'active')
     ORDER BY lower(u.property_name), u.unit_number, u.id LIMIT :limit
""")


def with_nobody(conn: Connection, limit: int) -> tuple[list[str], int]:
    """The first of the units that are advertised and that no agent shows, and how many there are."""
    rows = conn.execute(_NOBODY, {"limit": limit}).all()
    return [row.unit for row in rows], rows[0].total if rows else 0


_SHOWS = text("""
    SELECT EXISTS (SELECT 1 FROM "UnitAgentAssignments" s JOIN "Units" u ON u.id = s.unit_id
                    WHERE s.agent_id = :agent AND s.assignment_mode = 'active' AND u.deleted_at IS NULL)
""")
_SHOWN = text("""
    SELECT EXISTS (SELECT 1 FROM "UnitAgentAssignments" s JOIN "Listings" l ON l.unit_id = s.unit_id
                    WHERE l.id = :listing AND s.assignment_mode = 'active')
""")


def has_units(conn: Connection, agent_id: UUID) -> bool:
    """Whether an agent shows any unit."""
    return bool(conn.execute(_SHOWS, {"agent": agent_id}).scalar_one())


def has_agent(conn: Connection, listing_id: UUID) -> bool:
    """Whether anybody shows the unit of a listing."""
    return bool(conn.execute(_SHOWN, {"listing": listing_id}).scalar_one())


def _unit(row: Row[Any]) -> UnitRow:
    values = dict(row._mapping)
    del values["total"]
    return UnitRow(**values)
