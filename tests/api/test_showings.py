"""Showings over REST: booked once, refused with alternatives, moved, ended; the conversation follows."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import text

from leasebot_pipeline.storage.tables import accounts, scheduling
from tests.api.house import SPAREROOM, House
from tests.storage import rows

BOOK = "/api/showing-appointments/book"
HOUR = timedelta(hours=1)
LATE = {"startsAt": "2026-03-04T17:00:00Z", "endsAt": "2026-03-04T17:30:00Z"}


@pytest.fixture
def office(house: House) -> House:
    """Wednesday 4 March, 15:00 to 18:00 UTC: the unit is open, Dana is available, Marco from 17:00."""
    begin = datetime(2026, 3, 4, 15, tzinfo=house.clock().tzinfo)
    with house.rows() as conn:
        span = {"starts_at": begin, "ends_at": begin + 3 * HOUR, "timezone": "America/New_York"}
        rows.add(conn, scheduling.availability_slots, unit_id=house.unit, **span)
        rows.add(conn, scheduling.agent_availability_slots, agent_id=house.dana, **span)
        late = {**span, "starts_at": begin + 2 * HOUR}
        rows.add(conn, scheduling.agent_availability_slots, agent_id=house.marco, **late)
    return house


def wish(house: House, **values: Any) -> dict[str, Any]:
    return {
        "idempotencyKey": f"key-{uuid4()}",
        "platformAccountId": str(SPAREROOM),
        "unitId": str(house.unit),
        "agentId": str(house.dana),
        "startsAt": "2026-03-04T15:00:00Z",
        "endsAt": "2026-03-04T15:30:00Z",
        "timezone": "America/New_York",
        **values,
    }


def book(house: House, who: str = "admin", **values: Any) -> Any:
    return house.ask(who, "POST", BOOK, wish(house, **values))


def lead(house: House, **values: Any) -> UUID:
    with house.rows() as conn:
        listed = {"unit_id": house.unit, "platform_account_id": SPAREROOM, "rent_cents": 1}
        listing = rows.add(conn, accounts.listings, **listed)
        told = {"platform_account_id": SPAREROOM, "listing_id": listing, "assigned_agent_id": house.dana}
        return rows.conversation(conn, **{"lead_name": "Ann", **told, **values})


def test_a_free_time_is_booked_and_the_conversation_knows(office: House) -> None:
    """Behaviours 51 and 57, G-26: the visit may be shorter than the free time."""
    conversation = lead(office)
    answer = book(office, conversationId=str(conversation), notes="ring twice")
    assert answer.status_code == 201, answer.text
    made = answer.json()
    assert made["idempotentReplay"] is False
    showing = made["appointment"]
    assert (showing["status"], showing["localStart"], showing["agentName"], showing["unit"]) == (
        "confirmed",
        "2026-03-04T10:00:00",
        "Dana Reyes",
        "Elm House 1A",
    )
    assert showing["conversation"]["leadName"] == "Ann"
    detail = office.ask("admin", "GET", f"/api/inbox/{conversation}").json()["conversation"]
    assert (detail["workflowState"], detail["showingState"]) == ("showing", "confirmed")
    [audit] = office.audits("showing_booking_created")
    assert (audit["actor_type"], audit["platform"], audit["details"]["idempotentReplay"]) == (
        "admin",
        "spareroom",
        False,
    )


def test_the_same_request_is_booked_once(office: House) -> None:
    """Behaviours 52 to 54."""
    body = wish(office)
    first = office.ask("admin", "POST", BOOK, body)
    again = office.ask("admin", "POST", BOOK, body)
    assert (first.status_code, again.status_code) == (201, 200)
    assert again.json()["idempotentReplay"] is True
    assert again.json()["appointment"]["id"] == first.json()["appointment"]["id"]
    other = office.ask("admin", "POST", BOOK, {**body, "endsAt": "2026-03-04T16:00:00Z"})
    assert (other.status_code, other.json()["error"]) == (409, "idempotency_conflict")
    assert other.json()["existingAppointment"]["id"] == first.json()["appointment"]["id"]
    assert other.json()["adminReviewRequired"] is True
    assert len(office.audits("showing_booking_replayed")) == 1
    assert len(office.audits("showing_booking_idempotency_conflict")) == 1


@pytest.fixture
def no_room(office: House) -> Iterator[None]:
    """The database takes no showing, as when its disk is full. Databases are used again: the trigger must go."""
    with office.database.engine.begin() as conn:
        conn.execute(
            text(
                """CREATE FUNCTION no_room() RETURNS trigger LANGUAGE plpgsql AS
                   $$ BEGIN RAISE EXCEPTION 'disk trouble' USING ERRCODE = '58030'; END $$;
                   CREATE TRIGGER no_room BEFORE INSERT ON "ShowingAppointments"
                   FOR EACH ROW EXECUTE FUNCTION no_room()"""
            )
        )
    yield
    with office.database.engine.begin() as conn:
        conn.execute(text("DROP FUNCTION no_room() CASCADE"))


@pytest.mark.usefixtures("no_room")
def test_an_error_nobody_foresaw_is_on_record(office: House) -> None:
    """Behaviour 59: nothing is booked, the answer is an error, and the audit names the wish."""
    body = wish(office)
    failed = office.ask("admin", "POST", BOOK, body)
    assert failed.status_code == 503
    assert "disk trouble" not in failed.text
    assert office.ask("admin", "GET", "/api/showing-appointments").json()["items"] == []
    [audit] = office.audits("showing_booking_failed")
    assert (audit["entity_id"], audit["details"]["agentId"]) == (body["idempotencyKey"], str(office.dana))
    assert "disk trouble" not in str(audit["details"])


def test_a_time_that_is_not_free_is_refused_with_others(office: House) -> None:
    """Behaviour 56."""
    refused = book(office, startsAt="2026-03-04T14:00:00Z", endsAt="2026-03-04T14:30:00Z")
    assert (refused.status_code, refused.json()["error"]) == (409, "slot_unavailable")
    assert [a["agentName"] for a in refused.json()["alternatives"]] == ["Dana Reyes", "Marco Klein"]
    [audit] = office.audits("showing_booking_slot_unavailable")
    assert (audit["details"]["alternativesCount"], audit["details"]["rejectionReason"]) == (
        2,
        "assignment_availability_conflict",
    )


def test_a_taken_time_is_refused_with_others(office: House) -> None:
    """Behaviour 58."""
    assert book(office).status_code == 201
    refused = book(office, startsAt="2026-03-04T15:15:00Z", endsAt="2026-03-04T15:45:00Z")
    assert (refused.status_code, refused.json()["error"]) == (409, "booking_conflict")
    assert refused.json()["alternatives"]
    assert len(office.audits("showing_booking_conflict")) == 1


@pytest.mark.parametrize(
    ("values", "field"),
    [
        ({"idempotencyKey": " 12345 "}, "idempotencyKey"),
        ({"agentId": "x"}, "agentId"),
        ({"startsAt": "2026-03-04T15:00:00"}, "startsAt"),
        ({"endsAt": "2026-03-04T15:00:00Z"}, "body"),
        ({"timezone": "Mars/Olympus"}, "timezone"),
        ({"status": "perhaps"}, "status"),
        ({"metadata": 5}, "metadata"),
        ({"unitId": str(uuid4())}, "unitId"),
        ({"conversationId": str(uuid4())}, "conversationId"),
        ({"startsAt": "2026-03-01T15:00:00Z", "endsAt": "2026-03-01T15:30:00Z"}, "startsAt"),
    ],
)
def test_a_faulty_booking_names_the_field(office: House, values: dict[str, Any], field: str) -> None:
    """G-26: nothing is booked in the past."""
    refused = book(office, **values)
    assert refused.status_code == 400, refused.text
    assert refused.json()["details"][0].split(":")[0] == field


def test_an_agent_books_and_sees_its_own(office: House) -> None:
    """Behaviours 55, 61, 62."""
    own = book(office, "agent").json()["appointment"]["id"]
    assert book(office, "agent", agentId=str(office.marco), **LATE).status_code == 403
    foreign = book(office, agentId=str(office.marco), **LATE).json()["appointment"]["id"]
    address = "/api/showing-appointments"
    assert [s["id"] for s in office.ask("agent", "GET", address).json()["items"]] == [own]
    assert office.ask("agent", "GET", f"{address}?agentId={office.marco}").status_code == 403
    assert office.ask("agent", "GET", f"{address}/{foreign}").status_code == 404
    for path, body in (
        ("status", {"status": "cancelled"}),
        ("reschedule", {"idempotencyKey": "again-1", **LATE}),
    ):
        assert office.ask("agent", "POST", f"{address}/{foreign}/{path}", body).status_code == 404
    assert office.ask("stranger", "POST", BOOK, wish(office)).status_code == 401
    assert office.ask("unlinked", "POST", BOOK, wish(office)).status_code == 403


def test_an_agent_books_into_no_conversation_of_another(office: House) -> None:
    """Nothing moves, and the lead's name is not told; not by a used key either."""
    theirs = lead(office, assigned_agent_id=office.marco)
    refused = book(office, "agent", conversationId=str(theirs))
    assert (refused.status_code, refused.json()) == (404, {"error": "not_found"})
    with office.rows() as conn:
        told = rows.value(conn, 'SELECT workflow_state FROM "Conversations" WHERE id = :id', id=theirs)
        assert (told, rows.value(conn, 'SELECT count(*) FROM "ShowingAppointments"')) == ("lead", 0)
    used = wish(office, conversationId=str(theirs), agentId=str(office.marco), **LATE)
    assert office.ask("admin", "POST", BOOK, used).status_code == 201
    conflict = book(office, "agent", idempotencyKey=used["idempotencyKey"])
    assert (conflict.status_code, conflict.json()["existingAppointment"]) == (409, None)
    with office.rows() as conn:
        owned = 'UPDATE "Conversations" SET follow_up_owner_agent_id = :dana WHERE id = :id'
        conn.execute(text(owned), {"dana": office.dana, "id": theirs})
    refused = book(office, "agent", conversationId=str(theirs))
    assert refused.json()["error"] == "booking_conflict", "in charge, but its lead has a showing"


