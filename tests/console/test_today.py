"""Today shows each kind of thing that waits, who waits longest first, and leads there."""

from __future__ import annotations

import re

from playwright.sync_api import Page, expect

from tests.api.house import House
from tests.console.day_showings import fill_showings, fill_today
from tests.console.people import Person


def waiting_badge(page: Page) -> int:
    """How many the inbox says wait."""
    answer = page.request.get(page.url.replace("/today", "/inbox"))
    found = re.search(r"data-waiting>(\d+)<", answer.text())
    assert found is not None
    return int(found[1])


def test_an_administrator_sees_what_waits_and_gets_there(person: Person, house: House) -> None:
    """Behaviour 125: who waits, and today's showings, by number and one by one."""
    page = person("admin")
    page.goto("/admin/today")
    expect(page.get_by_text("Nothing waits for you")).to_be_visible()
    ids = fill_today(house)
    showings = fill_showings(house).showings
    # Each step writes an audit row, and the page looks again by itself.
    people = page.locator("#person").get_by_test_id("waiting-row")
    expect(people).to_have_count(4)
    assert people.locator(".item-title").all_inner_texts() == [
        "Olga Brandt",
        "Frank Ortiz",
        "Hugo Marin",
        "Nadia Weiss",
    ]
    expect(people.first.locator("time")).to_have_text("2 days")
    expect(page.locator("#drafts").get_by_test_id("waiting-row")).to_have_count(1)
    expect(page.get_by_test_id("showing-today-row")).to_have_count(2)
    figures = page.locator(".figure b").all_inner_texts()
    assert figures == ["4", "1", "2", "2", "5"]
    told = [
        "Sending is stopped",
        "has stopped",
        "given a rest",
        "Did the reply to Dario Costa arrive",
        "to Greta Nowak could not be sent",
    ]
    assert waiting_badge(page) == 7, "those who need a person, drafts and deliveries in doubt"
    problems = page.get_by_test_id("problem-row")
    for place, words in enumerate(told):
        expect(problems.nth(place)).to_contain_text(words)
    links = {
        "person": f"/admin/inbox/{ids['Olga Brandt']}",
        "drafts": f"/admin/inbox/{ids['Dora Quist']}",
        "due": f"/admin/inbox/{ids['Sofia Lang']}",
        "untold": f"/admin/showings/{ids['over']}",
        "shown": f"/admin/showings/{showings['ann']}",
        "problems": "/admin/platform",
    }
    for section, href in links.items():
        expect(page.locator(f"#{section} a").first).to_have_attribute("href", href)
    doubted = page.get_by_test_id("problem-row").filter(has_text="Dario Costa").get_by_role("link")
    expect(doubted).to_have_attribute("href", f"/admin/inbox/{ids['Dario Costa']}")
    page.locator("#untold a").first.click()
    page.get_by_role("button", name="No show").click()
    expect(page.locator("#notices")).to_contain_text("nobody came")
    page.goto("/admin/today")
    expect(page.locator("#untold")).to_have_count(0)


def test_an_agent_sees_only_its_own(person: Person, house: House) -> None:
    fill_today(house)
    page = person("agent")
    page.goto("/agent/today")
    people = page.locator("#person").get_by_test_id("waiting-row")
    expect(people).to_have_count(3)
    expect(page.get_by_text("Frank Ortiz")).to_have_count(0)
    problems = page.get_by_test_id("problem-row")
    expect(problems).to_have_count(2)
    expect(problems.first).to_contain_text("Did the reply to Dario Costa arrive")
    assert page.locator(".figure b").all_inner_texts() == ["3", "1", "0", "2", "2"]
    assert waiting_badge(page) == 6
    assert "/agent/inbox/" in (people.first.get_by_role("link").get_attribute("href") or "")


def test_where_drafts_come_from_is_said_when_there_are_none(person: Person, house: House) -> None:
    page = person("admin")
    page.goto("/admin/today")
    page.get_by_role("link", name="drafts to approve").click()
    expect(page.get_by_text("No drafts", exact=True)).to_be_visible()
