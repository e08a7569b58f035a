"""Showings as people see them, with the names around them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime, time, timedelta
from typing import Any, Final
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy import Connection, text

from leasebot_pipeline.domain.local_time import instant_after_gap
from leasebot_pipeline.domain.slots import zone

_EARLIEST: Final = date(1970, 1, 1)
_LATEST: Final = date(2200, 1, 1)


@dataclass(frozen=True, slots=True)
class Showing:
    """A showing with its agent's, unit's and lead's names."""

    id: UUID
    idempotency_key: str
    platform_account_id: UUID
    conversation_id: UUID | None
    unit_id: UUID
    listing_id: UUID | None
    agent_id: UUID
    agent_name: str
    starts_at: datetime
    ends_at: datetime
    timezone: str
    status: str
    source: str
    external_booking_ref: str | None
    notes: str | None
    metadata: dict[str, Any]
    hold_expires_at: datetime | None
    unit: str
    external_thread_id: str | None
    lead_name: str | None
    platform: str
    created_at: datetime
    updated_at: datetime

    def held(self, now: datetime) -> bool:
        """Whether its time is kept for the lead, who has not confirmed it."""
        return self.status == "pending" and self.hold_expires_at is not None and self.hold_expires_at > now


@dataclass(frozen=True, slots=True)
class ShowingFilter:
    """What the list shows; None: anything. Shares time with [begin, end).

    ``first_day`` and ``last_day``: begins on those days, each showing in its own zone.
    """

    statuses: tuple[str, ...] = field(default_factory=tuple)
    unit_id: UUID | None = None
    agent_id: UUID | None = None
    begin: datetime | None = None
    end: datetime | None = None
    first_day: date | None = None
    last_day: date | None = None
    over_by: datetime | None = None
    """Ended by then, and no hold: somebody should tell what came of it."""
    standing_at: datetime | None = None
    """Without what was only held, and is not at that instant: given up, run out, or replaced by the booking. Such a row never was
    a showing."""


_COLUMNS: Final = """
           s.id, s.idempotency_key, s.platform_account_id, s.conversation_id, s.unit_id, s.listing_id, s.agent_id,
           a.full_name AS agent_name, s.starts_at, s.ends_at, s.timezone, s.status, s.source, s.external_booking_ref,
           s.notes, s.metadata, s.hold_expires_at, concat_ws(' ', u.property_name, u.unit_number) AS unit,
           c.external_thread_id, c.lead_name, p.platform, s.created_at, s.updated_at
"""
_NAMES: Final = """
      JOIN "Agents" a ON a.id = s.agent_id
      JOIN "Units" u ON u.id = s.unit_id
      JOIN "PlatformAccounts" p ON p.id = s.platform_account_id
      LEFT JOIN "Conversations" c ON c.id = s.conversation_id
"""
_FIND = text(f'SELECT {_COLUMNS} FROM "ShowingAppointments" s {_NAMES} WHERE s.id = :id')


def find_showing(conn: Connection, showing_id: UUID) -> Showing | None:
    row = conn.execute(_FIND, {"id": showing_id}).one_or_none()
    return None if row is None else Showing(*row)


def list_showings(
    conn: Connection, wanted: ShowingFilter, limit: int, after: Sequence[object] | None = None
) -> list[Showing]:
    """Showings by start, then id, those after the key (starts_at as ISO text, id)."""
    conditions, parameters = _conditions(conn, wanted)
    parameters["limit"] = limit
    if after is not None:
        conditions.append("(s.starts_at, s.id) > (CAST(:after_at AS timestamptz), CAST(:after_id AS uuid))")
        parameters["after_at"], parameters["after_id"] = after
    # Names are joined to the page only.
    statement = text(f"""
        WITH page AS MATERIALIZED (
          SELECT s.* FROM "ShowingAppointments" s {_where(conditions)} ORDER BY s.starts_at, s.id LIMIT :limit)
        SELECT {_COLUMNS} FROM page s {_NAMES} ORDER BY s.starts_at, s.id
    """)
    return [Showing(*row) for row in conn.execute(statement, parameters)]


def showings_around(
    conn: Connection, wanted: ShowingFilter, now: datetime, limit: int, offset: int = 0
) -> tuple[list[Showing], int]:
    """Showings that are not over, the next first, then those that are, the last first; and how many there are."""
    conditions, parameters = _conditions(conn, wanted)
    where = _where(conditions)
    statement = text(f"""
        WITH wanted AS (
          SELECT s.id, row_number() OVER (ORDER BY s.ends_at <= :now, CASE WHEN s.ends_at > :now THEN s.starts_at END,
                                          s.starts_at DESC, s.id) AS place, count(*) OVER () AS total
            FROM "ShowingAppointments" s {where}
        ), page AS MATERIALIZED (SELECT * FROM wanted ORDER BY place LIMIT :limit OFFSET :offset)
        SELECT {_COLUMNS}, page.total
          FROM page JOIN "ShowingAppointments" s ON s.id = page.id {_NAMES} ORDER BY page.place
    """)
    rows = conn.execute(statement, {**parameters, "now": now, "limit": limit, "offset": offset}).all()
    return [Showing(*row[:-1]) for row in rows], rows[0].total if rows else 0


