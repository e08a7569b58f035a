"""Who steers a conversation: taken over, handed back, assigned, put aside, noted on, seen."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import text

from tests.api.house import SPAREROOM, House
from tests.api.test_replies import conversation, draft, outbox
from tests.storage import rows

HOUR = timedelta(hours=1)


def steer(
    house: House, each: UUID, what: str, body: Any = None, who: str = "admin", method: str = "POST"
) -> Any:
    return house.ask(who, method, f"/api/conversations/{each}/{what}", body)


def waiting(house: House, who: str = "admin", query: str = "") -> list[str]:
    answer = house.ask(who, "GET", f"/api/conversations/waiting?{query}")
    assert answer.status_code == 200, answer.text
    return [item["id"] for item in answer.json()["items"]]


def hold(house: House, each: UUID) -> None:
    """The bot asked for a person."""
    with house.rows() as conn:
        conn.execute(
            text("""UPDATE "Messages" SET metadata = metadata || '{"reviewStatus": "hold"}'
                     WHERE conversation_id = :id AND direction = 'inbound'"""),
            {"id": each},
        )


def lead_writes(house: House, each: UUID) -> None:
    with house.rows() as conn:
        message = rows.message(conn, each, metadata={"reviewStatus": "hold"})
        conn.execute(
            text('UPDATE "Conversations" SET newest_inbound_seq = :seq WHERE id = :id'),
            {"id": each, "seq": rows.seq(conn, message)},
        )


def test_a_conversation_is_taken_over_and_handed_back(house: House) -> None:
    each = conversation(house)
    draft(house, each, state="queued")
    told = steer(house, each, "take-over", who="agent").json()
    assert (told["takenOverByName"], told["takenOverAt"]) == ("agent", "2026-03-02T12:00:00.000Z")
    assert [row["state"] for row in outbox(house, each)] == ["held"]
    steer(house, each, "take-over", who="agent")
    [audit] = house.audits("conversation_taken_over")
    assert (audit["actor_type"], audit["platform"], len(audit["details"]["heldReplies"])) == (
        "agent",
        "spareroom",
        1,
    )
    assert steer(house, each, "take-over").json()["takenOverByName"] == "admin", "in turn by somebody else"
    assert steer(house, each, "hand-back", who="agent").json()["takenOverAt"] is None
    assert len(house.audits("conversation_handed_back")) == 1


def test_a_person_who_took_over_still_answers(house: House) -> None:
    each = conversation(house)
    message = draft(house, each)
    steer(house, each, "take-over")
    assert house.ask("admin", "POST", f"/api/inbox/messages/{message}/approve").status_code == 200
    assert house.ask("admin", "POST", f"/api/inbox/{each}/draft", {"body": "Hello"}).json()["queued"]


def test_a_conversation_is_given_to_an_agent_by_an_administrator(house: House) -> None:
    each = conversation(house, assigned_agent_id=None)
    body = {"agentId": str(house.dana)}
    assert steer(house, each, "assignment", body, method="PUT").json()["assignedAgentName"] == "Dana Reyes"
    assert steer(house, each, "assignment", {"agentId": None}, "agent", "PUT").status_code == 403
    assert steer(house, each, "assignment", {"agentId": str(uuid4())}, method="PUT").status_code == 400
    assert steer(house, each, "assignment", {}, method="PUT").status_code == 400
    assert steer(house, each, "steering", who="agent", method="GET").status_code == 200
    assert steer(house, each, "assignment", {"agentId": None}, method="PUT").json()["assignedAgentId"] is None
    assert steer(house, each, "steering", who="agent", method="GET").status_code == 404
    first, second = house.audits("conversation_assigned")
    assert (first["agent_id"], second["details"]["previousAgentId"]) == (str(house.dana), str(house.dana))


def test_what_is_put_aside_waits_no_more_until_its_time(house: House) -> None:
    each = conversation(house)
    hold(house, each)
    assert waiting(house) == [str(each)]
    until = (house.clock() + HOUR).isoformat()
    told = steer(house, each, "snooze", {"until": until}).json()
    assert (told["snoozed"], told["snoozedByName"]) == (True, "admin")
    assert waiting(house) == []
    house.clock.forward(2 * HOUR)
    assert waiting(house) == [str(each)]
    assert steer(house, each, "steering", method="GET").json()["snoozed"] is False
    assert len(house.audits("conversation_snoozed")) == 1


def test_a_new_message_brings_it_back_at_once_and_so_does_a_person(house: House) -> None:
    each = conversation(house)
    hold(house, each)
    until = (house.clock() + HOUR).isoformat()
    steer(house, each, "snooze", {"until": until})
    lead_writes(house, each)
    assert waiting(house) == [str(each)]
    steer(house, each, "snooze", {"until": until})
    assert waiting(house) == []
    assert steer(house, each, "snooze", method="DELETE").json()["snoozed"] is False
    assert waiting(house) == [str(each)]
    assert len(house.audits("conversation_woken")) == 1


@pytest.mark.parametrize("until", ["2026-03-02T11:00:00Z", "2027-03-02T11:00:00Z", "tomorrow", None])
def test_it_is_put_aside_for_a_while_not_for_good(house: House, until: str | None) -> None:
    refused = steer(house, conversation(house), "snooze", {"until": until})
    assert (refused.status_code, refused.json()["error"]) == (400, "validation_error")


def test_what_waits_is_listed_longest_waiting_first(house: House) -> None:
    """Answered, on its way, discarded and finished ones are not; replies in doubt are."""
    held, drafted, answered, on_its_way, finished, doubt = (conversation(house) for _ in range(6))
    foreign = conversation(house, assigned_agent_id=house.marco)
    for each in (held, answered, on_its_way, finished, foreign):
        hold(house, each)
    draft(house, drafted)
    draft(house, doubt, state="unknown")
    house.ask("admin", "POST", f"/api/inbox/{on_its_way}/draft", {"body": "Hello"})
    with house.rows() as conn:
        rows.message(conn, answered, "outbound", metadata={"reviewStatus": "sent"})
    body = {"workflowOutcome": "not_interested"}
    with house.rows() as conn:
        conn.execute(
            text('UPDATE "Messages" SET created_at = :at WHERE conversation_id = :id'),
            {"id": finished, "at": house.clock() - HOUR},
        )
    assert steer(house, finished, "workflow-state", body).status_code == 200
    found = house.ask("admin", "GET", "/api/conversations/waiting").json()
    assert {item["id"]: item["messageStatus"] for item in found["items"]} == {
        str(held): "hold",
        str(foreign): "hold",
        str(drafted): "draft",
        str(doubt): "in_doubt",
    }
    since = [item["since"] for item in found["items"]]
    assert (since == sorted(since), found["total"]) == (True, 4)
    first = house.ask("admin", "GET", "/api/conversations/waiting?limit=3").json()
    rest = waiting(house, query=f"limit=3&cursor={first['nextCursor']}")
    assert [item["id"] for item in first["items"]] + rest == [item["id"] for item in found["items"]]
    assert str(foreign) not in waiting(house, "agent")
    assert waiting(house, query="platform=roomies") == waiting(house, query="q=nobody%25") == []
    assert len(waiting(house, query="q=ann")) == 4


def test_notes_stay_within_the_team(house: House) -> None:
    each = conversation(house)
    path = f"/api/conversations/{each}/notes"
    made = [
        house.ask("agent", "POST", path, {"body": " Has a dog. "}, Idempotency_Key="k-note") for _ in "ab"
    ]
    assert [one.status_code for one in made] == [201, 201]
    mine = made[0].json()["id"]
    assert made[1].json()["id"] == mine, "a double tap writes one"
    theirs = steer(house, each, "notes", {"body": "Call first"}).json()["id"]
    notes = steer(house, each, "steering", who="agent", method="GET").json()["notes"]
    assert [(note["body"], note["authorName"]) for note in notes if note["id"] == mine] == [
        ("Has a dog.", "agent")
    ]
    assert len(notes) == 2
    assert outbox(house, each) == []
    assert steer(house, each, f"notes/{theirs}", who="agent", method="DELETE").status_code == 404
    assert steer(house, each, f"notes/{mine}", method="DELETE").json() == {"removed": True}
    assert steer(house, each, "notes", {"body": " "}).status_code == 400
    added, _ = house.audits("conversation_note_added")
    assert "dog" not in str(added["details"])
    assert len(house.audits("conversation_note_removed")) == 1


def test_each_person_reads_for_itself(house: House) -> None:
    each = conversation(house)
    assert [steer(house, each, "seen").json()["changed"] for _ in "ab"] == [True, False]
    assert steer(house, each, "seen", who="agent").json()["changed"] is True
    lead_writes(house, each)
    assert steer(house, each, "seen").json()["changed"] is True


@pytest.mark.parametrize(
    ("what", "body"),
    [
        ("take-over", None),
        ("hand-back", None),
        ("snooze", {"until": "2026-03-02T13:00:00Z"}),
        ("seen", None),
        ("notes", {"body": "x"}),
    ],
)
def test_only_those_in_charge_steer(house: House, what: str, body: Any) -> None:
    foreign = conversation(house, assigned_agent_id=house.marco, platform_account_id=SPAREROOM)
    assert steer(house, foreign, what, body, "agent").status_code == 404
    assert steer(house, uuid4(), what, body).status_code == 404
    assert steer(house, foreign, what, body, "stranger").status_code == 401
    owner = conversation(house, assigned_agent_id=house.marco, follow_up_owner_agent_id=house.dana)
    assert steer(house, owner, what, body, "agent").status_code in (200, 201)
