"""Weekly rules: what they give on each date, what may stand beside what, what is refused."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime, time, timedelta
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leasebot_pipeline.domain.availability import (
    Owner,
    OwnerKind,
    WeeklyRule,
    last_day_of_weeks,
    occurrences,
    plan,
    rules_overlap,
    weekday,
)
from leasebot_pipeline.domain.availability_drafts import (
    Broken,
    OverrideDraft,
    Refusal,
    RuleDraft,
    check_override,
    check_rule,
)

AGENT = Owner(OwnerKind.AGENT, UUID(int=1))
UNIT = Owner(OwnerKind.UNIT, UUID(int=2))
RULE, OTHER = UUID(int=11), UUID(int=12)
NEW_YORK = "America/New_York"
SUNDAY, MONDAY, TUESDAY = 0, 1, 2
NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
YEAR = (datetime(2026, 1, 1, tzinfo=UTC), datetime(2027, 1, 1, tzinfo=UTC))


def rule(
    day: int, start: str, end: str, zone: str = NEW_YORK, owner: Owner = AGENT, **more: object
) -> WeeklyRule:
    return WeeklyRule(
        **{  # type: ignore[arg-type]
            "id": RULE,
            "owner": owner,
            "day_of_week": day,
            "start_time": time.fromisoformat(start),
            "end_time": time.fromisoformat(end),
            "timezone": zone,
            "status": owner.opens,
            **more,
        }
    )


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def test_a_rule_keeps_its_local_time_when_clocks_change() -> None:
    """Behaviour 145: nine o'clock stays nine o'clock."""
    found = occurrences(rule(TUESDAY, "09:00", "12:00"), utc("2026-10-26"), utc("2026-11-08"))
    assert [(o.starts_at, o.ends_at) for o in found] == [
        (utc("2026-10-27 13:00"), utc("2026-10-27 16:00")),
        (utc("2026-11-03 14:00"), utc("2026-11-03 17:00")),
    ]


@pytest.mark.parametrize(
    ("start", "end", "expected"),
    [
        ("01:00", "04:00", [("06:00", "08:00")]),  # an hour of it does not exist
        ("02:15", "04:00", [("07:00", "08:00")]),  # it begins when the clocks have jumped
        ("01:00", "02:30", [("06:00", "07:00")]),  # it ends when they jump
        ("02:00", "03:00", []),  # nothing of it exists
    ],
)
def test_time_that_clocks_skip_shortens_an_occurrence(
    start: str, end: str, expected: list[tuple[str, str]]
) -> None:
    """Behaviour 145: the gap of 8 March 2026."""
    found = occurrences(rule(SUNDAY, start, end), utc("2026-03-08"), utc("2026-03-09"))
    assert [(o.starts_at, o.ends_at) for o in found] == [
        (utc(f"2026-03-08 {begin}"), utc(f"2026-03-08 {stop}")) for begin, stop in expected
    ]


@pytest.mark.parametrize(
    ("start", "end", "begin", "stop"),
    [("01:30", "03:00", "05:30", "08:00"), ("00:30", "01:30", "04:30", "05:30")],
)
def test_a_time_that_comes_twice_is_the_first_one(start: str, end: str, begin: str, stop: str) -> None:
    """Behaviour 145: the overlap of 1 November 2026."""
    (found,) = occurrences(rule(SUNDAY, start, end), utc("2026-11-01"), utc("2026-11-02"))
    assert (found.starts_at, found.ends_at) == (utc(f"2026-11-01 {begin}"), utc(f"2026-11-01 {stop}"))


def test_dates_of_a_rule_are_both_included_and_lie_in_its_zone() -> None:
    dated = rule(TUESDAY, "20:00", "23:00", valid_from=date(2026, 11, 24), valid_until=date(2026, 12, 1))
    found = [o.starts_at for o in occurrences(dated, *YEAR)]
    assert found == [utc("2026-11-25 01:00"), utc("2026-12-02 01:00")]


def test_weeks_are_counted_as_the_earlier_system_did() -> None:
    first = date(2026, 11, 25)
    dated = rule(TUESDAY, "09:00", "10:00", valid_from=first, valid_until=last_day_of_weeks(first, 8))
    assert len(list(occurrences(dated, utc("2026-11-01"), utc("2027-12-01")))) == 8


def test_a_rule_of_an_unknown_zone_gives_nothing() -> None:
    assert list(occurrences(rule(TUESDAY, "09:00", "10:00", "Mars/Olympus"), *YEAR)) == []


def test_occurrences_of_an_agent_give_way_to_what_is_stated_otherwise() -> None:
    stated = {AGENT: [(utc("2026-11-24 15:00"), utc("2026-11-24 16:00"))]}
    found = plan([rule(TUESDAY, "09:00", "12:00")], stated, utc("2026-11-24"), utc("2026-11-25"))
    assert [o.span for o in found] == [
        (utc("2026-11-24 14:00"), utc("2026-11-24 15:00")),
        (utc("2026-11-24 16:00"), utc("2026-11-24 17:00")),
    ]


def test_an_end_within_the_horizon_is_cut_by_what_begins_behind_it() -> None:
    """The earlier rule begins at three, the horizon ends at two: what the other gives ends at three all the same."""
    earlier = rule(TUESDAY, "15:00", "17:00", "UTC")
    later = rule(TUESDAY, "12:00", "16:00", "UTC", id=OTHER)
    found = plan([earlier, later], {}, utc("2026-11-24"), utc("2026-11-24 14:00"))
    assert [(o.rule.id, o.span) for o in found] == [
        (OTHER, (utc("2026-11-24 12:00"), utc("2026-11-24 15:00")))
    ]


_zones = st.sampled_from([NEW_YORK, "Europe/London", "Australia/Lord_Howe", "UTC", "Asia/Kathmandu"])


@st.composite
def rules(draw: st.DrawFn, owner: Owner = AGENT) -> list[WeeklyRule]:
    found = []
    for number in range(draw(st.integers(0, 5))):
        start = draw(st.integers(0, 1430))
        end = draw(st.integers(start + 1, 1439))
        found.append(
            rule(
                draw(st.integers(0, 6)),
                f"{start // 60:02}:{start % 60:02}",
                f"{end // 60:02}:{end % 60:02}",
                draw(_zones),
                owner,
                id=UUID(int=100 + number),
                status=draw(st.sampled_from(["available", "available", "unavailable"])),
                valid_from=draw(st.sampled_from([None, date(2026, 3, 5)])),
                valid_until=draw(st.sampled_from([None, date(2026, 11, 3)])),
            )
        )
    return found


_windows = st.sampled_from([utc("2026-03-01"), utc("2026-03-25"), utc("2026-10-01"), utc("2026-10-28")])


@given(rules(), _windows)
def test_occurrences_read_as_their_rule_says(drawn: Sequence[WeeklyRule], begin: datetime) -> None:
    """Over both changes of the clocks: the rule's weekday and times, shortened only where clocks skip time."""
    until = begin + timedelta(days=14)
    for one in drawn:
        tz = ZoneInfo(one.timezone)
        found = list(occurrences(one, begin, until))
        assert all(o.starts_at < o.ends_at and begin < o.ends_at and o.starts_at < until for o in found)
        days = [o.starts_at.astimezone(tz).date() for o in found]
        assert len(set(days)) == len(days)
        for o in found:
            start, end = o.starts_at.astimezone(tz), o.ends_at.astimezone(tz)
            assert weekday(start.date()) == one.day_of_week
            assert start.time() == one.start_time or _just_changed(o.starts_at, tz)
            assert end.time() == one.end_time or _just_changed(o.ends_at, tz)


