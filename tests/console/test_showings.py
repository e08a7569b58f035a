"""Showings: the lists of release smoke B, what can be done with one, and whose they are."""

from __future__ import annotations

import re
from datetime import timedelta
from uuid import uuid4

import pytest
from playwright.sync_api import Page, expect
from sqlalchemy import text

from tests.api.house import House
from tests.api.logins import MovableClock
from tests.console.day_showings import (
    Calendar,
    conversation,
    fill_showings,
    many_calendars,
    open_calendars,
    showing,
)
from tests.console.people import Person, agrees

NODES = "e => e.querySelectorAll('*').length"


@pytest.fixture
def filled(house: House) -> Calendar:
    calendar = fill_showings(house)
    open_calendars(house)
    return calendar


def states(house: House) -> dict[str, str]:
    items = house.ask("admin", "GET", "/api/showing-appointments").json()["items"]
    return {(item["conversation"]["leadName"] or "").lower(): item["status"] for item in items}


def expect_listed(page: Page, rows: int, days: int) -> None:
    expect(page.get_by_test_id("agent-appointment-row")).to_have_count(rows)
    expect(page.get_by_test_id("agent-appointment-day")).to_have_count(days)


@pytest.mark.parametrize(("who", "width"), [("agent", 375), ("admin", 320)])
def test_appointments_are_listed_and_filtered(
    person: Person, house: House, filled: Calendar, who: str, width: int
) -> None:
    """Behaviours 134, 135, 137 and 138 (release smoke B, 7, 8, 10 and 11). An administrator chooses the agent."""
    page = person(who, width)
    page.goto("/agent/appointments" + (f"?agent={house.dana}" if who == "admin" else ""))
    expect(page.get_by_role("heading", name="Appointments", exact=True)).to_be_visible()
    expect_listed(page, 8, 5)
    cards = page.get_by_test_id("agent-appointments-card-list")
    assert cards.evaluate(NODES) <= 700
    assert cards.locator("table").count() == 0

    page.get_by_role("combobox", name="Status").select_option(label="Pending")
    page.get_by_role("button", name="Apply filters").click()
    expect_listed(page, 3, 3)
    page.get_by_role("combobox", name="Unit").select_option(label="Maple 204")
    page.get_by_role("button", name="Apply filters").click()
    expect_listed(page, 1, 1)
    for label in ("From", "To"):
        page.get_by_label(label, exact=True).fill("2026-03-05")
    page.get_by_role("button", name="Apply filters").click()
    expect(page.get_by_text("No appointments for selected filters.")).to_be_visible()
    expect_listed(page, 0, 0)
    page.get_by_role("link", name="Show all").click()
    page.wait_for_url("**/agent/appointments")
    # The console's order: the next first.
    expect(page.get_by_test_id("agent-appointment-row").first).to_contain_text("Ann")


