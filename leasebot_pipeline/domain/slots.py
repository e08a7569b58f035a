"""Viewing slots and what they are found from: windows, assignments, showings; how a slot reads to a lead. Pure.

Instants are aware datetimes; every result is in UTC. A slot's ``timezone`` only decides how it is shown
and where half hours and days lie.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Final, Literal
from uuid import UUID
from zoneinfo import ZoneInfo

_DAYS: Final = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTHS: Final = (
    "Jan",
    "Feb",
    "Mar",
    "Apr",
    "May",
    "Jun",
    "Jul",
    "Aug",
    "Sep",
    "Oct",
    "Nov",
    "Dec",
)
_US_ZONE_NAMES: Final = {
    "UTC": 0,
    "GMT": 0,
    "AST": -4,
    "ADT": -3,
    "EST": -5,
    "EDT": -4,
    "CST": -6,
    "CDT": -5,
    "MST": -7,
    "MDT": -6,
    "PST": -8,
    "PDT": -7,
    "AKST": -9,
    "AKDT": -8,
    "HST": -10,
}
"""Abbreviations an American reader knows, with their offset in hours; every other zone reads GMT+n."""


@dataclass(frozen=True, slots=True)
class Slot:
    """One visit that can be offered. Instants are held in UTC, so equal moments are equal slots.

    Raises ``ValueError`` for naive or reversed instants and for an unknown zone.
    """

    starts_at: datetime
    ends_at: datetime
    timezone: str
    agent_id: UUID | None
    agent_name: str | None
    unit_id: UUID

    def __post_init__(self) -> None:
        if self.starts_at.tzinfo is None or self.ends_at.tzinfo is None:
            raise ValueError("slot: starts_at and ends_at must carry an offset")
        object.__setattr__(self, "starts_at", self.starts_at.astimezone(UTC))
        object.__setattr__(self, "ends_at", self.ends_at.astimezone(UTC))
        if self.ends_at <= self.starts_at:
            raise ValueError("slot: ends_at must be after starts_at")
        if zone(self.timezone) is None:
            raise ValueError(f"slot: timezone {self.timezone!r} is not an IANA zone")


@dataclass(frozen=True, slots=True)
class UnitWindow:
    """A time in which a unit is open for viewings, or expressly is not (``blocked`` wins)."""

    unit_id: UUID
    starts_at: datetime
    ends_at: datetime
    timezone: str | None = None
    status: Literal["open", "blocked"] = "open"


@dataclass(frozen=True, slots=True)
class Assignment:
    """An agent who shows a unit; a lower priority is preferred. Only active ones are offered.

    ``agent_timezone`` is where the agent's days begin and end, for the daily cap.
    """

    unit_id: UUID
    agent_id: UUID
    agent_name: str | None
    priority: int = 100
    agent_timezone: str | None = None
    active: bool = True


@dataclass(frozen=True, slots=True)
class AgentWindow:
    """A time in which an agent can, or expressly cannot, show units."""

    agent_id: UUID
    starts_at: datetime
    ends_at: datetime
    timezone: str | None = None
    status: Literal["available", "unavailable"] = "available"


@dataclass(frozen=True, slots=True)
class Appointment:
    """A showing of an agent that was not cancelled.

    ``blocks`` is False for one that is over (completed, no show): it counts for the day, and takes no time.
    Buffers are those the showing was booked with; None stands for the search's own. ``seat`` is its place among
    those who see the unit at the same time.
    """

    agent_id: UUID
    unit_id: UUID
    starts_at: datetime
    ends_at: datetime
    blocks: bool = True
    conversation_id: UUID | None = None
    buffer_before: timedelta | None = None
    buffer_after: timedelta | None = None
    seat: int = 1


@lru_cache(maxsize=256)
def zone(name: str) -> ZoneInfo | None:
    """The IANA zone of that name, or None when there is none."""
    try:
        return ZoneInfo(name)
    except (
        KeyError,
        ValueError,
        OSError,
    ):  # unknown, malformed, or a directory of the zone database
        return None


def label(slot: Slot) -> str:
    """How a slot reads to a lead, e.g. ``Fri, Feb 13 6:00 PM - 7:00 PM UTC (Dana)``."""
    tz = zone(slot.timezone)
    assert tz is not None  # Slot refuses unknown zones
    start, end = slot.starts_at.astimezone(tz), slot.ends_at.astimezone(tz)
    day = f"{_DAYS[start.weekday()]}, {_MONTHS[start.month - 1]} {start.day}"
    agent = f" ({slot.agent_name})" if slot.agent_name else ""
    return f"{day} {_clock_time(start)} - {_clock_time(end)} {_zone_abbreviation(start)}{agent}"


def distinct_by_label(slots: Iterable[Slot], limit: int) -> tuple[Slot, ...]:
    """The first ``limit`` slots whose labels differ: the one list offers and indexes refer to."""
    kept: dict[str, Slot] = {}
    for slot in slots:
        kept.setdefault(label(slot), slot)
    return tuple(kept.values())[: max(limit, 0)]


def _clock_time(local: datetime) -> str:
    return f"{local.hour % 12 or 12}:{local.minute:02d} {'AM' if local.hour < 12 else 'PM'}"


def _zone_abbreviation(local: datetime) -> str:
    offset = local.utcoffset()
    assert offset is not None
    name = local.tzname() or ""
    if name in _US_ZONE_NAMES and offset == timedelta(hours=_US_ZONE_NAMES[name]):
        return name
    minutes = int(offset.total_seconds() // 60)
    if minutes == 0:
        return "GMT"
    hours, rest = divmod(abs(minutes), 60)
    return f"GMT{'+' if minutes > 0 else '-'}{hours}" + (f":{rest:02d}" if rest else "")
