"""Why a time is not offered: every obstacle of one agent's visit at one instant, in order. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from uuid import UUID

from leasebot_pipeline.domain.slots import Appointment, Assignment
from leasebot_pipeline.domain.slots_policy import SlotPolicy
from leasebot_pipeline.domain.slots_search import (
    UnitCalendar,
    agent_days,
    blocked_unit_spans,
    free_slots,
    has_place,
    open_spans,
    showings_here,
    span_of,
    taken_span,
    visitors,
    window_spans,
    without_conversation,
)
from leasebot_pipeline.domain.slots_spans import Span, overlaps


class Obstacle(StrEnum):
    """Reasons, in the order in which they are told."""

    UNIT_UNKNOWN = "unit_unknown"
    UNIT_INACTIVE = "unit_inactive"
    AGENT_UNKNOWN = "agent_unknown"
    AGENT_NOT_ASSIGNED = "agent_not_assigned"
    AGENT_PASSIVE = "agent_passive"
    IN_THE_PAST = "in_the_past"
    SHORT_NOTICE = "short_notice"
    BEYOND_HORIZON = "beyond_horizon"
    UNIT_NOT_OPEN = "unit_not_open"
    UNIT_BLOCKED = "unit_blocked"
    AGENT_NOT_AVAILABLE = "agent_not_available"
    AGENT_UNAVAILABLE = "agent_unavailable"
    AGENT_BOOKED = "agent_booked"
    AGENT_BUFFER = "agent_buffer"
    UNIT_WITH_OTHER_AGENT = "unit_with_other_agent"
    SLOT_FULL = "slot_full"
    DAILY_CAP = "daily_cap"
    OFF_GRID = "off_grid"


@dataclass(frozen=True, slots=True)
class NotOffered:
    """One reason; ``detail`` says in words what stands in the way (times in UTC, no personal data)."""

    obstacle: Obstacle
    detail: str


def why_not_offered(
    calendar: UnitCalendar,
    policy: SlotPolicy,
    agent_id: UUID,
    instant: datetime,
    now: datetime,
    horizon: datetime | None = None,
    *,
    ignoring_conversation: UUID | None = None,
) -> tuple[NotOffered, ...]:
    """All reasons why a visit of that agent beginning at that instant is not free, in order; empty when it is.

    Empty exactly when ``free_slots`` holds that agent's slot at that instant and it begins before the horizon.
    A free slot may still stand behind others in an offer: its agent has a lower priority at that instant, or the
    offer is full.
    """
    start = instant.astimezone(UTC)
    visit = (start, start + policy.duration)
    appointments = without_conversation(calendar.appointments, ignoring_conversation)
    agent = next((a for a in calendar.assignments if a.agent_id == agent_id), None)
    found = [
        *_assignment(agent),
        *_time(policy, start, now, horizon),
        *_windows(calendar, agent_id, visit),
        *_showings(calendar, policy, agent_id, appointments, visit),
    ]
    if agent is not None and agent_days(agent, appointments).full(start, policy.daily_cap):
        found.append(
            NotOffered(
                Obstacle.DAILY_CAP, f"the agent already has the {policy.daily_cap} showings a day may have"
            )
        )
    if not found and not any(
        slot.agent_id == agent_id and slot.starts_at == start
        for slot in free_slots(calendar, policy, now, ignoring_conversation=ignoring_conversation)
    ):
        found.append(
            NotOffered(
                Obstacle.OFF_GRID,
                "visits begin on the half hour, one after the other from the beginning of the free time",
            )
        )
    return tuple(found)


def _assignment(agent: Assignment | None) -> Iterator[NotOffered]:
    if agent is None:
        yield NotOffered(Obstacle.AGENT_NOT_ASSIGNED, "the agent is not assigned to the unit")
    elif not agent.active:
        yield NotOffered(Obstacle.AGENT_PASSIVE, "the agent's assignment to the unit is passive")


def _time(
    policy: SlotPolicy, start: datetime, now: datetime, horizon: datetime | None
) -> Iterator[NotOffered]:
    if start < now:
        yield NotOffered(Obstacle.IN_THE_PAST, f"it is already {_text(now)}")
    elif start < now + policy.minimum_notice:
        yield NotOffered(
            Obstacle.SHORT_NOTICE, f"visits begin {_text(now + policy.minimum_notice)} at the earliest"
        )
    if horizon is not None and start >= horizon:
        yield NotOffered(Obstacle.BEYOND_HORIZON, f"visits are offered until {_text(horizon)}")


def _windows(calendar: UnitCalendar, agent_id: UUID, visit: Span) -> Iterator[NotOffered]:
    if not any(_inside(visit, spans) for spans in open_spans(calendar).values()):
        yield NotOffered(Obstacle.UNIT_NOT_OPEN, "the unit is not open during the whole visit")
    for span in _touching(visit, blocked_unit_spans(calendar)):
        yield NotOffered(Obstacle.UNIT_BLOCKED, f"the unit is blocked {_range(span)}")
    if not _inside(visit, window_spans(calendar, agent_id)):
        yield NotOffered(Obstacle.AGENT_NOT_AVAILABLE, "the agent is not available during the whole visit")
    for span in _touching(visit, window_spans(calendar, agent_id, status="unavailable")):
        yield NotOffered(Obstacle.AGENT_UNAVAILABLE, f"the agent is unavailable {_range(span)}")


def _showings(
    calendar: UnitCalendar,
    policy: SlotPolicy,
    agent_id: UUID,
    appointments: list[Appointment],
    visit: Span,
) -> Iterator[NotOffered]:
    elsewhere = [
        a for a in appointments if a.blocks and a.agent_id == agent_id and a.unit_id != calendar.unit_id
    ]
    for a in elsewhere:
        if overlaps(span_of(a), visit):
            yield NotOffered(Obstacle.AGENT_BOOKED, f"the agent shows another unit {_range(span_of(a))}")
    for a in elsewhere:
        if overlaps(taken_span(a, policy), visit) and not overlaps(span_of(a), visit):
            yield NotOffered(
                Obstacle.AGENT_BUFFER,
                f"too close to the agent's showing of another unit {_range(span_of(a))}",
            )
    here = visitors(showings_here(calendar, appointments), visit)
    for a in here:
        if a.agent_id != agent_id:
            yield NotOffered(
                Obstacle.UNIT_WITH_OTHER_AGENT, f"another agent shows the unit {_range(span_of(a))}"
            )
    if not has_place(here, visit, policy.capacity):
        yield NotOffered(
            Obstacle.SLOT_FULL, f"at most {policy.capacity} at a time may see the unit, and {len(here)} do"
        )


def _inside(visit: Span, spans: Iterable[Span]) -> bool:
    return any(start <= visit[0] and visit[1] <= end for start, end in spans)


def _touching(visit: Span, spans: Iterable[Span]) -> Iterator[Span]:
    return (span for span in spans if overlaps(span, visit))


def _range(span: Span) -> str:
    return f"from {_text(span[0])} to {_text(span[1])}"


def _text(instant: datetime) -> str:
    return instant.astimezone(UTC).isoformat(timespec="minutes").replace("+00:00", "Z")
