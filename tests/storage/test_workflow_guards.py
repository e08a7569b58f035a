"""The database's own guards on a conversation's workflow: every pair of states, allowed or refused."""

from __future__ import annotations

from datetime import timedelta
from itertools import product
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import Connection, update
from sqlalchemy.exc import DBAPIError

from leasebot_pipeline.domain.showings import ShowingState, showing_transition_allowed
from leasebot_pipeline.domain.workflow import WorkflowState, workflow_transition_allowed
from leasebot_pipeline.storage.tables.accounts import agents
from leasebot_pipeline.storage.tables.conversations import conversations
from leasebot_pipeline.storage.tables.scheduling import follow_ups
from tests.storage import rows
from tests.storage.conftest import NOW

STAGES = (None, "follow_up_1", "follow_up_2")


def code_of(conn: Connection, conversation: UUID, **values: Any) -> str | None:
    """SQLSTATE that refuses the change, or None; either way the change is undone."""
    savepoint = conn.begin_nested()
    try:
        conn.execute(update(conversations).where(conversations.c.id == conversation).values(**values))
    except DBAPIError as refused:
        return str(refused.orig.sqlstate)  # type: ignore[union-attr]
    finally:
        savepoint.rollback()
    return None


def insert_refusal(conn: Connection, **values: Any) -> str | None:
    """Constraint that refuses such a conversation, or None; either way none is made."""
    savepoint = conn.begin_nested()
    try:
        rows.conversation(conn, **values)
    except DBAPIError as refused:
        return str(refused.orig.diag.constraint_name)  # type: ignore[union-attr]
    finally:
        savepoint.rollback()
    return None


def change(conn: Connection, conversation: UUID, **values: Any) -> None:
    conn.execute(update(conversations).where(conversations.c.id == conversation).values(**values))


@pytest.fixture
def owner(conn: Connection) -> UUID:
    return rows.agent(conn)


def follow_up(stage: str | None, owner: UUID) -> dict[str, Any]:
    """The follow-up columns that go with a stage."""
    return {
        "follow_up_stage": stage,
        "follow_up_due_at": NOW if stage else None,
        "follow_up_owner_agent_id": owner if stage else None,
    }


def stage_of(state: WorkflowState) -> str | None:
    return state.value if state in (WorkflowState.FOLLOW_UP_1, WorkflowState.FOLLOW_UP_2) else None


def test_workflow_states_move_as_the_rules_say(conn: Connection, owner: UUID) -> None:
    """All 25 pairs; the stage moves along where the target needs one."""
    for current, target in product(WorkflowState, WorkflowState):
        identity = rows.conversation(conn, workflow_state=current, **follow_up(stage_of(current), owner))
        values: dict[str, Any] = {"workflow_state": target}
        if stage_of(target):
            values |= follow_up(stage_of(target), owner)
        allowed = workflow_transition_allowed(current, target)
        assert code_of(conn, identity, **values) == (None if allowed else "22023"), (current, target)


def test_showing_states_move_as_the_rules_say(conn: Connection) -> None:
    """All 49 pairs; a state once set is never cleared, so a terminal one can't be left through NULL (G-17)."""
    for current, target in product((None, *ShowingState), (None, *ShowingState)):
        identity = rows.conversation(conn, showing_state=current)
        allowed = showing_transition_allowed(current, target)
        code = code_of(conn, identity, showing_state=target)
        assert code == (None if allowed else "22023"), (current, target)


@pytest.mark.parametrize("state", ["lead", "outcome"])
def test_follow_up_stages_move_as_the_rules_say(conn: Connection, owner: UUID, state: str) -> None:
    """All 9 pairs, in a conversation at an outcome and in another one: only there a stage may be cleared."""
    forward = {(None, "follow_up_1"), ("follow_up_1", "follow_up_2")}
    for current, target in product(STAGES, STAGES):
        identity = rows.conversation(conn, workflow_state=state, **follow_up(current, owner))
        allowed = current == target or (current, target) in forward or (target is None and state == "outcome")
        code = code_of(conn, identity, **follow_up(target, owner))
        assert code == (None if allowed else "22023"), (current, target)


