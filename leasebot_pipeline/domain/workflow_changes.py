"""A change of a conversation's workflow: what is asked, which steps it takes, why it is refused. Pure.

Decisions, follow-ups, bookings and the API all ask through ``WorkflowPatch``; ``plan_change`` fills in what
follows from it and walks the transition tables. Every step of a plan is one that the tables, and the
database's own guards, allow.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from typing import Final, Literal
from uuid import UUID

from leasebot_pipeline.domain.decisions import WorkflowOutcome
from leasebot_pipeline.domain.follow_up_states import (
    FollowUpStage,
    FollowUpStatus,
    stage_transition_allowed,
)
from leasebot_pipeline.domain.showings import ShowingState, showing_transition_allowed
from leasebot_pipeline.domain.workflow import WorkflowChange, WorkflowState, workflow_transition_allowed


class Keep(Enum):
    """The one value that leaves a field of a patch as it is; ``None`` clears it."""

    KEEP = "keep"


KEEP: Final = Keep.KEEP


@dataclass(frozen=True, slots=True)
class WorkflowColumns:
    """The seven workflow columns of a conversation."""

    workflow_state: WorkflowState = WorkflowState.LEAD
    workflow_outcome: WorkflowOutcome | None = None
    showing_state: ShowingState | None = None
    follow_up_stage: FollowUpStage | None = None
    follow_up_due_at: datetime | None = None
    follow_up_owner_agent_id: UUID | None = None
    follow_up_status: FollowUpStatus = FollowUpStatus.PENDING


@dataclass(frozen=True, slots=True)
class WorkflowPatch:
    """What is asked for. A field that is given replaces, also with None; ``KEEP`` leaves it.

    What is left open follows: an outcome brings its state (``showing`` for a confirmed showing, else
    ``outcome``), a follow-up stage brings its own; an outcome that does not fit the new state goes; a
    conversation that comes to an outcome, books, or starts over loses its follow-up.
    """

    workflow_state: WorkflowState | Keep = KEEP
    workflow_outcome: WorkflowOutcome | Keep | None = KEEP
    showing_state: ShowingState | Keep | None = KEEP
    follow_up_stage: FollowUpStage | Keep | None = KEEP
    follow_up_due_at: datetime | Keep | None = KEEP
    follow_up_owner_agent_id: UUID | Keep | None = KEEP
    follow_up_status: FollowUpStatus | Keep = KEEP


_SHOWING_OUTCOMES: Final[dict[ShowingState, tuple[WorkflowState, WorkflowOutcome | None]]] = {
    ShowingState.PENDING: (WorkflowState.SHOWING, None),
    ShowingState.CONFIRMED: (WorkflowState.SHOWING, WorkflowOutcome.SHOWING_CONFIRMED),
    ShowingState.RESCHEDULE_REQUESTED: (WorkflowState.OUTCOME, WorkflowOutcome.WANTS_RESCHEDULE),
    ShowingState.CANCELLED: (WorkflowState.OUTCOME, None),
    ShowingState.COMPLETED: (WorkflowState.OUTCOME, WorkflowOutcome.COMPLETED),
    ShowingState.NO_SHOW: (WorkflowState.OUTCOME, WorkflowOutcome.NO_SHOW),
}


def showing_patch(showing: ShowingState, outcome: WorkflowOutcome | Keep | None = KEEP) -> WorkflowPatch:
    """What a showing's state means for its conversation.

    A cancelled showing has no outcome of its own, unless the caller knows one (the lead lost interest).
    """
    state, own = _SHOWING_OUTCOMES[showing]
    return WorkflowPatch(
        workflow_state=state,
        workflow_outcome=own if outcome is KEEP else outcome,
        showing_state=showing,
        follow_up_stage=None,
    )


def workflow_patch(change: WorkflowChange, showing: str | None) -> WorkflowPatch:
    """A decision's change as a patch; ``showing`` is the conversation's showing state as it was read."""
    return WorkflowPatch(
        workflow_state=change.workflow_state,
        workflow_outcome=change.workflow_outcome,
        showing_state=KEEP if change.showing_state == showing else change.showing_state,
        follow_up_stage=None if change.clear_follow_up else KEEP,
    )


ChangeReason = Literal["invalid_transition", "validation_error", "no_change"]


@dataclass(frozen=True, slots=True)
class ChangeRefusal:
    """Why a change is not made. ``kind`` is the column; ``current`` and ``target`` name both states."""

    reason: ChangeReason
    message: str
    kind: str | None = None
    current: str | None = None
    target: str | None = None


_STAGES: Final = {
    WorkflowState.FOLLOW_UP_1: FollowUpStage.FOLLOW_UP_1,
    WorkflowState.FOLLOW_UP_2: FollowUpStage.FOLLOW_UP_2,
}
_BETWEEN: Final = (
    (),
    (WorkflowState.OUTCOME,),
    (WorkflowState.LEAD,),
    (WorkflowState.OUTCOME, WorkflowState.LEAD),
)
"""States a reopened conversation may pass through, shortest way first."""


def plan_change(
    current: WorkflowColumns, patch: WorkflowPatch, *, reopen: bool = False, new_showing: bool = False
) -> tuple[WorkflowColumns, ...] | ChangeRefusal:
    """The steps from ``current`` to what is asked, last one the result; or why there are none.

    ``reopen`` lets a conversation pass through ``outcome`` and ``lead`` on its way (its lead wrote again, a
    showing was booked). ``new_showing``: a new appointment begins, whose state the conversation takes even
    after one that had ended.
    """
    target = _target(current, patch)
    if isinstance(target, ChangeRefusal):
        return target
    if target == current:
        return ChangeRefusal("no_change", "the conversation already is as asked")
    refusals: list[ChangeRefusal] = []
    for between in _BETWEEN if reopen else ((),):
        # Nothing but the showing goes along on the way, and it changes with the first step.
        through = (WorkflowColumns(workflow_state=s, showing_state=target.showing_state) for s in between)
        steps = (*through, target)
        refusal = _first_refusal(current, steps, new_showing)
        if refusal is None:
            return steps
        refusals.append(refusal)
    return refusals[0]


def step_refusal(
    before: WorkflowColumns, after: WorkflowColumns, *, new_showing: bool = False
) -> ChangeRefusal | None:
    """Why the database would refuse that one step; None when it allows it."""
    if not workflow_transition_allowed(before.workflow_state, after.workflow_state):
        return _forbidden("workflow_state", before.workflow_state, after.workflow_state)
    if not showing_transition_allowed(before.showing_state, after.showing_state) and not (
        new_showing and after.showing_state is not None
    ):
        return _forbidden("showing_state", before.showing_state, after.showing_state)
    may_clear = (
        after.workflow_state is WorkflowState.OUTCOME
        or after.workflow_outcome is WorkflowOutcome.SHOWING_CONFIRMED
        or (before.workflow_state is WorkflowState.OUTCOME and after.workflow_state is WorkflowState.LEAD)
    )
    if not stage_transition_allowed(before.follow_up_stage, after.follow_up_stage, may_clear=may_clear):
        return _forbidden("follow_up_stage", before.follow_up_stage, after.follow_up_stage)
    return None


def outcome_fits(outcome: WorkflowOutcome | None, state: WorkflowState) -> bool:
    """Whether a conversation in that state may carry that outcome."""
    return (
        outcome is None
        or state is WorkflowState.OUTCOME
        or (outcome is WorkflowOutcome.SHOWING_CONFIRMED and state is WorkflowState.SHOWING)
    )


def _target(current: WorkflowColumns, patch: WorkflowPatch) -> WorkflowColumns | ChangeRefusal:
    """All seven columns as they would be, or what in the patch contradicts itself."""
    state = _state(current, patch)
    outcome = current.workflow_outcome if patch.workflow_outcome is KEEP else patch.workflow_outcome
    if not outcome_fits(outcome, state):
        if patch.workflow_outcome is not KEEP:
            return ChangeRefusal(
                "validation_error",
                f"workflowOutcome: {outcome} does not go with the state {state}",
                "workflow_outcome",
            )
        outcome = None
    stage = _stage(current, patch, state, outcome)
    if state in _STAGES and stage is not _STAGES[state]:
        return ChangeRefusal(
            "validation_error", f"followUpStage: the state {state} needs its own stage", "follow_up_stage"
        )
    due = current.follow_up_due_at if patch.follow_up_due_at is KEEP else patch.follow_up_due_at
    owner = (
        current.follow_up_owner_agent_id
        if patch.follow_up_owner_agent_id is KEEP
        else patch.follow_up_owner_agent_id
    )
    if stage is None:
        due = owner = None
    elif due is None or owner is None:
        field = "followUpDueAt" if due is None else "followUpOwnerAgentId"
        return ChangeRefusal("validation_error", f"{field}: a follow-up stage needs it", "follow_up_stage")
    if patch.follow_up_status is not KEEP:
        status = patch.follow_up_status
    else:
        same = stage is current.follow_up_stage
        status = current.follow_up_status if same else FollowUpStatus.PENDING
    showing = current.showing_state if patch.showing_state is KEEP else patch.showing_state
    return WorkflowColumns(state, outcome, showing, stage, due, owner, status)


def _state(current: WorkflowColumns, patch: WorkflowPatch) -> WorkflowState:
    if patch.workflow_state is not KEEP:
        return patch.workflow_state
    if patch.follow_up_stage is not KEEP and patch.follow_up_stage is not None:
        return WorkflowState(patch.follow_up_stage.value)
    if patch.workflow_outcome is KEEP or patch.workflow_outcome is None:
        return current.workflow_state
    confirmed = patch.workflow_outcome is WorkflowOutcome.SHOWING_CONFIRMED
    return WorkflowState.SHOWING if confirmed else WorkflowState.OUTCOME


def _stage(
    current: WorkflowColumns, patch: WorkflowPatch, state: WorkflowState, outcome: WorkflowOutcome | None
) -> FollowUpStage | None:
    if patch.follow_up_stage is not KEEP:
        return patch.follow_up_stage
    if state in _STAGES:
        return _STAGES[state]
    ends = state is not current.workflow_state or (outcome is not None and patch.workflow_outcome is not KEEP)
    return None if ends else current.follow_up_stage


def _first_refusal(
    current: WorkflowColumns, steps: tuple[WorkflowColumns, ...], new_showing: bool
) -> ChangeRefusal | None:
    before = current
    for after in steps:
        refusal = step_refusal(before, after, new_showing=new_showing)
        if refusal is not None:
            return refusal
        before = after
    return None


def _forbidden(kind: str, current: str | None, target: str | None) -> ChangeRefusal:
    names = (current or "none", target or "none")
    return ChangeRefusal(
        "invalid_transition",
        f"{kind} transition from {names[0]} to {names[1]} is not allowed",
        kind,
        current,
        target,
    )
