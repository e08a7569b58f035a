"""Showing states of a conversation and the transitions between them. Pure."""

from __future__ import annotations

from enum import StrEnum
from typing import Final


class ShowingState(StrEnum):
    PENDING = "pending"
    CONFIRMED = "confirmed"
    RESCHEDULE_REQUESTED = "reschedule_requested"
    CANCELLED = "cancelled"
    COMPLETED = "completed"
    NO_SHOW = "no_show"


_S = ShowingState
LIVE_SHOWING_STATES: Final = frozenset({_S.PENDING, _S.CONFIRMED, _S.RESCHEDULE_REQUESTED})
"""States in which an agent's time is taken."""

SHOWING_TRANSITIONS: Final[dict[ShowingState | None, frozenset[ShowingState]]] = {
    None: frozenset(_S),
    _S.PENDING: frozenset({_S.CONFIRMED, _S.RESCHEDULE_REQUESTED, _S.CANCELLED, _S.NO_SHOW}),
    _S.CONFIRMED: frozenset({_S.RESCHEDULE_REQUESTED, _S.CANCELLED, _S.COMPLETED, _S.NO_SHOW}),
    _S.RESCHEDULE_REQUESTED: frozenset({_S.PENDING, _S.CONFIRMED, _S.CANCELLED, _S.NO_SHOW}),
    _S.CANCELLED: frozenset(),
    _S.COMPLETED: frozenset(),
    _S.NO_SHOW: frozenset(),
}
"""Where each state may go; terminal states go nowhere, and no state goes back to none."""


def showing_transition_allowed(current: ShowingState | None, target: ShowingState | None) -> bool:
    """Whether that step is allowed; staying is always allowed, clearing a state never is."""
    if current == target:
        return True
    return target is not None and target in SHOWING_TRANSITIONS[current]
