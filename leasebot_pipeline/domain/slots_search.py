"""The slot search: which visits of a unit are free, which of them to offer, which lie nearest to a wish. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from itertools import pairwise
from typing import Final
from uuid import UUID
from zoneinfo import ZoneInfo

from leasebot_pipeline.domain.slots import AgentWindow, Appointment, Assignment, Slot, UnitWindow, zone
from leasebot_pipeline.domain.slots_policy import SlotPolicy
from leasebot_pipeline.domain.slots_spans import Span, intersect, merged, overlaps, subtract, visits

DEFAULT_LIMIT: Final = 6


@dataclass(frozen=True, slots=True)
class UnitCalendar:
    """Everything that decides which visits of ONE unit are free.

    ``appointments`` are those of the unit (whoever shows it) and those of its agents (whatever they show),
    without cancelled ones and without holds that ran out; they reach back over the agents' whole current day.
    """

    unit_id: UUID
    windows: Sequence[UnitWindow] = ()
    assignments: Sequence[Assignment] = ()
    agent_windows: Sequence[AgentWindow] = ()
    appointments: Sequence[Appointment] = ()


def free_slots(
    calendar: UnitCalendar,
    policy: SlotPolicy,
    now: datetime,
    *,
    ignoring_conversation: UUID | None = None,
    include_passive: bool = False,
) -> tuple[Slot, ...]:
    """Every free visit, one per agent and instant, by start, priority and agent.

    A visit lies inside the unit's open windows and an active (or also a passive) agent's available ones, outside everything that
    blocks either, and starts no earlier than the notice allows. Showings of other units keep the agent away for
    their time with buffers; the unit itself takes ``capacity`` leads at a time, all with one agent.

    Only when no active agent has stated any available time are the unit's own windows searched without an
    agent, minus what all its agents have blocked; agents who are merely booked out mean no slots.
    """
    appointments = without_conversation(calendar.appointments, ignoring_conversation)
    found: list[Slot] = []
    active = active_agents(calendar)
    for agent in by_priority(calendar.assignments) if include_passive else active:
        found.extend(_slots_of_agent(calendar, policy, now, agent, appointments))
    if not any(window_spans(calendar, agent.agent_id, now) for agent in active):
        found.extend(_slots_without_agent(calendar, policy, now, active, appointments))
    # Agents were searched best first, and sorting keeps that order among equal starts.
    return tuple(sorted(found, key=lambda slot: slot.starts_at))


def candidates(
    calendar: UnitCalendar,
    policy: SlotPolicy,
    now: datetime,
    limit: int = DEFAULT_LIMIT,
    *,
    assigned_agent_id: UUID | None = None,
    ignoring_conversation: UUID | None = None,
) -> tuple[Slot, ...]:
    """The visits of one unit worth offering, best first, at most ``limit``, one per instant.

    Visits with the conversation's own agent come first; each instant appears once, with the agent of the best
    priority. Days are taken in turn, earliest first, so that any first n of the result let a lead choose
    between days. ``ignoring_conversation`` leaves out the conversation's own showings, which a rebooking would
    free.
    """
    free = free_slots(calendar, policy, now, ignoring_conversation=ignoring_conversation)
    chosen = _one_per_instant(free, assigned_agent_id)
    own = [slot for slot in chosen if _is_own(slot, assigned_agent_id)]
    others = [slot for slot in chosen if not _is_own(slot, assigned_agent_id)]
    return tuple([*_spread(own), *_spread(others)][: max(limit, 0)])


def nearest(
    calendar: UnitCalendar,
    policy: SlotPolicy,
    now: datetime,
    wanted: datetime,
    limit: int = 3,
    *,
    assigned_agent_id: UUID | None = None,
    ignoring_conversation: UUID | None = None,
) -> tuple[Slot, ...]:
    """The free visits whose start lies nearest to the wanted instant, nearest first, one per instant."""
    free = free_slots(calendar, policy, now, ignoring_conversation=ignoring_conversation)
    chosen = _one_per_instant(free, assigned_agent_id)
    return tuple(
        sorted(chosen, key=lambda slot: (abs(slot.starts_at - wanted), slot.starts_at))[: max(limit, 0)]
    )


def active_agents(calendar: UnitCalendar) -> list[Assignment]:
    """Who may be offered, best priority first."""
    return by_priority(agent for agent in calendar.assignments if agent.active)


def by_priority(assignments: Iterable[Assignment]) -> list[Assignment]:
    """Best priority first."""
    return sorted(assignments, key=lambda agent: (agent.priority, str(agent.agent_id)))


def without_conversation(appointments: Iterable[Appointment], conversation: UUID | None) -> list[Appointment]:
    """The showings of everybody else."""
    return [a for a in appointments if conversation is None or a.conversation_id != conversation]


def span_of(window: UnitWindow | AgentWindow | Appointment) -> Span:
    """Its time in UTC."""
    return window.starts_at.astimezone(UTC), window.ends_at.astimezone(UTC)


def open_spans(calendar: UnitCalendar, agent_zone: str | None = None) -> dict[str, list[Span]]:
    """When the unit is open, per zone it is open in. Windows that touch are one; blocked time is not cut out."""
    by_zone: dict[str, list[Span]] = {}
    for window in calendar.windows:
        if window.status == "open":
            by_zone.setdefault(known_zone(window.timezone, agent_zone), []).append(span_of(window))
    return {name: merged(spans) for name, spans in by_zone.items()}


def window_spans(
    calendar: UnitCalendar, agent_id: UUID, now: datetime | None = None, status: str = "available"
) -> list[Span]:
    """When the agent stated that status, joined; with ``now`` only what is not over."""
    return merged(
        span_of(window)
        for window in calendar.agent_windows
        if window.agent_id == agent_id and window.status == status and (now is None or window.ends_at > now)
    )


def blocked_unit_spans(calendar: UnitCalendar) -> list[Span]:
    """When the unit is expressly closed."""
    return merged(span_of(window) for window in calendar.windows if window.status == "blocked")


def taken_span(appointment: Appointment, policy: SlotPolicy) -> Span:
    """Where a visit of another unit can't lie, so that the buffered ranges of both stay apart."""
    before = policy.buffer_before if appointment.buffer_before is None else appointment.buffer_before
    after = policy.buffer_after if appointment.buffer_after is None else appointment.buffer_after
    start, end = span_of(appointment)
    return start - before - policy.buffer_after, end + after + policy.buffer_before


