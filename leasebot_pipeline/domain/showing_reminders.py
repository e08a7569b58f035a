"""What a confirmed showing brings by itself: reminders before it, a question to the agent after it. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final
from zoneinfo import ZoneInfo

from leasebot_pipeline.domain.follow_ups import QuietHours, outside_quiet_hours


class ShowingStep(StrEnum):
    """Something due around a showing."""

    REMINDER_24H = "reminder_24h"
    REMINDER_2H = "reminder_2h"
    OUTCOME_PROMPT = "outcome_prompt"

    @property
    def writes(self) -> bool:
        """Whether the lead gets a text; the prompt is for the agent."""
        return self is not ShowingStep.OUTCOME_PROMPT


BEFORE: Final = {
    ShowingStep.REMINDER_24H: timedelta(hours=24),
    ShowingStep.REMINDER_2H: timedelta(hours=2),
}
PROMPT_AFTER: Final = timedelta(minutes=15)
"""How long after its end an agent is asked how a showing went."""
LAST_MOMENT: Final = timedelta(minutes=30)
"""A reminder closer to the showing than this helps nobody."""
WORTH_A_REMINDER: Final = timedelta(minutes=30)
"""A showing that was confirmed closer than this to a reminder's time needs no such reminder."""


@dataclass(frozen=True, slots=True)
class DueStep:
    """A step of one showing and when it is due."""

    step: ShowingStep
    due_at: datetime


def not_after(step: ShowingStep, starts_at: datetime) -> datetime | None:
    """When a step makes no sense any more: a reminder once the next one or the showing is near."""
    if step is ShowingStep.REMINDER_24H:
        return starts_at - BEFORE[ShowingStep.REMINDER_2H]
    return starts_at - LAST_MOMENT if step is ShowingStep.REMINDER_2H else None


def steps_of(
    starts_at: datetime,
    ends_at: datetime,
    confirmed_at: datetime,
    quiet: QuietHours | None,
    tz: ZoneInfo,
    *,
    reminders: bool,
) -> Iterator[DueStep]:
    """Everything due around a confirmed showing.

    A reminder in the quiet hours waits for their end, where that is not too late for it. One whose time had
    come (nearly) when the showing was confirmed is left out: the confirmation said the same.
    """
    if reminders:
        for step, before in BEFORE.items():
            planned = starts_at - before
            due = outside_quiet_hours(planned, quiet, tz)
            latest = not_after(step, starts_at)
            assert latest is not None
            if confirmed_at + WORTH_A_REMINDER <= planned and due < latest:
                yield DueStep(step, due)
    yield DueStep(ShowingStep.OUTCOME_PROMPT, ends_at + PROMPT_AFTER)