def test_a_stage_may_be_cleared_when_a_conversation_starts_over_or_books(
    conn: Connection, owner: UUID
) -> None:
    ended = rows.conversation(conn, workflow_state="outcome", **follow_up("follow_up_2", owner))
    assert code_of(conn, ended, workflow_state="lead", **follow_up(None, owner)) is None
    asked = rows.conversation(conn, workflow_state="lead", **follow_up("follow_up_1", owner))
    booked = {"workflow_state": "showing", "workflow_outcome": "showing_confirmed"}
    assert code_of(conn, asked, **booked, **follow_up(None, owner)) is None


def test_a_follow_up_state_needs_its_own_stage(conn: Connection, owner: UUID) -> None:
    """Each state with each stage; a NULL stage no longer passes (G-17)."""
    for state, stage in product(WorkflowState, STAGES):
        refusal = insert_refusal(conn, workflow_state=state, **follow_up(stage, owner))
        fits = stage_of(state) in (None, stage)
        expected = None if fits else "conversations_follow_up_stage_consistency_chk"
        assert refusal == expected, (state, stage)


@pytest.mark.parametrize("missing", ["follow_up_due_at", "follow_up_owner_agent_id"])
def test_a_stage_needs_due_time_and_owner(conn: Connection, owner: UUID, missing: str) -> None:
    values = {**follow_up("follow_up_1", owner), missing: None}
    assert code_of(conn, rows.conversation(conn), **values) == "23514"


def test_an_outcome_needs_its_state(conn: Connection) -> None:
    for state, outcome in product(("lead", "showing", "outcome"), (None, "no_reply", "showing_confirmed")):
        refusal = insert_refusal(conn, workflow_state=state, workflow_outcome=outcome)
        fits = outcome is None or state == "outcome" or (state, outcome) == ("showing", "showing_confirmed")
        expected = None if fits else "conversations_outcome_requires_outcome_state_chk"
        assert refusal == expected, (state, outcome)


def test_a_refusal_names_both_states(conn: Connection, owner: UUID) -> None:
    """Behaviour 42."""
    identity = rows.conversation(conn)
    change(conn, identity, workflow_state="showing", showing_state="confirmed")
    for values, kind in (
        ({"workflow_state": "follow_up_2", **follow_up("follow_up_1", owner)}, "workflow_state"),
        ({"showing_state": "pending"}, "showing_state"),
    ):
        with pytest.raises(DBAPIError) as refused, conn.begin_nested():
            change(conn, identity, **values)
        current, target = ("showing", "follow_up_2") if kind == "workflow_state" else ("confirmed", "pending")
        assert refused.value.orig.sqlstate == "22023"  # type: ignore[union-attr]
        assert f"{kind} transition from {current} to {target}" in str(refused.value)


def test_a_change_of_the_workflow_is_dated_another_change_is_not(conn: Connection) -> None:
    dated = 'SELECT workflow_updated_at FROM "Conversations" WHERE id = :id'
    identity = rows.conversation(conn, workflow_updated_at=NOW - timedelta(days=9))
    change(conn, identity, lead_name="Ana", workflow_state="lead")
    assert rows.value(conn, dated, id=identity) == NOW - timedelta(days=9)
    change(conn, identity, showing_state="pending")
    assert rows.value(conn, dated, id=identity) > NOW - timedelta(days=9)