def showings_here(calendar: UnitCalendar, appointments: Iterable[Appointment]) -> list[Appointment]:
    """Showings of the unit itself that take time."""
    return [a for a in appointments if a.blocks and a.unit_id == calendar.unit_id]


def visitors(here: Iterable[Appointment], visit: Span) -> list[Appointment]:
    """Those of the unit's showings that share time with the visit."""
    return [a for a in here if overlaps(span_of(a), visit)]


def has_place(here: Iterable[Appointment], visit: Span, capacity: int) -> bool:
    """Whether the unit takes one more for the whole visit: a seat of its own, and never too many at once.

    Seats alone don't tell: rows of the earlier system knew none.
    """
    beside = visitors(here, visit)
    if len(beside) < capacity:
        return True
    spans = [span_of(a) for a in beside]
    moments = [visit[0], *(start for start, _ in spans if start > visit[0])]
    at_once = max(sum(start <= moment < end for start, end in spans) for moment in moments)
    return at_once < capacity and not {a.seat for a in beside}.issuperset(range(1, capacity + 1))


@dataclass(frozen=True, slots=True)
class AgentDays:
    """How many showings an agent has per day, in the agent's own zone."""

    tz: ZoneInfo
    showings: Mapping[date, int]

    def full(self, start: datetime, cap: int | None) -> bool:
        """Whether the cap of that day forbids one more."""
        return cap is not None and self.showings.get(start.astimezone(self.tz).date(), 0) >= cap


def agent_days(agent: Assignment, appointments: Iterable[Appointment]) -> AgentDays:
    """The agent's showings per day; what is over counts, and so does each lead of a group."""
    tz = zone(known_zone(agent.agent_timezone))
    assert tz is not None  # known_zone returns known zones only
    own = (a for a in appointments if a.agent_id == agent.agent_id)
    return AgentDays(tz, Counter(a.starts_at.astimezone(tz).date() for a in own))


def known_zone(*names: str | None) -> str:
    """The first of the names that is an IANA zone, else UTC: one bad row must not stop a search."""
    return next((name for name in names if name and zone(name) is not None), "UTC")


