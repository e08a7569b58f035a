"""Times as the platforms write them, parsed into instants: unknown stays unknown, never "now"."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from typing import Final
from zoneinfo import ZoneInfo

from dateutil import parser as dateutil_parser
from dateutil import tz

ABBREVIATIONS: Final[dict[str, str]] = {
    "EST": "America/New_York",
    "EDT": "America/New_York",
    "ET": "America/New_York",
    "CST": "America/Chicago",
    "CDT": "America/Chicago",
    "CT": "America/Chicago",
    "MST": "America/Denver",
    "MDT": "America/Denver",
    "MT": "America/Denver",
    "PST": "America/Los_Angeles",
    "PDT": "America/Los_Angeles",
    "PT": "America/Los_Angeles",
    "UTC": "Etc/UTC",
    "GMT": "Etc/GMT",
}

_CLOCK: Final = r"(?P<hour>\d{1,2}):(?P<minute>\d{2})(?::(?P<second>\d{2}))?\s*(?P<half>[ap]\.?m\.?)?"
_ZONE_TAIL: Final = re.compile(r"\s*\(?\b(?P<zone>[A-Z]{2,4})\)?$")
_TIME_ONLY: Final = re.compile(rf"^(?:at\s+)?{_CLOCK}$", re.IGNORECASE)
_DAY: Final = re.compile(rf"^(?P<day>today|yesterday)(?:\s*,?\s*(?:at\s+)?{_CLOCK})?$", re.IGNORECASE)
_AGO: Final = re.compile(
    r"^(?:about\s+)?(?P<count>\d+|an?)\s*(?P<unit>m|mins?|minutes?|h|hrs?|hours?|d|days?|w|wks?|weeks?)\.?\s+ago$",
    re.IGNORECASE,
)
_JUST_NOW: Final = re.compile(r"^(?:just now|now|(?:a few )?(?:seconds|moments?) ago)$", re.IGNORECASE)
_NUMERIC: Final = re.compile(
    rf"^(?P<month>\d{{1,2}})/(?P<dom>\d{{1,2}})/(?P<year>\d{{4}})(?:\s*,?\s+(?:at\s+)?{_CLOCK})?$",
    re.IGNORECASE,
)
_ISO: Final = re.compile(r"^\d{4}-\d{2}-\d{2}(?:[T ]|$)")
_HAS_CLOCK: Final = re.compile(r"\d{1,2}:\d{2}")
_NOON: Final = time(12)
_DEFAULTS: Final = (datetime(2000, 1, 1, tzinfo=UTC), datetime(2001, 2, 2, tzinfo=UTC))
_UNITS: Final[dict[str, timedelta]] = {
    "m": timedelta(minutes=1),
    "h": timedelta(hours=1),
    "d": timedelta(days=1),
    "w": timedelta(weeks=1),
}


@dataclass(frozen=True, slots=True)
class ShownTime:
    """What a time text says.

    ``instant`` is UTC or None when the text, or the zone it needs, is unknown; ``has_time`` tells whether the
    text gave a time of day (a bare date stands for noon); ``day`` is the calendar day as shown, None for
    relative texts.
    """

    instant: datetime | None = None
    has_time: bool = False
    day: date | None = None


UNKNOWN: Final = ShownTime()


def parse_time(text: str | None, zone: tzinfo | None, now: datetime) -> ShownTime:
    """Parse a time text. ``zone`` is the zone the page shows local times in; ``now`` is aware.

    A zone abbreviation at the end of the text wins over ``zone``. A local time that does not exist, an
    incomplete date ("Nov 24") and any text not understood give ``UNKNOWN``.
    """
    text = " ".join((text or "").split())
    if not text:
        return UNKNOWN
    if _JUST_NOW.match(text):
        return ShownTime(instant=now)
    ago = _AGO.match(text)
    if ago is not None:
        count = 1 if ago["count"].lower() in ("a", "an") else int(ago["count"])
        return _ago(now, count, _UNITS[ago["unit"][0].lower()])
    if _ISO.match(text):
        return _iso(text, zone)
    text, zone = _split_zone(text, zone)
    named_day, numeric, clock = _DAY.match(text), _NUMERIC.match(text), _TIME_ONLY.match(text)
    if named_day is not None:
        return _relative_day(named_day, zone, now)
    if numeric is not None:
        return _on_day(_date(numeric), numeric, zone)
    if clock is not None:
        return _clock_only(clock, zone, now)
    return _written_out(text, zone)


def _ago(now: datetime, count: int, unit: timedelta) -> ShownTime:
    try:
        return ShownTime(instant=now - count * unit)
    except OverflowError:
        return UNKNOWN


def _split_zone(text: str, zone: tzinfo | None) -> tuple[str, tzinfo | None]:
    tail = _ZONE_TAIL.search(text)
    if tail is None or tail["zone"] not in ABBREVIATIONS:
        return text, zone
    return text[: tail.start()], ZoneInfo(ABBREVIATIONS[tail["zone"]])


def _iso(text: str, zone: tzinfo | None) -> ShownTime:
    try:
        value = dateutil_parser.isoparse(text.replace(" ", "T", 1))
    except ValueError:
        return UNKNOWN
    if len(text) == len("2026-11-24"):
        return _at(value.date(), None, zone)
    if value.tzinfo is None:
        return _at(value.date(), value.time(), zone)
    return ShownTime(_utc(value), has_time=True, day=value.date())


def _relative_day(match: re.Match[str], zone: tzinfo | None, now: datetime) -> ShownTime:
    if zone is None:
        return UNKNOWN
    today = now.astimezone(zone).date()
    if match["day"].lower() == "yesterday":
        return _on_day(today - timedelta(days=1), match, zone)
    shown = _on_day(today, match, zone)
    if shown.has_time:
        return shown
    return _at(today, time(0), zone, stated=False)  # noon may not have come yet


def _clock_only(match: re.Match[str], zone: tzinfo | None, now: datetime) -> ShownTime:
    """A bare time is the last one that has passed: a message does not come from the future."""
    if zone is None:
        return UNKNOWN
    today = now.astimezone(zone).date()
    shown = _on_day(today, match, zone)
    if shown.instant is not None and shown.instant > now + timedelta(minutes=2):
        return _on_day(today - timedelta(days=1), match, zone)
    return shown


def _on_day(day: date | None, match: re.Match[str], zone: tzinfo | None) -> ShownTime:
    if day is None:
        return UNKNOWN
    if match["hour"] is None:
        return _at(day, None, zone)
    clock = _clock(match)
    return _at(day, clock, zone) if clock is not None else UNKNOWN


def _date(match: re.Match[str]) -> date | None:
    try:
        return date(int(match["year"]), int(match["month"]), int(match["dom"]))
    except ValueError:
        return None


def _clock(match: re.Match[str]) -> time | None:
    hour, minute, second = int(match["hour"]), int(match["minute"]), int(match["second"] or 0)
    half = (match["half"] or "").lower()
    if half:
        if not 1 <= hour <= 12:
            return None
        hour = hour % 12 + (12 if half.startswith("p") else 0)
    try:
        return time(hour, minute, second)
    except ValueError:
        return None


def _written_out(text: str, zone: tzinfo | None) -> ShownTime:
    """Dates in words. Parsed twice with different defaults: what differs was not in the text."""
    try:
        first, second = (dateutil_parser.parse(text, default=default, ignoretz=True) for default in _DEFAULTS)
    except (ValueError, OverflowError):
        return UNKNOWN
    if first.date() != second.date() or not re.search(r"[A-Za-z]{3}", text):
        return UNKNOWN
    return _at(first.date(), first.time() if _HAS_CLOCK.search(text) else None, zone)


def _at(day: date, clock: time | None, zone: tzinfo | None, *, stated: bool | None = None) -> ShownTime:
    """The local time in UTC; the earlier instant when it occurs twice."""
    has_time = clock is not None if stated is None else stated
    if zone is None:
        return ShownTime(None, has_time, day)
    local = datetime.combine(day, clock or _NOON, tzinfo=zone)
    if not tz.datetime_exists(local):
        return UNKNOWN
    try:
        return ShownTime(_utc(local), has_time, day)
    except OverflowError:
        return UNKNOWN


def _utc(value: datetime) -> datetime:
    return value.astimezone(UTC)
