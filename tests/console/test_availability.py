"""Calendars of agents and units: the week at a glance, rules, exceptions, copies, the feed."""

from __future__ import annotations

from typing import Any

from playwright.sync_api import Page, expect

from tests.api.house import House
from tests.console.day_showings import fill_showings, open_calendars
from tests.console.people import Person, agrees

NEW_YORK = "America/New_York"


def rules(house: House) -> list[tuple[int, str, str, str]]:
    found = house.ask("admin", "GET", f"/api/agents/{house.dana}/availability/weekly-rules").json()["items"]
    return sorted((r["dayOfWeek"], r["startTime"], r["endTime"], r["status"]) for r in found)


def exceptions(house: House, calendar: str) -> list[tuple[str, str, str]]:
    query = f"/api/{calendar}/availability?timezone={NEW_YORK}"
    items: list[dict[str, Any]] = house.ask("admin", "GET", query).json()["items"]
    return [(i["localStart"][:16], i["localEnd"][11:16], i["status"]) for i in items if i["ruleId"] is None]


def opened(page: Page, title: str) -> Any:
    """That part of the page, opened unless it is already: what was open stays so over an answer."""
    found = page.locator("details", has=page.locator("summary", has_text=title))
    if found.get_attribute("open") is None:
        page.locator("summary", has_text=title).click()
    return found


def add_tuesday(page: Page, house: House) -> None:
    """A weekly rule, refused first: what was typed is kept, and why stands beside it."""
    form = opened(page, "Add a weekly rule")
    form.get_by_label("Day", exact=True).select_option(label="Tuesday")
    form.get_by_label("From", exact=True).fill("09:00")
    form.get_by_label("Until", exact=True).fill("08:00")
    form.get_by_role("button", name="Add the rule").click()
    expect(form.get_by_role("alert")).to_contain_text("End time must be after startTime")
    expect(form.get_by_label("Until", exact=True)).to_have_value("08:00")
    form.get_by_label("Until", exact=True).fill("12:00")
    form.get_by_role("button", name="Add the rule").click()
    expect(page.locator("#notices")).to_contain_text("The weekly rule holds")
    assert rules(house) == [(2, "09:00", "12:00", "available")]


def test_an_agent_keeps_its_calendar(person: Person, house: House) -> None:
    with house.rows() as conn:
        conn.exec_driver_sql(
            f"""UPDATE "Agents" SET timezone = '{NEW_YORK}' WHERE full_name = 'Dana Reyes'"""
        )
    page = person("agent")
    agrees(page)
    page.goto("/agent/availability")
    add_tuesday(page, house)
    tuesday = page.get_by_test_id("week-bars").locator("li", has_text="Tue, Mar 3")
    expect(tuesday).to_contain_text("Available 9:00 AM – 12:00 PM")
    drawn = tuesday.locator(".bar-open")
    assert (drawn.get_attribute("x"), drawn.get_attribute("width")) == ("360.0", "120.0")

    page.get_by_role("link", name="Edit Tuesday, 9:00 AM").click()
    page.locator("#edit-rule").get_by_label("Until", exact=True).fill("13:00")
    page.get_by_role("button", name="Save the rule").click()
    expect(page.locator("#notices")).to_contain_text("changed")
    copy = opened(page, "Copy a day")
    for name in ("Wednesday", "Sunday"):
        copy.get_by_label(name).check()
    copy.get_by_role("button", name="Copy the day").click()
    expect(page.locator("#notices")).to_contain_text("copied")
    assert [rule[:3] for rule in rules(house)] == [(n, "09:00", "13:00") for n in (0, 2, 3)]
    assert len(house.audits("availability_rule_created")) == 3

    # One day is different, and the next week as well. Clocks change on Sunday, 8 March.
    other = opened(page, "Add an exception")
    other.get_by_label("Day", exact=True).fill("2026-03-04")
    other.get_by_label("The whole day").check()
    other.get_by_role("button", name="Add the exception").click()
    expect(page.locator("#notices")).to_contain_text("The exception holds")
    wednesday = page.get_by_test_id("week-bars").locator("li", has_text="Wed, Mar 4")
    expect(wednesday).to_contain_text("Not available all day")
    copied = opened(page, "Copy a week")
    copied.get_by_label("To the week with this day").fill("2026-03-12")
    copied.get_by_role("button", name="Copy the week").click()
    expect(page.locator("#notices")).to_contain_text("copied")
    blocked = [("2026-03-04T00:00", "23:59", "unavailable"), ("2026-03-11T00:00", "23:59", "unavailable")]
    assert exceptions(house, f"agents/{house.dana}") == blocked
    copied = opened(page, "Copy a week")  # the page is at the week they were copied to
    copied.get_by_label("Week of").select_option("2026-03-01")
    copied.get_by_label("To the week with this day").fill("2026-03-09")
    copied.get_by_role("button", name="Copy the week").click()
    expect(page.get_by_role("alert")).to_contain_text("has these exceptions already")
    sunday = page.get_by_test_id("week-bars").locator("li", has_text="Sun, Mar 8")
    expect(sunday).to_contain_text("Available 9:00 AM – 1:00 PM")
    # The bar of a day of 23 hours is as wide: 9 o'clock is 8 hours after midnight.
    assert sunday.locator(".bar-open").get_attribute("x") == f"{8 / 23 * 960:.1f}"

    page.get_by_role("button", name="Delete Sunday, 9:00 AM").click()
    expect(page.locator("#notices")).to_contain_text("deleted")
    page.get_by_role("button", name="Delete exception of Wed, Mar 11, 12:00 AM").click()
    expect(page.locator("#notices")).to_contain_text("exception was deleted")
    assert [rule[0] for rule in rules(house)] == [2, 3]
    assert exceptions(house, f"agents/{house.dana}") == blocked[:1]

    page.get_by_role("button", name="Dismiss").click()
    page.get_by_role("button", name="Make an address").click()
    address = page.get_by_label("Calendar address").input_value()
    assert "BEGIN:VCALENDAR" in house.client.get(address.partition("/api/")[2].join(("/api/", ""))).text
    page.goto("/agent/availability")
    page.get_by_role("button", name="Revoke it").click()
    expect(page.locator("#notices")).to_contain_text("no longer works")
    assert house.client.get(address.partition("/api/")[2].join(("/api/", ""))).status_code == 404


