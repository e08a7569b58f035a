"""Slots: when a unit can be shown by one of its agents, cut into visits, and how they read in a reply.

Intervals are half-open [start, end) in UTC. A candidate lies inside unit availability and inside the
agent's availability, outside the agent's blocks and outside appointments for *other* units (several
leads may see the same unit with the same agent).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID
from zoneinfo import ZoneInfo


@dataclass(frozen=True, slots=True, order=True)
class Interval:
    """A half-open stretch of time in UTC."""

    start: datetime
    end: datetime

    def overlaps(self, other: Interval) -> bool:
        return self.start < other.end and other.start < self.end

    def intersection(self, other: Interval) -> Interval | None:
        start, end = max(self.start, other.start), min(self.end, other.end)
        return Interval(start, end) if start < end else None


def subtract(window: Interval, blocks: Iterable[Interval]) -> list[Interval]:
    """What is left of a window after its blocks are taken out, in order."""
    free: list[Interval] = []
    start = window.start
    for block in sorted(blocks):
        if block.end <= start or block.start >= window.end:
            continue
        if block.start > start:
            free.append(Interval(start, block.start))
        start = max(start, block.end)
    if start < window.end:
        free.append(Interval(start, window.end))
    return free


@dataclass(frozen=True, slots=True)
class UnitWindow:
    """An open availability slot of a unit."""

    interval: Interval
    timezone: str


@dataclass(frozen=True, slots=True)
class AssignedAgent:
    """An active agent of the unit with calendar; ``priority``: lower is preferred."""

    agent_id: UUID
    name: str
    priority: int
    available: tuple[Interval, ...]
    unavailable: tuple[Interval, ...] = ()
    appointments: tuple[tuple[UUID, Interval], ...] = ()
    """(unit, interval) of pending, confirmed and reschedule_requested showings."""


@dataclass(frozen=True, slots=True)
class Slot:
    """One visit that can be offered."""

    unit_id: UUID
    starts_at: datetime
    ends_at: datetime
    timezone: str
    agent_id: UUID | None = None
    agent_name: str | None = None

    @property
    def label(self) -> str:
        """``Fri, Feb 13 6:00 PM - 7:00 PM EST (Dana)`` in the slot's own zone."""
        zone = ZoneInfo(self.timezone)
        start, end = self.starts_at.astimezone(zone), self.ends_at.astimezone(zone)
        who = f" ({self.agent_name})" if self.agent_name else ""
        day = f"{start:%a}, {start:%b} {start.day}"
        return f"{day} {_clock(start)} - {_clock(end)} {start.tzname()}{who}"

    def as_json(self) -> dict[str, object]:
        """The slot object of the data model: camelCase keys, canonical UTC instants."""
        return {
            "startsAt": _instant(self.starts_at),
            "endsAt": _instant(self.ends_at),
            "timezone": self.timezone,
            "agentId": str(self.agent_id) if self.agent_id else None,
            "agentName": self.agent_name,
            "label": self.label,
        }


def candidates(
    unit_id: UUID,
    windows: Sequence[UnitWindow],
    agents: Sequence[AssignedAgent],
    *,
    now: datetime,
    length: timedelta,
    limit: int,
    preferred_agent: UUID | None = None,
) -> list[Slot]:
    """Visits to offer, best first: the preferred agent's, then earlier, then by priority.

    At most one visit per start time, and offers are spread over days and over each day: first the first
    visit of each day, then a second one, and so on. Without any agent calendar the unit's own windows
    are offered without an agent.
    """
    ranked: list[tuple[bool, datetime, int, Slot]] = []
    for agent in agents:
        busy = list(agent.unavailable)
        busy += [interval for unit, interval in agent.appointments if unit != unit_id]
        for window in windows:
            for available in agent.available:
                common = window.interval.intersection(available)
                if common is None:
                    continue
                for free in subtract(common, busy):
                    ranked += [
                        (
                            agent.agent_id != preferred_agent,
                            visit.start,
                            agent.priority,
                            Slot(
                                unit_id, visit.start, visit.end, window.timezone, agent.agent_id, agent.name
                            ),
                        )
                        for visit in cut(free, length, now)
                    ]
    if not ranked and not agents:
        ranked = [
            (False, visit.start, 0, Slot(unit_id, visit.start, visit.end, window.timezone))
            for window in windows
            for visit in cut(window.interval, length, now)
        ]
    ranked.sort(key=lambda item: (item[0], item[1], item[2], str(item[3].agent_id)))
    unique: dict[datetime, Slot] = {}
    for _, start, _, slot in ranked:
        unique.setdefault(start, slot)
    return _spread(list(unique.values()), limit)


def cut(free: Interval, length: timedelta, now: datetime) -> list[Interval]:
    """Visits of ``length`` inside a free stretch, starting at multiples of the length past the hour."""
    step = int(length.total_seconds())
    begin = max(free.start, now)
    aligned = int(begin.timestamp())
    aligned += -aligned % min(step, 1800)
    if begin.microsecond and aligned == int(begin.timestamp()):
        aligned += min(step, 1800)
    start = datetime.fromtimestamp(aligned, tz=free.start.tzinfo)
    visits: list[Interval] = []
    while start + length <= free.end:
        visits.append(Interval(start, start + length))
        start += length
    return visits


def _spread(slots: list[Slot], limit: int) -> list[Slot]:
    by_day: dict[tuple[str, str], list[Slot]] = {}
    for slot in slots:
        day = slot.starts_at.astimezone(ZoneInfo(slot.timezone)).date().isoformat()
        by_day.setdefault((day, str(slot.agent_id)), []).append(slot)
    for day_slots in by_day.values():
        day_slots.sort(key=lambda slot: slot.starts_at)
    chosen: list[Slot] = []
    depth = 0
    while len(chosen) < limit and any(len(day_slots) > depth for day_slots in by_day.values()):
        for day_slots in by_day.values():
            if len(day_slots) > depth and len(chosen) < limit:
                chosen.append(day_slots[_visiting_order(len(day_slots))[depth]])
        depth += 1
    return sorted(chosen, key=lambda slot: slot.starts_at)


def _visiting_order(count: int) -> list[int]:
    """First, middle, last, then the rest: offers of one day lie apart."""
    order = list(dict.fromkeys([0, count // 2, count - 1]))
    return order + [index for index in range(count) if index not in order]


def _clock(local: datetime) -> str:
    return f"{local.hour % 12 or 12}:{local:%M} {local:%p}"


def _instant(value: datetime) -> str:
    return value.isoformat(timespec="milliseconds").replace("+00:00", "Z")
