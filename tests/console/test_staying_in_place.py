"""Nothing jumps and nothing is lost: where somebody reads, what they asked for and what they typed survives answers,
errors, and changes that come meanwhile."""

from __future__ import annotations

import re
from datetime import timedelta
from uuid import UUID

import pytest
from playwright.sync_api import Page, Route, expect
from sqlalchemy import text

from api.console import live
from leasebot_pipeline.storage import audit
from tests.api.house import House
from tests.api.logins import PASSWORD
from tests.console.day_inbox import draft, fill_inbox, inbox_ids
from tests.console.people import Person
from tests.console.server import ConsoleServer
from tests.storage import rows


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
    expect(page.locator("#notices")).to_contain_text("send the reply below")
    expect(page.locator("#reply-body")).to_be_in_viewport()


def test_the_way_back_is_one_step_whatever_was_done_meanwhile(person: Person, day: House) -> None:
    page = person("agent", 1280)
    page.goto("/agent/inbox?status=waiting")
    page.get_by_test_id("inbox-row").get_by_role("link", name="Ed Okafor").click()
    for said in ("Has a dog.", "Works nights."):
        page.get_by_label("New note").fill(said)
        page.get_by_role("button", name="Add note").click()
        expect(page.locator("#notes")).to_contain_text(said)
    assert page.url.endswith(f"/agent/inbox/{inbox_ids(day)['held']}?status=waiting")
    page.go_back()
    expect(page.get_by_text("Pick a conversation")).to_be_visible()
    assert page.url.endswith("/agent/inbox?status=waiting")

    admin = person("admin", 1280)  # an answer that sends the browser on, back to where it was
    admin.goto("/admin/today")
    admin.get_by_role("navigation", name="Places").get_by_role("link", name="Platform").click()
    switch = admin.get_by_role("switch").first
    for on in ("false", "true"):
        switch.click()
        expect(switch).to_have_attribute("aria-checked", on)
    admin.go_back()
    expect(admin.get_by_role("heading", name="Today", exact=True)).to_be_visible()


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


@pytest.fixture
def mail(house: House) -> House:
    """The house with its conversations, which is most of a day and sooner there."""
    fill_inbox(house)
    return house


def test_an_error_does_not_take_the_page_away(person: Person, mail: House, server: ConsoleServer) -> None:
    @server.app.get("/broken")
    async def broken() -> None:
        raise RuntimeError("on purpose")

    page = person("agent")
    here = f"/agent/inbox/{inbox_ids(mail)['held']}"
    page.goto(here)
    bar = page.get_by_role("navigation", name="Main places")
    failed = page.locator("#notices [data-kind=failed]")

    page.route("**/agent/today", lambda route: route.fulfill(status=502, body="<h1>Bad gateway</h1>"))
    bar.get_by_role("link", name="Today").click()
    expect(failed).to_contain_text("the server answered with an error (502)")
    expect(page.locator("#lead-name")).to_be_visible()
    expect(page).to_have_url(re.compile(f"{here}$"))
    page.unroute("**/agent/today")
    page.route("**/agent/today", lambda route: route.continue_(url=f"{server.url}/broken"))
    bar.get_by_role("link", name="Today").click()
    expect(page.get_by_role("main")).to_contain_text("Something went wrong on our side")
    page.unroute("**/agent/today")
    bar.get_by_role("link", name="Today").click()
    expect(page.get_by_role("heading", level=1, name="Today")).to_be_visible()

    page.goto(here)
    page.route("**/notes", lambda route: route.fulfill(status=502, body="<h1>Bad gateway</h1>"))
    page.route("**/check", lambda route: route.fulfill(status=500, body="<h1>Bad</h1>"))
    with page.expect_response("**/check"):
        page.get_by_label("Text to the lead").fill("Hello")
    page.get_by_label("New note").fill("Has a dog.")
    page.get_by_role("button", name="Add note").click()
    expect(failed).to_contain_text("What you typed is still here")
    expect(page.get_by_label("New note")).to_have_value("Has a dog.")
    expect(page.locator("#verdict-reply")).to_be_empty()
    page.unroute("**/notes")
    page.route("**/notes", lambda route: route.abort())
    page.get_by_role("button", name="Add note").click()
    expect(page.get_by_role("status").filter(has_text="there is no connection")).to_be_visible()
    expect(page.get_by_label("New note")).to_have_value("Has a dog.")
    page.unroute("**/notes")
    page.get_by_role("button", name="Add note").click()
    expect(page.locator("#notes")).to_contain_text("Has a dog.")


