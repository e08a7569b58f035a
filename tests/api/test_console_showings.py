"""What the console's pages say of showings: what the lead was not told, what is held, why a time is not free."""

from __future__ import annotations

import html
import re
from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest

from api.console.conversation_view import slot_key
from leasebot_pipeline.domain.slots import Slot, label
from leasebot_pipeline.storage import slot_offers
from leasebot_pipeline.storage.handshake import load_offers
from leasebot_pipeline.storage.tables import accounts
from tests.api.house import SPAREROOM, House
from tests.api.test_replies import conversation, draft, outbox, reply
from tests.api.test_reply_offers import free
from tests.console.day_showings import open_calendars
from tests.console.test_statements import STATEMENTS, counted
from tests.storage import rows

HALF = timedelta(minutes=30)
_KEY = r'value="(\d+\.[^"]+)"'


@pytest.fixture
def each(house: House) -> UUID:
    """A conversation of Dana's about a unit that can be shown on weekdays."""
    open_calendars(house)
    with house.rows() as conn:
        values = {"unit_id": house.unit, "platform_account_id": SPAREROOM, "rent_cents": 1}
        listing = rows.add(conn, accounts.listings, **values)
    return conversation(house, listing_id=listing)


def book(house: House, each: UUID, slot: Slot, key: str) -> Any:
    """By hand, on the page of free times."""
    return house.send("agent", f"/agent/inbox/{each}/slots", act="book", slot=slot_key(slot), key=key)


def booked(house: House) -> str:
    [item] = house.ask("admin", "GET", "/api/showing-appointments").json()["items"]
    return str(item["id"])


def move(house: House, showing: str, slot: Slot, **more: str) -> Any:
    chosen = f"{slot.starts_at.isoformat()}|{slot.ends_at.isoformat()}|{slot.agent_id}"
    return house.send("agent", f"/agent/appointments/{showing}", slot=chosen, **more)


def without_agent(slot: Slot) -> str:
    return label(slot).rpartition(" (")[0]


def test_a_lead_who_was_not_told_of_a_change_is_told_by_a_person(house: House, each: UUID) -> None:
    first, second, third = free(house, each)[:3]
    assert book(house, each, first, "key-1").headers["location"].endswith("?say=booked#reply")
    reply(house, each, "agent", body=f"Booked: {without_agent(first)}.")
    showing = booked(house)
    page, telling = f"/agent/appointments/{showing}", f"/agent/inbox/{each}?say="
    assert "does not know yet" not in house.page("agent", page)

    # From the list: the notice leads on. Twice moved, the lead still has the first time in mind.
    for key, slot in (("move-1", third), ("move-2", second)):
        answer = move(house, showing, slot, key=key, back="/agent/appointments")
        assert answer.headers["location"] == "/agent/appointments"
        assert house.notice(answer).endswith("The lead does not know yet.")
        cookies = f"{house.cookies['agent']}; {answer.headers['set-cookie'].split(';')[0]}"
        listed = house.client.get("/agent/appointments", headers={"cookie": cookies}).text
        assert f'href="{telling}moved#reply">Tell the lead</a>' in listed
    assert f'href="{telling}moved#reply">Tell the lead</a>' in house.page("agent", page)
    told = f"It is now: {without_agent(second)}, instead of: {without_agent(first)}."
    assert told in house.page("agent", f"{telling}moved")
    assert reply(house, each, "agent", body=f"Your viewing was moved. {told}").json()["queued"] is True
    assert "does not know yet" not in house.page("agent", page)

    answer = house.send("agent", page, status="cancelled")
    assert house.notice(answer) == "The showing is cancelled. The lead does not know yet."
    assert f'href="{telling}cancelled#reply">Tell the lead</a>' in house.page("agent", page)
    assert f"is cancelled: {without_agent(second)}." in house.page("agent", f"{telling}cancelled")
    assert len(house.audits("inbox_manual_reply_dispatched")) == 2, "nothing was said by itself"


def test_a_showing_moved_from_its_conversation_says_so(house: House, each: UUID) -> None:
    first, second = free(house, each)[:2]
    book(house, each, first, "key-1")
    moved = book(house, each, second, "key-2")
    assert house.notice(moved) == "Moved. The lead does not know yet: send the reply below."
    shown = house.page("agent", moved.headers["location"].partition("#")[0])
    assert f"instead of: {without_agent(first)}." in shown