def test_showings_are_found_by_day_status_unit_and_agent(office: House) -> None:
    """Behaviours 60 and 63."""
    book(office)

    def found(query: str) -> int:
        return len(office.ask("admin", "GET", f"/api/showing-appointments?{query}").json()["items"])

    assert found("") == found("status=confirmed") == found(f"unitId={office.unit}&agentId={office.dana}") == 1
    assert (
        found("status=reschedule_requested")
        == found("status=no_show")
        == found(f"agentId={office.marco}")
        == 0
    )
    assert found("fromDate=2026-03-04&toDate=2026-03-04&timezone=America/New_York") == 1
    assert found("fromDate=2026-03-05") == found("toDate=2026-03-03") == 0
    for faulty in ("status=bad", "unitId=x", "fromDate=x", "timezone=Bad/Timezone", "cursor=x"):
        assert office.ask("admin", "GET", f"/api/showing-appointments?{faulty}").status_code == 400
    [item] = office.ask("admin", "GET", "/api/showing-appointments?timezone=UTC").json()["items"]
    assert (item["displayTimezone"], item["localStart"]) == ("UTC", "2026-03-04T15:00:00")


def test_a_showing_runs_its_course_with_its_conversation(office: House) -> None:
    """G-27."""
    conversation = lead(office)
    showing = book(office, conversationId=str(conversation)).json()["appointment"]["id"]
    address = f"/api/showing-appointments/{showing}"
    done = office.ask("agent", "POST", f"{address}/status", {"status": "completed"})
    assert done.json()["appointment"]["status"] == "completed"
    detail = office.ask("agent", "GET", f"/api/inbox/{conversation}").json()["conversation"]
    assert (detail["workflowOutcome"], detail["showingState"]) == ("completed", "completed")
    refused = office.ask("agent", "POST", f"{address}/status", {"status": "no_show"})
    assert (refused.status_code, refused.json()["error"]) == (409, "invalid_transition")
    assert office.ask("agent", "POST", f"{address}/status", {"status": "gone"}).status_code == 400
    unknown = f"/api/showing-appointments/{uuid4()}/status"
    assert office.ask("admin", "POST", unknown, {"status": "cancelled"}).status_code == 404