def test_what_was_typed_is_kept_until_it_was_taken(person: Person, mail: House) -> None:
    page = person("admin", 1280)
    ids = inbox_ids(mail)
    here = f"/admin/inbox/{ids['conversation']}"
    page.goto(here)
    reply, sends = page.locator("#reply-body"), page.get_by_role("button", name="Send", exact=True)
    templates = page.get_by_label("Start from a template")

    # A template comes beside what was typed, not in its place; and what is made of it is kept for itself.
    reply.fill("Hi Ann, Thursday suits me.")
    templates.select_option(label="Offer times")
    expect(reply).to_have_value(re.compile("is free to see"))
    reply.fill("Hi Ann, come by.")
    templates.select_option(label="None")
    expect(reply).to_have_value("Hi Ann, Thursday suits me.")
    templates.select_option(label="Offer times")
    expect(reply).to_have_value("Hi Ann, come by.")
    templates.select_option(label="None")
    expect(reply).to_have_value("Hi Ann, Thursday suits me.")

    # A draft that is refused, then any other button.
    drafted = page.locator(".draft textarea")
    drafted.fill("Hi Ann, call (212) 555-0142.")
    page.get_by_role("button", name="Approve and send").click()
    expect(page.get_by_role("alert")).to_contain_text("a phone number")
    page.get_by_label("New note").fill("Has a dog.")
    page.get_by_role("button", name="Add note").click()
    expect(page.locator("#notes")).to_contain_text("Has a dog.")
    expect(drafted).to_have_value("Hi Ann, call (212) 555-0142.")
    expect(page.get_by_label("New note")).to_have_value("")

    # The database away, then the session over: signed in again one is where one was.
    def away(route: Route) -> None:
        said = '<main id="main" data-error><p class="empty-title">So</p><p>The database does not answer.</p></main>'
        route.fulfill(status=503, content_type="text/html", body=said)

    page.route("**/reply", away)
    sends.click()
    expect(page.locator("#notices")).to_contain_text(
        "The database does not answer. What you typed is still here."
    )
    expect(reply).to_have_value("Hi Ann, Thursday suits me.")
    page.unroute("**/reply")
    with mail.rows() as conn:
        conn.execute(text("DELETE FROM session"))
    sends.click()
    page.get_by_label("Email").fill("admin@example.com")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url(f"**{here}")
    expect(reply).to_have_value("Hi Ann, Thursday suits me.")
    sends.click()
    expect(page.locator("#thread")).to_contain_text("Hi Ann, Thursday suits me.")
    page.reload()
    expect(reply).to_have_value("")

    # Who signs out leaves nothing to whoever comes next.
    reply.fill("Hi Ann, one more thing.")
    page.get_by_role("button", name="Sign out").click()
    page.wait_for_url("**/login")
    assert page.evaluate("Object.keys(sessionStorage).filter(name => name.startsWith('keep:'))") == []


def test_what_happens_while_nobody_listens_shows_all_the_same(
    person: Person, mail: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Every stream ends at once: each change falls between two.
    monkeypatch.setattr(live, "_LASTS", timedelta(0))
    each = UUID(inbox_ids(mail)["held"])
    page = person("agent", 1280)
    page.route("**/console/live?*", lambda route: route.fulfill(status=503))
    with page.expect_response("**/console/live?*"):
        page.goto(f"/agent/inbox/{each}")
    with mail.rows() as conn:
        rows.message(conn, each, body="Is there a lift?")
        step = audit.AuditEntry("system", "message", "1", "ingested", conversation_id=each)
        audit.record(conn, [step])
    page.unroute("**/console/live?*")
    expect(page.locator("#thread")).to_contain_text("Is there a lift?")
    with mail.rows() as conn:
        draft(conn, mail, each, "Hi Ed, there is one.", mail.clock())
    drafted = page.locator(".draft textarea")
    expect(drafted).to_have_value("Hi Ed, there is one.")
    drafted.fill("Hi Ed, there are two.")
    page.get_by_role("link", name="Today").first.click()
    expect(page.get_by_role("heading", level=1, name="Today")).to_be_visible()
    page.go_back()
    expect(drafted).to_have_value("Hi Ed, there are two.")


def seen_by(page: Page, hidden: bool) -> None:
    """As when the tab is left or come back to; headless Chromium shows every tab."""
    page.evaluate(
        """hidden => {
          Object.defineProperty(document, "hidden", { configurable: true, get: () => hidden });
          document.dispatchEvent(new Event("visibilitychange"));
        }""",
        hidden,
    )


def test_more_windows_than_a_browser_has_connections_are_all_told(person: Person, mail: House) -> None:
    """One of them has the stream for all; when it is left or closed, the next one has it."""
    first = person("agent", 1280)
    each = UUID(inbox_ids(mail)["held"])
    here = f"/agent/inbox/{each}"
    windows = [first, *(first.context.new_page() for _ in range(7))]
    for number, window in enumerate(windows):
        window.goto("/agent/appointments" if number in (0, 3, 5) else here)
    showing = [windows[number] for number in (1, 2, 4, 6, 7)]

    def lead_writes(body: str) -> None:
        with mail.rows() as conn:
            rows.message(conn, each, body=body)
            audit.record(conn, [audit.AuditEntry("system", "message", "1", "ingested", conversation_id=each)])
        for window in showing:
            expect(window.locator("#thread")).to_contain_text(body)

    folds = showing[-1].locator("#thread .why")
    folds.locator("summary").click()
    lead_writes("Is there a lift?")
    # What was opened stays so, and has the keyboard.
    expect(folds).to_have_attribute("open", "")
    expect(folds.locator("summary")).to_be_focused()
    # Who listens instead of looking is told, too.
    expect(showing[0].get_by_role("status").filter(has_text="Is there a lift?")).to_have_count(1)
    seen_by(first, hidden=True)
    lead_writes("And a cellar?")
    showing.pop(0).close()
    lead_writes("And a dog?")
    alone = first.context.new_page()
    alone.add_init_script("Object.defineProperty(Navigator.prototype, 'locks', { get: () => undefined })")
    alone.goto(here)
    showing.append(alone)
    lead_writes("He is small.")


def test_a_window_nobody_looks_at_reads_nothing(person: Person, mail: House) -> None:
    page = person("agent", 1280)
    ids = inbox_ids(mail)
    told: list[str] = []
    page.on("request", lambda request: told.append(request.url) if request.url.endswith("/seen") else None)
    page.add_init_script(
        """Object.defineProperty(document, "hidden", { configurable: true, get: () => true })"""
    )
    page.goto(f"/agent/inbox/{ids['held']}")
    expect(page.locator("[data-seen]")).to_have_count(1)
    page.evaluate("refresh()")
    assert told == []
    with page.expect_response("**/seen") as answer:
        seen_by(page, hidden=False)
    assert answer.value.ok
