"""Weekly rules and overrides in the database: written out once, kept apart from people's rows, refused by name."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import Connection, event, text

from leasebot_pipeline.domain.availability import Owner, OwnerKind
from leasebot_pipeline.domain.availability_drafts import Broken, OverrideDraft, RuleDraft
from leasebot_pipeline.storage import availability
from leasebot_pipeline.storage.availability import Change, Refused, Saved
from leasebot_pipeline.storage.availability_audit import CalendarActor
from leasebot_pipeline.storage.availability_horizon import (
    KEEP_PAST,
    extend,
    open_units_without_agents,
    rules_fingerprint,
)
from leasebot_pipeline.storage.tables import accounts, scheduling
from tests.conftest import Database
from tests.storage.conftest import ACCOUNT, NOW
from tests.storage.rows import add, agent, unit, value

HORIZON = timedelta(days=28)
ADMIN = CalendarActor("admin", "user-1")
NEW_YORK = "America/New_York"
TUESDAY, SATURDAY = 2, 6
# NOW is Tuesday, 24 November 2026, seven in the morning in New York.


def rule_draft(**more: object) -> RuleDraft:
    return RuleDraft(
        **{  # type: ignore[arg-type]
            "day_of_week": TUESDAY,
            "start_time": time(9),
            "end_time": time(12),
            "timezone": NEW_YORK,
            "status": "available",
            **more,
        }
    )


def override_draft(**more: object) -> OverrideDraft:
    return OverrideDraft(
        **{  # type: ignore[arg-type]
            "date": date(2026, 12, 1),
            "start_time": time(10),
            "end_time": time(11),
            "timezone": NEW_YORK,
            "status": "available",
            **more,
        }
    )


@pytest.fixture
def dana(conn: Connection) -> Owner:
    return Owner(OwnerKind.AGENT, agent(conn, full_name="Dana"))


@pytest.fixture
def house(conn: Connection, dana: Owner) -> Owner:
    """A unit that Dana shows."""
    owner = Owner(OwnerKind.UNIT, unit(conn))
    add(conn, accounts.unit_agent_assignments, unit_id=owner.id, agent_id=dana.id, priority=1)
    return owner


def saved(change: Change) -> Saved:
    assert isinstance(change, Saved), change
    return change


def refused(change: Change) -> list[tuple[str, Broken]]:
    assert isinstance(change, Refused), change
    return [(refusal.field, refusal.rule) for refusal in change.refusals]


def spans(conn: Connection, owner: Owner) -> list[tuple[str, str, str]]:
    return [
        (f"{s.starts_at:%m-%d %H:%M}", f"{s.ends_at:%m-%d %H:%M}", s.source)
        for s in availability.list_slots(conn, owner)
    ]


def create(conn: Connection, owner: Owner, now: datetime = NOW, **more: object) -> Change:
    return availability.create_rule(conn, owner, rule_draft(**more), ADMIN, now, HORIZON)


def override(conn: Connection, owner: Owner, **more: object) -> Change:
    return availability.create_override(conn, owner, override_draft(**more), ADMIN, NOW, HORIZON)


@contextmanager
def counted(conn: Connection) -> Iterator[list[str]]:
    statements: list[str] = []

    def note(_conn: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
        statements.append(statement)

    event.listen(conn, "before_cursor_execute", note)
    try:
        yield statements
    finally:
        event.remove(conn, "before_cursor_execute", note)


WEEKLY = [
    ("11-24 14:00", "11-24 17:00", "weekly_recurring"),
    ("12-01 14:00", "12-01 17:00", "weekly_recurring"),
    ("12-08 14:00", "12-08 17:00", "weekly_recurring"),
    ("12-15 14:00", "12-15 17:00", "weekly_recurring"),
]


def test_a_rule_is_stored_and_written_out_at_once(conn: Connection, dana: Owner) -> None:
    """Behaviour 145 and G-53: the rule itself is kept."""
    done = saved(create(conn, dana, notes="mornings"))
    assert (done.created, done.removed) == (4, 0)
    assert spans(conn, dana) == WEEKLY
    (stored,) = availability.list_rules(conn, dana)
    assert (stored.id, stored.timezone, stored.valid_until) == (done.id, NEW_YORK, None)
    slot = availability.list_slots(conn, dana)[0]
    assert slot.notes == f"rule:{done.id} | mornings", "as the earlier front end reads it"
    assert slot.rule_id == done.id
    row = conn.execute(text('SELECT * FROM "AuditLogs"')).one()
    assert (row.action, row.actor_id, row.agent_id) == ("availability_rule_created", "user-1", str(dana.id))
    assert row.platform == "spareroom"
    assert row.details["startTime"] == "09:00"


def test_the_horizon_rolls_on_and_a_second_run_changes_nothing(conn: Connection, dana: Owner) -> None:
    create(conn, dana)
    again = extend(conn, NOW, HORIZON)
    assert (again.rules, again.created, again.removed, again.kept) == (1, 0, 0, 4)
    later = extend(conn, NOW + timedelta(days=7), HORIZON)
    assert (later.created, later.removed) == (1, 0)
    assert [s[0] for s in spans(conn, dana)] == [
        "11-24 14:00",
        "12-01 14:00",
        "12-08 14:00",
        "12-15 14:00",
        "12-22 14:00",
    ]


def test_many_calendars_cost_the_same_few_statements(conn: Connection, house: Owner) -> None:
    for n in range(40):
        owner = Owner(OwnerKind.AGENT, agent(conn, full_name=f"Agent {n}"))
        for day in range(7):
            draft = rule_draft(day_of_week=day)
            add(
                conn,
                scheduling.availability_rules,
                agent_id=owner.id,
                **{
                    name: getattr(draft, name)
                    for name in ("day_of_week", "start_time", "end_time", "timezone", "status")
                },
            )
    add(
        conn,
        scheduling.availability_rules,
        unit_id=house.id,
        day_of_week=1,
        start_time=time(9),
        end_time=time(17),
        timezone=NEW_YORK,
        status="open",
    )
    with counted(conn) as statements:
        figures = extend(conn, NOW, HORIZON)
    assert figures.created == 40 * 28 + 4
    assert len(statements) <= 6


def test_rows_of_people_are_never_touched(conn: Connection, dana: Owner, house: Owner) -> None:
    """Also not rows that only look like occurrences of a rule we do not know."""
    hand_made = [
        add(
            conn,
            scheduling.agent_availability_slots,
            agent_id=dana.id,
            starts_at=datetime(2026, 12, 1, 15, tzinfo=UTC),
            ends_at=datetime(2026, 12, 1, 16, tzinfo=UTC),
            timezone=NEW_YORK,
        ),
        add(
            conn,
            scheduling.agent_availability_slots,
            agent_id=dana.id,
            starts_at=datetime(2026, 12, 8, 10, tzinfo=UTC),
            ends_at=datetime(2026, 12, 8, 20, tzinfo=UTC),
            timezone=NEW_YORK,
            source="weekly_recurring",
            notes=f"rule:{uuid4()}",
        ),
    ]
    before = conn.execute(
        text('SELECT * FROM "AgentAvailabilitySlots" WHERE id = ANY(:ids) ORDER BY id'), {"ids": hand_made}
    ).all()
    done = saved(create(conn, dana))
    availability.delete_rule(conn, dana, done.id, ADMIN, NOW, HORIZON)
    saved(create(conn, dana))
    extend(conn, NOW + timedelta(days=400), HORIZON)
    after = conn.execute(
        text('SELECT * FROM "AgentAvailabilitySlots" WHERE id = ANY(:ids) ORDER BY id'), {"ids": hand_made}
    ).all()
    assert before == after


def test_occurrences_give_way_to_stated_time_and_come_back(conn: Connection, dana: Owner) -> None:
    """An agent's available rows may not overlap: the rule is cut around an override, and whole again without it."""
    create(conn, dana)
    done = saved(override(conn, dana, start_time=time(8), end_time=time(10)))
    assert spans(conn, dana)[1:3] == [
        ("12-01 13:00", "12-01 15:00", "daily_override"),
        ("12-01 15:00", "12-01 17:00", "weekly_recurring"),
    ]
    moved = override_draft(start_time=time(10), end_time=time(11))
    saved(availability.replace_override(conn, OwnerKind.AGENT, done.id, moved, ADMIN, NOW, HORIZON))
    assert [s[:2] for s in spans(conn, dana)[1:4]] == [
        ("12-01 14:00", "12-01 15:00"),
        ("12-01 15:00", "12-01 16:00"),
        ("12-01 16:00", "12-01 17:00"),
    ]
    saved(availability.delete_slot(conn, OwnerKind.AGENT, done.id, ADMIN, NOW, HORIZON))
    assert spans(conn, dana) == WEEKLY
    actions = conn.scalars(text('SELECT action FROM "AuditLogs" ORDER BY id')).all()
    assert actions == [
        "availability_rule_created",
        "availability_override_created",
        "availability_override_replaced",
        "availability_override_deleted",
    ]


