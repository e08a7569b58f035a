"""Calendars from the database: what is free, and why a time is not."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID, uuid4

import pytest
from sqlalchemy import Connection, text

from leasebot_pipeline.domain.slots_policy import SlotPolicy
from leasebot_pipeline.domain.slots_search import free_slots
from leasebot_pipeline.storage import calendars
from leasebot_pipeline.storage.calendars import load_calendars, unit_candidates
from leasebot_pipeline.storage.slot_reasons import explain
from leasebot_pipeline.storage.tables import accounts, scheduling
from tests.storage.conftest import NOW
from tests.storage.rows import HOUR, add, agent, showing, unit

WEEK = timedelta(days=7)
POLICY = SlotPolicy()


def open_unit(conn: Connection, unit_id: UUID, begin: float, end: float, status: str = "open") -> None:
    add(
        conn,
        scheduling.availability_slots,
        unit_id=unit_id,
        starts_at=NOW + begin * HOUR,
        ends_at=NOW + end * HOUR,
        timezone="UTC",
        status=status,
    )


def free_agent(conn: Connection, agent_id: UUID, begin: float, end: float, status: str = "available") -> None:
    add(
        conn,
        scheduling.agent_availability_slots,
        agent_id=agent_id,
        starts_at=NOW + begin * HOUR,
        ends_at=NOW + end * HOUR,
        timezone="UTC",
        status=status,
    )


@pytest.fixture
def dana(conn: Connection) -> UUID:
    return agent(conn, full_name="Dana")


@pytest.fixture
def house(conn: Connection, dana: UUID) -> UUID:
    """A unit open from two to five, shown by Dana, who is free from two to six."""
    house = unit(conn)
    add(conn, accounts.unit_agent_assignments, unit_id=house, agent_id=dana, priority=1)
    open_unit(conn, house, 2, 5)
    free_agent(conn, dana, 2, 6)
    return house


def free_hours(conn: Connection, unit_id: UUID, policy: SlotPolicy = POLICY) -> list[float]:
    calendar = load_calendars(conn, [unit_id], NOW, WEEK).for_unit(unit_id)
    return [(slot.starts_at - NOW) / HOUR for slot in free_slots(calendar, policy, NOW)]


def codes(conn: Connection, unit_id: UUID, agent_id: UUID, hour: float) -> list[str]:
    found = explain(conn, unit_id, agent_id, NOW + hour * HOUR, POLICY, NOW, WEEK)
    return [reason.obstacle.value for reason in found]


def test_what_blocks_is_subtracted_and_explained(conn: Connection, house: UUID, dana: UUID) -> None:
    """Behaviour 48 and G-25: an unavailable minute takes its own time, not the window."""
    free_agent(conn, dana, 2, 2.5, "unavailable")
    open_unit(conn, house, 4.5, 6, "blocked")
    showing(conn, dana, unit(conn), starts_at=NOW + 3 * HOUR, ends_at=NOW + 3.5 * HOUR)
    assert free_hours(conn, house) == [2.5, 3.5, 4]
    assert codes(conn, house, dana, 2) == ["agent_unavailable"]
    assert codes(conn, house, dana, 3) == ["agent_booked"]
    assert codes(conn, house, dana, 4.5) == ["unit_blocked"]
    assert codes(conn, house, dana, 2.5) == []


def test_a_hold_blocks_until_it_runs_out(conn: Connection, house: UUID, dana: UUID) -> None:
    hold = {"starts_at": NOW + 3 * HOUR, "ends_at": NOW + 3.5 * HOUR, "status": "pending"}
    held = showing(conn, dana, house, **hold, hold_expires_at=NOW + HOUR / 6)
    assert 3 not in free_hours(conn, house)
    assert codes(conn, house, dana, 3) == ["slot_full"]
    conn.execute(
        text('UPDATE "ShowingAppointments" SET hold_expires_at = :past WHERE id = :id'),
        {"past": NOW - HOUR, "id": held},
    )
    assert 3 in free_hours(conn, house)


def test_a_showing_keeps_its_own_buffers(conn: Connection, house: UUID, dana: UUID) -> None:
    showing(
        conn,
        dana,
        unit(conn),
        starts_at=NOW + 3 * HOUR,
        ends_at=NOW + 3.5 * HOUR,
        busy_from=NOW + 2.5 * HOUR,
        busy_until=NOW + 4 * HOUR,
    )
    assert free_hours(conn, house) == [2, 4, 4.5]
    assert codes(conn, house, dana, 3.5) == ["agent_buffer"]


def test_any_agent_unit_and_instant_has_an_answer(conn: Connection, house: UUID, dana: UUID) -> None:
    lee = agent(conn, full_name="Lee")
    free_agent(conn, lee, 0, 6)
    assert codes(conn, house, lee, 3) == ["agent_not_assigned"]
    assert codes(conn, uuid4(), uuid4(), 3) == ["unit_unknown", "agent_unknown"]
    assert codes(conn, house, dana, -200) == ["in_the_past", "unit_not_open", "agent_not_available"]
    assert codes(conn, house, dana, 500) == ["beyond_horizon", "unit_not_open", "agent_not_available"]
    conn.execute(text('UPDATE "Units" SET is_active = false WHERE id = :id'), {"id": house})
    assert codes(conn, house, dana, 3) == ["unit_inactive"]
    assert free_hours(conn, house) == []


def test_an_agent_who_left_is_not_offered(conn: Connection, house: UUID, dana: UUID) -> None:
    conn.execute(text('UPDATE "Agents" SET removed_at = :now WHERE id = :id'), {"id": dana, "now": NOW})
    calendar = load_calendars(conn, [house], NOW, WEEK).for_unit(house)
    assert all(slot.agent_id is None for slot in free_slots(calendar, POLICY, NOW))
    assert codes(conn, house, dana, 3) == ["agent_unknown"]


def test_the_daily_cap_counts_what_is_over_today(conn: Connection, house: UUID, dana: UUID) -> None:
    showing(
        conn,
        dana,
        unit(conn),
        starts_at=NOW - 2 * HOUR,
        ends_at=NOW - HOUR,
        status="completed",
    )
    assert free_hours(conn, house, SlotPolicy(daily_cap=1)) == []
    assert free_hours(conn, house, SlotPolicy(daily_cap=2)) != []


def test_candidates_of_a_unit_by_priority_then_start_passive_agents_on_request(
    conn: Connection, house: UUID, dana: UUID
) -> None:
    """Behaviours 46 and 47."""
    lee = agent(conn, full_name="Lee")
    add(
        conn,
        accounts.unit_agent_assignments,
        unit_id=house,
        agent_id=lee,
        priority=1,
        assignment_mode="passive",
    )
    ben = agent(conn, full_name="Ben")
    add(conn, accounts.unit_agent_assignments, unit_id=house, agent_id=ben, priority=2)
    for other in (lee, ben):
        free_agent(conn, other, 2, 3)

    def found(*, include_passive: bool) -> list[tuple[str | None, float, int, bool]]:
        return [
            (c.slot.agent_name, (c.slot.starts_at - NOW) / HOUR, c.assignment.priority, c.assignment.active)
            for c in unit_candidates(
                conn, house, POLICY, NOW, NOW, NOW + 3 * HOUR, include_passive=include_passive
            )
        ]

    active = [("Dana", 2, 1, True), ("Dana", 2.5, 1, True), ("Ben", 2, 2, True), ("Ben", 2.5, 2, True)]
    assert found(include_passive=False) == active
    everybody = found(include_passive=True)
    assert [c for c in everybody if c[3]] == active
    assert [c for c in everybody if not c[3]] == [("Lee", 2, 1, False), ("Lee", 2.5, 1, False)]


_FILL = (
    """INSERT INTO "Units" (property_name, unit_number) SELECT 'House', n::text FROM generate_series(1, 100) n""",
    """INSERT INTO "Agents" (platform_account_id, full_name)
       SELECT a.id, n::text FROM generate_series(1, 60) n, (SELECT id FROM "PlatformAccounts" LIMIT 1) a""",
    """INSERT INTO "AvailabilitySlots" (unit_id, starts_at, ends_at, timezone)
       SELECT u.id, t.at, t.at + interval '8 hours', 'UTC'
         FROM "Units" u, (SELECT CAST(:now AS timestamptz) + n * interval '1 day' AS at FROM generate_series(-60, 10) n) t""",
    """INSERT INTO "AgentAvailabilitySlots" (agent_id, starts_at, ends_at, timezone)
       SELECT g.id, t.at, t.at + interval '8 hours', 'UTC'
         FROM "Agents" g, (SELECT CAST(:now AS timestamptz) + n * interval '1 day' AS at FROM generate_series(-200, 10) n) t""",
    """INSERT INTO "ShowingAppointments" (idempotency_key, platform_account_id, unit_id, agent_id, starts_at, ends_at, timezone)
       SELECT 'key ' || u.n || ' ' || d.n, p.id, u.id, g.id, t.at, t.at + interval '20 minutes', 'UTC'
         FROM (SELECT id, row_number() OVER () AS n FROM "Units") u
         JOIN (SELECT id, row_number() OVER () AS n FROM "Agents") g ON g.n = u.n % 60 + 1
        CROSS JOIN generate_series(-45, 5) AS d(n)
        CROSS JOIN LATERAL (SELECT CAST(:now AS timestamptz) + d.n * interval '1 day' + u.n / 60 * interval '1 hour' AS at) t
        CROSS JOIN (SELECT id FROM "PlatformAccounts" LIMIT 1) p""",
)
_QUESTIONS = {
    "units": (calendars._UNIT_WINDOWS.text, ["idx_availability_slots_unit_time"]),
    "agents": (calendars._AGENT_WINDOWS.text, ["idx_agent_availability_slots_agent_end"]),
    "showings": (
        calendars._APPOINTMENTS.text,
        ["idx_showing_appointments_agent_time", "idx_showing_appointments_unit_time"],
    ),
}


def test_the_slot_search_reads_its_calendars_from_their_indexes(conn: Connection) -> None:
    for statement in _FILL:
        conn.execute(text(statement), {"now": NOW})
    for table in ("AvailabilitySlots", "AgentAvailabilitySlots", "ShowingAppointments", "Units", "Agents"):
        conn.execute(text(f'ANALYZE "{table}"'))
    parameters = {
        "units": list(conn.scalars(text('SELECT id FROM "Units" LIMIT 3'))),
        "agents": list(conn.scalars(text('SELECT id FROM "Agents" LIMIT 3'))),
        "now": NOW,
        "until": NOW + WEEK,
        "inactive_too": False,
    }
    for name, (question, indexes) in _QUESTIONS.items():
        statement = text(f"EXPLAIN {question}")
        used = {key: parameters[key] for key in statement.compile().params}
        plan = "\n".join(conn.scalars(statement, used))
        assert all(index in plan for index in indexes), f"{name}:\n{plan}"
