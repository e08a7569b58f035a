"""Weekly rules of the earlier system, kept there only as occurrences, are taken over as rules."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID
from zoneinfo import ZoneInfo

import psycopg
import pytest
from sqlalchemy import text

from leasebot_pipeline.domain.availability import Owner, OwnerKind
from leasebot_pipeline.storage import migrate
from leasebot_pipeline.storage.availability import list_rules
from leasebot_pipeline.storage.availability_horizon import extend
from tests.conftest import Database

EARLIER = (Path(__file__).parent / "earlier_system.sql").read_text(encoding="utf-8")
AGENT = "31111111-1111-1111-1111-111111111111"
UNIT = "41111111-1111-1111-1111-111111111111"
LIVE = "aaaaaaaa-1111-4111-8111-111111111111"
OVER = "aaaaaaaa-2222-4111-8111-111111111111"
OPEN = "aaaaaaaa-3333-4111-8111-111111111111"
MOVED = "aaaaaaaa-5555-4111-8111-111111111111"
PARTLY = "aaaaaaaa-6666-4111-8111-111111111111"
STRANGE = "aaaaaaaa-4444-4111-8111-111111111111"
AGENT_ID, UNIT_ID = UUID(AGENT), UUID(UNIT)
NEW_YORK = ZoneInfo("America/New_York")
# The migration asks the database's clock what lies ahead.
TODAY = datetime.now(UTC).astimezone(NEW_YORK).date()


def occurrence(weeks: int, begin: int, end: int) -> tuple[datetime, datetime]:
    day = TODAY + timedelta(days=3 + 7 * weeks)
    return (
        datetime(day.year, day.month, day.day, begin, tzinfo=NEW_YORK),
        datetime(day.year, day.month, day.day, end, tzinfo=NEW_YORK),
    )


@pytest.fixture
def earlier(empty_database: Database) -> Database:
    agent = """INSERT INTO "AgentAvailabilitySlots" (agent_id, starts_at, ends_at, timezone, source, notes)
               VALUES (%s, %s, %s, 'America/New_York', 'weekly_recurring', %s)"""
    unit = """INSERT INTO "AvailabilitySlots" (unit_id, starts_at, ends_at, timezone, status, source, notes)
              VALUES (%s, %s, %s, %s, %s, 'weekly_recurring', %s)"""
    with psycopg.connect(empty_database.url) as conn:
        conn.execute(EARLIER)
        for week in range(4):
            conn.execute(agent, (AGENT, *occurrence(week, 9, 12), f"rule:{LIVE} | mornings"))
            hours = (13, 14) if week != 2 else (15, 16)  # a person moved that one
            conn.execute(agent, (AGENT, *occurrence(week, *hours), f"rule:{MOVED}"))
            if week != 1:  # a person deleted that one
                conn.execute(agent, (AGENT, *occurrence(week, 17, 18), f"rule:{PARTLY}"))
            conn.execute(unit, (UNIT, *occurrence(week, 9, 19), "America/New_York", "open", f"rule:{OPEN}"))
            conn.execute(unit, (UNIT, *occurrence(week, 9, 19), "EST5EDT6X", "open", f"rule:{STRANGE}"))
        for week in (-9, -8):
            conn.execute(agent, (AGENT, *occurrence(week, 9, 12), f"rule:{OVER}"))
    return empty_database


def test_rules_with_time_ahead_are_made_from_their_occurrences(earlier: Database) -> None:
    migrate.upgrade(earlier.url)
    with earlier.engine.begin() as conn:
        (rule,) = list_rules(conn, Owner(OwnerKind.AGENT, AGENT_ID))
        (open_,) = list_rules(conn, Owner(OwnerKind.UNIT, UNIT_ID))
    assert str(rule.id) == LIVE
    assert (f"{rule.start_time:%H:%M}", f"{rule.end_time:%H:%M}", rule.timezone, rule.notes) == (
        "09:00",
        "12:00",
        "America/New_York",
        "mornings",
    )
    assert (rule.valid_from, rule.valid_until) == (TODAY + timedelta(days=3), TODAY + timedelta(days=24))
    assert (str(open_.id), open_.status) == (OPEN, "open")


def test_no_calendar_changes_by_the_take_over(earlier: Database) -> None:
    """What a person moved or deleted stays moved or deleted, and everything else stays the row it was."""
    migrate.upgrade(earlier.url)
    everything = text("""
        SELECT id, starts_at, ends_at, status, notes FROM "AgentAvailabilitySlots"
        UNION ALL SELECT id, starts_at, ends_at, status, notes FROM "AvailabilitySlots"
    """)
    with earlier.engine.begin() as conn:
        before = set(conn.execute(everything).all())
        figures = extend(conn, datetime.now(UTC), timedelta(days=40))
        assert set(conn.execute(everything).all()) == before
    assert (figures.rules, figures.kept) == (2, 8)
