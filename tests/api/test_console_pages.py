"""What pages of the console say, asked without a browser: days, ways through lists, cookies, reasons."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from uuid import UUID

from api.console.times import Clock, locale_of
from leasebot_pipeline.storage.tables import scheduling
from tests.api.house import SPAREROOM, House
from tests.storage import rows

ZONE = "America/New_York"
HOUR = timedelta(hours=1)


def test_today_is_today_where_the_showing_is(house: House) -> None:
    """Eight in the evening in New York is tomorrow in UTC."""
    evening = datetime(2026, 3, 3, 1, tzinfo=UTC)
    house.clock.forward(evening - house.clock())
    with house.rows() as conn:
        booked = {"starts_at": evening + HOUR, "ends_at": evening + 1.5 * HOUR, "timezone": ZONE}
        showing = rows.showing(conn, house.dana, house.unit, platform_account_id=SPAREROOM, **booked)
        span = {"starts_at": evening, "ends_at": evening + 3 * HOUR, "timezone": ZONE}
        rows.add(conn, scheduling.availability_slots, unit_id=house.unit, **span)
        rows.add(conn, scheduling.agent_availability_slots, agent_id=house.dana, **span)
    for path in ("/agent/appointments", "/admin/showings"):
        shown = house.page("admin", path)
        assert "9:00 – 9:30 PM" in shown
        assert "Yesterday" not in shown
    assert "<legend>Today</legend>" in house.page("admin", f"/admin/showings/{showing}")


def test_a_session_in_use_does_not_end(house: House) -> None:
    """Pages and redirects carry the cookie of a session that was renewed; ending it is not undone by that."""
    week = "better-auth.session_token=.*; Max-Age=604800;"
    cookie = {"cookie": house.cookies["admin"]}
    for path in ("/admin/today", "/login"):
        house.clock.forward(timedelta(days=2))
        answer = house.client.get(path, headers=cookie, follow_redirects=False)
        assert [bool(re.match(week, line)) for line in answer.headers.get_list("set-cookie")] == [True], path
        again = house.client.get(path, headers=cookie, follow_redirects=False)
        assert again.headers.get_list("set-cookie") == [], "once a day"
    house.clock.forward(timedelta(days=2))
    ended = house.send("admin", "/logout")
    assert not any(re.match(week, line) for line in ended.headers.get_list("set-cookie"))


def test_the_inbox_goes_on_after_sixty_pages(house: House) -> None:
    with house.rows() as conn:
        for number in range(45):
            at = house.clock() - number * HOUR
            each = {"platform_account_id": SPAREROOM, "lead_name": f"Lead {number}", "last_message_at": at}
            rows.conversation(conn, **each)

    def onward(page: str) -> str:
        [link] = re.findall(r'href="(/admin/inbox\?[^"]*trail=[^"]*)"[^>]*rel="next"', page)
        return str(link).replace("&amp;", "&")

    first = onward(house.page("admin", "/admin/inbox"))
    cursor = first.partition("trail=")[2]
    far = house.page("admin", f"/admin/inbox?trail={'.'.join([cursor] * 60)}")
    assert "Lead 20" in far
    last = house.page("admin", onward(far))
    assert "Lead 40" in last
    assert "62 / 62" in last
    assert "Lead 20" not in last


def test_a_conversation_without_a_unit_says_so(house: House) -> None:
    with house.rows() as conn:
        told = {"platform_account_id": SPAREROOM, "external_thread_label": "Room in Bushwick"}
        each: UUID = rows.conversation(conn, **told)
    assert "No unit, no times" in house.page("admin", f"/admin/inbox/{each}/slots")


def test_a_rules_description_can_be_cleared(house: House) -> None:
    rule = {"name": "Tours", "intent": "tour_request", "template": "welcome", "description": "Old words"}
    made = house.ask("admin", "POST", "/api/automation-rules", rule).json()["id"]
    house.send("admin", f"/admin/automation/{made}", **(rule | {"description": "", "priority": "100"}))
    assert not house.ask("admin", "GET", f"/api/automation-rules/{made}").json()["description"]


def test_showings_whose_outcome_nobody_noted_are_found_whatever_their_state(house: House) -> None:
    states = ("pending", "confirmed", "reschedule_requested", "completed")
    with house.rows() as conn:
        for number, state in enumerate(states):
            begin = house.clock() - (number + 2) * HOUR
            times = {"starts_at": begin, "ends_at": begin + HOUR / 2, "timezone": ZONE, "status": state}
            rows.showing(conn, house.dana, house.unit, platform_account_id=SPAREROOM, notes=state, **times)
        ahead = {"starts_at": house.clock() + HOUR, "ends_at": house.clock() + 2 * HOUR}
        rows.showing(conn, house.dana, house.unit, platform_account_id=SPAREROOM, **ahead)
    shown = house.page("admin", "/admin/showings?status=untold")
    assert shown.count('class="cover item-title"') == 3


def test_an_age_in_a_sentence_reads_well() -> None:
    clock = Clock(datetime(2026, 3, 2, 12, tzinfo=UTC), locale_of(""))
    assert clock.since(clock.now) == "just now"
    assert clock.since(clock.now - timedelta(minutes=5)) == "5 min ago"
