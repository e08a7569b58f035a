"""When a silent lead is followed up: steps, delays, quiet hours, and what an operator may set (XLS-R12, G-28)."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leasebot_pipeline.domain.follow_ups import (
    FollowUpPolicy,
    FollowUpStep,
    PolicyChange,
    QuietHours,
    due_at,
    first_step,
    first_zone,
    outside_quiet_hours,
    parse_quiet_hours,
    quiet_from,
    step_after,
)

NEW_YORK = ZoneInfo("America/New_York")
NIGHT = QuietHours(time(20), time(9))
ZONES = st.sampled_from(["America/New_York", "Europe/Berlin", "Australia/Lord_Howe", "Asia/Kathmandu", "UTC"])
INSTANTS = st.datetimes(datetime(2026, 1, 1), datetime(2027, 12, 31)).map(
    lambda naive: naive.replace(tzinfo=UTC)
)
LOCAL_TIMES = st.builds(time, st.integers(0, 23), st.sampled_from([0, 15, 30, 45]))


@st.composite
def quiet_hours(draw: st.DrawFn) -> QuietHours:
    start, end = draw(st.lists(LOCAL_TIMES, min_size=2, max_size=2, unique=True))
    return QuietHours(start, end)


class TestSteps:
    def test_two_follow_ups_and_then_no_reply(self) -> None:
        policy = FollowUpPolicy()
        steps = [first_step(policy)]
        while (after := step_after(steps[-1], policy)) is not None:
            steps.append(after)
        assert steps == [FollowUpStep.FOLLOW_UP_1, FollowUpStep.FOLLOW_UP_2, FollowUpStep.NO_REPLY]

    @pytest.mark.parametrize(("maximum", "texts"), [(0, 0), (1, 1), (2, 2)])
    def test_the_maximum_bounds_the_texts_and_always_ends_in_no_reply(self, maximum: int, texts: int) -> None:
        policy = FollowUpPolicy(maximum=maximum)
        steps = [first_step(policy)]
        while (after := step_after(steps[-1], policy)) is not None:
            steps.append(after)
        assert sum(step.writes for step in steps) == texts
        assert steps[-1] is FollowUpStep.NO_REPLY

    @given(st.integers(0, 2), st.integers(0, 2), st.sampled_from(FollowUpStep))
    def test_a_maximum_lowered_in_between_never_adds_a_text(
        self, before: int, after: int, step: FollowUpStep
    ) -> None:
        following = step_after(step, FollowUpPolicy(maximum=after))
        if following is not None and following.writes:
            assert after == 2
            assert step is FollowUpStep.FOLLOW_UP_1


class TestDue:
    def test_a_follow_up_that_would_come_at_night_waits_for_morning(self) -> None:
        sent = datetime(2026, 11, 24, 23, 30, tzinfo=NEW_YORK)
        due = due_at(FollowUpStep.FOLLOW_UP_1, FollowUpPolicy(), sent, NEW_YORK)
        assert due == datetime(2026, 11, 26, 9, tzinfo=NEW_YORK)

    def test_no_reply_is_no_text_and_keeps_its_time(self) -> None:
        sent = datetime(2026, 11, 24, 23, 30, tzinfo=NEW_YORK)
        due = due_at(FollowUpStep.NO_REPLY, FollowUpPolicy(), sent, NEW_YORK)
        assert due == sent + timedelta(hours=72)

    def test_the_day_is_the_zone_s(self) -> None:
        """19:00 in New York is the middle of the night in Berlin."""
        instant = datetime(2026, 11, 24, 19, tzinfo=NEW_YORK)
        assert outside_quiet_hours(instant, NIGHT, NEW_YORK) == instant
        moved = outside_quiet_hours(instant, NIGHT, ZoneInfo("Europe/Berlin"))
        assert moved == datetime(2026, 11, 25, 9, tzinfo=ZoneInfo("Europe/Berlin"))

    @given(INSTANTS, quiet_hours(), ZONES)
    def test_what_is_moved_is_never_earlier_and_never_in_the_quiet_hours(
        self, instant: datetime, quiet: QuietHours, zone: str
    ) -> None:
        tz = ZoneInfo(zone)
        moved = outside_quiet_hours(instant, quiet, tz)
        assert moved >= instant
        assert moved - instant <= timedelta(hours=25)
        assert not quiet.hold(moved.astimezone(tz).time())
        assert outside_quiet_hours(moved, quiet, tz) == moved

    @given(INSTANTS, quiet_hours(), ZONES)
    def test_quiet_hours_begin_after_what_lies_outside_them(
        self, instant: datetime, quiet: QuietHours, zone: str
    ) -> None:
        tz = ZoneInfo(zone)
        free = outside_quiet_hours(instant, quiet, tz)
        begins = quiet_from(free, quiet, tz)
        assert begins is not None
        assert free < begins <= free + timedelta(hours=25)

    def test_clocks_that_skip_the_end_of_the_quiet_hours(self) -> None:
        """02:30 does not exist on 2026-03-08 in New York."""
        quiet = QuietHours(time(22), time(2, 30))
        moved = outside_quiet_hours(datetime(2026, 3, 8, 1, tzinfo=NEW_YORK), quiet, NEW_YORK)
        assert moved.astimezone(NEW_YORK).time() == time(3, 30)

    def test_an_end_that_comes_twice_counts_the_first_time(self) -> None:
        """01:30 comes twice on 2026-11-01 in New York; the first is 05:30Z."""
        quiet = QuietHours(time(22), time(1, 30))
        moved = outside_quiet_hours(datetime(2026, 11, 1, 0, 10, tzinfo=NEW_YORK), quiet, NEW_YORK)
        assert moved == datetime(2026, 11, 1, 5, 30, tzinfo=UTC)

    def test_zones_are_tried_in_order(self) -> None:
        assert first_zone(None, "Nowhere/Land", "Europe/Berlin", "UTC").key == "Europe/Berlin"
        assert first_zone(None, "").key == "UTC"


class TestPolicy:
    def test_an_account_changes_what_it_names_and_keeps_the_rest(self) -> None:
        defaults = FollowUpPolicy()
        policy = PolicyChange(follow_up_1_after_minutes=90, quiet_hours="off").over(defaults)
        assert policy.follow_up_1_after == timedelta(minutes=90)
        assert policy.quiet_hours is None
        assert policy.follow_up_2_after == defaults.follow_up_2_after

    @pytest.mark.parametrize(
        ("change", "field"),
        [
            (PolicyChange(follow_up_1_after_minutes=0), "follow_up_1_after_minutes"),
            (PolicyChange(follow_up_2_after_minutes=-5), "follow_up_2_after_minutes"),
            (PolicyChange(no_reply_after_minutes=10**18), "no_reply_after_minutes"),
            (PolicyChange(maximum=3), "maximum"),
            (PolicyChange(quiet_hours="8pm-9am"), "quiet_hours"),
            (PolicyChange(quiet_hours="09:00-09:00"), "quiet_hours"),
            (PolicyChange(quiet_hours="24:00-09:00"), "quiet_hours"),
        ],
    )
    def test_a_bad_value_is_refused_by_its_name(self, change: PolicyChange, field: str) -> None:
        with pytest.raises(ValueError, match=f"^{field}: "):
            change.over(FollowUpPolicy())

    @given(quiet_hours())
    def test_quiet_hours_read_as_they_are_written(self, quiet: QuietHours) -> None:
        assert parse_quiet_hours(str(quiet)) == quiet
