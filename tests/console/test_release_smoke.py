"""Release smoke B: what a team of the earlier system checked in a browser before a release.

Its lists stand with their screens' tests; how soon each page answers is measured in ``benchmarks``.
"""

from __future__ import annotations

import re

from playwright.sync_api import Page, expect

from tests.api.house import House
from tests.api.logins import PASSWORD
from tests.console.day_inbox import Inbox, fill_inbox
from tests.console.people import Person

WIDTHS = (320, 375, 430, 768, 1280)


def go(page: Page, label: str) -> None:
    """By the navigation: behind a button on a phone."""
    menu = page.get_by_role("button", name="Open menu")
    places = page.locator("#side")
    if menu.is_visible():
        menu.click()
        places = page.locator("#menu")
    places.get_by_role("link", name=label, exact=True).click()


def test_signing_in_leads_to_the_inbox_and_the_menu_everywhere(person: Person, day: House) -> None:
    """Behaviours 129, 131 and 136."""
    page = person("stranger", WIDTHS[0])
    page.goto("/login")
    expect(page.get_by_role("heading", name="Lease Bot Login")).to_be_visible()
    page.get_by_label("Email").fill("admin@example.com")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url(re.compile("/admin/inbox"))
    expect(page.get_by_test_id("inbox-card-list")).to_be_visible()
    for width in WIDTHS:
        page.set_viewport_size({"width": width, "height": 812})
        go(page, "Assignments")
        expect(page.get_by_role("heading", name="Assign listing")).to_be_visible()
        go(page, "Showings")
        for heading in ("Weekly rules", "Availability"):
            expect(page.get_by_role("heading", name=heading, exact=True)).to_be_visible()
        go(page, "Platform")
        expect(page.get_by_test_id("platform-controls-list")).to_be_visible()
        go(page, "Workboard")
        expect(page.get_by_test_id("inbox-card-list")).to_be_visible()
        assert page.get_by_test_id("inbox-card-list").locator("table").count() == 0


def test_scripts_are_small(day: House) -> None:
    """Behaviour 130: 510,000 bytes at most; all of ours together."""
    page = day.ask("admin", "GET", "/admin/inbox").text
    scripts = re.findall(r'<script[^>]* src="([^"]+)"', page)
    assert scripts
    assert sum(len(day.client.get(script).content) for script in scripts) <= 510_000


def test_the_first_page_is_light(day: House) -> None:
    """With all it needs, compressed, as it comes over the wire: 40 kB at most."""
    for who, path in (("stranger", "/login"), ("agent", "/agent/today"), ("admin", "/admin/inbox")):
        page = day.ask(who, "GET", path).text
        needed = {path, *re.findall(r'(?:src|href)="(/console/static/[^"#]+)', page)}
        assert len(needed) >= 5, "style, script and drawings"
        wire = 0
        for one in needed:
            headers = {"accept-encoding": "gzip", "cookie": day.cookies.get(who, "")}
            with day.client.stream("GET", one, headers=headers) as answer:
                assert answer.status_code == 200
                wire += sum(len(chunk) for chunk in answer.iter_raw())
        assert wire <= 40_000, path


def test_an_outcome_is_one_tap(person: Person, house: House) -> None:
    """Behaviour 126: what each button makes of the conversation, on record by whom."""
    inbox = fill_inbox(house)
    page = person("admin")
    taps = {
        "Not interested": ("not_interested", None),
        "Reschedule": ("wants_reschedule", "reschedule_requested"),
        "No show": ("no_show", "no_show"),
        "Completed": ("completed", "completed"),
    }
    for (label, (outcome, showing)), each in zip(taps.items(), inbox.held, strict=False):
        page.goto(f"/admin/inbox/{each}")
        page.get_by_role("button", name=label).click()
        expect(page.locator("#notices")).to_contain_text("Noted")
        found = house.ask("admin", "GET", f"/api/inbox/{each}").json()["conversation"]
        assert (found["workflowOutcome"], found["showingState"]) == (outcome, showing)


def test_a_row_says_where_it_stands_and_approve_is_for_our_words_only(person: Person, house: House) -> None:
    """Behaviours 127 and 128."""
    inbox: Inbox = fill_inbox(house)
    page = person("admin", 1280)
    page.goto("/admin/inbox")
    row = page.get_by_test_id("inbox-row")
    expect(row.filter(has_text="Ann Lee").locator(".badge").first).to_have_text("To approve")
    expect(row.filter(has_text="Ed Okafor").locator(".badge").first).to_have_text("Held")
    page.goto(f"/admin/inbox/{inbox.held[0]}")  # held: the lead's words
    expect(page.locator("#thread")).to_contain_text("is the room still available")
    expect(page.get_by_role("button", name="Approve and send")).to_have_count(0)
    page.goto(f"/admin/inbox/{inbox.to_approve[0]}")
    expect(page.get_by_role("button", name="Approve and send")).to_have_count(1)
