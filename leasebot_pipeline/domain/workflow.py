"""How a decision moves a conversation's workflow. Pure.

Effects follow the reply: an escalated message moves nothing, except that it may queue the conversation
for a person. A conversation that had come to an outcome starts over when its lead writes again.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from leasebot_pipeline.domain.decisions import Outcome, Verdict, WorkflowOutcome
from leasebot_pipeline.domain.showings import LIVE_SHOWING_STATES, ShowingState, showing_transition_allowed


class WorkflowState(StrEnum):
    LEAD = "lead"
    SHOWING = "showing"
    FOLLOW_UP_1 = "follow_up_1"
    FOLLOW_UP_2 = "follow_up_2"
    OUTCOME = "outcome"


_S = WorkflowState
WORKFLOW_TRANSITIONS: Final[dict[WorkflowState, frozenset[WorkflowState]]] = {
    _S.LEAD: frozenset({_S.SHOWING, _S.FOLLOW_UP_1, _S.OUTCOME}),
    _S.SHOWING: frozenset({_S.FOLLOW_UP_1, _S.OUTCOME}),
    _S.FOLLOW_UP_1: frozenset({_S.FOLLOW_UP_2, _S.OUTCOME}),
    _S.FOLLOW_UP_2: frozenset({_S.OUTCOME}),
    _S.OUTCOME: frozenset({_S.LEAD}),
}


def workflow_transition_allowed(current: WorkflowState, target: WorkflowState) -> bool:
    """Whether that step is allowed; staying always is."""
    return current == target or target in WORKFLOW_TRANSITIONS[current]


@dataclass(frozen=True, slots=True)
class OutcomeEffect:
    """What an outcome sets on its conversation. A set outcome always clears the follow-up fields."""

    state: WorkflowState
    showing: ShowingState | None = None
    """None leaves the showing state as it is."""


OUTCOME_EFFECTS: Final[dict[WorkflowOutcome, OutcomeEffect]] = {
    WorkflowOutcome.HUMAN_REQUIRED: OutcomeEffect(_S.OUTCOME),
    WorkflowOutcome.SHOWING_CONFIRMED: OutcomeEffect(_S.SHOWING, ShowingState.CONFIRMED),
    WorkflowOutcome.WANTS_RESCHEDULE: OutcomeEffect(_S.OUTCOME, ShowingState.RESCHEDULE_REQUESTED),
    WorkflowOutcome.NO_REPLY: OutcomeEffect(_S.OUTCOME),
    WorkflowOutcome.NOT_INTERESTED: OutcomeEffect(_S.OUTCOME, ShowingState.CANCELLED),
    WorkflowOutcome.COMPLETED: OutcomeEffect(_S.OUTCOME, ShowingState.COMPLETED),
    WorkflowOutcome.NO_SHOW: OutcomeEffect(_S.OUTCOME, ShowingState.NO_SHOW),
}
"""``general_question`` is not here: it changes nothing."""


REOPENED_BY_ANSWER: Final = frozenset({_S.OUTCOME, _S.FOLLOW_UP_1, _S.FOLLOW_UP_2})
"""States from which a conversation starts over when its lead writes again and is answered.

Every outcome allows it, ``human_required`` and ``not_interested`` too: whoever writes again is a lead again. It is
the answer that reopens, not the message, so that a conversation stays in a person's queue until something else
than a person has an answer for it. Only ``no_reply`` is left by the message itself (the database does that).
"""


@dataclass(frozen=True, slots=True)
class ConversationState:
    """The workflow columns of a conversation."""

    workflow_state: WorkflowState
    workflow_outcome: WorkflowOutcome | None
    showing_state: ShowingState | None


@dataclass(frozen=True, slots=True)
class WorkflowChange:
    """The columns after a decision."""

    workflow_state: WorkflowState
    workflow_outcome: WorkflowOutcome | None
    showing_state: ShowingState | None
    clear_follow_up: bool
    """Follow-up stage, due time and owner go, its status starts over."""
    reopen_first: bool
    """The conversation must come back to ``lead`` in steps of their own before."""


def workflow_effects(
    conversation: ConversationState, verdict: Verdict, outcome: Outcome
) -> WorkflowChange | None:
    """The change a decision makes, or None when it makes none.

    Only ``human_required`` moves an escalated conversation. A showing is only cancelled where a live one
    exists (a lead who declines before any showing must be able to come back), and a step that the
    transition tables forbid leaves the showing state alone.
    """
    if outcome.outcome == "blocked" or (outcome.outcome == "skip" and verdict.nothing_to_answer):
        return None  # a bare thank-you ends nothing
    effect = OUTCOME_EFFECTS.get(verdict.workflow_outcome)
    if outcome.outcome == "escalate" and verdict.workflow_outcome is not WorkflowOutcome.HUMAN_REQUIRED:
        return None
    if effect is None:
        if outcome.outcome == "skip" or conversation.workflow_state not in REOPENED_BY_ANSWER:
            return None
        follow_up = conversation.workflow_state is not WorkflowState.OUTCOME
        return WorkflowChange(WorkflowState.LEAD, None, conversation.showing_state, follow_up, follow_up)

    start = conversation.workflow_state
    reopen = start in REOPENED_BY_ANSWER and not workflow_transition_allowed(start, effect.state)
    if reopen:
        start = WorkflowState.LEAD
    if not workflow_transition_allowed(start, effect.state):
        return None
    showing = _showing_after(conversation.showing_state, effect.showing)
    if effect.state is WorkflowState.SHOWING and showing is not effect.showing:
        return None
    change = WorkflowChange(effect.state, verdict.workflow_outcome, showing, True, reopen)
    unchanged = (conversation.workflow_state, conversation.workflow_outcome, conversation.showing_state) == (
        change.workflow_state,
        change.workflow_outcome,
        change.showing_state,
    )
    return None if unchanged else change


def _showing_after(current: ShowingState | None, target: ShowingState | None) -> ShowingState | None:
    if target is None or not showing_transition_allowed(current, target):
        return current
    if target is ShowingState.CANCELLED and current not in LIVE_SHOWING_STATES:
        return current
    return target
