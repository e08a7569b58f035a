"""The transition service: one way in, typed answers, one audit row per change."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import Connection, event, text

from leasebot_pipeline.domain.decisions import WorkflowOutcome
from leasebot_pipeline.domain.follow_up_states import FollowUpStage
from leasebot_pipeline.domain.showings import ShowingState
from leasebot_pipeline.domain.workflow import ConversationState, WorkflowState
from leasebot_pipeline.domain.workflow_changes import WorkflowPatch
from leasebot_pipeline.storage.transitions import Actor, TransitionRequest, TransitionResult, transition
from tests.conftest import Database
from tests.storage import rows
from tests.storage.conftest import NOW
from tests.storage.office import Office

ADMIN = Actor("admin", "aB3")


@pytest.fixture
def office(conn: Connection) -> Office:
    return Office(conn)


def ask(office: Office, lead: UUID, **values: Any) -> TransitionResult:
    how = {key: values.pop(key) for key in ("expected", "reopen", "message_id") if key in values}
    request = TransitionRequest(lead, WorkflowPatch(**values), "api", "workflow_state_endpoint", ADMIN, **how)
    return transition(office.conn, [request], office.now)[0]


def test_a_change_is_applied_and_audited(office: Office) -> None:
    """Behaviour 32: outcome and showing in one, previous and next in the audit row."""
    lead, message = (
        rows.conversation(office.conn, workflow_state="showing", showing_state="confirmed"),
        uuid4(),
    )
    outcome = WorkflowOutcome.WANTS_RESCHEDULE
    result = ask(
        office,
        lead,
        workflow_outcome=outcome,
        showing_state=ShowingState.RESCHEDULE_REQUESTED,
        message_id=message,
    )
    assert result.applied
    assert office.conversation(lead) == ("outcome", "wants_reschedule", "reschedule_requested")
    query = """SELECT actor_type, actor_id, entity_type, entity_id, platform, conversation_id, details FROM "AuditLogs"
                WHERE action = 'workflow_state_transitioned'"""
    row = office.conn.execute(text(query)).one()
    assert tuple(row[:6]) == ("admin", "aB3", "conversation", str(lead), "spareroom", lead)
    details = row.details
    assert (details["source"], details["trigger"], details["messageId"]) == (
        "api",
        "workflow_state_endpoint",
        str(message),
    )
    assert details["previous"] == {
        "workflowState": "showing",
        "workflowOutcome": None,
        "showingState": "confirmed",
        "followUpStage": None,
        "followUpDueAt": None,
        "followUpOwnerAgentId": None,
        "followUpStatus": "pending",
    }
    assert details["next"]["workflowOutcome"] == "wants_reschedule"


def test_what_is_refused_is_told_and_changes_nothing(office: Office) -> None:
    """Behaviours 33, 36, 37; unknown, stale and idle ones are told apart."""
    lead = rows.conversation(office.conn, workflow_state="showing", showing_state="completed")
    owner = rows.agent(office.conn)
    refused = ask(office, lead, showing_state=ShowingState.PENDING)
    assert (refused.reason, refused.kind, refused.current, refused.target) == (
        "invalid_transition",
        "showing_state",
        "completed",
        "pending",
    )
    up = {"follow_up_due_at": NOW, "follow_up_owner_agent_id": owner}
    refused = ask(office, lead, follow_up_stage=FollowUpStage.FOLLOW_UP_2, **up)
    assert (refused.current, refused.target) == ("showing", "follow_up_2")
    assert ask(office, uuid4(), workflow_state=WorkflowState.OUTCOME).reason == "not_found"
    assert ask(office, lead, workflow_state=WorkflowState.SHOWING).reason == "no_change"
    seen = ConversationState(WorkflowState.LEAD, None, None)
    assert ask(office, lead, workflow_state=WorkflowState.OUTCOME, expected=seen).reason == "stale"
    no_due = ask(office, lead, follow_up_stage=FollowUpStage.FOLLOW_UP_1)
    assert no_due.reason == "validation_error"
    assert office.conversation(lead) == ("showing", None, "completed")
    assert office.audits("workflow_state_transitioned") == []


def test_the_showing_goes_along(office: Office) -> None:
    """G-27: an outcome set on the conversation sets the appointment, and frees the agent."""
    agent = office.agent()
    unit = office.unit(agent)
    lead = office.lead(unit)
    office.book(unit, agent, conversation_id=lead)
    cancelled = {"workflow_outcome": WorkflowOutcome.NOT_INTERESTED, "showing_state": ShowingState.CANCELLED}
    assert ask(office, lead, **cancelled).applied
    status = 'SELECT status FROM "ShowingAppointments" WHERE conversation_id = :id'
    assert rows.value(office.conn, status, id=lead) == "cancelled"
    (synced,) = office.audits("showing_workflow_outcome_synced")
    assert (synced["previousStatus"], synced["nextStatus"]) == ("confirmed", "cancelled")
    assert office.book(unit, agent).outcome == "booked"
    assert office.broken() == []


def test_a_walk_through_the_showing_states(office: Office) -> None:
    """Behaviour 39, with the appointment alongside."""
    agent = office.agent()
    unit = office.unit(agent)
    lead = office.lead(unit)
    office.book(unit, agent, conversation_id=lead, status=ShowingState.PENDING)
    for target in ("confirmed", "reschedule_requested", "pending", "cancelled"):
        assert ask(office, lead, showing_state=ShowingState(target)).applied
        office.conn.execute(text("SET CONSTRAINTS ALL IMMEDIATE"))
    assert ask(office, lead, showing_state=ShowingState.CONFIRMED).reason == "invalid_transition"


def test_an_appointment_of_the_earlier_system_that_says_otherwise_refuses(office: Office) -> None:
    """G-19: a terminal appointment is not revived through its conversation."""
    lead = rows.conversation(office.conn, showing_state="pending")
    office.conn.execute(text("SET LOCAL session_replication_role = replica"))
    agent, unit = rows.agent(office.conn), rows.unit(office.conn)
    busy = {"busy_from": NOW, "busy_until": NOW + rows.HOUR}
    rows.showing(office.conn, agent, unit, conversation_id=lead, status="cancelled", **busy)
    office.conn.execute(text("SET LOCAL session_replication_role = origin"))
    refused = ask(office, lead, showing_state=ShowingState.CONFIRMED)
    assert (refused.reason, refused.current) == ("invalid_transition", "cancelled")


def test_two_changes_of_one_conversation_in_a_batch(office: Office) -> None:
    """They are applied in turn, each audited with what it found."""
    lead = rows.conversation(office.conn)
    outcomes = (WorkflowOutcome.HUMAN_REQUIRED, WorkflowOutcome.NOT_INTERESTED)
    requests = [
        TransitionRequest(lead, WorkflowPatch(workflow_outcome=o), "api", "x", ADMIN) for o in outcomes
    ]
    assert [r.applied for r in transition(office.conn, requests, NOW)] == [True, True]
    told = office.audits("workflow_state_transitioned")
    assert [row["previous"]["workflowOutcome"] for row in told] == [None, "human_required"]


@pytest.mark.parametrize("leads", [1, 60])
def test_a_batch_takes_as_many_statements_as_one(office: Office, database: Database, leads: int) -> None:
    asked = [
        TransitionRequest(
            rows.conversation(office.conn, workflow_state="outcome", workflow_outcome="human_required"),
            WorkflowPatch(workflow_state=WorkflowState.SHOWING, showing_state=ShowingState.PENDING),
            "api",
            "x",
            ADMIN,
            reopen=True,
        )
        for _ in range(leads)
    ]
    statements: list[str] = []
    event.listen(database.engine, "before_cursor_execute", lambda *args: statements.append(args[2]))
    assert all(result.applied for result in transition(office.conn, asked, NOW))
    assert len(statements) == 7


class TestRecovery:
    """``no_reply`` is left by what the lead wrote after it, and by nothing else (G-16)."""

    AT = NOW

    @pytest.fixture
    def silent(self, office: Office) -> UUID:
        lead = rows.conversation(office.conn)
        assert ask(office, lead, workflow_outcome=WorkflowOutcome.NO_REPLY).applied
        return lead

    @pytest.mark.parametrize(
        ("sent_at", "back"), [(NOW - timedelta(minutes=2), False), (NOW + timedelta(minutes=2), True)]
    )
    def test_the_clock_that_set_the_outcome_counts(
        self, office: Office, silent: UUID, sent_at: datetime, back: bool
    ) -> None:
        """Not the database's: an accelerated run comes to the same result."""
        rows.message(office.conn, silent, sent_at=sent_at)
        assert (office.conversation(silent)[0] == "lead") is back

    def test_a_later_change_of_something_else_does_not_move_the_outcome(
        self, office: Office, silent: UUID
    ) -> None:
        office.now = NOW + timedelta(hours=5)
        assert ask(office, silent, showing_state=ShowingState.CANCELLED).applied
        rows.message(office.conn, silent, sent_at=NOW + timedelta(hours=1))
        assert office.conversation(silent) == ("lead", None, "cancelled")

    def test_a_message_that_arrives_while_the_outcome_is_reached_still_counts(
        self, conn: Connection, database: Database
    ) -> None:
        """Neither sees the other's row yet: the message waits for the conversation and then looks."""
        lead = rows.conversation(conn)
        conn.commit()

        def write() -> None:
            with database.engine.begin() as lead_writes:
                rows.message(lead_writes, lead, sent_at=NOW + timedelta(minutes=5))

        with ThreadPoolExecutor(1) as pool:
            with database.engine.begin() as gives_up:
                silent = TransitionRequest(
                    lead, WorkflowPatch(workflow_outcome=WorkflowOutcome.NO_REPLY), "follow_up", "due", ADMIN
                )
                assert transition(gives_up, [silent], NOW)[0].applied
                writing = pool.submit(write)
                until_blocked(database)
            writing.result()
        with database.engine.connect() as after:
            assert Office(after).conversation(lead) == ("lead", None, None)


def until_blocked(database: Database) -> None:
    """Wait until another session of this database waits for a lock."""
    waiting = """SELECT count(*) FROM pg_stat_activity
                  WHERE datname = current_database() AND wait_event_type = 'Lock' AND pid <> pg_backend_pid()"""
    with database.engine.connect() as conn:
        for _ in range(3000):
            if rows.value(conn, waiting):
                return
            conn.rollback()
            conn.execute(text("SELECT pg_sleep(0.01)"))
    raise AssertionError("nobody waits")
