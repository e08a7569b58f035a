"""``"ShowingAppointments"``, statement by statement: read, insert, move, change. ``booking`` decides, this writes.

The CURRENT appointment of a conversation is its newest one (``seq``) that is not a hold.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import Connection, Row, text

from leasebot_pipeline.domain.booking import Visit
from leasebot_pipeline.domain.showings import ShowingState

LIVE_SQL: Final = "('pending', 'confirmed', 'reschedule_requested')"


@dataclass(frozen=True, slots=True)
class Booked:
    """An appointment as it stands. ``sequence`` counts changes of time, agent and status (for calendar files)."""

    id: UUID
    idempotency_key: str
    platform_account_id: UUID
    conversation_id: UUID | None
    unit_id: UUID
    listing_id: UUID | None
    agent_id: UUID
    starts_at: datetime
    ends_at: datetime
    timezone: str
    status: ShowingState
    hold_expires_at: datetime | None
    decision_id: UUID | None
    slot_offer_id: UUID | None
    sequence: int
    seat: int = 1
    busy_from: datetime | None = None
    busy_until: datetime | None = None
    booked_as: Mapping[str, object] | None = None
    """Times and agent of the first booking, once it was moved."""
    moves: tuple[str, ...] = ()
    """Keys of the moves it has seen."""

    @property
    def visit(self) -> Visit:
        return Visit(
            self.agent_id,
            self.unit_id,
            self.starts_at,
            self.ends_at,
            self.busy_from or self.starts_at,
            self.busy_until or self.ends_at,
            self.seat,
        )


_COLUMNS: Final = """a.id, a.idempotency_key, a.platform_account_id, a.conversation_id, a.unit_id, a.listing_id, a.agent_id,
    a.starts_at, a.ends_at, a.timezone, a.status, a.hold_expires_at, a.decision_id, a.slot_offer_id, a.sequence, a.seat,
    a.busy_from, a.busy_until, a.metadata -> 'bookedAs' AS booked_as, a.metadata -> 'moves' AS moves"""


def _booked(row: Row[Any]) -> Booked:
    values = dict(row._mapping)
    values["status"] = ShowingState(values["status"])
    values["moves"] = tuple(values["moves"] or ())
    return Booked(**values)


_BY_KEYS = text(f'SELECT {_COLUMNS} FROM "ShowingAppointments" a WHERE a.idempotency_key = ANY(:keys)')
_BY_IDS = text(f'SELECT {_COLUMNS} FROM "ShowingAppointments" a WHERE a.id = ANY(:ids)')
_LOCK = text(
    f'SELECT {_COLUMNS} FROM "ShowingAppointments" a WHERE a.id = ANY(:ids) ORDER BY a.id FOR UPDATE OF a'
)
_BY_DECISIONS = text(
    f"""SELECT {_COLUMNS} FROM "ShowingAppointments" a
         WHERE a.decision_id = ANY(:ids) AND a.hold_expires_at IS NOT NULL ORDER BY a.seq"""
)
_BOOKED_BY_DECISIONS = text(
    f"""SELECT {_COLUMNS} FROM "ShowingAppointments" a
         WHERE a.decision_id = ANY(:ids) AND a.hold_expires_at IS NULL ORDER BY a.seq"""
)
_CURRENT = text(f"""
    SELECT {_COLUMNS} FROM unnest(CAST(:ids AS uuid[])) AS c(id)
     CROSS JOIN LATERAL (SELECT * FROM "ShowingAppointments" x
                          WHERE x.conversation_id = c.id AND x.hold_expires_at IS NULL ORDER BY x.seq DESC LIMIT 1) a
""")
_HOLDS = text(f"""
    SELECT {_COLUMNS} FROM "ShowingAppointments" a
     WHERE a.conversation_id = ANY(:ids) AND a.status = 'pending' AND a.hold_expires_at IS NOT NULL ORDER BY a.seq