def test_an_override_can_block_an_agent_and_a_unit(conn: Connection, dana: Owner, house: Owner) -> None:
    """G-53: before, a unit's override could only open."""
    create(conn, dana)
    saved(override(conn, dana, status="unavailable"))
    saved(override(conn, house, status="blocked"))
    assert ("12-01 15:00", "12-01 16:00", "daily_override") in spans(conn, dana)
    assert len(spans(conn, dana)) == 5, "taking time away cuts no occurrence: the slot search subtracts it"
    assert [s.status for s in availability.list_slots(conn, house)] == ["blocked"]


def test_a_replaced_rule_moves_what_is_ahead_and_keeps_what_is_over(conn: Connection, dana: Owner) -> None:
    done = saved(create(conn, dana))
    week_on = NOW + timedelta(days=7, hours=12)  # two occurrences are over
    change = saved(
        availability.replace_rule(
            conn, dana, done.id, rule_draft(start_time=time(10)), ADMIN, week_on, HORIZON
        )
    )
    assert change.id == done.id
    assert (change.created, change.removed) == (4, 2)
    assert [s[0] for s in spans(conn, dana)] == [
        "11-24 14:00",
        "12-01 14:00",
        "12-08 15:00",
        "12-15 15:00",
        "12-22 15:00",
        "12-29 15:00",
    ]


