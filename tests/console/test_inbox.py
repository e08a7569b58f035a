"""Inbox and conversation as a leasing team uses them."""

from __future__ import annotations

import re
from typing import Any
from uuid import UUID

import pytest
from playwright.sync_api import Page, expect
from sqlalchemy import text

from tests.api.house import House
from tests.console.day_inbox import Inbox, fill_inbox, open_calendars
from tests.console.people import Person, agrees
from tests.console.widths import WIDTHS, at, fits


@pytest.fixture
def inbox(house: House) -> Inbox:
    return fill_inbox(house)


def rows_of(house: House, query: str, **values: object) -> list[Any]:
    with house.database.engine.connect() as conn:
        return [tuple(row) for row in conn.execute(text(query), values)]


def outbox(house: House, conversation: UUID) -> list[Any]:
    return rows_of(
        house,
        'SELECT state, purpose, body FROM "OutboundDispatches" WHERE conversation_id = :id ORDER BY created_at, id',
        id=conversation,
    )


def told(page: Page, words: str) -> None:
    """The notice of what was just done."""
    expect(page.locator("#notices")).to_contain_text(words)


def open_lead(page: Page, name: str) -> None:
    page.get_by_test_id("inbox-row").get_by_role("link", name=name).click()
    expect(page.get_by_role("heading", level=1)).to_have_text(name)


def back_to_list(page: Page) -> None:
    """On a wide screen the list stands beside the conversation."""
    back = page.locator("main a.back")
    if back.is_visible():
        back.click()


def test_ten_that_wait_are_triaged_from_the_list(person: Person, house: House, inbox: Inbox) -> None:
    """Two at each width."""
    page = at(person("agent"), WIDTHS[0])
    page.goto("/agent/inbox")
    page.get_by_role("link", name="Waiting").click()
    expect(page.locator("[data-waiting]")).to_have_text("12")
    expect(page.get_by_test_id("inbox-row")).to_have_count(12)
    acts = {
        "Approve and send": ("Ann Lee", "Bo Park", "Cy Dunn", "Di Rossi"),
        "Send": ("Ed Okafor", "Fay Moss"),
        "Not interested": ("Gus Hill", "Ida Kern"),
        "Put aside": ("Jo Lund", "Kim Abe"),
    }
    answers = {"Not interested": "not interested", "Put aside": "Put aside"}
    for turn, (act, name) in enumerate((act, name) for act, names in acts.items() for name in names):
        at(page, WIDTHS[turn % len(WIDTHS)])
        back_to_list(page)
        fits(page)
        open_lead(page, name)
        fits(page)
        if act == "Send":
            page.locator("#reply-body").fill(f"Hi {name}, Thursday works.")
        page.get_by_role("button", name=act, exact=True).click()
        told(page, answers.get(act, "on its way"))
    expect(page.get_by_test_id("inbox-row")).to_have_count(2)
    expect(page.get_by_test_id("inbox-row").get_by_text("Sending needs a look")).to_have_count(2)
    for each in inbox.to_approve:
        assert [row[:2] for row in outbox(house, each)] == [("queued", "approved_draft")]
    acted = ("inbox_message_approved", "conversation_snoozed")
    assert [len(house.audits(action)) for action in acted] == [4, 2]
    assert rows_of(
        house, """SELECT count(*) FROM "Conversations" WHERE workflow_outcome = 'not_interested'"""
    ) == [(2,)]


