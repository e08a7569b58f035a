"""What somebody typed stays beside what is filled in, a question says what its answers do, and after each answer the
reader is at what it made, with the next thing one tap away."""

from __future__ import annotations

import re

from playwright.sync_api import Page, expect
from sqlalchemy import text

from tests.api.house import House
from tests.console.day_inbox import fill_inbox, inbox_ids, open_calendars
from tests.console.people import Person, accessibility_faults, small_targets

NEW_YORK = "America/New_York"


def test_a_reply_keeps_what_was_typed_beside_a_template_and_above_an_offer(
    person: Person, house: House
) -> None:
    fill_inbox(house)
    open_calendars(house)
    page = person("agent")
    page.goto(f"/agent/inbox/{inbox_ids(house)['held']}")
    reply, back = page.locator("#reply-body"), page.get_by_role("link", name="Put back what I typed")
    page.get_by_label("Start from a template").select_option(label="Offer times")
    expect(reply).to_have_value(re.compile("is free to see"))
    expect(back).to_be_hidden()  # nothing was typed
    page.get_by_label("Start from a template").select_option(label="None")
    expect(reply).to_have_value("")
    reply.fill("Hi Ed, thanks for asking.")
    page.get_by_label("Start from a template").select_option(label="Offer times")
    expect(reply).to_have_value(re.compile("is free to see"))
    expect(back).to_be_visible()
    assert small_targets(page) == []
    back.click()
    expect(reply).to_have_value("Hi Ed, thanks for asking.")
    expect(page.locator("#reply-title")).to_be_in_viewport()
    expect(back).to_be_hidden()

    page.set_viewport_size({"width": 375, "height": 520})  # the reply is far below the top

    def offer(number: int) -> None:
        page.get_by_role("link", name="Offer or book times").click()
        page.get_by_role("checkbox").nth(number).check()
        page.get_by_role("button", name="Offer in my reply").click()
        expect(page.locator("#notices")).to_contain_text("stand in your reply")
        expect(reply).to_be_in_viewport()
        assert page.evaluate("scrollY") > 100

    offer(0)
    first = "Hi Ed, thanks for asking.\n\nWould Tue, Mar 3 12:00 PM - 12:30 PM EST (Dana Reyes) work for you?"
    expect(reply).to_have_value(first)
    expect(back).to_be_hidden()  # it stands there
    page.reload()
    expect(reply).to_have_value(first)
    reply.fill(f"{first} It has a lift.")
    offer(1)
    expect(reply).to_have_value(re.compile(r"^Hi Ed[^$]* It has a lift\.\n\nWould Tue, .* work for you\?$"))
    page.get_by_role("button", name="Send", exact=True).click()
    expect(page.locator("#thread")).to_contain_text("It has a lift.")
    page.reload()
    expect(reply).to_have_value("")
    with house.rows() as conn:  # the lead's answer is read against both
        count = conn.execute(text("""SELECT count(*) FROM "SlotOffers" WHERE state = 'offered'"""))
        assert count.scalar_one() == 2


def test_a_calendar_stays_open_where_it_was_and_shows_what_was_made(person: Person, house: House) -> None:
    with house.rows() as conn:
        conn.exec_driver_sql(f"""UPDATE "Agents" SET timezone = '{NEW_YORK}'""")
    page = person("agent")
    page.goto("/agent/availability")
    for title in ("Add a weekly rule", "Add an exception"):
        page.locator("summary", has_text=title).click()
    page.get_by_role("button", name="Add the rule").click()
    expect(page.locator("#notices")).to_contain_text("The weekly rule holds")
    rule = page.get_by_test_id("rules-of-calendar").locator("li", has_text="Tuesday")
    expect(rule).to_be_in_viewport()
    assert page.locator("details[open] > summary").all_inner_texts() == [
        "Add a weekly rule",
        "Add an exception",
    ]
    added = page.locator("details", has=page.get_by_role("button", name="Add the exception"))
    added.get_by_label("Day", exact=True).fill("2026-03-04")
    added.get_by_label("The whole day").check()
    added.get_by_role("button", name="Add the exception").click()
    expect(page.locator("#notices")).to_contain_text("The exception holds")
    row = page.get_by_test_id("exceptions-of-calendar").locator("li", has_text="Mar 4")
    expect(row).to_be_in_viewport()
    notice = page.locator(".notice").bounding_box()
    place = row.bounding_box()
    assert notice
    assert place
    assert place["y"] >= notice["y"] + notice["height"], "the notice covers it"
    expect(added.get_by_label("Day", exact=True)).to_be_visible()

    page.locator("summary", has_text="Copy a week").click()
    page.get_by_label("To the week with this day").fill("2026-03-12")
    page.get_by_role("button", name="Copy the week").click()
    expect(page.locator("#notices")).to_contain_text("copied")
    copied = page.get_by_test_id("week-bars").locator("li", has_text="Wed, Mar 11")
    expect(copied.locator("p")).to_have_text("Not available all day")
    expect(page.locator("#week-title")).to_be_in_viewport()
    zone = page.get_by_label("Zone of this calendar").bounding_box()
    assert zone
    assert zone["width"] > 250, "the zone's name is cut"
    page.get_by_role("button", name="Make an address").click()
    address = page.get_by_label("Calendar address")
    expect(address.locator("xpath=../..").get_by_role("button", name="Copy")).to_be_visible()