def offered(house: House, each: UUID, *slots: Slot) -> tuple[str, str]:
    """A draft of the bot's that offers these times: its message and its text."""
    body = "We can show it:\n" + "\n".join(f"- {label(slot)}" for slot in slots)
    message = draft(house, each, body)
    with house.rows() as conn:
        query = 'SELECT decision_id FROM "OutboundDispatches" WHERE message_id = :id'
        decision = rows.value(conn, query, id=message)
        told = [
            {
                "conversation_id": each,
                "decision_id": decision,
                "unit_id": slot.unit_id,
                "agent_id": slot.agent_id,
                "starts_at": slot.starts_at,
                "ends_at": slot.ends_at,
                "timezone": slot.timezone,
                "label": label(slot),
                "position": position,
            }
            for position, slot in enumerate(slots, start=1)
        ]
        slot_offers.offer(conn, told, house.clock())
    return str(message), body


def take(house: House, slot: Slot) -> None:
    """Somebody else sees the unit then."""
    with house.rows() as conn:
        span = {"starts_at": slot.starts_at, "ends_at": slot.ends_at, "timezone": slot.timezone}
        rows.showing(conn, house.dana, house.unit, platform_account_id=SPAREROOM, **span)


def test_a_draft_that_offers_a_taken_time_is_not_approved(house: House, each: UUID) -> None:
    first, second, third = free(house, each)[:3]
    message, body = offered(house, each, first, second, third)
    page, path = f"/agent/inbox/{each}", f"/api/inbox/messages/{message}"
    assert "no longer free" not in house.page("agent", page)
    take(house, second)
    with counted(house) as cost:
        shown = house.page("agent", page)
    assert len(cost.statements) <= STATEMENTS, cost.statements
    assert f"{label(second)} is no longer free: the unit is taken then. Take it out" in shown
    assert f'href="{page}/slots">Offer other times</a>' in shown

    refused = house.ask("agent", "POST", f"{path}/approve")
    assert (refused.status_code, refused.json()["error"]) == (409, "offered_times_taken")
    assert f"No longer free: {label(second)}. Take it out of the text" in refused.json()["message"]
    at = second.starts_at.strftime("%Y-%m-%dT%H:%M:%S.000Z")
    assert refused.json()["times"] == [{"label": label(second), "startsAt": at, "reason": "slot_full"}]
    version = re.search(r'name="version" value="([^"]+)"', shown)
    assert version is not None
    form = {"version": html.unescape(version[1]), "before": body, "body": body, "act": "approve"}
    answer = house.send("agent", f"{page}/drafts/{message}", **form)
    assert answer.status_code == 409
    assert "Not approved: a time that it offers is no longer free." in answer.text
    assert f"{label(second)} is no longer free: the unit is taken then." in answer.text
    assert [row["state"] for row in outbox(house, each)] == ["draft"]

    # Without that time it may go, and the lead's "the second one" is the second it reads.
    form["body"] = body.replace(f"- {label(second)}\n", "")
    assert house.send("agent", f"{page}/drafts/{message}", **form).status_code == 303
    assert [row["state"] for row in outbox(house, each)] == ["queued"]
    with house.rows() as conn:
        offer = load_offers(conn, [each], house.clock())[each]
    assert [slot.starts_at for slot in offer.slots] == [first.starts_at, third.starts_at]


@pytest.mark.parametrize("lost", ["passed", "agent", "own"])
def test_what_an_own_draft_offers_is_looked_at_when_it_is_approved(
    house: House, each: UUID, lost: str
) -> None:
    first = free(house, each)[0]
    wanted = [{"startsAt": first.starts_at.isoformat(), "agentId": str(first.agent_id)}]
    review = {"requiresAdminReview": True}
    kept = reply(house, each, body=f"{label(first)}?", offeredSlots=wanted, metadata=review).json()
    if lost == "passed":
        house.clock.forward(first.starts_at - house.clock())
    elif lost == "agent":
        with house.rows() as conn:
            conn.execute(accounts.unit_agent_assignments.delete())
    else:  # the lead's own hold is not in the way
        with house.rows() as conn:
            span = {"starts_at": first.starts_at, "ends_at": first.ends_at, "timezone": first.timezone}
            held = {"status": "pending", "hold_expires_at": house.clock() + HALF, "conversation_id": each}
            rows.showing(conn, house.dana, house.unit, platform_account_id=SPAREROOM, **span, **held)
    answer = house.ask("admin", "POST", f"/api/inbox/messages/{kept['id']}/approve")
    reasons = {"passed": ["in_the_past"], "agent": ["agent_not_assigned"], "own": []}[lost]
    assert [time["reason"] for time in answer.json().get("times", [])] == reasons
    assert answer.status_code == (409 if reasons else 200)


