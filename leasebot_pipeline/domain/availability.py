"""Weekly rules, day overrides, and the occurrences a rule gives. Pure.

A rule says "every Tuesday from 9:00 to 12:00 in New York". What it means on a date is worked out in the rule's
own zone, so it keeps its local time when clocks change: a time that clocks skip is shortened to what exists of
it (or left out when nothing does), a time that comes twice begins the first time.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum
from typing import Final
from uuid import UUID

from leasebot_pipeline.domain.local_time import instant_after_gap
from leasebot_pipeline.domain.slots import zone
from leasebot_pipeline.domain.slots_spans import Span, overlaps, subtract

WEEKLY_SOURCE: Final = "weekly_recurring"
OVERRIDE_SOURCE: Final = "daily_override"
DAY_NAMES: Final = ("Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday")


class OwnerKind(StrEnum):
    """Whose calendar it is."""

    UNIT = "unit"
    AGENT = "agent"


STATUSES: Final[Mapping[OwnerKind, tuple[str, str]]] = {
    OwnerKind.UNIT: ("open", "blocked"),
    OwnerKind.AGENT: ("available", "unavailable"),
}
"""Per kind the status that opens time, then the one that takes it away. Taking away wins."""


@dataclass(frozen=True, slots=True)
class Owner:
    """A unit or an agent."""

    kind: OwnerKind
    id: UUID

    @property
    def opens(self) -> str:
        return STATUSES[self.kind][0]


@dataclass(frozen=True, slots=True)
class WeeklyRule:
    """A stored rule. ``day_of_week`` 0 is Sunday; both dates are included and lie in the rule's zone."""

    id: UUID
    owner: Owner
    day_of_week: int
    start_time: time
    end_time: time
    timezone: str
    status: str
    valid_from: date | None = None
    valid_until: date | None = None
    notes: str | None = None
    listing_id: UUID | None = None


@dataclass(frozen=True, slots=True)
class Occurrence:
    """What a rule gives on one date, or a part of it where other stated time covers the rest."""

    rule: WeeklyRule
    starts_at: datetime
    ends_at: datetime

    @property
    def span(self) -> Span:
        return self.starts_at, self.ends_at


def weekday(day: date) -> int:
    """0 is Sunday, as in the tables."""
    return day.isoweekday() % 7


def last_day_of_weeks(first: date, weeks: int) -> date:
    """The last date of a rule that is to hold for that many weeks from a date on."""
    return first + timedelta(days=7 * weeks - 1)


def occurrences(rule: WeeklyRule, begin: datetime, until: datetime) -> Iterator[Occurrence]:
    """The rule's occurrences that end after ``begin`` and start before ``until``, in order.

    Nothing when the rule's zone is unknown.
    """
    tz = zone(rule.timezone)
    if tz is None:
        return
    # A day of margin on both sides: zones lie up to 14 hours apart.
    first = max(filter(None, [rule.valid_from, begin.astimezone(tz).date() - timedelta(days=1)]))
    last = min(filter(None, [rule.valid_until, until.astimezone(tz).date() + timedelta(days=1)]))
    day = first + timedelta(days=(rule.day_of_week - weekday(first)) % 7)
    while day <= last:
        starts_at = instant_after_gap(day, rule.start_time, tz)
        ends_at = instant_after_gap(day, rule.end_time, tz)
        if starts_at < ends_at and begin < ends_at and starts_at < until:
            yield Occurrence(rule, starts_at, ends_at)
        day += timedelta(days=7)


_LONGEST: Final = timedelta(days=2)
"""No occurrence lasts as long: a day, and an hour where clocks go back."""


def plan(
    rules: Iterable[WeeklyRule], stated: Mapping[Owner, Iterable[Span]], begin: datetime, until: datetime
) -> list[Occurrence]:
    """All occurrences of all rules that should stand in the calendars.

    ``stated`` is what agents are available for by other rows, which are never touched: an agent's available rows
    must not overlap, so occurrences give way to them, and of two rules the later in the given order to the
    earlier one.
    """
    wanted: list[Occurrence] = []
    taken: dict[Owner, list[Span]] = {owner: list(spans) for owner, spans in stated.items()}
    for rule in rules:
        # What begins behind the horizon may cut the end of what begins before it.
        for occurrence in occurrences(rule, begin, until + _LONGEST):
            if rule.owner.kind is OwnerKind.AGENT and rule.status == rule.owner.opens:
                blocks = taken.setdefault(rule.owner, [])
                pieces = subtract([occurrence.span], blocks)
                blocks.extend(pieces)
                wanted.extend(Occurrence(rule, *piece) for piece in pieces if piece[0] < until)
            elif occurrence.starts_at < until:
                wanted.append(occurrence)
    return wanted


def rules_overlap(first: WeeklyRule, second: WeeklyRule) -> bool:
    """Whether two rules of one owner and status ever mean the same time.

    Rules of one zone are compared by their local times; rules of different zones by two years of occurrences.
    """
    if first.owner != second.owner or first.status != second.status:
        return False
    begin = max(first.valid_from or date.min, second.valid_from or date.min)
    end = min(first.valid_until or date.max, second.valid_until or date.max)
    if begin > end:
        return False
    if first.timezone == second.timezone:
        return (
            first.day_of_week == second.day_of_week
            and first.start_time < second.end_time
            and second.start_time < first.end_time
            and has_weekday(begin, end, first.day_of_week)
        )
    start = datetime.combine(begin if begin > date.min else date(2024, 1, 1), time(), tzinfo=UTC)
    span = start - timedelta(days=1), start + timedelta(days=731)
    theirs = [occurrence.span for occurrence in occurrences(second, *span)]
    return any(overlaps(mine.span, other) for mine in occurrences(first, *span) for other in theirs)


def has_weekday(first: date, last: date, day: int) -> bool:
    """Whether that weekday lies between two dates, both included."""
    return (last - first).days >= (day - weekday(first)) % 7
