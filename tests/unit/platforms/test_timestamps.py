"""Times as platforms write them. Behaviour 147."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leasebot_pipeline.platforms.timestamps import UNKNOWN, parse_time

NEW_YORK = ZoneInfo("America/New_York")
NOW = datetime(2026, 11, 24, 20, 30, tzinfo=UTC)  # 3:30 pm in New York


def utc(*parts: int) -> datetime:
    return datetime(*parts, tzinfo=UTC)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("text", "instant"),
    [
        ("Today 3:05 pm", utc(2026, 11, 24, 20, 5)),
        ("today at 3:05pm", utc(2026, 11, 24, 20, 5)),
        ("Yesterday 11:00 AM", utc(2026, 11, 23, 16, 0)),
        ("11/24/2026 3:05 PM", utc(2026, 11, 24, 20, 5)),
        ("11/24/2026, 15:05", utc(2026, 11, 24, 20, 5)),
        ("Nov 24, 2026 3:05 PM", utc(2026, 11, 24, 20, 5)),
        ("Nov 24, 2026, 3:05 PM", utc(2026, 11, 24, 20, 5)),
        ("November 24th, 2026 3:05:07 pm", utc(2026, 11, 24, 20, 5, 7)),
        ("2026-11-24T20:05:00Z", utc(2026, 11, 24, 20, 5)),
        ("2026-11-24T20:05:09.120Z", utc(2026, 11, 24, 20, 5, 9, 120000)),
        ("2026-11-24T22:05:00+02:00", utc(2026, 11, 24, 20, 5)),
        ("2026-11-24 15:05", utc(2026, 11, 24, 20, 5)),
        ("Nov 24, 2026 3:05 PM PST", utc(2026, 11, 24, 23, 5)),
        ("11/24/2026 3:05 PM (UTC)", utc(2026, 11, 24, 15, 5)),
        ("3:05 pm", utc(2026, 11, 24, 20, 5)),
        ("11:59 pm", utc(2026, 11, 24, 4, 59)),
        ("07/04/2026 12:00 am", utc(2026, 7, 4, 4, 0)),
        ("11/01/2026 1:30 am", utc(2026, 11, 1, 5, 30)),
    ],
)
def test_times_with_a_time_of_day(text: str, instant: datetime) -> None:
    shown = parse_time(text, NEW_YORK, NOW)
    assert (shown.instant, shown.has_time) == (instant, True)


@pytest.mark.parametrize(
    ("text", "instant"),
    [
        ("11/24/2026", utc(2026, 11, 24, 17, 0)),
        ("November 24, 2026", utc(2026, 11, 24, 17, 0)),
        ("2026-11-24", utc(2026, 11, 24, 17, 0)),
        ("yesterday", utc(2026, 11, 23, 17, 0)),
        ("today", utc(2026, 11, 24, 5, 0)),
        ("2h ago", NOW - timedelta(hours=2)),
        ("an hour ago", NOW - timedelta(hours=1)),
        ("3 weeks ago", NOW - timedelta(weeks=3)),
        ("15 mins ago", NOW - timedelta(minutes=15)),
        ("just now", NOW),
    ],
)
def test_times_without_a_time_of_day(text: str, instant: datetime) -> None:
    shown = parse_time(text, NEW_YORK, NOW)
    assert (shown.instant, shown.has_time) == (instant, False)


@pytest.mark.parametrize(
    "text",
    [
        None,
        "",
        "soon",
        "5",
        "Monday",
        "Nov 24",
        "13/24/2026",
        "02/30/2026",
        "99:99",
        "13:05 pm",
        "2026-13-01",
        "2026-11-24T25:00:00Z",
        "03/08/2026 2:30 am",
        "9999999999 weeks ago",
        "Nov 24, 99999999999",
    ],
)
def test_what_is_not_known_stays_unknown(text: str | None) -> None:
    """G-43: an unparsed time is never taken for now."""
    assert parse_time(text, NEW_YORK, NOW) == UNKNOWN


def test_a_local_time_without_a_zone_has_a_day_but_no_instant() -> None:
    shown = parse_time("11/24/2026 3:05 pm", None, NOW)
    assert (shown.instant, shown.day) == (None, datetime(2026, 11, 24).date())
    assert parse_time("2h ago", None, NOW).instant == NOW - timedelta(hours=2)


def test_the_day_shown_stays_the_same_when_the_form_changes() -> None:
    forms = ["Today 3:05 pm", "11/24/2026", "Nov 24, 2026, 3:05 PM"]
    assert len({parse_time(form, NEW_YORK, NOW).day for form in forms}) == 1
    assert (
        parse_time("Yesterday 3:05 pm", NEW_YORK, NOW + timedelta(days=1)).day
        == datetime(2026, 11, 24).date()
    )


@given(st.text(max_size=40))
def test_no_text_breaks_the_parser(text: str) -> None:
    shown = parse_time(text, NEW_YORK, NOW)
    assert shown.instant is None or shown.instant.utcoffset() == timedelta(0)


@given(st.datetimes(datetime(2020, 1, 1), datetime(2035, 1, 1), timezones=st.just(UTC)))
def test_what_the_sites_write_reads_back(instant: datetime) -> None:
    instant = instant.replace(second=0, microsecond=0)
    local = instant.astimezone(NEW_YORK)
    text = f"{local:%b} {local.day}, {local.year} {local.hour % 12 or 12}:{local:%M} {local:%p}"
    read = parse_time(text, NEW_YORK, NOW).instant
    assert read is not None
    assert read.astimezone(NEW_YORK).replace(tzinfo=None) == local.replace(tzinfo=None)
