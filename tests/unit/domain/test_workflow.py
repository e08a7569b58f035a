"""Effects of a decision on the conversation: after the reply, never on an escalated one but for the queue."""

from __future__ import annotations

from itertools import product

import pytest

from leasebot_pipeline.domain.decisions import Intent, WorkflowOutcome
from leasebot_pipeline.domain.showings import SHOWING_TRANSITIONS, ShowingState, showing_transition_allowed
from leasebot_pipeline.domain.workflow import (
    OUTCOME_EFFECTS,
    ConversationState,
    WorkflowState,
    workflow_effects,
    workflow_transition_allowed,
)
from tests.unit.domain.decision_values import composed, verdict

LEAD = ConversationState(WorkflowState.LEAD, None, None)
SENT = composed()
ESCALATED = composed(rule=None)
SKIPPED = composed(
    judged=verdict(
        intent=Intent.UNKNOWN,
        effective_intent=Intent.UNKNOWN,
        workflow_outcome=WorkflowOutcome.NOT_INTERESTED,
    )
)


def test_what_each_outcome_sets() -> None:
    """Behaviour 66."""
    effects = {o.value: (e.state.value, e.showing and e.showing.value) for o, e in OUTCOME_EFFECTS.items()}
    assert effects == {
        "human_required": ("outcome", None),
        "showing_confirmed": ("showing", "confirmed"),
        "wants_reschedule": ("outcome", "reschedule_requested"),
        "no_reply": ("outcome", None),
        "not_interested": ("outcome", "cancelled"),
        "completed": ("outcome", "completed"),
        "no_show": ("outcome", "no_show"),
    }


def test_a_reply_to_a_general_question_changes_nothing() -> None:
    assert workflow_effects(LEAD, verdict(), SENT) is None


def test_an_answered_lead_comes_back_from_an_outcome() -> None:
    ended = ConversationState(WorkflowState.OUTCOME, WorkflowOutcome.NOT_INTERESTED, None)
    change = workflow_effects(ended, verdict(), SENT)
    assert change is not None
    assert (change.workflow_state, change.workflow_outcome) == (WorkflowState.LEAD, None)
    assert workflow_effects(ended, verdict(), ESCALATED) is None


@pytest.mark.parametrize("outcome", [None, *WorkflowOutcome])
def test_every_outcome_is_left_when_the_lead_is_answered(outcome: WorkflowOutcome | None) -> None:
    """G-20: ``human_required`` is no dead end."""
    change = workflow_effects(ConversationState(WorkflowState.OUTCOME, outcome, None), verdict(), SENT)
    assert change is not None
    assert (change.workflow_state, change.workflow_outcome) == (WorkflowState.LEAD, None)


@pytest.mark.parametrize("state", [WorkflowState.FOLLOW_UP_1, WorkflowState.FOLLOW_UP_2])
def test_an_answer_to_a_follow_up_starts_over_or_books(state: WorkflowState) -> None:
    waiting = ConversationState(state, None, None)
    change = workflow_effects(waiting, verdict(), SENT)
    assert change is not None
    assert (change.workflow_state, change.clear_follow_up, change.reopen_first) == ("lead", True, True)
    booked = workflow_effects(waiting, verdict(workflow_outcome=WorkflowOutcome.SHOWING_CONFIRMED), SENT)
    assert booked is not None
    assert (booked.workflow_state, booked.reopen_first) == ("showing", True)


def test_an_escalated_message_only_queues_for_a_person() -> None:
    human = workflow_effects(LEAD, verdict(workflow_outcome=WorkflowOutcome.HUMAN_REQUIRED), ESCALATED)
    assert human is not None
    assert (human.workflow_state, human.workflow_outcome) == (
        WorkflowState.OUTCOME,
        WorkflowOutcome.HUMAN_REQUIRED,
    )
    for other in (
        WorkflowOutcome.SHOWING_CONFIRMED,
        WorkflowOutcome.NOT_INTERESTED,
        WorkflowOutcome.WANTS_RESCHEDULE,
    ):
        assert workflow_effects(LEAD, verdict(workflow_outcome=other), ESCALATED) is None


def test_a_second_human_required_changes_nothing() -> None:
    queued = ConversationState(WorkflowState.OUTCOME, WorkflowOutcome.HUMAN_REQUIRED, None)
    assert (
        workflow_effects(queued, verdict(workflow_outcome=WorkflowOutcome.HUMAN_REQUIRED), ESCALATED) is None
    )


def test_a_declining_lead_without_a_showing_can_come_back() -> None:
    no = verdict(workflow_outcome=WorkflowOutcome.NOT_INTERESTED)
    change = workflow_effects(LEAD, no, SKIPPED)
    assert change is not None
    assert (change.workflow_outcome, change.showing_state) == (WorkflowOutcome.NOT_INTERESTED, None)
    pending = ConversationState(WorkflowState.SHOWING, None, ShowingState.PENDING)
    cancelled = workflow_effects(pending, no, SKIPPED)
    assert cancelled is not None
    assert cancelled.showing_state is ShowingState.CANCELLED


def test_a_confirmation_after_an_outcome_reopens_first() -> None:
    ended = ConversationState(WorkflowState.OUTCOME, WorkflowOutcome.WANTS_RESCHEDULE, None)
    change = workflow_effects(ended, verdict(workflow_outcome=WorkflowOutcome.SHOWING_CONFIRMED), SENT)
    assert change is not None
    assert change.reopen_first
    assert (change.workflow_state, change.showing_state) == (WorkflowState.SHOWING, ShowingState.CONFIRMED)


@pytest.mark.parametrize("terminal", [ShowingState.CANCELLED, ShowingState.COMPLETED, ShowingState.NO_SHOW])
def test_a_finished_showing_is_never_confirmed_again(terminal: ShowingState) -> None:
    done = ConversationState(WorkflowState.LEAD, None, terminal)
    confirmed = verdict(workflow_outcome=WorkflowOutcome.SHOWING_CONFIRMED)
    assert workflow_effects(done, confirmed, SENT) is None


@pytest.mark.parametrize(("source", "target"), list(product([None, *ShowingState], [None, *ShowingState])))
def test_every_pair_of_showing_states(source: ShowingState | None, target: ShowingState | None) -> None:
    allowed = {
        None: {"pending", "confirmed", "reschedule_requested", "cancelled", "completed", "no_show"},
        "pending": {"confirmed", "reschedule_requested", "cancelled", "no_show"},
        "confirmed": {"reschedule_requested", "cancelled", "completed", "no_show"},
        "reschedule_requested": {"pending", "confirmed", "cancelled", "no_show"},
    }.get(source, set())
    assert showing_transition_allowed(source, target) == (source == target or (target or "") in allowed)
    assert source in SHOWING_TRANSITIONS


@pytest.mark.parametrize(("source", "target"), list(product(WorkflowState, WorkflowState)))
def test_every_pair_of_workflow_states(source: WorkflowState, target: WorkflowState) -> None:
    allowed = {
        "lead": {"showing", "follow_up_1", "outcome"},
        "showing": {"follow_up_1", "outcome"},
        "follow_up_1": {"follow_up_2", "outcome"},
        "follow_up_2": {"outcome"},
        "outcome": {"lead"},
    }[source.value]
    assert workflow_transition_allowed(source, target) == (source == target or target.value in allowed)