def test_an_unknown_rule_is_refused_not_created(conn: Connection, dana: Owner, house: Owner) -> None:
    """G-53: before, PUT created it. A rule of another calendar is unknown, too."""
    done = saved(create(conn, house, status="open"))
    for rule_id in (uuid4(), done.id):
        change = availability.replace_rule(conn, dana, rule_id, rule_draft(), ADMIN, NOW, HORIZON)
        assert refused(change) == [("ruleId", Broken.UNKNOWN_RULE)]
        assert isinstance(change, Refused)
        assert change.unknown
        gone = availability.delete_rule(conn, dana, rule_id, ADMIN, NOW, HORIZON)
        assert refused(gone) == [("ruleId", Broken.UNKNOWN_RULE)]
    assert availability.list_rules(conn, dana) == []


def test_a_deleted_rule_takes_its_occurrences_along(conn: Connection, dana: Owner) -> None:
    done = saved(create(conn, dana))
    change = saved(availability.delete_rule(conn, dana, done.id, ADMIN, NOW, HORIZON))
    assert (change.created, change.removed) == (0, 4)
    assert spans(conn, dana) == []


def test_faulty_input_is_refused_and_nothing_is_written(conn: Connection, dana: Owner, house: Owner) -> None:
    lonely = Owner(OwnerKind.UNIT, unit(conn))
    nobody = Owner(OwnerKind.AGENT, uuid4())
    create(conn, dana)
    before = spans(conn, dana)
    cases: list[tuple[Change, list[tuple[str, Broken]]]] = [
        (create(conn, dana, end_time=time(8)), [("endTime", Broken.END_BEFORE_START)]),
        (create(conn, dana, timezone="Bad/Timezone"), [("timezone", Broken.UNKNOWN_ZONE)]),
        (create(conn, dana, day_of_week=9), [("dayOfWeek", Broken.DAY_OUT_OF_RANGE)]),
        (
            create(conn, dana, start_time=time(11), end_time=time(14)),
            [("startTime", Broken.OVERLAPPING_RULE)],
        ),
        (create(conn, nobody), [("agentId", Broken.UNKNOWN_OWNER)]),
        (create(conn, lonely, status="open"), [("unitId", Broken.UNIT_WITHOUT_AGENTS)]),
        (create(conn, house, status="available"), [("status", Broken.STATUS_NOT_ALLOWED)]),
        (
            create(conn, house, status="open", listing_id=uuid4()),
            [("listingId", Broken.UNKNOWN_LISTING)],
        ),
        (override(conn, dana, date=date(2026, 11, 23)), [("date", Broken.IN_THE_PAST)]),
        (override(conn, lonely, status="open"), [("unitId", Broken.UNIT_WITHOUT_AGENTS)]),
        (
            override(conn, dana, date=date(2027, 3, 14), start_time=time(2, 30), end_time=time(4)),
            [("startTime", Broken.NONEXISTENT_LOCAL_TIME)],
        ),
    ]
    for change, expected in cases:
        assert refused(change) == expected
    assert spans(conn, dana) == before
    assert value(conn, 'SELECT count(*) FROM "AuditLogs"') == 1
    saved(override(conn, lonely, status="blocked"))  # closing needs nobody