def test_a_showing_is_moved_and_its_old_time_is_free(office: House) -> None:
    showing = book(office).json()["appointment"]["id"]
    address = f"/api/showing-appointments/{showing}/reschedule"
    body = {"idempotencyKey": "moved-1", "startsAt": "2026-03-04T16:00:00Z", "endsAt": "2026-03-04T16:30:00Z"}
    version = office.ask("admin", "GET", f"/api/showing-appointments/{showing}").headers["etag"]
    office.clock.forward(HOUR)
    moved = office.ask("admin", "POST", address, body, if_match=version)
    assert moved.json()["appointment"]["startsAt"] == "2026-03-04T16:00:00.000Z"
    assert moved.json()["appointment"]["id"] == showing
    assert (
        office.ask(
            "admin", "POST", address, {**body, "idempotencyKey": "moved-2"}, if_match=version
        ).status_code
        == 412
    )
    assert book(office).status_code == 201
    away = {"idempotencyKey": "moved-3", "startsAt": "2026-03-04T20:00:00Z", "endsAt": "2026-03-04T20:30:00Z"}
    refused = office.ask("admin", "POST", address, away)
    assert (refused.status_code, refused.json()["error"]) == (409, "slot_unavailable")
    kept = office.ask("admin", "GET", f"/api/showing-appointments/{showing}").json()
    assert kept["startsAt"] == "2026-03-04T16:00:00.000Z"


