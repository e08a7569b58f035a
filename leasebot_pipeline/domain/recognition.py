"""Which messages of a thread page are known already: one row for ever, whatever the page does to them.

A platform's own id settles it. Where there is none, the page is compared with what is stored: the same
author and text at a time that fits is the same message, also when the page begins later than it did
(pagination), shows the time in another form (re-rendering) or another text in the same place (an edit).
In doubt a message counts as new: a message read twice can be seen by a person, a lost one by nobody.
"""

from __future__ import annotations

import hashlib
import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

from leasebot_pipeline.domain.identity import normalise_text
from leasebot_pipeline.domain.readings import Direction, ThreadMessage

_TO_THE_MINUTE: Final = timedelta(seconds=59)
_BARE_DATE: Final = timedelta(hours=13)
"""A date without a time of day stands for its noon; an hour more where the clocks change."""
_RELATIVE: Final = re.compile(
    r"\b(?:now|moments? ago|(?:\d+|an?)\s*(?P<unit>[a-z]+)\.?\s+ago)\b", re.IGNORECASE
)
_UNITS: Final = {
    "m": timedelta(minutes=2),
    "h": timedelta(hours=1),
    "d": timedelta(days=1),
    "w": timedelta(weeks=1),
}


@dataclass(frozen=True, slots=True)
class KnownMessage:
    """A stored message of the thread. ``sent_at`` is the platform's time, None when it never told one."""

    external_message_id: str
    direction: Direction
    body: str
    sent_at: datetime | None = None
    sent_at_text: str | None = None
    sent_at_has_time: bool = False


@dataclass(frozen=True, slots=True)
class Edit:
    """A known message of the lead that shows another text now."""

    external_message_id: str
    body: str


@dataclass(frozen=True, slots=True)
class Recognition:
    """The page's messages under the ids they are stored with, in page order, and what the lead edited."""

    messages: tuple[ThreadMessage, ...]
    edits: tuple[Edit, ...]


def recognise(known: Sequence[KnownMessage], page: Sequence[ThreadMessage]) -> Recognition:
    """Give each message of a page (oldest first) the id it is stored with; ``known`` is in stored order.

    Ids of one page stay distinct, and a message nobody knows keeps the id the page gave it unless that
    belongs to another one.
    """
    index = {message.external_message_id: position for position, message in enumerate(known)}
    found: dict[int, int] = {}
    _by_id(index, page, found)
    _by_text(known, page, found)
    _by_place(known, page, found)
    taken = set(index)
    messages: list[ThreadMessage] = []
    edits: list[Edit] = []
    for position, message in enumerate(page):
        if position in found:
            stored = known[found[position]]
            messages.append(replace(message, external_message_id=stored.external_message_id))
            if message.direction is Direction.INBOUND and not _same_text(stored, message):
                edits.append(Edit(stored.external_message_id, message.body))
        else:
            fresh = _unused(message.external_message_id, taken)
            taken.add(fresh)
            messages.append(replace(message, external_message_id=fresh))
    return Recognition(tuple(messages), tuple(edits))


def _by_id(index: dict[str, int], page: Sequence[ThreadMessage], found: dict[int, int]) -> None:
    """The platform's id, or another id it gave the same message before."""
    used: set[int] = set()
    for own_id_only in (True, False):
        for position, message in enumerate(page):
            if message.identity_source != "platform" or position in found:
                continue
            names = (message.external_message_id,) if own_id_only else message.aliases
            match = next((index[name] for name in names if name in index and index[name] not in used), None)
            if match is not None:
                found[position] = match
                used.add(match)


def _by_text(known: Sequence[KnownMessage], page: Sequence[ThreadMessage], found: dict[int, int]) -> None:
    """Equal texts of one author, in order, at times that fit; as many as possible."""
    used = set(found.values())
    stored: defaultdict[tuple[Direction, str], list[int]] = defaultdict(list)
    for position, message in enumerate(known):
        if position not in used:
            stored[message.direction, normalise_text(message.body)].append(position)
    shown: defaultdict[tuple[Direction, str], list[int]] = defaultdict(list)
    for position, seen in enumerate(page):
        if seen.identity_source == "hash":
            shown[seen.direction, normalise_text(seen.body)].append(position)
    for key, positions in shown.items():
        found.update(_paired(known, stored[key], page, positions))