def _slots_of_agent(
    calendar: UnitCalendar,
    policy: SlotPolicy,
    now: datetime,
    agent: Assignment,
    appointments: Sequence[Appointment],
) -> Iterator[Slot]:
    free = window_spans(calendar, agent.agent_id)
    blocks = [
        *_agent_blocks(calendar, policy, agent.agent_id, appointments),
        *blocked_unit_spans(calendar),
        *_full_spans(calendar, policy, agent.agent_id, appointments),
    ]
    here = showings_here(calendar, appointments)
    days = agent_days(agent, appointments)
    agent_zone = next((w.timezone for w in calendar.agent_windows if w.agent_id == agent.agent_id), None)
    seen: set[datetime] = set()
    for zone_name, spans in open_spans(calendar, agent_zone).items():
        for start, end in _cut(subtract(intersect(spans, free), blocks), policy, zone_name, now):
            if (
                start in seen
                or not has_place(here, (start, end), policy.capacity)
                or days.full(start, policy.daily_cap)
            ):
                continue
            seen.add(start)
            yield Slot(start, end, zone_name, agent.agent_id, agent.agent_name, calendar.unit_id)


def _slots_without_agent(
    calendar: UnitCalendar,
    policy: SlotPolicy,
    now: datetime,
    active: Sequence[Assignment],
    appointments: Sequence[Appointment],
) -> Iterator[Slot]:
    blocks = [
        *_blocked_for_all(
            [_agent_blocks(calendar, policy, agent.agent_id, appointments) for agent in active]
        ),
        *blocked_unit_spans(calendar),
        *_full_spans(calendar, policy, None, appointments),
    ]
    here = showings_here(calendar, appointments)
    seen: set[datetime] = set()
    for zone_name, spans in open_spans(calendar).items():
        for start, end in _cut(subtract(spans, blocks), policy, zone_name, now):
            if start not in seen and not visitors(here, (start, end)):
                seen.add(start)
                yield Slot(start, end, zone_name, None, None, calendar.unit_id)


def _agent_blocks(
    calendar: UnitCalendar, policy: SlotPolicy, agent_id: UUID, appointments: Iterable[Appointment]
) -> list[Span]:
    return [
        *window_spans(calendar, agent_id, status="unavailable"),
        *(
            taken_span(a, policy)
            for a in appointments
            if a.blocks and a.agent_id == agent_id and a.unit_id != calendar.unit_id
        ),
    ]


def _full_spans(
    calendar: UnitCalendar, policy: SlotPolicy, agent_id: UUID | None, appointments: Iterable[Appointment]
) -> list[Span]:
    """When the unit takes nobody more with that agent: it is with another one, or as many as it may have are in it."""
    here = showings_here(calendar, appointments)
    own = [span_of(a) for a in here if a.agent_id == agent_id]
    edges = sorted({edge for span in own for edge in span})
    full = [
        piece for piece in pairwise(edges) if sum(overlaps(span, piece) for span in own) >= policy.capacity
    ]
    return merged([*(span_of(a) for a in here if a.agent_id != agent_id), *full])


def _cut(spans: Iterable[Span], policy: SlotPolicy, zone_name: str, now: datetime) -> list[Span]:
    """Visits of the free spans that begin late enough. The grid starts with the span, so it stays as time goes on."""
    tz = zone(zone_name)
    assert tz is not None  # known_zone returns known zones only
    earliest = now + policy.minimum_notice
    return [visit for span in spans for visit in visits(span, policy.duration, tz) if visit[0] >= earliest]


def _blocked_for_all(blocks: Sequence[list[Span]]) -> list[Span]:
    if not blocks:
        return []
    common = blocks[0]
    for other in blocks[1:]:
        common = intersect(common, other)
    return common


def _is_own(slot: Slot, assigned_agent_id: UUID | None) -> bool:
    return assigned_agent_id is not None and slot.agent_id == assigned_agent_id


def _one_per_instant(free: Iterable[Slot], assigned_agent_id: UUID | None) -> list[Slot]:
    """The conversation's own agent where free, else the first, which has the best priority."""
    best: dict[datetime, Slot] = {}
    for slot in free:
        if slot.starts_at not in best or _is_own(slot, assigned_agent_id):
            best[slot.starts_at] = slot
    return list(best.values())


def _spread(slots: Iterable[Slot]) -> list[Slot]:
    """Days in turn, each with its variety first."""
    days: dict[date, list[Slot]] = {}
    for slot in slots:
        days.setdefault(slot.starts_at.astimezone(zone(slot.timezone)).date(), []).append(slot)
    queues = [_varied(day) for day in days.values()]
    longest = max((len(queue) for queue in queues), default=0)
    return [queue[turn] for turn in range(longest) for queue in queues if turn < len(queue)]


def _varied(day: list[Slot]) -> list[Slot]:
    """A day's first slot, then the one half a day's choice later, then the rest in order."""
    middle = len(day) // 2
    return day if middle == 0 else [day[0], day[middle], *day[1:middle], *day[middle + 1 :]]
