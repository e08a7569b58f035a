"""Instants as people read them: in a unit's zone, in the form their browser asks for."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from datetime import time as time_of_day
from functools import lru_cache
from typing import Final
from zoneinfo import ZoneInfo

from babel import Locale
from babel.dates import format_date, format_interval, format_skeleton, format_time, get_timezone_name

from leasebot_pipeline.domain.local_time import instant_after_gap

_FORMS: Final = {
    f"en_{country}".lower(): Locale("en", country)
    for country in ("US", "GB", "CA", "AU", "IE", "NZ", "ZA", "IN")
}
"""The console speaks English; these differ in the order of day and month and in the clock."""


def locale_of(accept_language: str) -> Locale:
    """The first English form a browser asks for, American when it names none."""
    asked = [part.split(";")[0].strip().replace("-", "_") for part in accept_language.split(",")]
    known = (_FORMS.get(wanted.lower()) for wanted in asked)
    return next((locale for locale in known if locale is not None), _FORMS["en_us"])


def zone_of(name: str | None) -> ZoneInfo:
    """The zone of that name, UTC for none or an unknown one."""
    try:
        return ZoneInfo(name or "UTC")
    except (KeyError, ValueError, OSError):
        return ZoneInfo("UTC")


def until(first: str, last: str) -> str:
    """Two times of a day as a span; a half of the day that both share is said once."""
    clock, _, half = first.rpartition(" ")
    return f"{clock if clock and last.endswith(half) else first} – {last}"


def age(then: datetime, now: datetime) -> str:
    """How long ago, in its largest unit: ``now``, ``5 min``, ``3 h``, ``2 days``; ``in …`` for the future."""
    seconds = (now - then).total_seconds()
    ahead = seconds < 0
    minutes = int(abs(seconds) // 60)
    if minutes < 1:
        return "now"
    if minutes < 60:
        text = f"{minutes} min"
    elif minutes < 48 * 60:
        text = f"{minutes // 60} h"
    else:
        text = f"{minutes // (24 * 60)} days"
    return f"in {text}" if ahead else text


# A page writes dozens of instants, and the same again and again: what Babel puts together is kept.
@lru_cache(maxsize=4096)
def _by_skeleton(skeleton: str, local: date, locale: Locale) -> str:
    return str(format_skeleton(skeleton, local, locale=locale))


@lru_cache(maxsize=4096)
def _short_time(hour: int, minute: int, locale: Locale) -> str:
    return str(format_time(time_of_day(hour, minute), "short", locale=locale)).replace("\u202f", " ")


_ZONES: Final[dict[tuple[str, timedelta | None, timedelta | None, Locale], str]] = {}
"""Short names of zones, by all that they depend on."""


@dataclass(frozen=True, slots=True)
class Clock:
    """Writes instants (aware datetimes) for one request."""

    now: datetime
    locale: Locale

    def moment(self, instant: datetime, zone: str | None = None) -> str:
        """Day and time, with the year when it is not this one: ``Tue, Mar 3, 2:30 PM EST``."""
        return f"{self.day(instant, zone)}, {self.time(instant, zone)} {self.zone(instant, zone)}"

    def day(self, instant: datetime | date, zone: str | None = None) -> str:
        """``Today``, ``Tomorrow``, ``Yesterday``, else ``Tue, Mar 3`` in the locale's order."""
        where = zone_of(zone)
        local = instant.astimezone(where).date() if isinstance(instant, datetime) else instant
        today = self.now.astimezone(where).date()
        near = {0: "Today", 1: "Tomorrow", -1: "Yesterday"}.get((local - today).days)
        return near or self.plain_day(local)

    def plain_day(self, local: date) -> str:
        """``Tue, Mar 3``, never a word for it."""
        skeleton = "MMMEd" if local.year == self.now.year else "yMMMEd"
        return _by_skeleton(skeleton, local, self.locale)

    def days(self, first: date, last: date) -> str:
        """``Mar 1 – 7``, ``Mar 29 – Apr 4``: with the year when it is not this one."""
        skeleton = "MMMd" if first.year == last.year == self.now.year else "yMMMd"
        return str(format_interval(first, last, skeleton, locale=self.locale)).replace("\u2009", " ")

    def full_day(self, local: date) -> str:
        """``Tuesday, March 3, 2026``."""
        return str(format_date(local, "full", locale=self.locale))

    def date_of(self, instant: datetime, zone: str | None = None) -> date:
        """The local day."""
        return instant.astimezone(zone_of(zone)).date()

    def midnight(self, local: date, zone: str | None = None) -> datetime:
        """When that day begins there."""
        return instant_after_gap(local, time_of_day(), zone_of(zone))

    def month(self, local: date) -> str:
        """``March 2026``."""
        return _by_skeleton("yMMMM", local, self.locale)

    def weekday(self, local: date) -> str:
        """``Tue``."""
        return _by_skeleton("E", local, self.locale)

    def weekday_name(self, number: int) -> str:
        """``Tuesday`` for 2: 0 is Sunday."""
        return str(self.locale.days["stand-alone"]["wide"][(number + 6) % 7])

    def local_time(self, at: time_of_day) -> str:
        """A time of the clock, whatever the day: ``2:30 PM`` or ``14:30``."""
        return _short_time(at.hour, at.minute, self.locale)

    def time(self, instant: datetime, zone: str | None = None) -> str:
        """``2:30 PM`` or ``14:30``."""
        return self.local_time(instant.astimezone(zone_of(zone)).time())

    def span(self, starts_at: datetime, ends_at: datetime, zone: str | None = None) -> str:
        """``2:30 – 3:00 PM``, ``11:30 AM – 12:00 PM``, ``14:30 – 15:00``."""
        return until(self.time(starts_at, zone), self.time(ends_at, zone))

    def zone(self, instant: datetime, zone: str | None = None) -> str:
        """The zone's short name at that instant: ``EST``, ``GMT``, ``UTC``."""
        local = instant.astimezone(zone_of(zone))
        key = (str(local.tzinfo), local.utcoffset(), local.dst(), self.locale)
        name = _ZONES.get(key)
        if name is None:
            name = _ZONES[key] = str(get_timezone_name(local, width="short", locale=self.locale))
        return "UTC" if local.tzinfo == UTC or (name == "GMT" and zone in (None, "UTC")) else name

    def age(self, then: datetime) -> str:
        return age(then, self.now)

    def since(self, then: datetime) -> str:
        """For sentences: ``just now``, ``5 min ago``."""
        told = age(then, self.now)
        return "just now" if told == "now" else told if told.startswith("in ") else f"{told} ago"

    def is_past(self, instant: datetime) -> bool:
        return instant <= self.now

    def ago_days(self, days: int) -> date:
        return (self.now - timedelta(days=days)).date()