def test_an_override_may_not_overlap_another_stated_time(conn: Connection, dana: Owner) -> None:
    saved(override(conn, dana))
    again = override(conn, dana, start_time=time(10, 30), end_time=time(12))
    assert refused(again) == [("startTime", Broken.OVERLAPPING_AVAILABILITY)]


def test_an_occurrence_is_changed_through_its_rule(conn: Connection, dana: Owner) -> None:
    create(conn, dana)
    slot = availability.list_slots(conn, dana)[1]
    change = availability.delete_slot(conn, OwnerKind.AGENT, slot.id, ADMIN, NOW, HORIZON)
    assert refused(change) == [("slotId", Broken.FROM_A_RULE)]
    unknown = availability.replace_override(
        conn, OwnerKind.UNIT, uuid4(), override_draft(), ADMIN, NOW, HORIZON
    )
    assert refused(unknown) == [("slotId", Broken.UNKNOWN_SLOT)]
    assert availability.slot_owner(conn, OwnerKind.AGENT, slot.id) == dana


def test_the_database_refuses_what_the_rules_forbid(conn: Connection, dana: Owner) -> None:
    """The last line behind the application: overlap of an agent's available rows (behaviour 50), statuses."""
    create(conn, dana)
    slot = availability.list_slots(conn, dana)[0]
    inserted = conn.execute(
        text(
            """INSERT INTO "AgentAvailabilitySlots" (agent_id, starts_at, ends_at, timezone)
               VALUES (:agent, :at, CAST(:at AS timestamptz) + interval '1 hour', 'UTC') ON CONFLICT DO NOTHING"""
        ),
        {"agent": dana.id, "at": slot.starts_at},
    )
    assert inserted.rowcount == 0
    with pytest.raises(Exception, match="availability_rules_status_chk"):
        conn.execute(text("""UPDATE "AvailabilityRules" SET status = 'open'"""))


def test_a_list_takes_a_window_of_instants(conn: Connection, dana: Owner) -> None:
    """G-54: no date in the database's own zone."""
    create(conn, dana)
    begin = datetime(2026, 12, 1, 16, 59, tzinfo=UTC)
    found = availability.list_slots(conn, dana, begin, datetime(2026, 12, 8, 14, tzinfo=UTC))
    assert [f"{slot.starts_at:%m-%d}" for slot in found] == ["12-01"]


def test_what_a_person_has_to_look_at_is_told(conn: Connection, dana: Owner) -> None:
    lonely = unit(conn, property_name="Lone House", unit_number="7")
    add(
        conn,
        scheduling.availability_slots,
        unit_id=lonely,
        starts_at=NOW,
        ends_at=NOW + timedelta(hours=2),
        timezone="UTC",
    )
    create(conn, dana, valid_until=date(2026, 12, 8))
    add(
        conn,
        scheduling.availability_rules,
        agent_id=dana.id,
        day_of_week=3,
        start_time=time(9),
        end_time=time(10),
        timezone="Mars/Olympus",
        status="unavailable",
    )
    figures = extend(conn, NOW, HORIZON)
    assert figures.ending == (f"agent {dana.id}: no weekly rule after 2026-12-08",)
    assert len(figures.unusable) == 1
    assert "Mars/Olympus" in figures.unusable[0]
    assert open_units_without_agents(conn, NOW) == ["Lone House 7"]