def test_the_list_is_paged_searched_and_marked(person: Person, house: House, inbox: Inbox) -> None:
    """Behaviours 132 and 134."""
    page = person("admin", 1280)
    page.goto("/admin/inbox")
    expect(page.get_by_test_id("inbox-row")).to_have_count(20)
    summary = page.get_by_test_id("inbox-pagination-summary")
    expect(summary).to_have_text("1 / 3")
    first = page.get_by_test_id("inbox-row").first.inner_text()
    page.get_by_role("link", name="Next").click()
    expect(summary).to_have_text("2 / 3")
    page.get_by_role("link", name="Next").click()
    expect(summary).to_have_text("3 / 3")
    page.get_by_role("link", name="Previous").click()
    expect(summary).to_have_text("2 / 3")
    page.get_by_role("link", name="Previous").click()
    expect(summary).to_have_text("1 / 3")
    assert page.get_by_test_id("inbox-row").first.inner_text() == first
    assert page.get_by_test_id("inbox-card-list").locator("*").count() <= 700
    expect(page.locator(".unread")).to_have_count(20)
    with page.expect_response("**/seen"):
        open_lead(page, "Bo Park")
    row = page.get_by_test_id("inbox-row").filter(has_text="Bo Park")
    expect(row).to_have_attribute("aria-current", "true")  # side by side
    expect(page.locator("#thread")).to_contain_text("Could I see it on Thursday")
    expect(page.get_by_text("The thread names the advert's number")).to_be_visible()
    page.get_by_text("Why this reply?").click()
    expect(page.locator(".draft")).to_contain_text("Asks for a viewing, 90 % sure")
    page.get_by_label("Search lead, advert or unit").fill("bo p")
    page.get_by_role("button", name="Search").click()
    expect(page.get_by_test_id("inbox-row")).to_have_count(1)
    expect(page.locator(".unread")).to_have_count(0)
    page.locator("summary", has_text="Filters").click()
    page.get_by_role("combobox", name="Platform").select_option("roomies")
    page.get_by_role("button", name="Apply filters").click()
    expect(page.get_by_text("No conversation fits")).to_be_visible()


def test_a_draft_is_edited_rejected_and_approved(person: Person, house: House, inbox: Inbox) -> None:
    page = person("admin")
    each = inbox.to_approve[0]
    page.goto(f"/admin/inbox/{each}")
    field = page.locator(".draft textarea")
    field.fill("Hi Ann, see www.example.com for it.")
    expect(page.locator(".draft .verdict")).to_contain_text("It contains a link")
    page.get_by_role("button", name="Approve and send").click()
    expect(page.get_by_role("alert")).to_contain_text("contains a link")
    expect(field).to_have_value("Hi Ann, see www.example.com for it.")
    assert outbox(house, each)[0][0] == "draft"
    for width, greeting in zip(WIDTHS, ("Hello", "Dear", "Hey", "Good day", "Hi"), strict=True):
        at(page, width)
        field.fill(f"{greeting} Ann, Thursday at six?")
        expect(page.locator(".draft .verdict")).to_contain_text("Nothing speaks against")
        fits(page)
        page.get_by_role("button", name="Save draft").click()
        expect(page.locator(".draft [name=before]")).to_have_value(f"{greeting} Ann, Thursday at six?")
        told(page, "Saved")
    page.goto(f"/admin/inbox/{inbox.held[0]}")
    page.locator("#reply-body").fill("Hi Ed, Thursday at six?")
    page.get_by_role("button", name="Keep as a draft").click()
    told(page, "Kept as a draft")
    for draft, width in zip((inbox.held[0], *inbox.to_approve[1:], each), WIDTHS, strict=True):
        at(page, width).goto(f"/admin/inbox/{draft}")
        page.get_by_role("button", name="Reject").click()
        told(page, "Rejected")
        fits(page)
        assert outbox(house, draft)[0][0] == "held"
    assert outbox(house, each) == [("held", "decision", "Hi Ann, Thursday at six?")]
    page.get_by_role("button", name="Approve and send").click()
    told(page, "on its way")
    expect(page.locator(".draft")).to_have_count(0)
    expect(page.locator("#thread")).to_contain_text("Queued: goes out as soon as")
    assert outbox(house, each) == [("queued", "approved_draft", "Hi Ann, Thursday at six?")]


