"""Following up on a lead who fell silent: which step comes next, when it is due, what stops it. Pure.

A silence begins with a reply of ours that is proven sent. ``follow_up_1`` comes after it, ``follow_up_2`` after
the first follow-up was sent, ``no_reply`` (an outcome, not a text) after the last one. Each step waits from the
message before it, so a follow-up that went out late moves the rest.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, fields, replace
from datetime import UTC, datetime, time, timedelta
from enum import StrEnum
from typing import Final
from zoneinfo import ZoneInfo

from leasebot_pipeline.domain.slots import zone


class FollowUpStep(StrEnum):
    """A step of one silence, in order."""

    FOLLOW_UP_1 = "follow_up_1"
    FOLLOW_UP_2 = "follow_up_2"
    NO_REPLY = "no_reply"

    @property
    def writes(self) -> bool:
        """Whether the step sends the lead a text."""
        return self is not FollowUpStep.NO_REPLY


class StopReason(StrEnum):
    """Why a step that was planned is not taken. Codes of ``"FollowUps".reason`` and of the audit."""

    LEAD_REPLIED = "lead_replied"
    OPTED_OUT = "lead_opted_out"
    SHOWING_BOOKED = "showing_booked"
    OUTCOME_REACHED = "outcome_reached"
    CONVERSATION_CLOSED = "conversation_closed"
    REPLACED = "replaced_by_newer_message"
    NOT_SENT = "text_not_sent"
    TOO_LATE = "too_late"
    LEAD_GATE = "lead_gate"
    QUALITY_GATE = "quality_gate"
    NO_OWNER = "no_owner"
    REFUSED = "transition_refused"
    SHOWING_CHANGED = "showing_changed"
    DISABLED = "disabled"
    BY_PERSON = "called_off_by_person"
    TAKEN_OVER = "taken_over_by_person"


MOST_OVERDUE: Final = timedelta(days=7)
"""A step that could not be taken for this long is dropped: the lead has long moved on."""


@dataclass(frozen=True, slots=True)
class QuietHours:
    """Local times between which no lead is written to; ``start`` after ``end`` spans midnight.

    Raises ValueError when they are equal: that would be the whole day.
    """

    start: time
    end: time

    def __post_init__(self) -> None:
        if self.start == self.end:
            raise ValueError("quiet_hours: start and end must differ")

    def hold(self, local: time) -> bool:
        """Whether a local time lies inside; the end itself does not."""
        if self.start < self.end:
            return self.start <= local < self.end
        return local >= self.start or local < self.end

    def __str__(self) -> str:
        return f"{self.start:%H:%M}-{self.end:%H:%M}"


_QUIET: Final = re.compile(r"([01]\d|2[0-3]):([0-5]\d)-([01]\d|2[0-3]):([0-5]\d)", re.ASCII)


def parse_quiet_hours(text: str) -> QuietHours | None:
    """``20:00-09:00`` as quiet hours, ``off`` as None. Raises ValueError with the rule that was broken."""
    plain = text.strip().casefold()
    if plain == "off":
        return None
    found = _QUIET.fullmatch(plain)
    if found is None:
        raise ValueError("quiet_hours: must read HH:MM-HH:MM (24 hours), or off")
    start_hour, start_minute, end_hour, end_minute = map(int, found.groups())
    return QuietHours(time(start_hour, start_minute), time(end_hour, end_minute))


@dataclass(frozen=True, slots=True)
class FollowUpPolicy:
    """What an account does about silent leads. Raises ValueError naming the field and the rule it breaks."""

    enabled: bool = True
    follow_up_1_after: timedelta = timedelta(hours=24)
    follow_up_2_after: timedelta = timedelta(hours=72)
    no_reply_after: timedelta = timedelta(hours=72)
    maximum: int = 2
    """Most follow-ups one silence gets; 0 only sets ``no_reply``."""
    quiet_hours: QuietHours | None = QuietHours(time(20), time(9))
    reminders: bool = True
    """Whether confirmed showings are reminded of."""

    @property
    def soonest_step(self) -> timedelta:
        """The least time from a reply to the first step of its silence."""
        return self.follow_up_1_after if self.maximum else self.no_reply_after

    def __post_init__(self) -> None:
        for name in ("follow_up_1_after", "follow_up_2_after", "no_reply_after"):
            if not timedelta(0) < getattr(self, name) <= timedelta(days=90):
                raise ValueError(f"{name}: must be above 0 and at most 90 days")
        if not 0 <= self.maximum <= 2:
            raise ValueError("maximum: must be 0, 1 or 2")

    def delay(self, step: FollowUpStep) -> timedelta:
        """How long a step waits after the message before it."""
        return {
            FollowUpStep.FOLLOW_UP_1: self.follow_up_1_after,
            FollowUpStep.FOLLOW_UP_2: self.follow_up_2_after,
            FollowUpStep.NO_REPLY: self.no_reply_after,
        }[step]

    def as_details(self) -> dict[str, object]:
        """The policy as audit details and the console show it."""
        return {
            "enabled": self.enabled,
            "followUp1AfterMinutes": _minutes(self.follow_up_1_after),
            "followUp2AfterMinutes": _minutes(self.follow_up_2_after),
            "noReplyAfterMinutes": _minutes(self.no_reply_after),
            "maximum": self.maximum,
            "quietHours": "off" if self.quiet_hours is None else str(self.quiet_hours),
            "reminders": self.reminders,
        }


def _minutes(span: timedelta) -> float:
    return span.total_seconds() / 60


_MOST_MINUTES: Final = 90 * 24 * 60


@dataclass(frozen=True, slots=True)
class PolicyChange:
    """What an operator sets for one account; None takes the default again.

    Delays are whole minutes, ``quiet_hours`` is text (see ``parse_quiet_hours``).
    """

    enabled: bool | None = None
    follow_up_1_after_minutes: int | None = None
    follow_up_2_after_minutes: int | None = None
    no_reply_after_minutes: int | None = None
    maximum: int | None = None
    quiet_hours: str | None = None
    reminders: bool | None = None

    def over(self, defaults: FollowUpPolicy) -> FollowUpPolicy:
        """The policy in force. Raises ValueError naming the field and the rule it breaks."""
        values: dict[str, object] = {}
        for item in fields(self):
            value = getattr(self, item.name)
            if value is None:
                continue
            if item.name.endswith("_minutes"):
                if not 0 < value <= _MOST_MINUTES:
                    raise ValueError(f"{item.name}: must be from 1 to {_MOST_MINUTES}")
                values[item.name.removesuffix("_minutes")] = timedelta(minutes=value)
            elif item.name == "quiet_hours":
                values[item.name] = parse_quiet_hours(value)
            else:
                values[item.name] = value
        return replace(defaults, **values)  # type: ignore[arg-type]


@dataclass(frozen=True, slots=True)
class FollowUpWork:
    """What waits for a run of a platform. ``next_due_at`` is the next step whose time has not come yet."""

    due: int = 0
    to_plan: int = 0
    next_due_at: datetime | None = None


def first_step(policy: FollowUpPolicy) -> FollowUpStep:
    """The step a new silence begins with."""
    return FollowUpStep.FOLLOW_UP_1 if policy.maximum else FollowUpStep.NO_REPLY


def step_after(step: FollowUpStep, policy: FollowUpPolicy) -> FollowUpStep | None:
    """The step after one that was taken; None after the last. A lowered maximum goes straight to the end."""
    if step is FollowUpStep.FOLLOW_UP_1 and policy.maximum > 1:
        return FollowUpStep.FOLLOW_UP_2
    return FollowUpStep.NO_REPLY if step.writes else None


def due_at(step: FollowUpStep, policy: FollowUpPolicy, sent_at: datetime, tz: ZoneInfo) -> datetime:
    """When a step is due after a message; a text is moved out of the quiet hours, the outcome is not."""
    due = sent_at.astimezone(UTC) + policy.delay(step)
    return outside_quiet_hours(due, policy.quiet_hours, tz) if step.writes else due


def outside_quiet_hours(instant: datetime, quiet: QuietHours | None, tz: ZoneInfo) -> datetime:
    """The instant itself, or the end of the quiet hours it lies in, in UTC.

    An end the clocks skip in spring is as much later as they skip; of one that comes twice in autumn, the
    first that is not before the instant.
    """
    local = instant.astimezone(tz)
    if quiet is None or not quiet.hold(local.time()):
        return instant.astimezone(UTC)
    day = local.date()
    if quiet.start > quiet.end and local.time() >= quiet.start:
        day += timedelta(days=1)
    first = datetime.combine(day, quiet.end, tz).astimezone(UTC)
    second = datetime.combine(day, quiet.end, tz).replace(fold=1).astimezone(UTC)
    return first if first >= instant else second


def quiet_from(instant: datetime, quiet: QuietHours | None, tz: ZoneInfo) -> datetime | None:
    """When the quiet hours after an instant outside them begin; None without quiet hours."""
    if quiet is None:
        return None
    local = instant.astimezone(tz)
    day = local.date() + timedelta(days=local.time() >= quiet.start)
    return datetime.combine(day, quiet.start, tz).astimezone(UTC)


def first_zone(*names: str | None) -> ZoneInfo:
    """The first of the names that is a time zone, else UTC."""
    return next((found for name in names if name and (found := zone(name)) is not None), ZoneInfo("UTC"))
