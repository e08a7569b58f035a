"""Weekly rules and day overrides as people ask for them, and what is wrong with one. Pure.

Every refusal names the field (as the API spells it) and the rule it breaks; all of a draft are told at once.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date, datetime, time
from enum import StrEnum
from uuid import UUID

from leasebot_pipeline.domain.availability import (
    DAY_NAMES,
    STATUSES,
    Owner,
    WeeklyRule,
    has_weekday,
    rules_overlap,
)
from leasebot_pipeline.domain.local_time import NonexistentLocalTime, instant_of
from leasebot_pipeline.domain.slots import zone


class Broken(StrEnum):
    """The rules a draft can break."""

    DAY_OUT_OF_RANGE = "day_out_of_range"
    END_BEFORE_START = "end_before_start"
    UNKNOWN_ZONE = "unknown_zone"
    STATUS_NOT_ALLOWED = "status_not_allowed"
    DATES_REVERSED = "dates_reversed"
    NO_DAY_IN_RANGE = "no_day_in_range"
    IN_THE_PAST = "in_the_past"
    NONEXISTENT_LOCAL_TIME = "nonexistent_local_time"
    OVERLAPPING_RULE = "overlapping_rule"
    OVERLAPPING_AVAILABILITY = "overlapping_availability"
    UNIT_WITHOUT_AGENTS = "unit_without_agents"
    UNKNOWN_OWNER = "unknown_owner"
    UNKNOWN_RULE = "unknown_rule"
    UNKNOWN_SLOT = "unknown_slot"
    UNKNOWN_LISTING = "unknown_listing"
    FROM_A_RULE = "from_a_rule"
    NOTHING_TO_COPY = "nothing_to_copy"


@dataclass(frozen=True, slots=True)
class Refusal:
    """One broken rule."""

    field: str
    rule: Broken
    message: str

    def __str__(self) -> str:
        return f"{self.field}: {self.message}"


@dataclass(frozen=True, slots=True)
class RuleDraft:
    """A weekly rule to be stored; without dates it holds from now on and for good."""

    day_of_week: int
    start_time: time
    end_time: time
    timezone: str
    status: str
    valid_from: date | None = None
    valid_until: date | None = None
    notes: str | None = None
    listing_id: UUID | None = None

    def as_rule(self, rule_id: UUID, owner: Owner) -> WeeklyRule:
        return WeeklyRule(
            rule_id,
            owner,
            self.day_of_week,
            self.start_time,
            self.end_time,
            self.timezone,
            self.status,
            self.valid_from,
            self.valid_until,
            self.notes,
            self.listing_id,
        )


@dataclass(frozen=True, slots=True)
class OverrideDraft:
    """One date's exception: opens time beside the weekly rules, or takes time away from them."""

    date: date
    start_time: time
    end_time: time
    timezone: str
    status: str
    notes: str | None = None
    listing_id: UUID | None = None

    def span(self) -> tuple[datetime, datetime]:
        """Its time in UTC. Raises NonexistentLocalTime; a time that comes twice means the earlier one."""
        tz = zone(self.timezone)
        assert tz is not None  # check_override refuses unknown zones
        return instant_of(self.date, self.start_time, tz), instant_of(self.date, self.end_time, tz)


def check_rule(owner: Owner, draft: RuleDraft, others: Iterable[WeeklyRule], now: datetime) -> list[Refusal]:
    """What is wrong with a rule; ``others`` are the owner's other rules."""
    found = list(_common(owner, draft.start_time, draft.end_time, draft.timezone, draft.status))
    if not 0 <= draft.day_of_week <= 6:
        found.append(Refusal("dayOfWeek", Broken.DAY_OUT_OF_RANGE, "must be 0 (Sunday) to 6 (Saturday)"))
    found.extend(_dates(draft, now))
    if found:
        return found
    mine = draft.as_rule(owner.id, owner)
    return [_overlap(other) for other in others if rules_overlap(mine, other)]


def check_override(owner: Owner, draft: OverrideDraft, now: datetime) -> list[Refusal]:
    """What is wrong with a day override by itself."""
    found = list(_common(owner, draft.start_time, draft.end_time, draft.timezone, draft.status))
    if found:
        return found
    try:
        _, end = draft.span()
    except NonexistentLocalTime as error:
        field = "startTime" if error.details["time"] == draft.start_time.isoformat("minutes") else "endTime"
        return [Refusal(field, Broken.NONEXISTENT_LOCAL_TIME, str(error))]
    if end <= now:
        return [Refusal("date", Broken.IN_THE_PAST, "must not lie wholly in the past")]
    return []


def _common(owner: Owner, start: time, end: time, zone_name: str, status: str) -> Iterator[Refusal]:
    if end <= start:
        yield Refusal("endTime", Broken.END_BEFORE_START, "must be after startTime")
    if zone(zone_name) is None:
        yield Refusal("timezone", Broken.UNKNOWN_ZONE, "must be an IANA time zone such as America/New_York")
    if status not in STATUSES[owner.kind]:
        yield Refusal(
            "status", Broken.STATUS_NOT_ALLOWED, f"must be one of {', '.join(STATUSES[owner.kind])}"
        )


def _overlap(other: WeeklyRule) -> Refusal:
    times = f"{other.start_time:%H:%M} to {other.end_time:%H:%M} {other.timezone}"
    return Refusal(
        "startTime",
        Broken.OVERLAPPING_RULE,
        f"overlaps rule {other.id}: {DAY_NAMES[other.day_of_week]}, {times}",
    )


def _dates(draft: RuleDraft, now: datetime) -> Iterator[Refusal]:
    first, last, tz = draft.valid_from, draft.valid_until, zone(draft.timezone)
    if last is None:
        return
    if first is not None and last < first:
        yield Refusal("untilDate", Broken.DATES_REVERSED, "must not be before fromDate")
    elif tz is not None and last < now.astimezone(tz).date():
        yield Refusal("untilDate", Broken.IN_THE_PAST, "must not lie in the past")
    elif first is not None and not has_weekday(first, last, draft.day_of_week):
        yield Refusal(
            "untilDate", Broken.NO_DAY_IN_RANGE, "no such weekday lies between fromDate and untilDate"
        )