def test_a_reply_of_ones_own_from_a_template_held_by_a_guardrail_and_sent_once(
    person: Person, house: House, inbox: Inbox
) -> None:
    page = person("admin", WIDTHS[0])
    each = inbox.held[0]
    page.goto(f"/admin/inbox/{each}")
    page.get_by_label("Start from a template").select_option(str(inbox.template))
    body = page.locator("#reply-body")
    expect(body).to_have_value("Hi Ed Okafor, Elm House 1A is free to see: {{ slot }}. Does that suit you?")
    expect(page.get_by_text("Fill in what is between the braces")).to_be_visible()
    page.get_by_role("button", name="Send", exact=True).click()
    expect(page.get_by_role("alert")).to_contain_text("Slot has no value")
    body.fill("Hi Ed, call me on (212) 555-0142.")
    expect(page.locator("#verdict-reply")).to_contain_text("a phone number")
    page.get_by_role("button", name="Send", exact=True).click()
    told(page, "Not sent: it contains a phone number")
    for other_lead, width in zip(inbox.held[2:], WIDTHS[1:], strict=True):
        at(page, width).goto(f"/admin/inbox/{other_lead}")
        body.fill("Call me on (212) 555-0142.")
        expect(page.locator("#verdict-reply")).to_contain_text("a phone number")
        fits(page)
        page.get_by_role("button", name="Send", exact=True).click()
        told(page, "Not sent: it contains a phone number")
        assert [row[0] for row in outbox(house, other_lead)] == ["draft"]
    page.goto(f"/admin/inbox/{each}")
    other = person("admin")
    other.goto(f"/admin/inbox/{inbox.held[1]}")
    other.locator("#reply-body").fill("Call (212) 555-0142.")
    other.get_by_role("button", name="Keep as a draft").click()
    told(other, "Kept as a draft. It can not go out like this: it contains a phone number")
    expect(page.locator(".draft textarea")).to_have_value("Hi Ed, call me on (212) 555-0142.")
    assert [row[0] for row in outbox(house, each)] == ["draft"]
    key = page.locator("#reply input[name=key]").get_attribute("value")
    form = {"body": "Hi Ed, Thursday works.", "key": key or "", "act": "send"}
    for _ in "ab":
        answer = house.client.post(
            f"/admin/inbox/{each}/reply",
            data=form,
            headers={"cookie": house.cookies["admin"]},
            follow_redirects=False,
        )
        assert answer.status_code == 303
    sent = [row for row in outbox(house, each) if row[0] == "queued"]
    assert sent == [("queued", "manual_reply", "Hi Ed, Thursday works.")], "a double tap sends once"


def test_two_people_on_one_draft(person: Person, house: House, inbox: Inbox) -> None:
    each = inbox.to_approve[1]
    first, second = person("admin", 1280), person("agent")
    first.goto(f"/admin/inbox/{each}")
    second.goto(f"/agent/inbox/{each}")
    second.locator(".draft textarea").fill("Hi Bo, mine.")
    first.locator(".draft textarea").fill("Hi Bo, theirs.")
    first.get_by_role("button", name="Save draft").click()
    told(first, "Saved")
    second.get_by_role("button", name="Approve and send").click()
    expect(second.get_by_role("alert")).to_contain_text("Somebody changed this meanwhile")
    expect(second.locator(".draft .said")).to_have_text("Hi Bo, theirs.")
    expect(second.locator(".draft textarea")).to_have_value("Hi Bo, mine.")
    assert outbox(house, each) == [("draft", "decision", "Hi Bo, theirs.")]
    second.get_by_role("button", name="Approve and send").click()
    told(second, "on its way")
    expect(first.locator("#thread")).to_contain_text("Queued")  # live, without a reload
    assert outbox(house, each) == [("queued", "approved_draft", "Hi Bo, mine.")]


def test_who_takes_care_of_it(person: Person, house: House, inbox: Inbox) -> None:
    each = inbox.special["queued"]
    page, other = person("agent"), person("admin", 1280)
    other.goto(f"/admin/inbox/{each}")
    page.goto(f"/agent/inbox/{each}")
    page.get_by_role("button", name="Take over").click()
    told(page, "You answer now")
    assert outbox(house, each)[0][0] == "held", "nothing the bot had queued goes out"
    expect(other.locator("#facts")).to_contain_text("agent answers, the bot does not")
    page.get_by_label("New note").fill("Wants to bring a dog.")
    page.get_by_role("button", name="Add note").click()
    told(page, "Noted for the team")
    expect(other.locator("#notes")).to_contain_text("Wants to bring a dog.")
    page.get_by_label("Put aside for").select_option("4")
    page.get_by_role("button", name="Put aside").click()
    expect(page.locator("#facts")).to_contain_text("Put aside until")
    page.get_by_role("button", name="Bring back now").click()
    told(page, "Back among what waits")
    page.get_by_role("button", name="Hand back to the bot").click()
    told(page, "Handed back")
    other.goto(f"/admin/inbox/{each}")
    agrees(other)
    other.get_by_role("button", name="Remove note").click()
    told(other, "Note removed")
    other.get_by_label("Agent in charge").select_option(str(house.marco))
    other.get_by_role("button", name="Assign", exact=True).click()
    told(other, "Given to Marco Klein")
    page.reload()
    expect(page.get_by_text("it belongs to another agent")).to_be_visible()
    actions = ("taken_over", "note_added", "snoozed", "woken", "handed_back", "note_removed", "assigned")
    assert [len(house.audits(f"conversation_{action}")) for action in actions] == [1] * 7