class TestNoReplyRecovery:
    """A lead who had gone silent writes again."""

    OUTCOME_AT = NOW.replace(second=30)

    @pytest.fixture
    def silent(self, conn: Connection) -> UUID:
        return rows.conversation(
            conn,
            workflow_state="outcome",
            workflow_outcome="no_reply",
            showing_state="cancelled",
            workflow_updated_at=self.OUTCOME_AT,
        )

    def state(self, conn: Connection, conversation: UUID) -> tuple[Any, ...]:
        row = conn.execute(
            conversations.select()
            .where(conversations.c.id == conversation)
            .with_only_columns(
                conversations.c.workflow_state,
                conversations.c.workflow_outcome,
                conversations.c.showing_state,
            )
        ).one()
        return tuple(row)

    def test_an_inbound_message_reopens_an_outbound_one_does_not(
        self, conn: Connection, silent: UUID
    ) -> None:
        """Behaviour 43."""
        rows.message(conn, silent, "outbound")
        assert self.state(conn, silent) == ("outcome", "no_reply", "cancelled")
        message = rows.message(conn, silent)
        assert self.state(conn, silent) == ("lead", None, "cancelled")
        details = rows.value(
            conn,
            """SELECT details FROM "AuditLogs"
                WHERE action = 'workflow_no_reply_recovered' AND actor_type = 'system' AND conversation_id = :id
                  AND platform = 'spareroom'""",
            id=silent,
        )
        assert details["conversationId"] == str(silent)
        assert details["messageId"] == str(message)
        assert details["trigger"] == "inbound_message"

    @pytest.mark.parametrize(
        ("sent_at", "has_time", "reopens"),
        [
            (NOW - timedelta(minutes=1), True, False),  # history (G-16)
            (NOW, True, True),  # shown to the minute: may be newer than 30 s past it
            (NOW + timedelta(minutes=1), True, True),
            (NOW - timedelta(hours=12), False, True),  # a bare date
            (NOW - timedelta(hours=25), False, False),
            (None, False, True),
        ],
    )
    def test_only_what_may_be_newer_than_the_outcome_reopens(
        self, conn: Connection, silent: UUID, sent_at: Any, has_time: bool, reopens: bool
    ) -> None:
        rows.message(conn, silent, sent_at=sent_at, metadata={"sentAtHasTime": has_time})
        assert (self.state(conn, silent)[0] == "lead") is reopens

    def test_another_outcome_stays(self, conn: Connection) -> None:
        ended = rows.conversation(conn, workflow_state="outcome", workflow_outcome="human_required")
        rows.message(conn, ended)
        assert self.state(conn, ended)[:2] == ("outcome", "human_required")


class TestDeletedFollowUpOwner:
    """Deleting the agent who owns follow-ups works (G-66); the conversations go to a person."""

    def test_pending_follow_ups_go_to_a_person(self, conn: Connection, owner: UUID) -> None:
        due = rows.conversation(conn, workflow_state="follow_up_1", **follow_up("follow_up_1", owner))
        planned = rows.add(
            conn,
            follow_ups,
            conversation_id=due,
            stage="follow_up_1",
            due_at=NOW,
            owner_agent_id=owner,
        )
        conn.execute(agents.delete().where(agents.c.id == owner))
        row = conn.execute(conversations.select().where(conversations.c.id == due)).one()
        assert (row.workflow_state, row.workflow_outcome, row.follow_up_stage, row.follow_up_status) == (
            "outcome",
            "human_required",
            None,
            "cancelled",
        )
        status = 'SELECT status FROM "FollowUps" WHERE id = :id'
        assert rows.value(conn, status, id=planned) == "cancelled"
        moved = rows.value(
            conn,
            """SELECT details FROM "AuditLogs"
                WHERE action = 'workflow_state_transitioned' AND conversation_id = :id AND platform = 'spareroom'""",
            id=due,
        )
        assert moved["previous"]["followUpStage"] == "follow_up_1"
        assert moved["next"]["workflowOutcome"] == "human_required"

    def test_an_outcome_reached_before_is_kept(self, conn: Connection, owner: UUID) -> None:
        ended = rows.conversation(
            conn,
            workflow_state="outcome",
            workflow_outcome="not_interested",
            **follow_up("follow_up_2", owner),
        )
        conn.execute(agents.delete().where(agents.c.id == owner))
        row = conn.execute(conversations.select().where(conversations.c.id == ended)).one()
        assert (row.workflow_outcome, row.follow_up_stage) == ("not_interested", None)

    def test_an_agent_with_showings_is_still_kept(self, conn: Connection, owner: UUID) -> None:
        due = rows.conversation(conn, workflow_state="follow_up_1", **follow_up("follow_up_1", owner))
        rows.showing(conn, owner, rows.unit(conn))
        with pytest.raises(DBAPIError, match="ShowingAppointments"), conn.begin_nested():
            conn.execute(agents.delete().where(agents.c.id == owner))
        row = conn.execute(conversations.select().where(conversations.c.id == due)).one()
        assert row.follow_up_owner_agent_id == owner
