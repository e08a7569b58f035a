"""What a confirmed showing brings by itself: reminders 24 and 2 hours before, a question to the agent after."""

from __future__ import annotations

from datetime import datetime, time, timedelta
from zoneinfo import ZoneInfo

from hypothesis import given
from hypothesis import strategies as st

from leasebot_pipeline.domain.follow_ups import QuietHours
from leasebot_pipeline.domain.showing_reminders import (
    BEFORE,
    PROMPT_AFTER,
    ShowingStep,
    not_after,
    steps_of,
)

TZ = ZoneInfo("America/New_York")
NIGHT = QuietHours(time(20), time(9))
HALF_HOUR = timedelta(minutes=30)


def steps(
    start: datetime, confirmed: datetime, quiet: QuietHours | None = NIGHT, *, reminders: bool = True
) -> dict[ShowingStep, datetime]:
    found = steps_of(start, start + HALF_HOUR, confirmed, quiet, TZ, reminders=reminders)
    return {step.step: step.due_at for step in found}


def at(day: int, hour: int, minute: int = 0) -> datetime:
    return datetime(2026, 11, day, hour, minute, tzinfo=TZ)


def test_an_afternoon_showing_has_both_reminders_and_the_question() -> None:
    assert steps(at(26, 15), at(24, 12)) == {
        ShowingStep.REMINDER_24H: at(25, 15),
        ShowingStep.REMINDER_2H: at(26, 13),
        ShowingStep.OUTCOME_PROMPT: at(26, 15, 30) + PROMPT_AFTER,
    }


def test_a_reminder_at_night_waits_for_morning_if_that_helps() -> None:
    """10:00: the one due at 08:00 comes at 09:00. 09:15: 09:00 would be too late for it."""
    assert steps(at(26, 10), at(24, 12))[ShowingStep.REMINDER_2H] == at(26, 9)
    assert ShowingStep.REMINDER_2H not in steps(at(26, 9, 15), at(24, 12))


def test_a_showing_confirmed_late_is_not_reminded_of_at_once() -> None:
    assert set(steps(at(26, 15), at(25, 14, 45))) == {ShowingStep.REMINDER_2H, ShowingStep.OUTCOME_PROMPT}
    assert set(steps(at(26, 15), at(26, 14))) == {ShowingStep.OUTCOME_PROMPT}


def test_without_reminders_the_agent_is_asked_all_the_same() -> None:
    assert set(steps(at(26, 15), at(24, 12), reminders=False)) == {ShowingStep.OUTCOME_PROMPT}


@given(st.integers(0, 60 * 24 * 400), st.integers(-60 * 24 * 10, 60), st.sampled_from([NIGHT, None]))
def test_a_reminder_always_comes_before_its_showing(
    start_minutes: int, confirmed_minutes: int, quiet: QuietHours | None
) -> None:
    start = datetime(2026, 1, 1, tzinfo=TZ) + timedelta(minutes=start_minutes)
    confirmed = start + timedelta(minutes=confirmed_minutes)
    for step, due in steps(start, confirmed, quiet).items():
        latest = not_after(step, start)
        if step in BEFORE:
            assert latest is not None
            assert confirmed < due < latest < start
            assert quiet is None or not quiet.hold(due.astimezone(TZ).time())
        else:
            assert latest is None
            assert due > start
