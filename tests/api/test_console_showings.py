"""What the console's pages say of showings: what the lead was not told, what is held, why a time is not free."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest

from api.console.conversation_view import slot_key
from leasebot_pipeline.domain.slots import Slot, label
from leasebot_pipeline.storage.tables import accounts
from tests.api.house import SPAREROOM, House
from tests.api.test_replies import conversation, reply
from tests.api.test_reply_offers import free
from tests.console.day_showings import open_calendars
from tests.storage import rows

HALF = timedelta(minutes=30)


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