def test_an_administrator_keeps_calendars_of_units_and_agents(person: Person, house: House) -> None:
    fill_showings(house)
    open_calendars(house)
    page = person("admin", 1280)
    page.goto("/admin/showings")
    page.get_by_label("Calendar of a unit").select_option(label="Elm House 1A")
    page.get_by_role("button", name="Open").click()
    expect(page.get_by_role("heading", name="Availability of Elm House 1A")).to_be_visible()
    monday = page.get_by_test_id("week-bars").locator("li", has_text="Mon, Mar 2")
    expect(monday).to_contain_text("Open 10:00 AM – 4:00 PM")
    expect(monday).to_contain_text("Showings 10:00 – 10:30 AM, 12:00 – 12:30 PM")
    other = opened(page, "Add an exception")
    other.get_by_label("Day", exact=True).fill("2026-03-07")
    other.get_by_label("What").select_option(label="Open")
    other.get_by_label("From").fill("11:00")
    other.get_by_label("Until").fill("12:00")
    other.get_by_role("button", name="Add the exception").click()
    expect(page.locator("#notices")).to_contain_text("The exception holds")
    assert exceptions(house, f"units/{house.unit}") == [("2026-03-07T11:00", "12:00", "open")]
    page.goto("/admin/showings?only=exceptions")
    expect(page.get_by_test_id("availability-row")).to_have_count(1)

    page.goto("/agent/availability")
    page.get_by_role("link", name="Dana Reyes").click()
    expect(page.get_by_role("heading", name="Availability of Dana Reyes")).to_be_visible()
    page.get_by_label("Agent", exact=True).select_option(label="Marco Klein")
    expect(page.get_by_role("heading", name="Availability of Marco Klein")).to_be_visible()
    form = opened(page, "Add a weekly rule")
    form.get_by_role("button", name="Add the rule").click()
    expect(page.locator("#notices")).to_contain_text("The weekly rule holds")
    expect(page.get_by_role("heading", name="Availability of Marco Klein")).to_be_visible()


def test_a_calendar_is_kept_without_script(person: Person, house: House) -> None:
    with house.rows() as conn:
        conn.exec_driver_sql(
            f"""UPDATE "Agents" SET timezone = '{NEW_YORK}' WHERE full_name = 'Dana Reyes'"""
        )
    page = person("agent", java_script_enabled=False)
    page.goto("/agent/availability")
    add_tuesday(page, house)
    other = opened(page, "Add an exception")
    other.get_by_label("Day", exact=True).fill("2026-03-04")
    other.get_by_label("The whole day").check()
    other.get_by_role("button", name="Add the exception").click()
    expect(page.locator("#notices")).to_contain_text("The exception holds")
    copied = opened(page, "Copy a week")
    copied.get_by_label("To the week with this day").fill("2026-03-12")
    copied.get_by_role("button", name="Copy the week").click()
    expect(page.locator("#notices")).to_contain_text("copied")
    blocked = [("2026-03-04T00:00", "23:59", "unavailable"), ("2026-03-11T00:00", "23:59", "unavailable")]
    assert exceptions(house, f"agents/{house.dana}") == blocked
    page.get_by_role("button", name="Delete Tuesday, 9:00 AM").click()
    expect(page.locator("#notices")).to_contain_text("deleted")
    assert rules(house) == []
