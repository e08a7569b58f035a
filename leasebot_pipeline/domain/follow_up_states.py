"""States of follow-ups: the stage a conversation is at, and the status of one planned message. Pure."""

from __future__ import annotations

from enum import StrEnum
from typing import Final


class FollowUpStage(StrEnum):
    FOLLOW_UP_1 = "follow_up_1"
    FOLLOW_UP_2 = "follow_up_2"


class FollowUpStatus(StrEnum):
    PENDING = "pending"
    COMPLETED = "completed"
    CANCELLED = "cancelled"


STAGE_TRANSITIONS: Final[dict[FollowUpStage | None, frozenset[FollowUpStage]]] = {
    None: frozenset({FollowUpStage.FOLLOW_UP_1}),
    FollowUpStage.FOLLOW_UP_1: frozenset({FollowUpStage.FOLLOW_UP_2}),
    FollowUpStage.FOLLOW_UP_2: frozenset(),
}
"""Where each stage may go by itself. A stage is cleared only as ``stage_transition_allowed`` says."""

FOLLOW_UP_TRANSITIONS: Final[dict[FollowUpStatus, frozenset[FollowUpStatus]]] = {
    FollowUpStatus.PENDING: frozenset({FollowUpStatus.COMPLETED, FollowUpStatus.CANCELLED}),
    FollowUpStatus.COMPLETED: frozenset(),
    FollowUpStatus.CANCELLED: frozenset(),
}
"""The status of a row of ``"FollowUps"``: what was sent or called off stays so."""


def stage_transition_allowed(
    current: FollowUpStage | None, target: FollowUpStage | None, *, may_clear: bool
) -> bool:
    """Whether a conversation's stage may change so; staying always may.

    ``may_clear``: the same step brings the conversation to an outcome, to a confirmed showing, or back to
    ``lead`` from an outcome. Nothing else ends a stage.
    """
    if current == target:
        return True
    if target is None:
        return may_clear
    return target in STAGE_TRANSITIONS[current]


def follow_up_transition_allowed(current: FollowUpStatus, target: FollowUpStatus) -> bool:
    """Whether a planned follow-up may change so; staying always may."""
    return current == target or target in FOLLOW_UP_TRANSITIONS[current]
