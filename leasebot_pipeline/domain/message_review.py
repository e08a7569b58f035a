"""Review status of messages, and the status an inbox shows for a conversation. Pure.

The status is stored in ``metadata.reviewStatus``. An inbound message without one is new, an outbound one
without one was sent.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum
from typing import Final

from leasebot_pipeline.domain.readings import Direction


class ReviewStatus(StrEnum):
    NEW = "new"
    DRAFT = "draft"
    HOLD = "hold"
    SENT = "sent"


_S = ReviewStatus
REVIEW_TRANSITIONS: Final[dict[Direction, dict[ReviewStatus, frozenset[ReviewStatus]]]] = {
    Direction.INBOUND: {
        _S.NEW: frozenset({_S.HOLD}),
        _S.HOLD: frozenset({_S.NEW}),
        _S.DRAFT: frozenset(),
        _S.SENT: frozenset(),
    },
    Direction.OUTBOUND: {
        _S.NEW: frozenset(),
        _S.DRAFT: frozenset({_S.SENT, _S.HOLD}),
        _S.HOLD: frozenset({_S.SENT, _S.DRAFT}),
        _S.SENT: frozenset(),
    },
}
"""Where each status may go. An inbound message is put on hold for a person and released again; an outbound
one is a draft or held back until it was sent, which is final."""


def review_status(direction: Direction, stored: str | None) -> ReviewStatus:
    """The status of a message; a missing or unknown stored one counts as the direction's default."""
    try:
        return ReviewStatus(stored or "")
    except ValueError:
        return _S.NEW if direction is Direction.INBOUND else _S.SENT


def review_transition_allowed(direction: Direction, current: ReviewStatus, target: ReviewStatus) -> bool:
    """Whether that step is allowed; staying always is."""
    return current == target or target in REVIEW_TRANSITIONS[direction][current]


def conversation_status(messages: Iterable[tuple[Direction, str | None, bool]]) -> ReviewStatus:
    """The status an inbox shows: draft before hold before new before sent.

    Each message is (direction, stored status, answered). An answered inbound message is no longer new: a
    conversation is new while its lead waits, not for ever.
    """
    found = {
        review_status(direction, stored)
        for direction, stored, answered in messages
        if not (answered and review_status(direction, stored) is _S.NEW)
    }
    return next((status for status in (_S.DRAFT, _S.HOLD, _S.NEW) if status in found), _S.SENT)
