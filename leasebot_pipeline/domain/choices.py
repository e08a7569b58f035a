"""Which offered slot a lead picked: by number, by time, by day; never by guess."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime
from typing import Final
from zoneinfo import ZoneInfo

from leasebot_pipeline.domain.slots import Slot
from leasebot_pipeline.domain.texts import comparable

_ORDINALS: Final = {"first": 1, "1st": 1, "second": 2, "2nd": 2, "third": 3, "3rd": 3, "fourth": 4, "4th": 4}
_ORDINAL: Final = re.compile(
    r"\b(first|1st|second|2nd|third|3rd|fourth|4th|last)(?: (?:one|option|slot|time))?\b"
)
_OPTION: Final = re.compile(r"\b(?:option|number|no\.?|slot|#) ?#?(\d)\b")
_TIME: Final = re.compile(r"\b(\d{1,2})(?::(\d{2}))? ?(am|pm|a\.m\.|p\.m\.)?(?![\w:/])")
_DAYS: Final = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_DAY: Final = re.compile(
    r"\b(mon|tue|tues|wed|thu|thur|thurs|fri|sat|sun)(?:day|sday|nesday|rsday|urday)?s?\b"
)


def choose(text: str, offer: Sequence[Slot]) -> int | None:
    """1-based index of the one offered slot the text speaks of; None when it fits none or several."""
    folded = comparable(text)
    numbered = _by_number(folded, len(offer))
    fitting = [index for index, slot in enumerate(offer, start=1) if _fits(folded, slot)]
    times_named = _names_time(folded)
    if numbered is not None and (not times_named or fitting == [numbered]):
        return numbered
    if times_named and len(fitting) == 1:
        return fitting[0]
    return None


def _by_number(text: str, count: int) -> int | None:
    picks = {_ORDINALS.get(match.group(1), count) for match in _ORDINAL.finditer(text)}
    picks |= {int(match.group(1)) for match in _OPTION.finditer(text)}
    if len(picks) == 1:
        pick = picks.pop()
        return pick if 1 <= pick <= count else None
    return None


def _names_time(text: str) -> bool:
    return bool(_DAY.search(text)) or any(_plausible(match) for match in _TIME.finditer(text))


def _plausible(match: re.Match[str]) -> bool:
    return 1 <= int(match.group(1)) <= 12 and bool(match.group(2) or match.group(3))


def _fits(text: str, slot: Slot) -> bool:
    start: datetime = slot.starts_at.astimezone(ZoneInfo(slot.timezone))
    days = {match.group(1)[:3] for match in _DAY.finditer(text)}
    if days and _DAYS[start.weekday()][:3] not in days:
        return False
    times = [match for match in _TIME.finditer(text) if _plausible(match)]
    if times and not any(_same_time(match, start) for match in times):
        return False
    return bool(days or times)


def _same_time(match: re.Match[str], start: datetime) -> bool:
    if int(match.group(2) or 0) != start.minute or int(match.group(1)) != (start.hour % 12 or 12):
        return False
    half = (match.group(3) or "").replace(".", "")
    return not half or half == start.strftime("%p").lower()
