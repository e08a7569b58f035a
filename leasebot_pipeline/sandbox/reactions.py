"""How a scripted lead reads an answer and what it says next. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from leasebot_pipeline.sandbox.scripts import Reaction

_BULLET: Final = re.compile(r"^[ \t]*(?:[-*•–]|\d{1,2}[.)])[ \t]+(?P<label>\S.*?)[ \t]*$", re.MULTILINE)
_SLOT: Final = re.compile(
    r"(?P<day>(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun)\w*,? +[A-Z][a-z]{2,8} +\d{1,2}),? +(?:at +)?(?P<time>\d{1,2}:\d{2} *[AP]M)",
    re.IGNORECASE,
)
_FIXED: Final = re.compile(
    r"\b(?:confirmed|booked|scheduled|see you|all set|looking forward to (?:see|seeing|meeting))\b",
    re.IGNORECASE,
)
_ASKS_TO_CONFIRM: Final = re.compile(
    r"\b(?:reply|answer|write|respond)\b[^.!?\n]{0,40}[\"'\u201c\u2018]confirm[\"'\u201d\u2019]",
    re.IGNORECASE,
)
_CALLED_OFF: Final = re.compile(r"\b(?:is|has been|was) cancel(?:l?ed)\b", re.IGNORECASE)
_ORDINALS: Final = ("first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth", "ninth")


@dataclass(frozen=True, slots=True)
class OfferedSlot:
    """A slot as the lead sees it in an answer."""

    label: str
    day: str
    time: str


@dataclass(frozen=True, slots=True)
class Chosen:
    """The rule that fires and what the lead will say; no texts means that it stays silent for good."""

    rule: int
    texts: tuple[str, ...]
    after: float


def offered_slots(answer: str) -> list[OfferedSlot]:
    """Slots in the bullet lines of an answer, in their order; bullets that name no time are no slots."""
    found = []
    for bullet in _BULLET.finditer(answer):
        slot = _SLOT.search(bullet["label"])
        if slot is not None:
            found.append(OfferedSlot(bullet["label"], slot["day"], slot["time"]))
    return found


def react(rules: Sequence[Reaction], used: Mapping[int, int], answer: str) -> Chosen | None:
    """The reaction to an answer; None when no rule is left for it: the lead has nothing more to say."""
    slots = offered_slots(answer)
    kind = _kind(answer, slots)
    fits = {
        "any": True,
        "offered": kind == "offered",
        "no_slots": not slots,
        "held": kind == "held",
        "confirmed": kind == "confirmed",
        "cancelled": kind == "cancelled",
    }
    for index, rule in enumerate(rules):
        if fits[rule.when] and used.get(index, 0) < rule.times:
            return Chosen(index, tuple(_fill(text, rule, slots) for text in rule.texts), rule.after)
    return None


def _kind(answer: str, slots: Sequence[OfferedSlot]) -> str | None:
    """What an answer is to a lead: times to choose from, one held until it confirms, a fixed visit, a cancelled one."""
    if _CALLED_OFF.search(answer):
        return "cancelled"
    if slots and _ASKS_TO_CONFIRM.search(answer):
        return "held"
    if len(slots) <= 1 and _FIXED.search(answer):
        return "confirmed"
    return "offered" if slots else None


def _fill(text: str, rule: Reaction, slots: Sequence[OfferedSlot]) -> str:
    """Placeholders of the picked slot; a pick beyond the list is its last slot, no list reads generally."""
    position = min(rule.pick, max(len(slots), 1))
    slot = slots[position - 1] if slots else OfferedSlot("that time", "that day", "that time")
    values = {
        "slot": slot.label,
        "day": slot.day,
        "time": slot.time,
        "n": str(position),
        "ordinal": _ORDINALS[position - 1],
    }
    return re.sub(r"\{(slot|day|time|n|ordinal)\}", lambda match: values[match[1]], text)