""")


def by_keys(conn: Connection, keys: Iterable[str]) -> dict[str, Booked]:
    rows = conn.execute(_BY_KEYS, {"keys": list(set(keys))})
    return {row.idempotency_key: _booked(row) for row in rows}


def by_ids(conn: Connection, ids: Iterable[UUID], *, lock: bool = False) -> dict[UUID, Booked]:
    """Appointments by id; with ``lock`` under their row locks, taken in id order."""
    wanted = list(set(ids))
    if not wanted:
        return {}
    return {row.id: _booked(row) for row in conn.execute(_LOCK if lock else _BY_IDS, {"ids": wanted})}


def holds_of_decisions(conn: Connection, ids: Iterable[UUID]) -> dict[UUID, Booked]:
    """The newest hold of each decision, whatever became of it."""
    wanted = list(set(ids))
    if not wanted:
        return {}
    found = (_booked(row) for row in conn.execute(_BY_DECISIONS, {"ids": wanted}))
    return {hold.decision_id: hold for hold in found if hold.decision_id is not None}


def booked_by_decisions(conn: Connection, ids: Iterable[UUID]) -> dict[UUID, Booked]:
    """The showing each decision has booked or confirmed."""
    wanted = list(set(ids))
    if not wanted:
        return {}
    found = (_booked(row) for row in conn.execute(_BOOKED_BY_DECISIONS, {"ids": wanted}))
    return {one.decision_id: one for one in found if one.decision_id is not None}


def current(conn: Connection, conversations: Iterable[UUID]) -> dict[UUID, Booked]:
    """The current appointment of each conversation that has one."""
    wanted = list(set(conversations))
    if not wanted:
        return {}
    found = (_booked(row) for row in conn.execute(_CURRENT, {"ids": wanted}))
    return {one.conversation_id: one for one in found if one.conversation_id is not None}


def holds(conn: Connection, conversations: Iterable[UUID]) -> list[Booked]:
    """Holds of conversations that were neither confirmed nor given up, expired ones included."""
    wanted = list(set(conversations))
    if not wanted:
        return []
    return [_booked(row) for row in conn.execute(_HOLDS, {"ids": wanted})]


# An expired hold takes no time, whether or not it was swept yet.
_TAKEN = text(f"""
    SELECT DISTINCT {_COLUMNS}
      FROM jsonb_to_recordset(CAST(:wishes AS jsonb)) AS r(
             agent_id uuid, unit_id uuid, busy_from timestamptz, busy_until timestamptz)
     CROSS JOIN LATERAL (
           SELECT * FROM "ShowingAppointments" x
            WHERE x.agent_id = r.agent_id AND x.status IN {LIVE_SQL}
              AND tstzrange(x.busy_from, x.busy_until, '[)') && tstzrange(r.busy_from, r.busy_until, '[)')
           UNION ALL
           SELECT * FROM "ShowingAppointments" y
            WHERE y.unit_id = r.unit_id AND y.status IN {LIVE_SQL} AND y.starts_at < r.busy_until
              AND y.starts_at > r.busy_from - interval '1 day' AND y.ends_at > r.busy_from) a
     WHERE a.hold_expires_at IS NULL OR a.hold_expires_at > :now
""")


def taken(conn: Connection, wishes: Sequence[Visit], now: datetime) -> list[Booked]:
    """Live appointments near the wishes: of their agents and of their units, each once."""
    rows = [
        {
            "agent_id": w.agent_id,
            "unit_id": w.unit_id,
            "busy_from": w.busy_from,
            "busy_until": w.busy_until,
        }
        for w in wishes
    ]
    if not rows:
        return []
    return [_booked(row) for row in conn.execute(_TAKEN, {"wishes": dumps(rows), "now": now})]


# OFFSET 0: a day at a time by its index, not one scan for all days.
_THAT_DAY = text("""
    SELECT d.n, a.id
      FROM jsonb_to_recordset(CAST(:days AS jsonb)) AS d(n int, agent_id uuid, day_from timestamptz, day_until timestamptz)
     CROSS JOIN LATERAL (
           SELECT id, status, hold_expires_at FROM "ShowingAppointments" x
            WHERE x.agent_id = d.agent_id AND x.starts_at >= d.day_from AND x.starts_at < d.day_until OFFSET 0) a
     WHERE a.status <> 'cancelled' AND (a.hold_expires_at IS NULL OR a.hold_expires_at > :now)
