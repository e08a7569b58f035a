"""A conversation's workflow as people change it."""

from __future__ import annotations

from typing import Any
from uuid import UUID, uuid4

import pytest

from tests.api.house import SPAREROOM, House
from tests.storage import rows


def conversation(house: House, **values: Any) -> UUID:
    with house.rows() as conn:
        defaults = {"platform_account_id": SPAREROOM, "assigned_agent_id": house.dana}
        return rows.conversation(conn, **defaults | values)


def change(house: House, conversation: UUID, body: dict[str, Any], who: str = "admin", **headers: str) -> Any:
    return house.ask(who, "POST", f"/api/conversations/{conversation}/workflow-state", body, **headers)


SHOWING = {"workflow_state": "showing", "showing_state": "pending"}


def test_an_outcome_is_set_by_who_is_in_charge(house: House) -> None:
    """Behaviour 32."""
    own = conversation(house, **SHOWING)
    foreign = conversation(house, assigned_agent_id=house.marco, **SHOWING)
    body = {"workflowOutcome": "wants_reschedule", "showingState": "reschedule_requested"}
    assert change(house, foreign, body, "agent").status_code == 403
    answer = change(house, own, body, "agent")
    assert answer.status_code == 200, answer.text
    item = answer.json()["item"]
    assert (item["workflowState"], item["workflowOutcome"], item["showingState"]) == (
        "outcome",
        "wants_reschedule",
        "reschedule_requested",
    )
    [audit] = house.audits("workflow_state_transitioned")
    assert (audit["actor_type"], audit["platform"]) == ("agent", "spareroom")
    assert audit["details"]["previous"]["workflowState"] == "showing"
    assert audit["details"]["next"]["workflowState"] == "outcome"


def test_a_finished_showing_stays_finished(house: House) -> None:
    """Behaviour 33."""
    each = conversation(
        house, workflow_state="outcome", workflow_outcome="completed", showing_state="completed"
    )
    refused = change(house, each, {"showingState": "pending"})
    assert (refused.status_code, refused.json()["error"]) == (409, "invalid_transition")
    assert "completed" in refused.json()["message"]
    assert "pending" in refused.json()["message"]
    assert change(house, each, {"showingState": None}).status_code == 409, "G-17: nor is it cleared"


@pytest.mark.parametrize(
    "body",
    [
        {"workflowState": "gone"},
        {"workflowOutcome": "maybe"},
        {"showingState": "soon"},
        {"followUpStage": "follow_up_3"},
        {"followUpDueAt": "tomorrow"},
        {"followUpOwnerAgentId": "x"},
        {"followUpStatus": "later"},
        {"followUpStage": "follow_up_1"},
    ],
)
def test_a_faulty_change_is_refused(house: House, body: dict[str, Any]) -> None:
    """Behaviour 34; a stage needs a due date and an owner."""
    refused = change(house, conversation(house), body)
    assert (refused.status_code, refused.json()["error"]) == (400, "validation_error")
    assert refused.json()["details"]


def test_a_follow_up_is_planned(house: House) -> None:
    """Behaviour 35."""
    each = conversation(house)
    body = {
        "followUpStage": "follow_up_1",
        "followUpDueAt": "2026-03-05T10:00:00Z",
        "followUpOwnerAgentId": str(house.dana),
    }
    item = change(house, each, body).json()["item"]
    assert (item["workflowState"], item["followUpStage"], item["followUpDueAt"]) == (
        "follow_up_1",
        "follow_up_1",
        "2026-03-05T10:00:00.000Z",
    )


def test_a_step_the_table_forbids_names_both_states(house: House) -> None:
    """Behaviours 36 and 37."""
    each = conversation(house, **SHOWING)
    body = {
        "workflowState": "follow_up_2",
        "followUpStage": "follow_up_2",
        "followUpDueAt": "2026-03-05T10:00:00Z",
        "followUpOwnerAgentId": str(house.dana),
    }
    refused = change(house, each, body)
    assert refused.status_code == 409
    assert "showing" in refused.json()["message"]
    assert "follow_up_2" in refused.json()["message"]


@pytest.mark.parametrize("outcome", ["not_interested", "wants_reschedule", "no_show", "completed"])
def test_outcomes_after_a_showing(house: House, outcome: str) -> None:
    """Behaviour 38."""
    each = conversation(
        house, workflow_state="showing", workflow_outcome="showing_confirmed", showing_state="confirmed"
    )
    item = change(house, each, {"workflowOutcome": outcome}).json()["item"]
    assert (item["workflowState"], item["workflowOutcome"]) == ("outcome", outcome)


def test_nothing_to_change_and_nobody_to_change(house: House) -> None:
    each = conversation(house)
    assert change(house, each, {}).json()["item"]["workflowState"] == "lead"
    assert change(house, uuid4(), {}).status_code == 404
    assert change(house, each, {}, "stranger").status_code == 401
    assert change(house, each, {"workflowOutcome": "not_interested"}, if_match='"1"').status_code == 412
