"""Times a person offers in a reply are offers, as the bot's are: what the text names, once it is sent."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import text

from api.routes.reply_offers import free_slots
from leasebot_pipeline.domain.slots import Slot, label
from leasebot_pipeline.storage.inbox import find_conversation
from leasebot_pipeline.storage.tables import accounts
from tests.api.house import SPAREROOM, House
from tests.api.test_replies import conversation as lead
from tests.api.test_replies import reply
from tests.console.day_showings import open_calendars
from tests.storage import rows


@pytest.fixture
def each(house: House) -> UUID:
    """A conversation about a unit that can be shown on weekdays."""
    open_calendars(house)
    with house.rows() as conn:
        listing = rows.add(
            conn, accounts.listings, unit_id=house.unit, platform_account_id=SPAREROOM, rent_cents=1
        )
    return lead(house, listing_id=listing)


def free(house: House, conversation: UUID) -> list[Slot]:
    services = house.client.app.state.services  # type: ignore[attr-defined]
    with house.rows() as conn:
        found = find_conversation(conn, conversation)
        assert found is not None
        return free_slots(conn, services, found, None)


def named(*slots: Slot) -> list[dict[str, str]]:
    return [{"startsAt": slot.starts_at.isoformat(), "agentId": str(slot.agent_id)} for slot in slots]


def offers(house: House, conversation: UUID) -> list[tuple[Any, ...]]:
    query = text("""SELECT position, label, state FROM "SlotOffers" WHERE conversation_id = :id AND state = 'offered'
                     ORDER BY position""")
    with house.rows() as conn:
        return [tuple(row) for row in conn.execute(query, {"id": conversation})]


def test_what_the_text_names_is_offered_in_its_order(house: House, each: UUID) -> None:
    first, second, third, _ = free(house, each)[:4]
    body = f"Would {label(third)} or {label(first)} suit you?"
    assert reply(house, each, body=body, offeredSlots=named(first, second, third)).json()["queued"] is True
    assert offers(house, each) == [(1, label(third), "offered"), (2, label(first), "offered")]
    reply(house, each, body="Have you decided?")
    assert len(offers(house, each)) == 2, "a reply that offers nothing leaves the offer open"
    reply(house, each, body=f"Only {label(second)} is left.", offeredSlots=named(second))
    assert offers(house, each) == [(1, label(second), "offered")]
    [changed] = house.audits("slot_offers_changed")
    assert (changed["actor_type"], len(changed["details"]["offers"])) == ("admin", 2)


def test_a_draft_offers_once_it_is_approved_as_it_then_reads(house: House, each: UUID) -> None:
    first, second = free(house, each)[:2]
    review = {"requiresAdminReview": True}
    body = f"{label(first)} or {label(second)}?"
    kept = reply(house, each, body=body, offeredSlots=named(first, second), metadata=review).json()
    assert offers(house, each) == []
    path = f"/api/inbox/messages/{kept['id']}"
    assert house.ask("admin", "PUT", path, {"body": f"{label(second)}?"}).status_code == 200
    assert house.ask("admin", "POST", f"{path}/approve").status_code == 200
    assert offers(house, each) == [(1, label(second), "offered")]


def test_a_time_that_is_taken_meanwhile_is_refused(house: House, each: UUID) -> None:
    first = free(house, each)[0]
    with house.rows() as conn:
        rows.showing(conn, house.dana, house.unit, starts_at=first.starts_at, ends_at=first.ends_at)
    refused = reply(house, each, body=f"{label(first)}?", offeredSlots=named(first))
    assert (refused.status_code, refused.json()["error"]) == (409, "slot_unavailable")
    assert offers(house, each) == []


def test_an_agent_offers_its_own_times(house: House, each: UUID) -> None:
    first = free(house, each)[0]
    theirs = [{"startsAt": first.starts_at.isoformat(), "agentId": str(house.marco)}]
    assert reply(house, each, "agent", body=f"{label(first)}?", offeredSlots=theirs).status_code == 409
    assert reply(house, each, "agent", body=f"{label(first)}?", offeredSlots=named(first)).status_code == 201
    assert len(offers(house, each)) == 1
