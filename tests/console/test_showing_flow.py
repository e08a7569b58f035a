"""A lead's showing from the conversation to its outcome, as an agent does it: once at every width."""

from __future__ import annotations

import re
from datetime import timedelta

from playwright.sync_api import expect

from tests.api.house import House
from tests.console.day_showings import conversation, fill_showings, open_calendars
from tests.console.people import Person
from tests.console.widths import WIDTHS, at, fits

LEADS = ("Noa", "Omar", "Pia", "Quentin", "Rosa")


def test_a_showing_is_booked_moved_and_told_of_at_every_width(person: Person, house: House) -> None:
    fill_showings(house)
    open_calendars(house)
    with house.rows() as conn:
        leads = {name: conversation(conn, house, name, house.unit) for name in LEADS}
    page = person("agent")
    notices = page.locator("#notices")
    for (name, lead), width in zip(leads.items(), WIDTHS, strict=True):
        at(page, width).goto(f"/agent/inbox/{lead}")
        page.get_by_role("link", name="Offer or book times").click()
        page.get_by_role("checkbox").first.check()
        fits(page)
        page.get_by_role("button", name="Book it").click()
        expect(notices).to_contain_text("Booked.")
        page.goto("/agent/appointments")
        row = page.get_by_test_id("agent-appointment-row").filter(has_text=name)
        row.get_by_role("link", name="Reschedule").click()
        page.locator("#move-from").fill("2026-03-06")
        page.get_by_role("button", name="Show", exact=True).click()
        page.locator("#move fieldset", has_text="Fri, Mar 6").get_by_role("radio").first.check()
        fits(page)
        page.get_by_role("button", name="Move the showing").click()
        expect(notices).to_contain_text("Moved to Fri, Mar 6")
        fits(page)
    # The lead was told nothing yet: the page leads to the words.
    page.locator("#untold").get_by_role("link", name="Tell the lead").click()
    expect(page.locator("#reply-body")).to_have_value(re.compile("was moved. It is now: Fri, Mar 6"))
    house.clock.forward(timedelta(days=4, hours=9))  # Friday, four in the afternoon in New York
    outcomes = {"No show": "no_show", "Completed": "completed"}
    for turn, (name, width) in enumerate(zip(LEADS, WIDTHS, strict=True)):
        at(page, width).goto("/agent/today")
        fits(page)
        page.get_by_test_id("outcome-row").filter(has_text=name).get_by_role("link").click()
        page.get_by_role("button", name=list(outcomes)[turn % 2]).click()
        expect(notices).to_contain_text("Noted")
        fits(page)
    items = house.ask("admin", "GET", "/api/showing-appointments").json()["items"]
    told = {one["conversation"]["leadName"]: one["status"] for one in items}
    assert [told[name] for name in LEADS] == ["no_show", "completed"] * 2 + ["no_show"]
    assert len(house.audits("showing_rescheduled")) == len(LEADS)
