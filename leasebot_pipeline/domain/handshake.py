"""What a lead's answer to an offer of slots says: which slot, none of them, another time, or nothing clear. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from leasebot_pipeline.domain.decisions import Evidence
from leasebot_pipeline.domain.slots import Slot


class AnswerKind(StrEnum):
    PICKS = "picks"
    """Names exactly one of the offered slots."""
    CONFIRMS = "confirms"
    """Agrees to the only open slot, or to the one that is held for the lead."""
    AGREES = "agrees"
    """Agrees, or leaves the choice to us, without saying which of several slots."""
    DECLINES = "declines"
    """None of the offered slots suits."""
    PROPOSES = "proposes"
    """A time of the lead's own that was not offered, or one in another time zone."""
    AMBIGUOUS = "ambiguous"
    """Speaks of the offer, and fits several slots or none for certain."""
    NONE = "none"
    """Says nothing about the offer."""


@dataclass(frozen=True, slots=True)
class Answer:
    """``index`` is 1-based into the offer, set for PICKS and CONFIRMS only."""

    kind: AnswerKind
    index: int | None = None
    firm: bool = False
    fitting: tuple[int, ...] = ()
    evidence: tuple[Evidence, ...] = ()


def read_answer(
    messages: Sequence[str],
    offer: Sequence[Slot],
    now: datetime,
    *,
    held: int | None = None,
    ours: Sequence[str] = (),
) -> Answer:
    """Read a burst of messages against an open offer. ``held``: position of the slot the lead was asked to confirm;
    ``ours``: texts of ours a lead may quote."""
    raise NotImplementedError
