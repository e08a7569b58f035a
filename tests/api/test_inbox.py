"""The inbox: what is listed, in which order, to whom; one conversation with its messages."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import text

from api.paging import encode
from leasebot_pipeline.storage.tables import accounts, conversations, scheduling
from tests.api.house import SPAREROOM, House
from tests.storage import rows

MINUTE = timedelta(minutes=1)


def conversation(house: House, minutes: int = 0, **values: Any) -> UUID:
    """An open conversation whose newest message came that many minutes ago."""
    defaults = {"platform_account_id": SPAREROOM, "last_message_at": house.clock() - minutes * MINUTE}
    with house.rows() as conn:
        return rows.conversation(conn, **defaults | values)


def message(house: House, conversation: UUID, direction: str = "inbound", **values: Any) -> UUID:
    status = values.pop("status", None)
    metadata = values.pop("metadata", {}) | ({"reviewStatus": status} if status else {})
    with house.rows() as conn:
        return rows.message(conn, conversation, direction, metadata=metadata, **values)


def listed(house: House, query: str = "", who: str = "admin") -> list[dict[str, Any]]:
    answer = house.ask(who, "GET", f"/api/inbox?{query}")
    assert answer.status_code == 200, answer.text
    items: list[dict[str, Any]] = answer.json()["items"]
    return items


def ids(house: House, query: str = "", who: str = "admin") -> list[str]:
    return [item["id"] for item in listed(house, query, who)]


def test_the_newest_message_comes_first_then_the_platforms_order(house: House) -> None:
    old = conversation(house, 9)
    unranked, second, first = (conversation(house, 5, external_inbox_sort_rank=rank) for rank in (None, 2, 1))
    new = conversation(house, 1)
    conversation(house, 0, status="archived")
    expected = [str(each) for each in (new, first, second, unranked, old)]
    assert ids(house) == expected
    seen: list[str] = []
    cursor: str | None = ""
    while cursor is not None:
        page = house.ask("admin", "GET", f"/api/inbox?limit=2&cursor={cursor}").json()
        seen += [item["id"] for item in page["items"]]
        cursor = page["nextCursor"]
    assert seen == expected


def test_the_status_is_what_waits(house: House) -> None:
    """Behaviours 6, 25 and G-63: what was answered is not new."""
    new, held, drafted, answered, answered_hold = (conversation(house, n) for n in range(5))
    message(house, new)
    message(house, held, status="hold")
    message(house, drafted)
    message(house, drafted, "outbound", status="draft")
    message(house, answered)
    message(house, answered, "outbound")
    message(house, answered_hold, status="hold")
    message(house, answered_hold, "outbound", status="sent")
    found = {item["id"]: (item["messageStatus"], item["counts"]["newCount"]) for item in listed(house)}
    assert found == {
        str(new): ("new", 1),
        str(held): ("hold", 0),
        str(drafted): ("draft", 1),
        str(answered): ("sent", 0),
        str(answered_hold): ("sent", 0),
    }
    assert ids(house, "status=hold") == [str(held)]
    assert ids(house, "status=draft") == [str(drafted)]
    assert ids(house, "status=new") == [str(new)]
    assert ids(house, "status=sent") == [str(answered), str(answered_hold)]
    [item] = listed(house, "status=hold")
    assert (item["counts"]["holdCount"], item["latestStatus"]) == (1, "hold")


def test_a_decided_message_is_no_longer_new(house: House) -> None:
    each = conversation(house)
    message(house, each, metadata={"aiProcessedAt": "2026-03-02T11:00:00.000Z"})
    assert listed(house)[0]["messageStatus"] == "sent"


def test_filters_narrow_the_list(house: House) -> None:
    roomies = UUID("13111111-1111-1111-1111-111111111111")
    human = conversation(house, 1, workflow_state="outcome", workflow_outcome="human_required")
    other = conversation(house, 2, platform_account_id=roomies, lead_name="100% Ann_e")
    assert ids(house, "platform=roomies") == [str(other)]
    assert ids(house, "workflowOutcome=human_required") == [str(human)]
    assert ids(house, "workflowState=lead") == [str(other)]
    assert ids(house, "q=100%25") == [str(other)]
    assert ids(house, "q=nn_") == [str(other)]
    assert ids(house, "q=_nn") == []


def test_a_search_finds_parts_of_what_people_call_it(house: House) -> None:
    with house.rows() as conn:
        advert = {"unit_id": house.unit, "platform_account_id": SPAREROOM, "rent_cents": 1}
        listing = rows.add(conn, accounts.listings, **advert, metadata={"title": "Sunny room near the park"})
    by_name = conversation(house, 1, lead_name="Margaret Ann Lee")
    by_label = conversation(house, 2, external_thread_label="Studio in Elm Street")
    by_advert = conversation(house, 3, listing_id=listing)
    conversation(house, 4, lead_name="Somebody else")
    assert ids(house, "q=garet%20ann") == [str(by_name)]
    assert ids(house, "q=elm") == [str(by_label), str(by_advert)]
    assert ids(house, "q=SUNNY") == [str(by_advert)]
    assert ids(house, "q=house%201a") == [str(by_advert)]
    assert ids(house, "q=le") == [str(by_name)]
    assert ids(house, "q=nothing%20like%20it") == []


def test_the_list_by_who_it_waits_for(house: House) -> None:
    asked = conversation(
        house,
        1,
        assigned_agent_id=house.dana,
        workflow_state="outcome",
        workflow_outcome="human_required",
    )
    drafted = conversation(house, 2, assigned_agent_id=house.marco)
    message(house, drafted, "outbound", status="draft")
    both = conversation(house, 3, workflow_state="outcome", workflow_outcome="human_required")
    message(house, both, "outbound", status="hold")
    over = conversation(house, 4)
    message(house, over, status="hold")
    message(house, over, "outbound", status="sent")
    assert ids(house, "forPerson=true") == [str(each) for each in (asked, drafted, both)]
    assert ids(house, "forPerson=true&status=draft") == [str(drafted)]
    assert ids(house, "forPerson=true&status=sent") == [str(asked)]
    assert ids(house, "forPerson=true", who="agent") == [str(asked)]
    assert ids(house, f"assignedTo={house.marco}") == [str(drafted)]
    assert ids(house, "assignedTo=nobody") == [str(both), str(over)]
    assert ids(house, "assignedTo=nobody&status=hold") == [str(both)]
    assert ids(house, f"assignedTo={house.dana}", who="agent") == [str(asked)]
    assert house.ask("agent", "GET", f"/api/inbox?assignedTo={house.marco}").status_code == 403


def test_the_list_by_how_long_it_waits(house: House) -> None:
    old, recent = conversation(house, 90), conversation(house, 10)
    hour_ago = (house.clock() - 60 * MINUTE).isoformat().replace("+", "%2B")
    assert ids(house, f"until={hour_ago}") == [str(old)]
    assert ids(house, f"since={hour_ago}") == [str(recent)]
    assert ids(house, f"since={hour_ago}&until={hour_ago}") == []


@pytest.mark.parametrize(
    "query",
    [
        "status=lost",
        "assignedTo=everybody",
        "forPerson=maybe",
        "since=yesterday",
        "until=2026-03-02T12:00:00",
        "platform=zillow",
        "workflowState=x",
        "workflowOutcome=x",
        "cursor=x",
        f"cursor={encode(('2026-03-02T12:00:00+00:00', 1, 'x'))}",
        "q=%00",
    ],
)
def test_a_faulty_filter_is_refused(house: House, query: str) -> None:
    assert house.ask("admin", "GET", f"/api/inbox?{query}").status_code == 400


def test_an_agent_has_an_inbox_of_its_own(house: House) -> None:
    """Behaviours 28 and 29, replaced by G-31: agents see what they are in charge of, nothing else."""
    assigned = conversation(house, 1, assigned_agent_id=house.dana)
    owned = conversation(
        house,
        2,
        workflow_state="follow_up_1",
        follow_up_stage="follow_up_1",
        follow_up_due_at=house.clock(),
        follow_up_owner_agent_id=house.dana,
    )
    foreign = conversation(house, 3, assigned_agent_id=house.marco)
    assert ids(house, who="agent") == [str(assigned), str(owned)]
    assert house.ask("agent", "GET", f"/api/inbox/{assigned}").status_code == 200
    assert house.ask("agent", "GET", f"/api/inbox/{foreign}").status_code == 404
    assert house.ask("admin", "GET", f"/api/inbox/{foreign}").status_code == 200, "behaviour 30"
    assert house.ask("unlinked", "GET", "/api/inbox").status_code == 403
    assert house.ask("stranger", "GET", f"/api/inbox/{assigned}").status_code == 401
    assert house.ask("admin", "GET", f"/api/inbox/{uuid4()}").status_code == 404
    assert house.ask("admin", "GET", "/api/inbox/7").status_code == 400


def test_a_conversation_is_shown_as_the_database_has_it(house: House) -> None:
    """Behaviour 31."""
    with house.rows() as conn:
        values = {"unit_id": house.unit, "platform_account_id": SPAREROOM, "rent_cents": 1}
        listing = rows.add(conn, accounts.listings, **values)
        for hours in (-1, 1, 2, 3, 4):
            begin = house.clock() + timedelta(hours=hours)
            slot = {"unit_id": house.unit, "timezone": "UTC", "starts_at": begin, "ends_at": begin + MINUTE}
            rows.add(conn, scheduling.availability_slots, **slot)
        rows.add(conn, conversations.templates, name="hello", body="Hi {{ lead_name }}")
    each = conversation(house, lead_name="Ann Lee", listing_id=listing, external_thread_id="t77")
    first = message(house, each, body="Hello", external_message_id="m1", metadata={"sentAtText": "today"})
    message(house, each, "outbound", body="Hi Ann", status="draft")
    answer = house.ask("admin", "GET", f"/api/inbox/{each}")
    told = answer.json()
    assert (told["conversation"]["externalThreadId"], told["conversation"]["unit"]) == ("t77", "Elm House 1A")
    assert [(m["direction"], m["senderType"], m["status"]) for m in told["messages"]] == [
        ("inbound", "lead", "new"),
        ("outbound", "agent", "draft"),
    ]
    assert told["messages"][0]["id"] == str(first)
    assert told["messages"][0]["metadata"] == {"sentAtText": "today"}
    assert [template["name"] for template in told["templates"]] == ["hello"]
    context = told["templateContext"]
    assert (context["lead_name"], context["unit"], context["unit_number"]) == (
        "Ann Lee",
        "Elm House 1A",
        "1A",
    )
    assert context["slot"] == "2026-03-02T13:00:00 - 2026-03-02T13:01:00 UTC"
    assert len(context["slot_options_list"].splitlines()) == 3
    assert answer.headers["etag"]


def test_reading_a_conversation_changes_nothing(house: House) -> None:
    """G-70: no look at the platform, no write."""
    each = conversation(house)

    def rows_of_all() -> list[int]:
        tables = ("Conversations", "Messages", "InboxThreads", "SyncRequests", "AuditLogs")
        with house.rows() as conn:
            return [conn.execute(text(f'SELECT count(*) FROM "{table}"')).scalar_one() for table in tables]

    before = rows_of_all()
    house.ask("admin", "GET", f"/api/inbox/{each}")
    assert rows_of_all() == before