""")


def that_day(
    conn: Connection, days: Sequence[tuple[UUID, datetime, datetime]], now: datetime
) -> list[set[UUID]]:
    """Per (agent, begin, end) of a day: the appointments that count against the daily cap."""
    counted: list[set[UUID]] = [set() for _ in days]
    rows = [
        {"n": n, "agent_id": agent, "day_from": begin, "day_until": end}
        for n, (agent, begin, end) in enumerate(days)
    ]
    if rows:
        for row in conn.execute(_THAT_DAY, {"days": dumps(rows), "now": now}):
            counted[row.n].add(row.id)
    return counted


_INSERT = text("""
    INSERT INTO "ShowingAppointments"
           (id, idempotency_key, platform_account_id, conversation_id, unit_id, listing_id, agent_id, starts_at, ends_at,
            timezone, status, source, external_booking_ref, notes, metadata, busy_from, busy_until, seat, hold_expires_at,
            decision_id, slot_offer_id, created_at, updated_at)
    SELECT id, idempotency_key, platform_account_id, conversation_id, unit_id, listing_id, agent_id, starts_at, ends_at,
           timezone, status, source, external_booking_ref, notes, metadata, busy_from, busy_until, seat, hold_expires_at,
           decision_id, slot_offer_id, :now, :now
      FROM jsonb_to_recordset(CAST(:rows AS jsonb)) AS r(
             n int, id uuid, idempotency_key text, platform_account_id uuid, conversation_id uuid, unit_id uuid,
             listing_id uuid, agent_id uuid, starts_at timestamptz, ends_at timestamptz, timezone text, status text,
             source text, external_booking_ref text, notes text, metadata jsonb, busy_from timestamptz,
             busy_until timestamptz, seat int, hold_expires_at timestamptz, decision_id uuid, slot_offer_id uuid)
     ORDER BY n
    ON CONFLICT DO NOTHING
    RETURNING id
""")


def insert(conn: Connection, rows: Sequence[Mapping[str, object]], now: datetime) -> set[UUID]:
    """Insert what no constraint forbids; returns the ids that stand."""
    if not rows:
        return set()
    numbered = [{"n": n, **row} for n, row in enumerate(rows)]
    return set(conn.execute(_INSERT, {"rows": dumps(numbered), "now": now}).scalars())


# First bookings are kept in metadata: a client that repeats its first request must find it again.
_MOVE = text("""
    UPDATE "ShowingAppointments" a
       SET agent_id = r.agent_id, starts_at = r.starts_at, ends_at = r.ends_at, timezone = r.timezone,
           busy_from = r.busy_from, busy_until = r.busy_until, seat = r.seat, status = r.status,
           decision_id = COALESCE(r.decision_id, a.decision_id), slot_offer_id = COALESCE(r.slot_offer_id, a.slot_offer_id),
           metadata = jsonb_build_object('bookedAs', jsonb_build_object(
                        'startsAt', a.starts_at, 'endsAt', a.ends_at, 'agentId', a.agent_id)) || a.metadata
                      || jsonb_build_object('moves', COALESCE(a.metadata -> 'moves', '[]'::jsonb) || to_jsonb(r.key)),
           updated_at = :now
      FROM jsonb_to_recordset(CAST(:rows AS jsonb)) AS r(
             id uuid, key text, agent_id uuid, starts_at timestamptz, ends_at timestamptz, timezone text,
             busy_from timestamptz, busy_until timestamptz, seat int, status text, decision_id uuid, slot_offer_id uuid)
     WHERE a.id = r.id
""")


def move(conn: Connection, rows: Sequence[Mapping[str, object]], now: datetime) -> None:
    """Give appointments another time, agent and status. Raises IntegrityError where a constraint forbids it."""
    if rows:
        conn.execute(_MOVE, {"rows": dumps(rows), "now": now})


_CONFIRM = text("""
    UPDATE "ShowingAppointments" a SET status = 'confirmed', hold_expires_at = NULL, updated_at = :now
     WHERE a.id = ANY(:ids) AND a.status = 'pending' AND a.hold_expires_at IS NOT NULL
    RETURNING a.id
