"""States of an offered slot and the transitions between them. Pure.

The handshake: a slot is offered, may be held for the lead for a while, and ends confirmed (booked),
declined (the lead said no), expired (its time or its hold ran out) or superseded (a newer offer or a
booking took its place).
"""

from __future__ import annotations

from enum import StrEnum
from typing import Final


class OfferState(StrEnum):
    OFFERED = "offered"
    HELD = "held"
    CONFIRMED = "confirmed"
    DECLINED = "declined"
    EXPIRED = "expired"
    SUPERSEDED = "superseded"


_S = OfferState
OPEN_OFFER_STATES: Final = frozenset({_S.OFFERED, _S.HELD})
"""States in which the lead may still answer."""
_ENDS: Final = frozenset({_S.CONFIRMED, _S.DECLINED, _S.EXPIRED, _S.SUPERSEDED})

OFFER_TRANSITIONS: Final[dict[OfferState, frozenset[OfferState]]] = {
    _S.OFFERED: _ENDS | {_S.HELD},
    _S.HELD: _ENDS,
    _S.CONFIRMED: frozenset(),
    _S.DECLINED: frozenset(),
    _S.EXPIRED: frozenset(),
    _S.SUPERSEDED: frozenset(),
}
"""Where each state may go; a hold never becomes a mere offer again, and what has ended stays so."""


def offer_transition_allowed(current: OfferState, target: OfferState) -> bool:
    """Whether that step is allowed; staying always is."""
    return current == target or target in OFFER_TRANSITIONS[current]
