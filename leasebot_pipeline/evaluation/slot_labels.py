"""A slot's label, read back into a slot: ``Fri, Feb 13 6:00 PM - 7:00 PM EST (Dana)``.

A label names no year and only a zone's abbreviation. The year is the one nearest the reference in which
the weekday fits; the zone is one whose abbreviation and offset at that moment are the label's.
"""

from __future__ import annotations

import re
from datetime import date, datetime, timedelta
from typing import Final
from uuid import UUID, uuid5
from zoneinfo import ZoneInfo

from leasebot_pipeline.domain.slots import Slot, label

REFERENCE: Final = date(2026, 2, 9)
"""The day on which every evaluated conversation takes place, a Monday."""
UNIT: Final = UUID("5b7d1c1e-8a40-4f0e-9c55-6f0b7c1e2a01")

_WEEKDAYS: Final = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_MONTHS: Final = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_CLOCK: Final = r"\d{1,2}(?::\d{2})?(?:\s*[AP]\.?M\.?)?"
_LABEL: Final = re.compile(
    rf"""\s*(?:-\s+)?
    (?:(?P<weekday>[A-Z]{{3}})[a-z]*\.?,?\s+)?
    (?P<month>[A-Z]{{3}})[a-z]*\.?\s+(?P<day>\d{{1,2}})(?:st|nd|rd|th)?,?\s+
    (?:(?P<year>\d{{4}}),?\s+)?(?:at\s+)?
    (?P<start>{_CLOCK})\s*(?:-|\u2013|\u2014|to)\s*(?P<end>{_CLOCK})
    (?:\s*(?P<zone>[A-Z][A-Z_]+(?:/[A-Z_/]+)?(?:[+-]\d{{1,2}}(?::\d{{2}})?)?))?
    (?:\s*\((?P<agent>[^()]+)\))?\s*""",
    re.VERBOSE | re.IGNORECASE,
)
_ZONES: Final[dict[str, tuple[str, ...]]] = {
    "UTC": ("UTC",),
    "Z": ("UTC",),
    "GMT": ("Europe/London", "Africa/Abidjan"),
    "BST": ("Europe/London",),
    "AST": ("America/Halifax", "America/Puerto_Rico"),
    "ADT": ("America/Halifax",),
    "EST": ("America/New_York", "America/Panama"),
    "EDT": ("America/New_York",),
    "ET": ("America/New_York",),
    "CST": ("America/Chicago", "America/Costa_Rica"),
    "CDT": ("America/Chicago",),
    "CT": ("America/Chicago",),
    "MST": ("America/Denver", "America/Phoenix"),
    "MDT": ("America/Denver",),
    "MT": ("America/Denver",),
    "PST": ("America/Los_Angeles",),
    "PDT": ("America/Los_Angeles",),
    "PT": ("America/Los_Angeles",),
    "AKST": ("America/Anchorage",),
    "AKDT": ("America/Anchorage",),
    "HST": ("Pacific/Honolulu",),
}
_PART_HOURS: Final = {
    "-3:30": "America/St_Johns",
    "-2:30": "America/St_Johns",
    "+3:30": "Asia/Tehran",
    "+4:30": "Asia/Kabul",
    "+5:30": "Asia/Kolkata",
    "+5:45": "Asia/Kathmandu",
    "+6:30": "Asia/Yangon",
    "+9:30": "Australia/Darwin",
    "+10:30": "Australia/Adelaide",
}


def parse_slot_label(text: str) -> Slot:
    """The slot of a label. Tolerates a missing weekday, zone (then UTC) or agent, and a year.

    Raises ``ValueError`` that says what a label looks like.
    """
    found = _LABEL.fullmatch(text)
    if found is None:
        raise ValueError(f"must look like 'Fri, Feb 13 6:00 PM - 7:00 PM EST (Dana)', got {text[:80]!r}")
    day = _date(found)
    start = _clock(found["start"], found["end"])
    end = _clock(found["end"], None)
    zone = _zone(found["zone"], datetime.combine(day, datetime.min.time()) + start)
    tz = ZoneInfo(zone)
    starts_at = (datetime.combine(day, datetime.min.time()) + start).replace(tzinfo=tz)
    if end <= start:
        end += timedelta(days=1)
    ends_at = (datetime.combine(day, datetime.min.time()) + end).replace(tzinfo=tz)
    agent = found["agent"].strip() if found["agent"] else None
    # Somebody shows every offered slot, also where the label does not say who.
    return Slot(starts_at, ends_at, zone, uuid5(UNIT, agent or "agent"), agent, UNIT)


def same_slot(first: Slot, second: Slot) -> bool:
    """Whether two labels mean the same visit: the same moments."""
    return (first.starts_at, first.ends_at) == (second.starts_at, second.ends_at)


def slot_label(slot: Slot | None) -> str | None:
    """The label of a slot, as a lead would read it."""
    return None if slot is None else label(slot)


def _date(found: re.Match[str]) -> date:
    month, day = found["month"].lower(), int(found["day"])
    weekday = (found["weekday"] or "").lower()
    if month not in _MONTHS:
        raise ValueError(f"unknown month {found['month']!r}")
    if weekday and weekday not in _WEEKDAYS:
        raise ValueError(f"unknown weekday {found['weekday']!r}")
    if found["year"]:
        return date(int(found["year"]), _MONTHS.index(month) + 1, day)
    for distance in sorted(range(-15, 16), key=abs):
        try:
            candidate = date(REFERENCE.year + distance, _MONTHS.index(month) + 1, day)
        except ValueError:  # February 29
            continue
        if not weekday or candidate.weekday() == _WEEKDAYS.index(weekday):
            return candidate
    raise ValueError(f"no year in which {found['month']} {day} is a {found['weekday']}")


def _clock(text: str, borrow_from: str | None) -> timedelta:
    """A time of day; one without AM or PM borrows it from the end of its range."""
    digits = re.match(r"(\d{1,2})(?::(\d{2}))?", text)
    assert digits is not None  # the label's pattern holds
    hour, minute = int(digits[1]), int(digits[2] or 0)
    half = re.search(r"[ap](?=\.?m)", text, re.IGNORECASE)
    if half is None and borrow_from:
        half = re.search(r"[ap](?=\.?m)", borrow_from, re.IGNORECASE)
    if minute > 59 or hour > 23 or (half and not 1 <= hour <= 12):
        raise ValueError(f"{text!r} is no time of day")
    if half:
        hour = hour % 12 + (12 if half[0].lower() == "p" else 0)
    return timedelta(hours=hour, minutes=minute)


def _zone(name: str | None, local: datetime) -> str:
    if name is None:
        return "UTC"
    candidates = _ZONES.get(name.upper(), ())
    for candidate in candidates:
        if local.replace(tzinfo=ZoneInfo(candidate)).tzname() == name.upper():
            return candidate
    if candidates:
        return candidates[0]
    offset = re.fullmatch(r"(?:GMT|UTC)([+-])(\d{1,2})(?::(\d{2}))?", name, re.IGNORECASE)
    if offset:
        sign, hours, minutes = offset[1], int(offset[2]), offset[3] or "00"
        part = _PART_HOURS.get(f"{sign}{hours}:{minutes}")
        if minutes != "00" and part:
            return part
        if minutes == "00" and hours <= (14 if sign == "+" else 12):
            # POSIX signs: Etc/GMT-1 is one hour ahead of UTC.
            return f"Etc/GMT{'-' if sign == '+' else '+'}{hours}"
    try:
        ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        raise ValueError(f"unknown zone {name!r}") from None
    return name
