"""Viewing slots: which visits can be offered, in which order, and how a slot reads to a lead. Pure.

Instants are aware datetimes; every result is in UTC. A slot's ``timezone`` only decides how it is shown
and where half hours and days lie.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from typing import Final, Literal
from uuid import UUID
from zoneinfo import ZoneInfo

Span = tuple[datetime, datetime]
"""A half-open range of time, start before end, both in UTC."""

VISIT: Final = timedelta(minutes=30)
DEFAULT_LIMIT: Final = 6

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
    """A time in which a unit is open for viewings."""

    unit_id: UUID
    starts_at: datetime
    ends_at: datetime
    timezone: str | None = None


@dataclass(frozen=True, slots=True)
class Assignment:
    """An agent who shows a unit; a lower priority is preferred. Only active ones are passed in."""

    unit_id: UUID
    agent_id: UUID
    agent_name: str | None
    priority: int = 100


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
    """A showing that takes an agent's time (pending, confirmed or reschedule_requested)."""

    agent_id: UUID
    unit_id: UUID
    starts_at: datetime
    ends_at: datetime


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


def intersect(first: Iterable[Span], second: Iterable[Span]) -> list[Span]:
    """All non-empty overlaps of two sets of spans, by start."""
    others = list(second)
    return sorted(
        (max(a[0], b[0]), min(a[1], b[1])) for a in first for b in others if max(a[0], b[0]) < min(a[1], b[1])
    )


def subtract(spans: Iterable[Span], blocks: Iterable[Span]) -> list[Span]:
    """What is left of the spans outside all blocks, by start."""
    left = sorted(spans)
    for begin, end in blocks:
        left = [
            piece
            for start, stop in left
            for piece in ((start, min(stop, begin)), (max(start, end), stop))
            if piece[0] < piece[1]
        ]
    return sorted(set(left))


def visits(span: Span, duration: timedelta, tz: ZoneInfo) -> list[Span]:
    """Consecutive visits of that length inside the span, each starting on a local half hour."""
    if duration <= timedelta(0):
        raise ValueError("duration must be positive")
    found: list[Span] = []
    start = _next_half_hour(span[0], tz)
    while start + duration <= span[1]:
        found.append((start, start + duration))
        start = _next_half_hour(start + duration, tz)
    return found


def _next_half_hour(instant: datetime, tz: ZoneInfo) -> datetime:
    local = instant.astimezone(tz)
    past = timedelta(minutes=local.minute % 30, seconds=local.second, microseconds=local.microsecond)
    return (instant if not past else instant + timedelta(minutes=30) - past).astimezone(UTC)