def test_old_occurrences_go_and_rows_of_people_stay(conn: Connection, dana: Owner) -> None:
    create(conn, dana)
    long_after = NOW + KEEP_PAST + timedelta(days=10)
    add(
        conn,
        scheduling.agent_availability_slots,
        agent_id=dana.id,
        starts_at=NOW - timedelta(hours=3),
        ends_at=NOW - timedelta(hours=2),
        timezone="UTC",
    )
    assert extend(conn, long_after, HORIZON).purged == 2
    assert spans(conn, dana)[0] == ("11-24 09:00", "11-24 10:00", "manual")


def test_an_agent_who_left_has_no_time_ahead(conn: Connection, dana: Owner) -> None:
    create(conn, dana)
    conn.execute(text('UPDATE "Agents" SET removed_at = :now WHERE id = :id'), {"now": NOW, "id": dana.id})
    assert extend(conn, NOW + timedelta(days=1), HORIZON).removed == 3
    assert [s[0] for s in spans(conn, dana)] == ["11-24 14:00"], "what is over stays"


@pytest.mark.parametrize(
    ("now", "start", "end", "expected"),
    [
        (datetime(2026, 3, 2, tzinfo=UTC), time(2, 15), time(4), ("03-08 07:00", "03-08 08:00")),
        (datetime(2026, 10, 26, tzinfo=UTC), time(1, 30), time(3), ("11-01 05:30", "11-01 08:00")),
    ],
)
def test_units_and_agents_are_right_on_the_days_clocks_change(
    conn: Connection,
    dana: Owner,
    house: Owner,
    now: datetime,
    start: time,
    end: time,
    expected: tuple[str, str],
) -> None:
    """Behaviour 145: skipped time is left out, of a time that comes twice the first counts."""
    for owner in (dana, house):
        draft = rule_draft(day_of_week=0, start_time=start, end_time=end, status=owner.opens)
        saved(availability.create_rule(conn, owner, draft, ADMIN, now, timedelta(days=7)))
        assert [s[:2] for s in spans(conn, owner)] == [expected]


def test_the_fingerprint_of_the_rules_tells_every_change(conn: Connection, dana: Owner) -> None:
    seen = [rules_fingerprint(conn)]
    done = saved(create(conn, dana))
    seen.append(rules_fingerprint(conn))
    later = NOW + timedelta(seconds=1)
    availability.replace_rule(conn, dana, done.id, rule_draft(end_time=time(13)), ADMIN, later, HORIZON)
    seen.append(rules_fingerprint(conn))
    assert len(set(seen)) == 3
    availability.delete_rule(conn, dana, done.id, ADMIN, later, HORIZON)
    assert rules_fingerprint(conn) == seen[0]


def test_two_people_who_add_the_same_rule_at_once_get_one(database: Database) -> None:
    """Writers of calendars take turns: the second sees what the first stored."""
    from concurrent.futures import ThreadPoolExecutor

    from leasebot_pipeline.domain.platforms import Platform, SendMode
    from leasebot_pipeline.storage import bootstrap

    with database.engine.begin() as conn:
        choice = bootstrap.AccountChoice({}, True, "login", SendMode.AUTO_SEND)
        bootstrap.ensure_required_accounts(conn, dict.fromkeys(Platform, choice))
        owner = Owner(OwnerKind.AGENT, agent(conn, platform_account_id=ACCOUNT))

    def add_one(_n: int) -> Change:
        with database.engine.begin() as conn:
            return create(conn, owner)

    with ThreadPoolExecutor(4) as pool:
        changes = list(pool.map(add_one, range(4)))
    assert sum(isinstance(change, Saved) for change in changes) == 1
    with database.engine.connect() as conn:
        assert spans(conn, owner) == WEEKLY
