"""Nothing jumps: where somebody reads and what they asked for survives answers and changes that come meanwhile."""

from __future__ import annotations

from playwright.sync_api import Route, expect

from tests.api.house import House
from tests.console.day_inbox import inbox_ids
from tests.console.people import Person


def test_a_change_while_a_page_is_on_its_way_does_not_spoil_it(person: Person, day: House) -> None:
    page = person("agent")
    page.goto("/agent/today")
    asked: list[Route] = []
    page.route("**/agent/inbox/*", lambda route: asked.append(route))
    page.get_by_test_id("waiting-row").get_by_role("link").first.click()
    while not asked:
        page.evaluate("1")  # lets the browser's events in
    page.evaluate("refresh()")  # what the live stream calls when it is told of a change
    asked[0].continue_()
    expect(page.locator("#lead-name")).to_be_visible()
    assert page.locator("header.top").count() == 1
    assert page.locator("main").count() == 1


def test_an_answer_leaves_the_reader_where_they_are_and_a_refusal_is_in_sight(
    person: Person, day: House
) -> None:
    page = person("agent", 375)
    page.goto(f"/agent/inbox/{inbox_ids(day)['held']}")
    page.get_by_label("New note").fill("Has a dog.")
    page.get_by_role("button", name="Add note").scroll_into_view_if_needed()
    window = page.locator("html")
    was = page.evaluate("document.documentElement.scrollTop")
    assert was > 400
    page.get_by_role("button", name="Add note").click()
    expect(page.locator("#notes")).to_contain_text("Has a dog.")
    expect(window).to_have_js_property("scrollTop", was)

    page.get_by_role("link", name="Offer or book times").click()
    expect(page.get_by_role("heading", name="Free times")).to_be_visible()
    expect(window).to_have_js_property("scrollTop", 0)
    page.get_by_label("PM").last.scroll_into_view_if_needed()
    assert page.evaluate("scrollY") > 400
    page.get_by_role("button", name="Book").click()
    expect(page.get_by_role("alert")).to_be_in_viewport()
    page.get_by_label("AM").first.check()
    page.get_by_role("button", name="Book").click()
    expect(page.locator("#lead-name")).to_be_in_viewport()


def test_the_keyboard_goes_on_where_it_was(person: Person, day: House) -> None:
    page = person("agent", 1280)
    page.goto("/agent/inbox?status=waiting")
    page.get_by_test_id("inbox-row").get_by_role("link", name="Ed Okafor").press("Enter")
    detail = page.locator(".split-detail")
    expect(detail).to_be_focused()  # not the list before it, again
    page.get_by_label("New note").fill("Has a dog.")
    page.get_by_role("button", name="Add note").press("Enter")
    expect(page.locator("#notes")).to_contain_text("Has a dog.")
    expect(page.get_by_role("button", name="Add note")).to_be_focused()
    page.get_by_role("button", name="Not interested").press("Enter")
    expect(page.locator("#outcome")).to_be_focused()  # the button is there no more
    page.keyboard.press("Tab")
    expect(page.locator("#outcome").get_by_role("button").first).to_be_focused()


def test_a_tap_without_a_connection_says_so_and_keeps_what_was_typed(person: Person, day: House) -> None:
    page = person("agent")
    page.goto(f"/agent/inbox/{inbox_ids(day)['held']}")
    cut = "**/agent/inbox/*/notes"
    page.route(cut, lambda route: route.abort())
    page.get_by_label("New note").fill("Has a dog.")
    page.get_by_role("button", name="Add note").click()
    expect(page.get_by_role("status").filter(has_text="there is no connection")).to_be_visible()
    expect(page.get_by_label("New note")).to_have_value("Has a dog.")
    page.unroute(cut)
    page.get_by_role("button", name="Add note").click()
    expect(page.locator("#notes")).to_contain_text("Has a dog.")
