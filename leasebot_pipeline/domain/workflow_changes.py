"""A change of a conversation's workflow: what is asked, which steps it takes, why it is refused. Pure.

Decisions, follow-ups, bookings and the API all ask through ``WorkflowPatch``; ``plan_change`` fills in what
follows from it and walks the transition tables. Every step of a plan is one that the tables, and the
database's own guards, allow.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
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
from leasebot_pipeline.domain.showings import LIVE_SHOWING_STATES, ShowingState, showing_transition_allowed
from leasebot_pipeline.domain.workflow import WorkflowState, workflow_transition_allowed


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
    workflow_outcome: WorkflowOutcome | None | Keep = KEEP
    showing_state: ShowingState | None | Keep = KEEP
    follow_up_stage: FollowUpStage | None | Keep = KEEP
    follow_up_due_at: datetime | None | Keep = KEEP
    follow_up_owner_agent_id: UUID | None | Keep = KEEP
    follow_up_status: FollowUpStatus | Keep = KEEP


ChangeReason = Literal["invalid_transition", "validation_error", "no_change"]


@dataclass(frozen=True, slots=True)
class ChangeRefusal:
    """Why a change is not made. ``kind`` is the column; ``current`` and ``target`` name both states."""

    reason: ChangeReason
    message: str
    kind: str | None = None
    current: str | None = None
    target: str | None = None


def plan_change(
    current: WorkflowColumns, patch: WorkflowPatch, *, reopen: bool = False, new_showing: bool = False
) -> tuple[WorkflowColumns, ...] | ChangeRefusal:
    """The steps from ``current`` to what is asked, last one the result; or why there are none.

    ``reopen`` lets a conversation pass through ``outcome`` and ``lead`` on its way (its lead wrote again, a
    showing was booked). ``new_showing``: a new appointment begins, so that an ended showing state may be
    followed by a live one.
    """
    raise NotImplementedError


def step_refusal(
    before: WorkflowColumns, after: WorkflowColumns, *, new_showing: bool = False
) -> ChangeRefusal | None:
    """Why the database would refuse that one step; None when it allows it."""
    raise NotImplementedError