def test_only_a_hold_in_force_stands_among_the_showings(house: House) -> None:
    """Who books a time that was held for it has one showing, not a held one beside a confirmed one."""
    begin = house.clock() + timedelta(hours=3)
    with house.rows() as conn:
        leads = {
            "Ann Held": {"status": "pending", "hold_expires_at": house.clock() + HALF},
            "Ann Run out": {"status": "pending", "hold_expires_at": house.clock() - HALF},
            "Ann Replaced": {"status": "cancelled", "hold_expires_at": house.clock() + HALF},
            "Ann Booked": {"status": "confirmed"},
            "Ann Called off": {"status": "cancelled"},
        }
        made = {}
        for number, (name, values) in enumerate(leads.items()):
            told = {"platform_account_id": SPAREROOM, "assigned_agent_id": house.dana, "lead_name": name}
            lead = rows.conversation(conn, **told)
            times = {"starts_at": begin + number * HALF, "ends_at": begin + (number + 1) * HALF}
            account = {"platform_account_id": SPAREROOM, "timezone": "America/New_York"}
            made[name] = rows.showing(
                conn, house.dana, house.unit, conversation_id=lead, **account, **times, **values
            )
    for path in ("/admin/showings", "/admin/showings?view=week", "/agent/appointments"):
        page = house.page("admin", path)
        named = {name for name in leads if name in page}
        assert named == {"Ann Held", "Ann Booked", "Ann Called off"}, path
        assert len(re.findall(r"(?:>|· )(?:Held|Reserved)<", page)) == 1, path
    today = house.page("admin", "/admin/today")
    assert "Ann Run out" not in today
    replaced = house.page("admin", f"/admin/showings/{made['Ann Replaced']}")
    assert "never booked" in replaced
    assert ">Cancelled<" in replaced
    assert ">Confirm<" not in house.page("admin", f"/admin/showings/{made['Ann Run out']}")


def test_every_free_time_can_be_booked_by_hand(house: House, each: UUID) -> None:
    """Three of a day at once, the others a tap away; without script, too."""
    page = f"/agent/inbox/{each}/slots"
    shown = house.page("agent", page)
    [today, *_] = re.findall(r"<fieldset.*?</fieldset>", shown, re.DOTALL)
    at_once, _, more = today.partition("<details>")
    day = free(house, each)[:12]
    assert re.findall(_KEY, at_once) == [slot_key(day[n]) for n in (0, 1, 6)], (
        "10, half past, and one o'clock"
    )
    assert "All times of the day: 9 more" in more
    assert set(re.findall(_KEY, today)) == {slot_key(slot) for slot in day}, "10 to 16, every half hour"
    last = day[-1]
    offering = house.send("agent", page, act="offer", slot=slot_key(last))
    assert label(last) in house.page("agent", offering.headers["location"].partition("#")[0])
    assert house.send("agent", page, act="book", slot=slot_key(last), key="key-1").status_code == 303
    [item] = house.ask("admin", "GET", "/api/showing-appointments").json()["items"]
    assert item["startsAt"] == last.starts_at.strftime("%Y-%m-%dT%H:%M:%S.000Z")


def test_a_time_that_is_taken_says_which_and_why(house: House, each: UUID) -> None:
    first, second, third = free(house, each)[:3]
    take(house, first)
    refused = book(house, each, first, "key-1")
    assert refused.status_code == 409
    seen = "at most 1 at a time may see the unit, and 1 do"
    assert f"Today, 10:00 AM EST is no longer free: {seen}. Choose another time." in refused.text
    assert book(house, each, second, "key-2").status_code == 303

    # The same on the showing's own page, of a time outside the calendars.
    items = house.ask("admin", "GET", "/api/showing-appointments").json()["items"]
    showing = next(item["id"] for item in items if item["conversationId"] == str(each))
    evening = replace(third, starts_at=third.starts_at + 8 * 2 * HALF, ends_at=third.ends_at + 8 * 2 * HALF)
    refused = move(house, showing, evening, key="move-1")
    assert refused.status_code == 409
    assert "Today, 7:00 PM EST is no longer free: the unit is not open during the whole visit" in refused.text