def test_an_agent_makes_and_ends_its_own_feed(office: House) -> None:
    address = f"/api/agents/{office.dana}/calendar-feed"
    assert office.ask("agent", "GET", address).status_code == 404
    made = office.ask("agent", "POST", address)
    assert (made.status_code, made.json()["rotated"]) == (201, False)
    path = made.json()["url"].removeprefix("http://localhost:3001")
    book(office, notes="ring twice")
    assert "Elm House 1A" in office.ask("stranger", "GET", path).text
    assert office.ask("agent", "GET", address).json()["feedId"] == made.json()["feedId"]
    assert office.ask("agent", "POST", f"/api/agents/{office.marco}/calendar-feed").status_code == 403
    assert office.ask("agent", "DELETE", address).json() == {"revoked": True}
    assert office.ask("stranger", "GET", path).status_code == 404
    assert office.ask("agent", "DELETE", address).status_code == 404


def test_a_showing_is_handed_out_as_an_invite(office: House) -> None:
    conversation = lead(office)
    showing = book(office, conversationId=str(conversation)).json()["appointment"]["id"]
    address = f"/api/showing-appointments/{showing}/invite.ics"
    answer = office.ask("agent", "GET", address)
    assert answer.headers["content-type"].startswith("text/calendar; charset=utf-8; method=")
    assert "DTSTART:20260304T150000Z" in answer.text
    office.ask("agent", "POST", f"/api/showing-appointments/{showing}/status", {"status": "cancelled"})
    assert "method=CANCEL" in office.ask("agent", "GET", address).headers["content-type"]
    assert office.ask("stranger", "GET", address).status_code == 401
    assert office.ask("agent", "GET", f"/api/showing-appointments/{uuid4()}/invite.ics").status_code == 404