def _paired(
    known: Sequence[KnownMessage], stored: Sequence[int], page: Sequence[ThreadMessage], shown: Sequence[int]
) -> Iterator[tuple[int, int]]:
    """The longest pairing in order; among equals the latest stored with the earliest shown.

    A page that begins later than before lacks the oldest stored ones, and what is new stands at its end.
    """
    best: dict[tuple[int, int], tuple[int, int]] = defaultdict(lambda: (0, 0))
    for s in range(len(stored) - 1, -1, -1):
        for p in range(len(shown) - 1, -1, -1):
            choices = [best[s + 1, p], best[s, p + 1]]
            if _times_fit(known[stored[s]], page[shown[p]]):
                count, late = best[s + 1, p + 1]
                choices.append((count + 1, late + s - p))
            best[s, p] = max(choices)
    s = p = 0
    while s < len(stored) and p < len(shown):
        here = best[s, p]
        if here == best[s + 1, p]:
            s += 1
        elif here == best[s, p + 1]:
            p += 1
        else:
            yield shown[p], stored[s]
            s, p = s + 1, p + 1


def _by_place(known: Sequence[KnownMessage], page: Sequence[ThreadMessage], found: dict[int, int]) -> None:
    """Another text where a known message was: between the same neighbours, by the same author.

    Behind the last known neighbour stand new messages too; there only the same stated minute tells an edit.
    """
    if not found:
        return  # nothing known is in sight: the page may have moved on
    used = set(found.values())
    gaps: defaultdict[tuple[int, int, Direction], list[int]] = defaultdict(list)
    before = -1
    for position, message in enumerate(page):
        if position in found:
            before = max(before, found[position])
        elif message.identity_source == "hash":
            after = min((found[p] for p in found if p > position), default=len(known))
            gaps[before, after, message.direction].append(position)
    for (before, after, direction), shown in gaps.items():
        lost = [k for k in range(before + 1, after) if k not in used and known[k].direction is direction]
        if len(lost) != len(shown):
            continue
        at_the_end = after == len(known)
        for position, stored in zip(shown, lost, strict=True):
            stated = known[stored].sent_at_has_time and page[position].sent_at_has_time
            if _times_fit(known[stored], page[position]) and (stated or not at_the_end):
                found[position] = stored


def _same_text(known: KnownMessage, message: ThreadMessage) -> bool:
    return normalise_text(known.body) == normalise_text(message.body)


def _times_fit(known: KnownMessage, message: ThreadMessage) -> bool:
    """False when both tell a time and these can't be the same one."""
    if known.sent_at is None or message.sent_at is None:
        return True
    here, here_relative = _precision(known.sent_at_text, known.sent_at_has_time)
    there, there_relative = _precision(message.sent_at_text, message.sent_at_has_time)
    allowed = here + there if here_relative or there_relative else max(here, there)
    return abs(known.sent_at - message.sent_at) <= allowed


def _precision(shown: str | None, has_time: bool) -> tuple[timedelta, bool]:
    """How far an instant may be off, and whether it was told relative to now."""
    if has_time:
        return _TO_THE_MINUTE, False
    relative = _RELATIVE.search(shown or "")
    if relative is None:
        return _BARE_DATE, False
    unit = (relative["unit"] or "m").lower()
    return _UNITS["w"] * 5 if unit.startswith("mo") else _UNITS.get(unit[0], _UNITS["w"] * 53), True


def _unused(identity: str, taken: set[str]) -> str:
    """The identity, or one made of it when another message has it."""
    fresh, number = identity, 1
    while fresh in taken:
        number += 1
        fresh = f"h-{hashlib.sha256(f'{identity}#{number}'.encode()).hexdigest()[:40]}"
    return fresh
