"""Local times on the days clocks change, as the earlier system's contract has them."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leasebot_pipeline.domain.local_time import (
    NonexistentLocalTime,
    instant_after_gap,
    instant_of,
    local_text,
)

NEW_YORK = ZoneInfo("America/New_York")
LORD_HOWE = ZoneInfo("Australia/Lord_Howe")  # clocks change by half an hour
ZONES = [
    NEW_YORK,
    LORD_HOWE,
    ZoneInfo("Europe/London"),
    ZoneInfo("Asia/Kolkata"),
    ZoneInfo("America/Santiago"),
]


def test_a_time_that_clocks_skip_is_refused_with_its_details() -> None:
    """Behaviour 1."""
    with pytest.raises(NonexistentLocalTime) as refused:
        instant_of(date(2026, 3, 8), time(2, 30), NEW_YORK)
    assert refused.value.code == "NONEXISTENT_LOCAL_TIME"
    assert refused.value.details == {"date": "2026-03-08", "time": "02:30", "timezone": "America/New_York"}


def test_a_time_that_comes_twice_is_the_earlier_unless_told_otherwise() -> None:
    """Behaviour 2."""
    day, at = date(2026, 11, 1), time(1, 30)
    earlier, later = instant_of(day, at, NEW_YORK), instant_of(day, at, NEW_YORK, "later")
    assert earlier == datetime(2026, 11, 1, 5, 30, tzinfo=UTC)
    assert later == datetime(2026, 11, 1, 6, 30, tzinfo=UTC)
    assert local_text(earlier, NEW_YORK) == local_text(later, NEW_YORK) == "2026-11-01T01:30:00"


@pytest.mark.parametrize(
    ("zone", "day", "at", "jump"),
    [
        (NEW_YORK, date(2026, 3, 8), time(2, 30), datetime(2026, 3, 8, 7, tzinfo=UTC)),
        (NEW_YORK, date(2026, 3, 8), time(2, 0), datetime(2026, 3, 8, 7, tzinfo=UTC)),
        (LORD_HOWE, date(2026, 10, 4), time(2, 10), datetime(2026, 10, 3, 15, 30, tzinfo=UTC)),
        # A whole day was skipped when Samoa changed sides of the date line.
        (ZoneInfo("Pacific/Apia"), date(2011, 12, 30), time(12), datetime(2011, 12, 30, 10, tzinfo=UTC)),
    ],
)
def test_a_skipped_time_of_a_rule_is_the_moment_of_the_jump(
    zone: ZoneInfo, day: date, at: time, jump: datetime
) -> None:
    assert instant_after_gap(day, at, zone) == jump


@given(
    st.sampled_from(ZONES),
    st.dates(date(2020, 1, 1), date(2030, 12, 31)),
    st.integers(0, 1439),
    st.integers(1, 600),
)
def test_later_on_the_clock_is_never_earlier_in_time(
    zone: ZoneInfo, day: date, minute: int, more: int
) -> None:
    first = time(minute // 60, minute % 60)
    last = min(minute + more, 1439)
    begin = instant_after_gap(day, first, zone)
    end = instant_after_gap(day, time(last // 60, last % 60), zone)
    assert begin <= end
    assert end - begin <= timedelta(minutes=last - minute) + timedelta(hours=1)


@given(st.sampled_from(ZONES), st.dates(date(2020, 1, 1), date(2030, 12, 31)), st.integers(0, 1439))
def test_an_instant_reads_as_the_time_it_was_made_from(zone: ZoneInfo, day: date, minute: int) -> None:
    at = time(minute // 60, minute % 60)
    try:
        instant = instant_of(day, at, zone)
    except NonexistentLocalTime:
        moved = instant_after_gap(day, at, zone).astimezone(zone)
        assert moved.replace(tzinfo=None) > datetime.combine(day, at)
        return
    assert local_text(instant, zone) == f"{day.isoformat()}T{at.isoformat()}"
    assert instant <= instant_of(day, at, zone, "later")
