"""Viewing slots: inside every availability, outside every block, right on days when clocks change."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime, timedelta
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leasebot_pipeline.domain.slots import (
    AgentWindow,
    Appointment,
    Assignment,
    Slot,
    UnitWindow,
    distinct_by_label,
    label,
)
from leasebot_pipeline.domain.slots_policy import SlotPolicy
from leasebot_pipeline.domain.slots_search import UnitCalendar, candidates
from leasebot_pipeline.domain.slots_spans import intersect, merged, subtract, visits

UNIT, OTHER_UNIT, DANA, LEE = (UUID(int=n) for n in range(1, 5))
NEW_YORK = ZoneInfo("America/New_York")
START = datetime(2026, 3, 6, tzinfo=UTC)  # two days before clocks go forward in New York
HALF_HOUR = timedelta(minutes=30)


def at(hours: float) -> datetime:
    return START + timedelta(hours=hours)


def unit(begin: float, end: float, zone: str | None = "UTC") -> UnitWindow:
    return UnitWindow(UNIT, at(begin), at(end), zone)


def agent(begin: float, end: float, who: UUID = DANA) -> AgentWindow:
    return AgentWindow(who, at(begin), at(end))


def blocked(begin: float, end: float, who: UUID = DANA) -> AgentWindow:
    return AgentWindow(who, at(begin), at(end), None, "unavailable")


SHOWS = [Assignment(UNIT, DANA, "Dana", 1)]


def hours(slots: tuple[Slot, ...]) -> list[float]:
    return [(slot.starts_at - START) / timedelta(hours=1) for slot in slots]


def test_a_slot_reads_as_the_platforms_leads_know_it() -> None:
    slot = Slot(
        datetime(2026, 2, 13, 18, tzinfo=UTC),
        datetime(2026, 2, 13, 19, tzinfo=UTC),
        "UTC",
        DANA,
        "Dana",
        UNIT,
    )
    assert label(slot) == "Fri, Feb 13 6:00 PM - 7:00 PM UTC (Dana)"


@pytest.mark.parametrize(
    ("zone", "start", "expected"),
    [
        ("America/New_York", datetime(2026, 1, 5, 17, tzinfo=UTC), "Mon, Jan 5 12:00 PM - 12:30 PM EST"),
        ("America/New_York", datetime(2026, 7, 6, 4, tzinfo=UTC), "Mon, Jul 6 12:00 AM - 12:30 AM EDT"),
        ("Europe/Istanbul", datetime(2026, 7, 6, 12, tzinfo=UTC), "Mon, Jul 6 3:00 PM - 3:30 PM GMT+3"),
        ("Asia/Kolkata", datetime(2026, 7, 6, 12, tzinfo=UTC), "Mon, Jul 6 5:30 PM - 6:00 PM GMT+5:30"),
        ("Europe/London", datetime(2026, 1, 6, 12, tzinfo=UTC), "Tue, Jan 6 12:00 PM - 12:30 PM GMT"),
        ("Asia/Shanghai", datetime(2026, 1, 6, 12, tzinfo=UTC), "Tue, Jan 6 8:00 PM - 8:30 PM GMT+8"),
    ],
)
def test_the_zone_is_the_short_name_at_that_instant(zone: str, start: datetime, expected: str) -> None:
    assert label(Slot(start, start + HALF_HOUR, zone, None, None, UNIT)) == expected


def test_equal_moments_are_equal_slots_whatever_their_offset() -> None:
    in_utc = Slot(at(12), at(13), "UTC", DANA, "Dana", UNIT)
    in_new_york = Slot(at(12).astimezone(NEW_YORK), at(13).astimezone(NEW_YORK), "UTC", DANA, "Dana", UNIT)
    assert in_utc == in_new_york


@pytest.mark.parametrize(
    ("start", "end", "zone", "rule"),
    [
        (datetime(2026, 1, 1), datetime(2026, 1, 2), "UTC", "offset"),
        (at(2), at(1), "UTC", "after"),
        (at(1), at(2), "Mars/Olympus", "IANA"),
    ],
)
def test_impossible_slots_are_refused(start: datetime, end: datetime, zone: str, rule: str) -> None:
    with pytest.raises(ValueError, match=rule):
        Slot(start, end, zone, None, None, UNIT)


def search(
    windows: list[UnitWindow],
    agents: list[Assignment],
    agent_windows: list[AgentWindow],
    appointments: list[Appointment],
    now: datetime,
    policy: SlotPolicy | None = None,
    limit: int = 6,
    assigned_agent_id: UUID | None = None,
) -> tuple[Slot, ...]:
    calendar = UnitCalendar(UNIT, windows, agents, agent_windows, appointments)
    return candidates(calendar, policy or SlotPolicy(), now, limit, assigned_agent_id=assigned_agent_id)


def test_visits_begin_on_the_half_hour_and_fit_into_the_window() -> None:
    found = search([unit(10.2, 12)], SHOWS, [agent(9, 11.8)], [], at(0))
    assert hours(found) == [10.5, 11]


def test_a_block_takes_only_its_own_time() -> None:
    found = search([unit(10, 13)], SHOWS, [agent(10, 13), blocked(10.5, 12)], [], at(0))
    assert hours(found) == [10, 12, 12.5]


@pytest.mark.parametrize(("capacity", "expected"), [(1, [10.5, 11.5]), (2, [10.5, 11, 11.5])])
def test_showings_of_other_units_block_and_the_unit_itself_takes_as_many_as_it_may(
    capacity: int, expected: list[float]
) -> None:
    """G-25: group showings have a size."""
    booked = [Appointment(DANA, OTHER_UNIT, at(10), at(10.5)), Appointment(DANA, UNIT, at(11), at(11.5))]
    found = search([unit(10, 12)], SHOWS, [agent(10, 12)], booked, at(0), SlotPolicy(capacity=capacity))
    assert hours(found) == expected


def test_nothing_is_offered_in_the_past() -> None:
    assert hours(search([unit(10, 12)], SHOWS, [agent(10, 12)], [], at(10.9))) == [11, 11.5]


def test_the_conversations_agent_comes_first_then_time_then_priority() -> None:
    both = [*SHOWS, Assignment(UNIT, LEE, "Lee", 2)]
    windows = [agent(10, 11), agent(10, 11, LEE), agent(12, 12.5, LEE)]
    found = search([unit(10, 13)], both, windows, [], at(0), assigned_agent_id=LEE)
    assert [(slot.agent_name, hour) for slot, hour in zip(found, hours(found), strict=True)] == [
        ("Lee", 10),
        ("Lee", 10.5),
        ("Lee", 12),
    ]
    unassigned = search([unit(10, 13)], both, windows, [], at(0))
    assert [slot.agent_name for slot in unassigned] == ["Dana", "Dana", "Lee"]


def test_an_offer_spreads_over_days() -> None:
    days = [unit(24 * day + 10, 24 * day + 14) for day in range(3)]
    for limit in (3, 12):  # a longer list of candidates begins with the same spread
        found = search(days, SHOWS, [agent(0, 72)], [], at(0), limit=limit)
        assert hours(found)[:3] == [10, 34, 58]
    assert len({slot.starts_at for slot in found}) == 12


def test_units_without_any_agents_calendar_are_offered_without_an_agent() -> None:
    found = search([unit(10, 11)], SHOWS, [], [], at(0))
    assert [slot.agent_id for slot in found] == [None, None]
    assert search([unit(10, 11)], [], [], [], at(0)) == found


def test_agents_who_are_booked_out_are_not_replaced_by_nobody() -> None:
    taken = [Appointment(DANA, OTHER_UNIT, at(9), at(12))]
    assert search([unit(10, 11)], SHOWS, [agent(10, 11)], taken, at(0)) == ()
    assert search([unit(10, 11)], SHOWS, [blocked(9, 12)], [], at(0)) == ()


def test_a_row_with_an_unknown_zone_falls_back_instead_of_failing() -> None:
    assert {s.timezone for s in search([unit(10, 11, "Nowhere/X")], SHOWS, [agent(10, 11)], [], at(0))} == {
        "UTC"
    }


def test_an_offer_names_each_label_once() -> None:
    one = Slot(at(10), at(10.5), "UTC", DANA, "Dana", UNIT)
    twin = Slot(at(10), at(10.5), "UTC", LEE, "Dana", UNIT)
    assert distinct_by_label([one, twin], 4) == (one,)


@pytest.mark.parametrize("day", [datetime(2026, 3, 8), datetime(2026, 11, 1)], ids=["forward", "back"])
def test_days_on_which_clocks_change_have_no_missing_or_doubled_visit(day: datetime) -> None:
    begin, end = day.replace(tzinfo=NEW_YORK), (day + timedelta(hours=5)).replace(tzinfo=NEW_YORK)
    span = (begin.astimezone(UTC), end.astimezone(UTC))
    found = visits(span, HALF_HOUR, NEW_YORK)
    assert len(found) == (span[1] - span[0]) / HALF_HOUR  # 4 or 6 real hours
    assert all(first[1] == second[0] for first, second in itertools.pairwise(found))
    labels = {label(Slot(a, b, "America/New_York", None, None, UNIT)) for a, b in found}
    assert len(labels) == len(found)


spans = st.lists(
    st.tuples(st.integers(0, 400), st.integers(1, 60)).map(lambda p: (at(p[0] / 4), at((p[0] + p[1]) / 4))),
    max_size=5,
)


@given(spans, spans, spans, spans, st.integers(0, 400), st.sampled_from([30, 45, 60]))
def test_no_candidate_leaves_availability_or_touches_a_block(
    open_unit: list[tuple[datetime, datetime]],
    free: list[tuple[datetime, datetime]],
    unfree: list[tuple[datetime, datetime]],
    booked: list[tuple[datetime, datetime]],
    now: int,
    minutes: int,
) -> None:
    zone = "America/New_York"
    moment = at(now / 4)
    found = search(
        [UnitWindow(UNIT, a, b, zone) for a, b in open_unit],
        SHOWS,
        [AgentWindow(DANA, a, b) for a, b in free]
        + [AgentWindow(DANA, a, b, None, "unavailable") for a, b in unfree],
        [Appointment(DANA, OTHER_UNIT, a, b) for a, b in booked],
        moment,
        SlotPolicy(timedelta(minutes=minutes)),
        limit=50,
    )
    for slot in found:
        assert slot.ends_at - slot.starts_at == timedelta(minutes=minutes)
        assert slot.starts_at >= moment
        assert slot.starts_at.astimezone(NEW_YORK).minute in (0, 30)
        assert any(a <= slot.starts_at and slot.ends_at <= b for a, b in merged(open_unit))
        assert not any(a < slot.ends_at and slot.starts_at < b for a, b in unfree + booked)
        assert slot.agent_id is None or any(
            a <= slot.starts_at and slot.ends_at <= b for a, b in merged(free)
        )
    assert len({slot.starts_at for slot in found}) == len(found)


@given(spans, spans)
def test_subtraction_and_intersection_part_a_span_without_rest(
    first: list[tuple[datetime, datetime]], second: list[tuple[datetime, datetime]]
) -> None:
    outside = subtract(first, second)
    for a, b in outside:
        assert a < b
        assert not any(x < b and a < y for x, y in second)
    for a, b in intersect(first, second):
        assert any(x <= a and b <= y for x, y in first)
        assert any(x <= a and b <= y for x, y in second)