def test_outcomes_are_one_tap_and_say_why_they_can_not_be(person: Person, house: House, inbox: Inbox) -> None:
    page, late = person("admin"), person("admin", java_script_enabled=False)
    each = inbox.held[1]
    was = outcome_of(house, each)
    for shown in (page, late):
        shown.goto(f"/admin/inbox/{each}")
    page.get_by_role("button", name="Not interested").click()
    told(page, "not interested")
    back = page.get_by_role("button", name="Take it back").bounding_box()
    assert back is not None
    assert back["height"] < 50, "in one line"
    page.get_by_role("button", name="Take it back").click()
    told(page, "Taken back")
    assert outcome_of(house, each) == was
    expect(page.get_by_role("button", name="Take it back")).to_have_count(0)
    page.get_by_role("button", name="Completed").click()
    told(page, "completed")
    # Somebody else's page is older than that.
    late.get_by_role("button", name="Reschedule").click()
    expect(late.get_by_role("alert")).to_contain_text("completed")
    assert outcome_of(house, each) == [("completed", "completed")]


def outcome_of(house: House, conversation: UUID) -> list[Any]:
    query = 'SELECT workflow_outcome, showing_state FROM "Conversations" WHERE id = :id'
    return rows_of(house, query, id=conversation)


def test_times_are_offered_and_booked_by_hand(person: Person, house: House, inbox: Inbox) -> None:
    open_calendars(house)
    each = inbox.held[2]
    page = person("agent")
    page.goto(f"/agent/inbox/{each}")
    page.get_by_label("Start from a template").select_option(str(inbox.template))
    expect(page.locator("#reply-body")).to_have_value(
        re.compile("is free to see: Tue, Mar 3 12:00 PM - 12:30 PM EST")
    )
    page.get_by_role("link", name="Offer or book times").click()
    page.get_by_role("button", name="Offer in my reply").click()
    expect(page.get_by_role("alert")).to_contain_text("Choose one to 3 times")
    times = page.get_by_role("checkbox")
    times.nth(0).check()
    times.nth(1).check()
    page.get_by_role("button", name="Offer in my reply").click()
    told(page, "stand in your reply")
    assert page.locator("#reply-body").input_value().count("\n- ") == 2
    page.get_by_role("button", name="Send", exact=True).click()
    told(page, "on its way")
    asked = (
        """SELECT position, state, label FROM "SlotOffers" WHERE conversation_id = :id ORDER BY position"""
    )
    told_times = [row for row in rows_of(house, asked, id=each) if row[2].startswith("Tue, Mar 3")]
    assert [row[:2] for row in told_times] == [(1, "offered"), (2, "offered")]
    page.get_by_role("link", name="Offer or book times").click()
    times.nth(0).check()
    page.get_by_role("button", name="Book it").click()
    told(page, "Booked")
    expect(page.locator("#reply-body")).to_have_value(
        "Your viewing of Elm House 1A is booked: Tue, Mar 3 12:00 PM - 12:30 PM EST."
    )
    expect(page.locator("#facts")).to_contain_text("Showing confirmed")
    assert rows_of(
        house,
        'SELECT status, agent_id, source FROM "ShowingAppointments" WHERE conversation_id = :id',
        id=each,
    ) == [("confirmed", house.dana, "console")]
    # Whether somebody came can't be told before it has begun; that it won't do can, and can be taken back.
    expect(page.get_by_text("can be noted once the showing has begun")).to_be_visible()
    expect(page.get_by_role("button", name="Completed")).to_have_count(0)
    refused = house.send("agent", f"/agent/inbox/{each}/outcome", outcome="no_show")
    assert refused.status_code == 409
    assert "can be noted once it has begun" in refused.text
    page.get_by_role("button", name="Reschedule").click()
    told(page, "wants another time")
    assert outcome_of(house, each) == [("wants_reschedule", "reschedule_requested")]
    page.get_by_role("button", name="Take it back").click()
    told(page, "Taken back")
    assert outcome_of(house, each) == [("showing_confirmed", "confirmed")]
    page.get_by_role("button", name="Not interested").click()
    told(page, "still stands: cancel it")
    page.get_by_role("button", name="Take it back").click()
    told(page, "Taken back")
    assert outcome_of(house, each) == [("showing_confirmed", "confirmed")]


