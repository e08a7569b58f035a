"""Calendar feeds: the secret address shows the agent's showings, and nothing once it is revoked."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID, uuid4

import pytest
from icalendar import Calendar
from sqlalchemy import text
from starlette.testclient import TestClient

from leasebot_pipeline.domain.calendar_entries import Participant
from leasebot_pipeline.domain.platforms import Platform, SendMode
from leasebot_pipeline.storage import bootstrap, calendar_feeds
from leasebot_pipeline.storage.availability_audit import CalendarActor
from leasebot_pipeline.storage.calendar_feeds import NewFeed
from tests.api.conftest import MovableClock
from tests.conftest import Database
from tests.storage import rows

ADMIN = CalendarActor("admin", "user-1")
HOUR = timedelta(hours=1)


@pytest.fixture
def dana(database: Database) -> UUID:
    with database.engine.begin() as conn:
        choice = bootstrap.AccountChoice({}, True, "login", SendMode.AUTO_SEND)
        bootstrap.ensure_required_accounts(conn, dict.fromkeys(Platform, choice))
        return rows.agent(conn, full_name="Dana")


def new_feed(database: Database, agent_id: UUID, clock: MovableClock) -> NewFeed:
    with database.engine.begin() as conn:
        made = calendar_feeds.create_feed(conn, agent_id, ADMIN, clock())
    assert made is not None
    return made


def events(client: TestClient, path: str) -> dict[str, tuple[str, str, int]]:
    answer = client.get(path)
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "text/calendar; charset=utf-8"
    calendar = Calendar.from_ical(answer.content)
    return {
        str(event["uid"]): (str(event["summary"]), str(event["status"]), int(event["sequence"]))
        for event in calendar.walk("VEVENT")
    }


def test_a_feed_shows_the_agents_showings_and_follows_their_changes(
    client: TestClient, database: Database, dana: UUID, clock: MovableClock
) -> None:
    path = new_feed(database, dana, clock).path()
    now = clock()
    with database.engine.begin() as conn:
        house, other = rows.unit(conn, unit_number="3"), rows.agent(conn, full_name="Lee")
        lead = rows.conversation(
            conn, lead_name="Ana", showing_state="pending", lead_contact={"email": "ana@example.com"}
        )
        rows.showing(conn, other, house, starts_at=now + 9 * HOUR, ends_at=now + 10 * HOUR)
        rows.showing(conn, dana, house, starts_at=now - 999 * HOUR, ends_at=now - 998 * HOUR)
        gone = {"status": "pending", "hold_expires_at": now - HOUR}
        rows.showing(conn, dana, house, starts_at=now + 5 * HOUR, ends_at=now + 6 * HOUR, **gone)
        held = {"status": "pending", "hold_expires_at": now + HOUR}
        rows.showing(conn, dana, house, starts_at=now + 7 * HOUR, ends_at=now + 8 * HOUR, **held)
        booked = rows.showing(
            conn,
            dana,
            house,
            starts_at=now + HOUR,
            ends_at=now + 2 * HOUR,
            status="pending",
            conversation_id=lead,
        )
    before = events(client, path)
    assert len(before) == 2
    uid = f"{booked}@showings.leasebot"
    assert before[uid][:2] == ("Elm House 3 (Ana)", "TENTATIVE")
    assert {summary for summary, *_ in before.values()} == {"Elm House 3 (Ana)", "Held: Elm House 3"}
    with database.engine.begin() as conn:
        conn.execute(
            text("""UPDATE "ShowingAppointments" SET status = 'cancelled' WHERE id = :id"""), {"id": booked}
        )
        conn.execute(
            text("""UPDATE "Conversations" SET showing_state = 'cancelled' WHERE id = :id"""), {"id": lead}
        )
    after = events(client, path)
    assert after[uid][:2] == ("Cancelled: Elm House 3 (Ana)", "CANCELLED")
    assert after[uid][2] > before[uid][2]
    with database.engine.connect() as conn:
        loaded = calendar_feeds.load_invite(conn, booked)
        assert calendar_feeds.load_invite(conn, uuid4()) is None
    assert loaded is not None
    entry, organizer, attendee = loaded
    assert (entry.id, entry.lead_name, organizer) == (booked, "Ana", None), "the agent has no address"
    assert attendee == Participant("Ana", "ana@example.com")


def test_only_the_newest_address_works_and_none_after_it_is_revoked(
    client: TestClient, database: Database, dana: UUID, clock: MovableClock
) -> None:
    first = new_feed(database, dana, clock)
    second = new_feed(database, dana, clock)
    assert (first.rotated, second.rotated) == (False, True)
    assert client.get(first.path()).status_code == 404
    assert client.get(second.path()).status_code == 200
    with database.engine.begin() as conn:
        stored = conn.execute(text('SELECT * FROM "CalendarFeeds" WHERE id = :id'), {"id": second.id}).one()
        assert second.token not in str(stored)
        state = calendar_feeds.live_feed(conn, dana)
        assert state is not None
        assert state.last_read_at == clock()
        assert calendar_feeds.revoke_feed(conn, dana, ADMIN, clock())
        assert not calendar_feeds.revoke_feed(conn, dana, ADMIN, clock())
        assert calendar_feeds.live_feed(conn, dana) is None
        actions = conn.scalars(text('SELECT action FROM "AuditLogs" ORDER BY id')).all()
        assert second.token not in str(conn.execute(text('SELECT details FROM "AuditLogs"')).all())
    assert client.get(second.path()).status_code == 404
    assert actions == ["calendar_feed_created", "calendar_feed_rotated", "calendar_feed_revoked"]


def test_a_wrong_address_tells_nothing(
    client: TestClient, database: Database, dana: UUID, clock: MovableClock
) -> None:
    feed = new_feed(database, dana, clock)
    for path in (
        f"/api/calendar-feeds/{feed.id}.ics",
        f"/api/calendar-feeds/{feed.id}.ics?token=guess",
        f"/api/calendar-feeds/{uuid4()}.ics?token={feed.token}",
        f"/api/calendar-feeds/nothing.ics?token={feed.token}",
    ):
        answer = client.get(path)
        assert (answer.status_code, answer.json()) == (404, {"error": "not_found"})
    with database.engine.begin() as conn:
        conn.execute(text('UPDATE "Agents" SET removed_at = now() WHERE id = :id'), {"id": dana})
    assert client.get(feed.path()).status_code == 404, "an agent who left"


def test_nobody_who_is_no_agent_gets_a_feed(database: Database, clock: MovableClock) -> None:
    with database.engine.begin() as conn:
        assert calendar_feeds.create_feed(conn, uuid4(), ADMIN, clock()) is None