def candidates(
    unit_slots: Sequence[UnitWindow],
    assignments: Sequence[Assignment],
    agent_slots: Sequence[AgentWindow],
    appointments: Sequence[Appointment],
    now: datetime,
    duration: timedelta = VISIT,
    limit: int = DEFAULT_LIMIT,
    *,
    assigned_agent_id: UUID | None = None,
) -> tuple[Slot, ...]:
    """The visits of ONE unit worth offering, best first, at most ``limit``.

    A visit lies inside the unit's windows and an active agent's available windows, outside that agent's
    unavailable windows and showings of other units (a second visitor of the same unit may join one), and
    starts at or after ``now``. Visits with the conversation's own agent come first; each instant appears
    once, with the agent of the best priority. Days are taken in turn, earliest first, so that any first n
    of the result let a lead choose between days.

    Only when no active agent has stated any available time are the unit's own windows offered without an
    agent, minus what all assigned agents have blocked; agents who are merely booked out mean no slots.
    """
    mine = [w for w in unit_slots if _span(w)[1] > now]
    active = [a for a in assignments if any(a.unit_id == w.unit_id for w in mine)]
    free: dict[UUID, list[AgentWindow]] = {}
    blocked: dict[UUID, list[Span]] = {}
    for window in agent_slots:
        if window.status == "unavailable":
            blocked.setdefault(window.agent_id, []).append(_span(window))
        elif window.ends_at > now:
            free.setdefault(window.agent_id, []).append(window)
    for booked in appointments:
        if any(booked.unit_id != w.unit_id for w in mine):
            blocked.setdefault(booked.agent_id, []).append(_span(booked))

    ranked: list[tuple[tuple[bool, datetime, int, str], Slot]] = []
    for agent in active:
        for unit_window in mine:
            for agent_window in free.get(agent.agent_id, ()):
                name = _zone_name(unit_window.timezone, agent_window.timezone)
                shared = intersect([_span(unit_window)], [_span(agent_window)])
                open_spans = _from(now, subtract(shared, blocked.get(agent.agent_id, ())))
                for start, end in _cut(open_spans, duration, name):
                    rank = (
                        agent.agent_id != assigned_agent_id,
                        start,
                        agent.priority,
                        str(agent.agent_id),
                    )
                    slot = Slot(
                        start,
                        end,
                        name,
                        agent.agent_id,
                        agent.agent_name,
                        unit_window.unit_id,
                    )
                    ranked.append((rank, slot))
    if not any(free.get(agent.agent_id) for agent in active):
        common = _blocked_for_all([blocked.get(a.agent_id, []) for a in active])
        for unit_window in mine:
            name = _zone_name(unit_window.timezone, None)
            open_spans = _from(now, subtract([_span(unit_window)], common))
            for start, end in _cut(open_spans, duration, name):
                ranked.append(
                    (
                        (True, start, 0, ""),
                        Slot(start, end, name, None, None, unit_window.unit_id),
                    )
                )
    return _spread(ranked, limit)


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


def _span(window: UnitWindow | AgentWindow | Appointment) -> Span:
    return window.starts_at.astimezone(UTC), window.ends_at.astimezone(UTC)


def _from(now: datetime, spans: Iterable[Span]) -> list[Span]:
    return [(max(start, now), end) for start, end in spans if end > now]


def _cut(spans: Iterable[Span], duration: timedelta, zone_name: str) -> list[Span]:
    tz = zone(zone_name)
    assert tz is not None  # _zone_name returns known zones only
    return [visit for span in spans for visit in visits(span, duration, tz)]


def _zone_name(*names: str | None) -> str:
    return next((name for name in names if name and zone(name) is not None), "UTC")


def _blocked_for_all(blocks: Sequence[list[Span]]) -> list[Span]:
    if not blocks:
        return []
    common = blocks[0]
    for other in blocks[1:]:
        common = intersect(common, other)
    return common


def _spread(ranked: list[tuple[tuple[bool, datetime, int, str], Slot]], limit: int) -> tuple[Slot, ...]:
    """One slot per instant (its best agent), then days in turn within each tier."""
    best: dict[datetime, tuple[bool, Slot]] = {}
    for rank, slot in sorted(ranked, key=lambda item: item[0]):
        best.setdefault(slot.starts_at, (rank[0], slot))
    chosen: list[Slot] = []
    for tier in (False, True):
        days: dict[date, list[Slot]] = {}
        for slot in sorted((s for t, s in best.values() if t is tier), key=lambda s: s.starts_at):
            days.setdefault(slot.starts_at.astimezone(zone(slot.timezone)).date(), []).append(slot)
        queues = [_varied(day) for day in days.values()]
        for turn in range(max((len(queue) for queue in queues), default=0)):
            chosen.extend(queue[turn] for queue in queues if turn < len(queue))
    return tuple(chosen[: max(limit, 0)])


def _varied(day: list[Slot]) -> list[Slot]:
    """A day's first slot, then the one half a day's choice later, then the rest in order."""
    middle = len(day) // 2
    return day if middle == 0 else [day[0], day[middle], *day[1:middle], *day[middle + 1 :]]


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