def _just_changed(instant: datetime, tz: ZoneInfo) -> bool:
    """Whether clocks jump at that instant."""
    before = (instant - timedelta(seconds=1)).astimezone(tz).utcoffset()
    return instant.astimezone(tz).utcoffset() != before


@given(rules(), _windows, st.lists(st.tuples(st.integers(0, 300), st.integers(1, 40)), max_size=4))
def test_an_agents_available_time_never_overlaps_and_none_is_lost(
    drawn: Sequence[WeeklyRule], begin: datetime, others: list[tuple[int, int]]
) -> None:
    stated = [(begin + timedelta(hours=a), begin + timedelta(hours=a + b)) for a, b in others]
    until = begin + timedelta(days=14)
    wanted = plan(drawn, {AGENT: stated}, begin, until)
    open_ = [o.span for o in wanted if o.rule.status == "available"]
    for n, first in enumerate(open_):
        assert not any(first[0] < b and a < first[1] for a, b in open_[n + 1 :] + stated)
    assert len({(o.rule.id, o.starts_at) for o in wanted}) == len(wanted)
    # The end of an occurrence may lie behind the horizon, in what another rule gives there.
    later = plan(drawn, {AGENT: stated}, begin, until + timedelta(days=3))
    covered = [o.span for o in later if o.rule.status == "available"] + stated
    for one in drawn:
        for o in occurrences(one, begin, until):
            if one.status == "available":
                for instant in (o.starts_at, o.ends_at - timedelta(minutes=1)):
                    assert any(a <= instant < b for a, b in covered)
                    assert instant >= until or any(a <= instant < b for a, b in open_ + stated)


@given(rules(), _windows, st.integers(1, 13))
def test_a_horizon_that_moves_on_changes_nothing_of_what_stands(
    drawn: Sequence[WeeklyRule], begin: datetime, days: int
) -> None:
    until = begin + timedelta(days=days)
    near = {(o.rule.id, o.span) for o in plan(drawn, {}, begin, until)}
    far = {(o.rule.id, o.span) for o in plan(drawn, {}, begin, until + timedelta(days=7))}
    assert near == {item for item in far if item[1][0] < until}