def test_calendars_of_units_are_shown_a_page_at_a_time(person: Person, house: House) -> None:
    """Behaviours 133 to 135 (release smoke B, 6 to 8)."""
    many_calendars(house)
    page = person("admin", 375)
    page.goto("/admin/showings")
    for heading in ("Weekly rules", "Availability"):
        expect(page.get_by_role("heading", name=heading)).to_be_visible()
    for name, total in (("weekly-rule", 19), ("availability", 31)):
        plural = "weekly-rules" if name == "weekly-rule" else name
        cards = page.get_by_test_id(f"{plural}-card-list")
        assert page.get_by_test_id(f"{name}-row").count() == 12
        assert cards.evaluate(NODES) <= 700
        assert cards.locator("table").count() == 0
        summary = page.get_by_test_id(f"{plural}-pagination-summary")
        pages = -(-total // 12)
        expect(summary).to_have_text(f"1 / {pages}")
        summary.locator("xpath=..").get_by_role("link", name="Next").click()
        expect(summary).to_have_text(f"2 / {pages}")
    page.get_by_test_id("availability-pagination-summary").locator("xpath=..").get_by_role(
        "link", name="Next"
    ).click()
    expect(page.get_by_test_id("availability-row")).to_have_count(7)


def test_a_showing_is_moved_and_carried_to_an_end(person: Person, house: House, filled: Calendar) -> None:
    page = person("agent")
    page.goto("/agent/appointments")
    page.get_by_role("button", name="Confirm Elm House 1A, 12:00 PM").first.click()
    expect(page.locator("#notices")).to_contain_text("The showing is confirmed.")
    assert states(house)["ben"] == "confirmed"

    # Why a time is not free, in the unit's zone.
    page.goto(f"/agent/appointments/{filled.showings['dev']}")
    page.locator("#why").get_by_label("Day").fill("2026-03-06")
    page.locator("#why").get_by_label("Time").fill("12:30")
    page.get_by_role("button", name="Ask").click()
    expect(page.locator("#why")).to_contain_text(
        "The agent is unavailable from Fri, Mar 6, 12:00 PM EST to Fri, Mar 6, 1:00 PM EST."
    )
    page.locator("#why").get_by_label("Time").fill("10:00")
    page.get_by_role("button", name="Ask").click()
    expect(page.locator("#why")).to_contain_text("That time is free.")

    # Another time, from the free ones: noon of Friday is not among them.
    page.locator("#move-from").fill("2026-03-06")
    page.get_by_role("button", name="Show", exact=True).click()
    friday = page.locator("#move fieldset", has_text="Fri, Mar 6")
    expect(friday.get_by_label("12:00 PM")).to_have_count(0)
    friday.get_by_label("10:30 AM").check()
    page.get_by_role("button", name="Move the showing").click()
    expect(page.locator("#notices")).to_contain_text("Moved to Fri, Mar 6, 10:30 AM EST.")
    [moved] = house.audits("showing_rescheduled")
    assert (moved["actor_type"], moved["agent_id"]) == ("agent", str(house.dana))
    page.goto("/agent/appointments?from=2026-03-06&to=2026-03-06")
    expect(page.get_by_test_id("agent-appointment-row")).to_have_count(2)

    # Cancelling asks first.
    agrees(page)
    page.goto("/agent/appointments")
    page.get_by_test_id("agent-appointment-row").filter(has_text="Cleo").get_by_role(
        "button", name="Cancel"
    ).click()
    expect(page.locator("#notices")).to_contain_text("The showing is cancelled.")
    assert states(house)["cleo"] == "cancelled"
    page.set_viewport_size({"width": 1280, "height": 812})
    page.locator("#notices").get_by_role("link", name="Tell the lead").click()
    expect(page.locator("#reply-body")).to_have_value(re.compile("is cancelled: Tue, Mar 3"))
    page.set_viewport_size({"width": 375, "height": 812})

    # What has begun can be completed, or nobody came.
    house.clock.forward(timedelta(hours=6))
    page.goto("/agent/appointments")
    page.get_by_test_id("agent-appointment-row").filter(has_text="Ann").get_by_role(
        "button", name="Completed"
    ).click()
    expect(page.locator("#notices")).to_contain_text("the showing took place")
    page.get_by_test_id("agent-appointment-row").filter(has_text="Ben").get_by_role(
        "button", name="No show"
    ).click()
    expect(page.locator("#notices")).to_contain_text("nobody came")
    assert (states(house)["ann"], states(house)["ben"]) == ("completed", "no_show")


def test_a_booking_is_seen_in_the_calendar_at_once_and_guarded(
    person: Person, house: House, filled: Calendar
) -> None:
    page = person("admin", 1280)
    page.goto("/admin/showings?view=week")
    expect(page.locator("#week .slot")).to_have_count(8)
    body = {
        "idempotencyKey": "by-hand-1",
        "platformAccountId": house.ask("admin", "GET", "/api/showing-appointments").json()["items"][0][
            "platformAccountId"
        ],
        "unitId": str(house.unit),
        "agentId": str(house.dana),
        "startsAt": "2026-03-05T19:00:00Z",
        "endsAt": "2026-03-05T19:30:00Z",
        "timezone": "America/New_York",
    }
    made = house.ask("admin", "POST", "/api/showing-appointments/book", body)
    assert made.status_code == 201, made.text
    booked = page.locator("#week > li", has_text="Thu, Mar 5").locator(".slot")
    expect(booked).to_contain_text("Dana Reyes")
    page.goto("/admin/showings?view=month")
    page.get_by_role("link", name="Thu, Mar 5: 1 showing").click()
    expect(page.get_by_test_id("showing-row")).to_have_count(1)
    page.get_by_test_id("showing-row").get_by_role("link").first.click()
    expect(page.get_by_role("button", name="Cancel showing")).to_be_visible()

    # Somebody else changes it meanwhile: nothing is overwritten.
    house.clock.forward(timedelta(minutes=1))
    identity = made.json()["appointment"]["id"]
    status = f"/api/showing-appointments/{identity}/status"
    assert house.ask("admin", "POST", status, {"status": "reschedule_requested"}).status_code == 200
    agrees(page)
    page.get_by_role("button", name="Cancel showing").click()
    expect(page.get_by_role("alert")).to_contain_text("Somebody changed this meanwhile")
    expect(page.locator("#state")).to_contain_text("Reschedule requested")
    with page.expect_download() as download:
        page.get_by_role("link", name="Calendar file").click()
    assert download.value.suggested_filename == f"showing-{identity}.ics"


def test_an_agent_sees_and_changes_only_its_own(house: House, filled: Calendar) -> None:
    foreign = filled.showings["marco"]

    def asked(method: str, path: str, **form: str) -> int:
        headers = {"cookie": house.cookies["agent"]}
        return house.client.request(
            method, path, data=form, headers=headers, follow_redirects=False
        ).status_code

    assert asked("GET", f"/agent/appointments/{foreign}") == 404
    assert asked("POST", f"/agent/appointments/{foreign}", status="cancelled") == 404
    assert asked("GET", f"/agent/appointments/{filled.showings['ann']}") == 200
    assert asked("GET", f"/agent/availability?agent={house.marco}") == 403
    assert asked("POST", f"/agent/availability?agent={house.marco}", do="feed") == 403
    for path in ("/admin/showings", f"/admin/showings/units/{house.unit}", "/admin/today"):
        assert asked("GET", path) == 403
    own = house.client.get(
        f"/agent/appointments?agent={house.marco}", headers={"cookie": house.cookies["agent"]}
    )
    assert own.text.count('data-testid="agent-appointment-row"') == 8
    assert "Marco" not in own.text


def test_how_it_went_is_told_once_it_has_begun(house: House, filled: Calendar) -> None:
    """Before, it is refused with the reason; after, also of a showing that nobody had confirmed."""
    ben = f"/agent/appointments/{filled.showings['ben']}"
    for status in ("completed", "no_show"):
        refused = house.send("agent", ben, status=status)
        assert refused.status_code == 409
        assert "Today, 12:00 PM EST: whether somebody came can be noted once it has begun" in refused.text
    assert states(house)["ben"] == "pending"
    house.clock.forward(timedelta(hours=6))
    assert "Completed" in house.ask("agent", "GET", ben).text
    assert house.send("agent", ben, status="completed").status_code == 303
    assert states(house)["ben"] == "completed"


def test_the_list_begins_with_today(house: House, filled: Calendar) -> None:
    """Also with what is over by now, because its outcome is to be told."""
    house.clock.forward(timedelta(days=1, hours=5))  # noon of Tuesday in New York
    for who, path in (("agent", "/agent/appointments"), ("admin", "/admin/showings")):
        shown = house.ask(who, "GET", path).text
        days = re.findall(r"<h2>(Today|Tomorrow|\w{3}, \w{3} \d+)", shown)
        assert days[:2] + days[-1:] == ["Today", "Tomorrow", "Mon, Mar 2"]
        leads = re.findall(r"<p class=\"muted small\">(\w+)", shown)
        assert leads[:2] + leads[-2:] == ["Cleo", "Dev", "Ben", "Ann"], "Cleo's is over"


@pytest.mark.parametrize(
    ("asked", "today"), [("", 2), ("&unit={unit}", 2), ("&agent={marco}", 3)], ids=["team", "unit", "agent"]
)
def test_a_calendar_marks_the_day_it_is_there(
    house: House, clock: MovableClock, filled: Calendar, asked: str, today: int
) -> None:
    """At ten in the evening of the second in New York it is the third in London."""
    with house.rows() as conn:
        conn.execute(
            text("""UPDATE "Agents" SET timezone = 'Europe/London' WHERE id = :id"""), {"id": house.marco}
        )
    clock.forward(timedelta(hours=15))
    query = asked.format(unit=house.unit, marco=house.marco)
    for view, day in (("week", "<h3>Today</h3>"), ("month", f">{today}</span>")):
        shown = house.ask("admin", "GET", f"/admin/showings?view={view}{query}").text
        [marked] = re.findall(r'<li class="is-today ?">(.*?)</li>', shown, re.DOTALL)
        assert day in marked
    week = house.ask("admin", "GET", f"/admin/showings?view=week{query}").text
    days = re.findall(r"<h3>(.*?)</h3>", week)
    assert days[today - 1] == "Today", "the week from Sunday, March 1"


def test_a_full_day_shows_its_first_and_leads_to_all(house: House, filled: Calendar) -> None:
    """Thursday in New York, from midnight: a week draws no more of it than a page of a list, a month two."""
    with house.rows() as conn:
        for hour in range(14):
            showing(conn, house, None, house.unit, 3, 5 + hour, "confirmed")
    asked = "&status=confirmed&day=2026-03-05"
    week = house.ask("admin", "GET", f"/admin/showings?view=week{asked}").text
    days = re.split(r"<h3>(.*?)</h3>", week.partition('id="week"')[2].partition("</ol>")[0])
    shown = {day: held.count('class="slot"') for day, held in zip(days[1::2], days[2::2], strict=True)}
    assert (shown["Thu, Mar 5"], shown["Sat, Mar 7"], sum(shown.values())) == (12, 2, 17)
    assert re.findall(r"<b>(.*?) EST</b>", days[days.index("Thu, Mar 5") + 1])[::11] == [
        "12:00 AM",
        "11:00 AM",
    ]
    [(href, told)] = re.findall(r'<a class="button wide" href="(.*?)">(Show all \d+)<', week)
    assert told == "Show all 14"
    listed = house.ask("admin", "GET", href.replace("&amp;", "&")).text
    assert listed.count('data-testid="showing-row"') == 14
    month = house.ask("admin", "GET", f"/admin/showings?view=month{asked}").text
    assert 'aria-label="Thu, Mar 5: 14 showings"' in month
    assert month.count("+12 more") == month.count(" more</span>") == 1


def test_a_month_says_on_which_days_a_unit_is_free(house: House, filled: Calendar) -> None:
    """From Monday to Friday, 10 to 16; with Marco, who has opened no time, never."""

    def free(asked: str) -> dict[str, str]:
        shown = house.ask("admin", "GET", f"/admin/showings?view=month&day=2026-03-02{asked}").text
        cells = re.findall(r'<li class="[^"]*">(.*?)</li>', shown.partition('id="month"')[2], re.DOTALL)
        days = {
            re.findall(r'month-day">(\d+)<', cell)[0]: re.findall(r"(\d+) free<", cell) for cell in cells[:14]
        }
        return {day: times[0] for day, times in days.items() if times}

    assert free("") == free(f"&unit={uuid4()}") == free(f"&unit={house.unit}&agent={house.marco}") == {}
    whole = free(f"&unit={house.unit}")
    assert list(whole) == ["2", "3", "4", "5", "6", "9", "10", "11", "12", "13"]
    assert int(whole["6"]) < int(whole["5"]), "Friday noon is blocked"
    assert free(f"&unit={house.unit}&agent={house.dana}") == whole
    assert free(f"&unit={house.unit}&day=2025-03-02") == {}


def test_a_showing_is_booked_moved_and_closed_without_script(
    person: Person, house: House, filled: Calendar
) -> None:
    with house.rows() as conn:
        lead = conversation(conn, house, "Noa", house.unit)
    page = person("agent", java_script_enabled=False)
    page.goto(f"/agent/inbox/{lead}/slots")
    page.get_by_role("checkbox").first.check()
    page.get_by_role("button", name="Book it").click()
    expect(page.locator("#notices")).to_contain_text("Booked.")
    assert states(house)["noa"] == "confirmed"

    page.goto("/agent/appointments")
    row = page.get_by_test_id("agent-appointment-row").filter(has_text="Noa")
    row.get_by_role("link", name="Reschedule").click()
    page.locator("#move-from").fill("2026-03-06")
    page.get_by_role("button", name="Show", exact=True).click()
    page.get_by_role(
        "button", name="Move the showing"
    ).click()  # nothing is chosen: the browser itself asks for it
    page.locator("#move fieldset", has_text="Fri, Mar 6").get_by_label("10:30 AM").check()
    page.get_by_role("button", name="Move the showing").click()
    expect(page.locator("#notices")).to_contain_text("Moved to Fri, Mar 6, 10:30 AM EST.")

    house.clock.forward(timedelta(days=4, hours=5))
    page.goto("/agent/today")
    page.get_by_test_id("outcome-row").filter(has_text="Noa").get_by_role("link").click()
    page.get_by_role("button", name="No show").click()
    expect(page.locator("#notices")).to_contain_text("nobody came")
    assert states(house)["noa"] == "no_show"