def test_replies_in_doubt_and_given_up_are_settled(person: Person, house: House, inbox: Inbox) -> None:
    page = person("admin")
    page.goto(f"/admin/inbox/{inbox.special['failed']}")
    expect(page.locator("#thread")).to_contain_text("Failed: given up")
    page.get_by_role("button", name="Try again").click()
    told(page, "queued")
    page.goto(f"/admin/inbox/{inbox.special['unknown']}")
    page.get_by_role("button", name="It did arrive").click()
    told(page, "sent")
    expect(page.locator("#thread")).to_contain_text("Sent, seen in the thread")
    assert outbox(house, inbox.special["failed"])[0][0] == "queued"
    agent = person("agent")
    agent.goto(f"/agent/inbox/{inbox.special['failed']}")
    expect(agent.get_by_role("button", name="Stop it")).to_have_count(0)


def test_an_agent_settles_the_deliveries_of_its_own_leads(person: Person, house: House, inbox: Inbox) -> None:
    page = person("agent")
    page.goto("/agent/today")
    page.get_by_role("link", name="The reply to Paula Frey could not be sent").click()
    expect(page.locator("#thread")).to_contain_text("is the reply there?")
    page.get_by_role("button", name="Try again").click()
    told(page, "queued")
    page.goto(f"/agent/inbox/{inbox.special['unknown']}")
    expect(page.get_by_role("button", name="Try again")).to_have_count(0)
    agrees(page)
    page.get_by_role("button", name="Discard").click()
    told(page, "cancelled")
    [retried] = house.audits("platform_dispatch_retried")
    assert (retried["actor_type"], retried["conversation_id"]) == ("agent", inbox.special["failed"])


@pytest.mark.parametrize("what", ["", "/slots"])
def test_another_agents_conversation_is_not_there(
    person: Person, house: House, inbox: Inbox, what: str
) -> None:
    page = person("agent")
    answer = page.goto(f"/agent/inbox/{inbox.special['foreign']}{what}")
    assert answer is not None
    assert answer.status == 404
    expect(page.get_by_text("it belongs to another agent")).to_be_visible()
    for width in WIDTHS:
        fits(at(page, width))
    for act in ("reply", "steer", "notes", "outcome", "seen", "check", "slots"):
        posted = house.client.post(
            f"/agent/inbox/{inbox.special['foreign']}/{act}",
            data={"body": "x", "act": "take-over", "outcome": "completed"},
            headers={"cookie": house.cookies["agent"]},
        )
        assert posted.status_code == 404, act
    assert page.goto(f"/admin/inbox/{inbox.held[0]}").status == 403  # type: ignore[union-attr]


def test_without_script_it_is_read_and_answered(person: Person, house: House, inbox: Inbox) -> None:
    page = person("agent", java_script_enabled=False)
    page.goto("/agent/inbox?status=waiting")
    page.get_by_role("link", name="Ed Okafor").click()
    expect(page.locator("#thread")).to_contain_text("is the room still available")
    page.get_by_label("Start from a template").select_option(str(inbox.template))
    page.get_by_role("button", name="Fill in").click()
    page.locator("#reply-body").fill("Hi Ed, Thursday works.")
    page.get_by_role("button", name="Send", exact=True).click()
    told(page, "on its way")
    expect(page.locator("#thread")).to_contain_text("Hi Ed, Thursday works.")
    assert outbox(house, inbox.held[0]) == [("queued", "manual_reply", "Hi Ed, Thursday works.")]
    page.goto(f"/agent/inbox/{inbox.to_approve[0]}")
    page.locator(".draft textarea").fill("Hi Ann, see www.example.com")
    page.get_by_role("button", name="Approve and send").click()
    expect(page.get_by_role("alert")).to_contain_text("a link")
    expect(page.locator(".draft textarea")).to_have_value("Hi Ann, see www.example.com")