@given(rules())
def test_rules_overlap_exactly_when_their_occurrences_do(drawn: Sequence[WeeklyRule]) -> None:
    for n, first in enumerate(drawn):
        for second in drawn[n + 1 :]:
            said = rules_overlap(first, second)
            assert said == rules_overlap(second, first)
            if first.status != second.status:
                assert not said
                continue
            window = (utc("2026-03-15"), utc("2026-04-01"))
            meet = any(
                a.starts_at < b.ends_at and b.starts_at < a.ends_at
                for a in occurrences(first, *window)
                for b in occurrences(second, *window)
            )
            assert said or not meet
            if first.timezone == second.timezone:
                assert said == meet


def draft(**more: object) -> RuleDraft:
    return RuleDraft(
        **{  # type: ignore[arg-type]
            "day_of_week": TUESDAY,
            "start_time": time(9),
            "end_time": time(12),
            "timezone": NEW_YORK,
            "status": "available",
            **more,
        }
    )


def override(**more: object) -> OverrideDraft:
    return OverrideDraft(
        **{  # type: ignore[arg-type]
            "date": date(2026, 11, 28),
            "start_time": time(9),
            "end_time": time(12),
            "timezone": NEW_YORK,
            "status": "unavailable",
            **more,
        }
    )


def broken(found: Sequence[Refusal]) -> list[tuple[str, Broken]]:
    return [(refusal.field, refusal.rule) for refusal in found]


@pytest.mark.parametrize(
    ("wrong", "expected"),
    [
        ({"end_time": time(9)}, ("endTime", Broken.END_BEFORE_START)),
        ({"day_of_week": 7}, ("dayOfWeek", Broken.DAY_OUT_OF_RANGE)),
        ({"day_of_week": -1}, ("dayOfWeek", Broken.DAY_OUT_OF_RANGE)),
        ({"timezone": "Bad/Timezone"}, ("timezone", Broken.UNKNOWN_ZONE)),
        ({"status": "open"}, ("status", Broken.STATUS_NOT_ALLOWED)),
        (
            {"valid_from": date(2026, 12, 2), "valid_until": date(2026, 12, 1)},
            ("untilDate", Broken.DATES_REVERSED),
        ),
        ({"valid_until": date(2026, 11, 23)}, ("untilDate", Broken.IN_THE_PAST)),
        (
            {"valid_from": date(2026, 12, 2), "valid_until": date(2026, 12, 7)},
            ("untilDate", Broken.NO_DAY_IN_RANGE),
        ),
    ],
)
def test_a_faulty_rule_is_refused_with_field_and_rule(
    wrong: dict[str, object], expected: tuple[str, Broken]
) -> None:
    assert broken(check_rule(AGENT, draft(**wrong), [], NOW)) == [expected]
    assert check_rule(AGENT, draft(), [], NOW) == []


def test_all_faults_are_told_at_once() -> None:
    found = check_rule(UNIT, draft(end_time=time(8), timezone="Nowhere", status="closed"), [], NOW)
    assert [refusal.field for refusal in found] == ["endTime", "timezone", "status"]


def test_a_rule_may_touch_another_and_not_overlap_it() -> None:
    stored = rule(TUESDAY, "12:00", "15:00", id=OTHER)
    assert check_rule(AGENT, draft(), [stored], NOW) == []
    (found,) = check_rule(AGENT, draft(end_time=time(12, 1)), [stored], NOW)
    assert (found.field, found.rule) == ("startTime", Broken.OVERLAPPING_RULE)
    assert str(OTHER) in found.message
    assert check_rule(AGENT, draft(end_time=time(13), status="unavailable"), [stored], NOW) == []
    # Another zone, the same moments.
    in_london = draft(start_time=time(18), end_time=time(19), timezone="Europe/London")
    assert broken(check_rule(AGENT, in_london, [stored], NOW)) == [("startTime", Broken.OVERLAPPING_RULE)]


@pytest.mark.parametrize(
    ("wrong", "expected"),
    [
        ({"date": date(2026, 11, 23)}, ("date", Broken.IN_THE_PAST)),
        ({"end_time": time(8)}, ("endTime", Broken.END_BEFORE_START)),
        ({"timezone": "EST5EDT6"}, ("timezone", Broken.UNKNOWN_ZONE)),
        ({"status": "maybe"}, ("status", Broken.STATUS_NOT_ALLOWED)),
        (
            {"date": date(2027, 3, 14), "start_time": time(2, 30), "end_time": time(4)},
            ("startTime", Broken.NONEXISTENT_LOCAL_TIME),
        ),
        (
            {"date": date(2027, 3, 14), "start_time": time(1), "end_time": time(2, 30)},
            ("endTime", Broken.NONEXISTENT_LOCAL_TIME),
        ),
    ],
)
def test_a_faulty_override_is_refused_with_field_and_rule(
    wrong: dict[str, object], expected: tuple[str, Broken]
) -> None:
    assert broken(check_override(AGENT, override(**wrong), NOW)) == [expected]
    assert check_override(AGENT, override(), NOW) == []


def test_an_override_of_a_time_that_comes_twice_begins_the_first_time() -> None:
    """Behaviours 2 and 145."""
    twice = override(date=date(2027, 11, 7), start_time=time(1, 30), end_time=time(3))
    assert twice.span() == (utc("2027-11-07 05:30"), utc("2027-11-07 08:00"))