def showings_of_days(
    conn: Connection, wanted: ShowingFilter, first: date, last: date, each: int
) -> dict[date, tuple[list[Showing], int]]:
    """The first ``each`` showings of every day that has some, and how many it has; by start, each in its own zone."""
    conditions, parameters = _conditions(conn, replace(wanted, first_day=None, last_day=None))
    days = [first + timedelta(days=number) for number in range((last - first).days + 1)]
    conditions.append(_WITHIN)
    parameters |= _spans(conn, [(day, day) for day in days]) | {"each": each}
    statement = text(f"""
        WITH placed AS (
          SELECT s.id, z.day, row_number() OVER (PARTITION BY z.day ORDER BY s.starts_at, s.id) AS place,
                 count(*) OVER (PARTITION BY z.day) AS total
            FROM "ShowingAppointments" s JOIN {_LOCAL} ON {_ON_ONE} {_where(conditions)}
        ), page AS MATERIALIZED (SELECT * FROM placed WHERE place <= :each)
        SELECT {_COLUMNS}, page.day, page.total
          FROM page JOIN "ShowingAppointments" s ON s.id = page.id {_NAMES} ORDER BY page.day, page.place
    """)
    found: dict[date, tuple[list[Showing], int]] = {}
    for *row, day, total in conn.execute(statement, parameters):
        found.setdefault(day, ([], total))[0].append(Showing(*row))
    return found


_SHOWN = text("""
    SELECT u.id, concat_ws(' ', u.property_name, u.unit_number) AS name
      FROM "Units" u
     WHERE EXISTS (SELECT 1 FROM "ShowingAppointments" s
                    WHERE s.unit_id = u.id AND (CAST(:agent AS uuid) IS NULL OR s.agent_id = :agent))
     ORDER BY u.property_name, u.unit_number, u.id LIMIT :limit
""")


def units_shown(conn: Connection, agent_id: UUID | None, limit: int) -> list[tuple[UUID, str]]:
    """Units that have showings (of an agent): id and name, by name."""
    return [(row.id, row.name) for row in conn.execute(_SHOWN, {"agent": agent_id, "limit": limit})]


_ZONES = text('SELECT DISTINCT timezone FROM "ShowingAppointments"')
_WITHIN: Final = "s.starts_at >= :earliest AND s.starts_at < :latest"
_LOCAL: Final = """unnest(CAST(:zones AS text[]), CAST(:days AS date[]), CAST(:begins AS timestamptz[]),
                           CAST(:ends AS timestamptz[])) AS z(name, day, begins, ends)"""
_ON_ONE: Final = "z.name = s.timezone AND s.starts_at >= z.begins AND s.starts_at < z.ends"
_ON_DAYS: Final = f"{_WITHIN} AND EXISTS (SELECT 1 FROM {_LOCAL} WHERE {_ON_ONE})"


def _spans(conn: Connection, spans: Sequence[tuple[date, date]]) -> dict[str, object]:
    """Local days, both included, as instants for each zone there are showings in: names are not the database's to judge."""
    zones = list(conn.execute(_ZONES).scalars()) or ["UTC"]
    known = [(name, zone(name) or ZoneInfo("UTC")) for name in zones]
    rows = [
        (name, first, _midnight(first, tz), _midnight(min(last, _LATEST) + timedelta(days=1), tz))
        for name, tz in known
        for first, last in spans
    ]
    names, days, begins, ends = (list(column) for column in zip(*rows, strict=True))
    told = {"zones": names, "days": days, "begins": begins, "ends": ends}
    return told | {"earliest": min(begins), "latest": max(ends)}


def _midnight(day: date, tz: ZoneInfo) -> datetime:
    within = min(max(day, _EARLIEST), _LATEST)
    return instant_after_gap(within, time(), tz)


def _conditions(conn: Connection, wanted: ShowingFilter) -> tuple[list[str], dict[str, object]]:
    parameters: dict[str, object] = {}
    conditions = []
    for name in ("unit_id", "agent_id"):
        if getattr(wanted, name) is not None:
            conditions.append(f"s.{name} = :{name}")
            parameters[name] = getattr(wanted, name)
    if wanted.statuses:
        conditions.append("s.status = ANY(:statuses)")
        parameters["statuses"] = list(wanted.statuses)
    if wanted.begin is not None:
        conditions.append("s.ends_at > :begin")
        parameters["begin"] = wanted.begin
    if wanted.end is not None:
        conditions.append("s.starts_at < :end")
        parameters["end"] = wanted.end
    if wanted.over_by is not None:
        conditions.append("s.ends_at <= :over_by AND s.hold_expires_at IS NULL")
        parameters["over_by"] = wanted.over_by
    if wanted.standing_at is not None:
        conditions.append(
            "(s.hold_expires_at IS NULL OR (s.status = 'pending' AND s.hold_expires_at > :standing_at))"
        )
        parameters["standing_at"] = wanted.standing_at
    if wanted.first_day is not None or wanted.last_day is not None:
        conditions.append(_ON_DAYS)
        parameters |= _spans(conn, [(wanted.first_day or date.min, wanted.last_day or date.max)])
    return conditions, parameters


def _where(conditions: Sequence[str]) -> str:
    return f"WHERE {' AND '.join(conditions)}" if conditions else ""