""")


def confirm(conn: Connection, ids: Iterable[UUID], now: datetime) -> set[UUID]:
    """Make holds confirmed showings."""
    wanted = sorted(set(ids))
    return set(conn.execute(_CONFIRM, {"ids": wanted, "now": now}).scalars()) if wanted else set()


_RELEASE = text("""
    UPDATE "ShowingAppointments" a
       SET status = 'cancelled', metadata = a.metadata || jsonb_build_object('holdEnded', r.reason), updated_at = :now
      FROM jsonb_to_recordset(CAST(:rows AS jsonb)) AS r(id uuid, reason text)
     WHERE a.id = r.id AND a.status = 'pending' AND a.hold_expires_at IS NOT NULL
    RETURNING a.id
""")


def release(conn: Connection, reasons: Mapping[UUID, str], now: datetime) -> set[UUID]:
    """Give up holds, each with its reason; anything else is left alone."""
    if not reasons:
        return set()
    rows = [{"id": identity, "reason": reason} for identity, reason in sorted(reasons.items())]
    return set(conn.execute(_RELEASE, {"rows": dumps(rows), "now": now}).scalars())


_EXPIRED = text(f"""
    SELECT {_COLUMNS} FROM "ShowingAppointments" a
     WHERE a.status = 'pending' AND a.hold_expires_at <= :now AND (CAST(:agents AS uuid[]) IS NULL OR a.agent_id = ANY(:agents)
            OR a.unit_id = ANY(:units))
     ORDER BY a.hold_expires_at LIMIT :limit
     FOR UPDATE OF a SKIP LOCKED
""")


def expired_holds(
    conn: Connection,
    now: datetime,
    limit: int,
    *,
    agents: Iterable[UUID] | None = None,
    units: Iterable[UUID] = (),
) -> list[Booked]:
    """Holds past their time, locked (what somebody else has locked is skipped); of some agents and units, or all."""
    some = None if agents is None else list(set(agents))
    parameters = {"now": now, "limit": limit, "agents": some, "units": list(set(units))}
    return [_booked(row) for row in conn.execute(_EXPIRED, parameters)]


@dataclass(frozen=True, slots=True)
class StatusChanged:
    """One appointment whose status changed."""

    appointment_id: UUID
    conversation_id: UUID
    previous: str
    next: str


_SET_CURRENT = text("""
    UPDATE "ShowingAppointments" a SET status = r.status, updated_at = :now
      FROM (SELECT c.id AS conversation_id, c.status, x.id, x.status AS previous
              FROM jsonb_to_recordset(CAST(:rows AS jsonb)) AS c(id uuid, status text)
             CROSS JOIN LATERAL (SELECT id, status FROM "ShowingAppointments"
                                  WHERE conversation_id = c.id AND hold_expires_at IS NULL ORDER BY seq DESC LIMIT 1) x) r
     WHERE a.id = r.id AND a.status <> r.status
    RETURNING a.id, a.conversation_id, r.previous, a.status
""")


def set_current_status(
    conn: Connection, wanted: Mapping[UUID, ShowingState], now: datetime
) -> list[StatusChanged]:
    """Take the current appointment of each (locked) conversation to a status; what has it already is left alone."""
    if not wanted:
        return []
    rows = [{"id": identity, "status": status} for identity, status in sorted(wanted.items())]
    return [StatusChanged(*row) for row in conn.execute(_SET_CURRENT, {"rows": dumps(rows), "now": now})]


_SET_STATUS = text("""
    UPDATE "ShowingAppointments" a SET status = r.status, updated_at = :now
      FROM jsonb_to_recordset(CAST(:rows AS jsonb)) AS r(id uuid, status text)
     WHERE a.id = r.id
""")


def set_status(conn: Connection, wanted: Mapping[UUID, ShowingState], now: datetime) -> None:
    """Change statuses of locked appointments; the caller has checked the table."""
    if wanted:
        rows = [{"id": identity, "status": status} for identity, status in sorted(wanted.items())]
        conn.execute(_SET_STATUS, {"rows": dumps(rows), "now": now})


def dumps(rows: object) -> str:
    """Rows as the jsonb a set-based statement takes."""
    return json.dumps(rows, default=_plain)


def _plain(value: Any) -> str:
    return value.isoformat() if isinstance(value, datetime) else str(value)