def test_a_question_says_what_its_answers_do_and_half_a_template_is_kept(
    person: Person, house: House
) -> None:
    house.ask("admin", "POST", "/api/templates", {"name": "greeting", "body": "Hi {{ lead_name }}."})
    page = person("admin")
    page.goto("/admin/templates")
    page.get_by_role("link", name="greeting").click()
    body = page.get_by_role("textbox", name="Text")
    expect(body).to_have_value("Hi {{ lead_name }}.")
    body.fill("Dear {{ lead_name }}, half a")
    page.get_by_role("link", name="All templates").click()
    page.get_by_role("link", name="greeting").click()
    expect(body).to_have_value("Dear {{ lead_name }}, half a")
    expect(page.locator("#preview")).to_contain_text("Dear Alex, half a")
    expect(page.get_by_text("typed here before and not saved")).to_be_visible()
    page.reload()
    expect(page.locator("#preview")).to_contain_text("Dear Alex, half a")
    assert small_targets(page) == []
    page.get_by_role("button", name="Back to what is saved").click()
    expect(body).to_have_value("Hi {{ lead_name }}.")
    expect(page.locator("#preview")).to_contain_text("Hi Alex.")
    page.reload()
    expect(body).to_have_value("Hi {{ lead_name }}.")
    expect(page.get_by_text("typed here before and not saved")).to_be_hidden()

    asked, remove = page.get_by_role("alertdialog"), page.get_by_role("button", name="Remove this template")
    remove.click()
    expect(asked).to_contain_text("Remove the template Greeting?")
    assert asked.get_by_role("button").all_inner_texts() == ["Keep it", "Remove the template"]
    expect(asked.get_by_role("button", name="Keep it")).to_be_focused()
    assert (accessibility_faults(page), small_targets(page)) == ([], [])
    for _ in range(3):
        page.keyboard.press("Tab")
        assert page.evaluate(
            "document.activeElement === document.body || !!document.activeElement.closest('dialog')"
        )
    page.keyboard.press("Escape")
    expect(asked).to_have_count(0)
    expect(remove).to_be_focused()
    remove.click()
    asked.get_by_role("button", name="Keep it").click()
    expect(body).to_have_value("Hi {{ lead_name }}.")
    remove.click()
    asked.get_by_role("button", name="Remove the template").click()
    expect(page.get_by_text("No templates yet")).to_be_visible()


def test_one_goes_from_what_waits_to_the_next(person: Person, house: House) -> None:
    fill_inbox(house)
    page = person("agent", 1280)
    page.goto("/agent/inbox?status=waiting")
    rows = page.get_by_test_id("inbox-row")
    seventh = rows.nth(6).get_by_role("link")
    seventh.scroll_into_view_if_needed()
    frame = page.locator(".split-list")
    expect(frame.get_by_role("navigation", name="Pages")).to_have_count(0)  # one page has none to go to
    was = frame.evaluate("list => list.scrollTop")
    assert was > 100
    name = seventh.inner_text().partition(",")[0]
    seventh.click()
    expect(page.get_by_role("heading", level=1)).to_have_text(name)
    expect(rows.nth(6)).to_be_in_viewport()
    assert abs(frame.evaluate("list => list.scrollTop") - was) < 40

    def gone_out(words: str) -> None:
        """What was just sent is in sight, and nothing covers it or the box below."""
        badge = page.locator("#thread .delivery").last
        expect(badge).to_contain_text("Queued")
        expect(badge).to_be_in_viewport()
        expect(page.locator(".notice")).to_contain_text(words)
        assert not overlap(page, ".notice", "#thread .delivery >> nth=-1")
        assert not overlap(page, ".notice", "#reply-body")

    page.locator("#reply-body").fill("Hi, yes: come by.")
    page.get_by_role("button", name="Send", exact=True).click()
    gone_out("on its way")
    onward = page.locator(".notice").get_by_role("link", name="Next that waits")
    first = rows.first.get_by_role("link").inner_text().partition(",")[0]
    onward.click()
    expect(page.get_by_role("heading", level=1)).to_have_text(first)
    assert page.url.endswith("?status=waiting")
    expect(rows.first).to_be_in_viewport()

    page.goto("/agent/inbox?status=draft")
    seen = []
    rows.first.get_by_role("link").click()
    expect(page.get_by_label("Text of the draft")).to_have_count(1)
    expect(page.get_by_label("Text to the lead")).to_have_attribute("id", "reply-body")
    for act in ("Approve and send", "Reject", "Approve and send"):
        expect(page.locator("#next-up")).to_be_visible()
        seen.append(page.get_by_role("heading", level=1).inner_text())
        page.get_by_role("button", name=act).click()
        if act == "Reject":
            expect(page.locator(".notice")).to_contain_text("Rejected")
        else:
            gone_out("on its way")
        page.locator(".notice").get_by_role("link", name="Next that waits").click()
        expect(page.get_by_role("heading", level=1)).not_to_have_text(seen[-1])
    assert seen == ["Ann Lee", "Bo Park", "Cy Dunn"]
    expect(page.get_by_role("heading", level=1)).to_have_text("Nils Urban")
    page.goto("/agent/inbox?status=draft&q=nils+urban")
    rows.first.get_by_role("link").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Nils Urban")
    expect(page.get_by_role("link", name="Next that waits")).to_have_count(0)


def overlap(page: Page, one: str, other: str) -> bool:
    a, b = (page.locator(each).bounding_box() for each in (one, other))
    assert a
    assert b
    return (
        a["x"] < b["x"] + b["width"]
        and b["x"] < a["x"] + a["width"]
        and a["y"] < b["y"] + b["height"]
        and b["y"] < a["y"] + a["height"]
    )
