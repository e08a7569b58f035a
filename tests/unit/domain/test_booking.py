"""Which visits fit beside which: by examples, and whatever is asked for in whatever order."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import combinations
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leasebot_pipeline.domain.booking import BookingReason, BookingRefusal, Visit, fit, local_day
from leasebot_pipeline.domain.slots_policy import SlotPolicy

AT = datetime(2026, 11, 25, 9, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
AGENTS = [UUID(int=n) for n in (1, 2)]
UNITS = [UUID(int=n) for n in (11, 12, 13)]


def visit(agent: int, unit: int, start: int, minutes: int = 30, *, buffer: int = 0, seat: int = 1) -> Visit:
    begin, end = AT + start * MINUTE, AT + (start + minutes) * MINUTE
    return Visit(AGENTS[agent], UNITS[unit], begin, end, begin - buffer * MINUTE, end + buffer * MINUTE, seat)


def reason(answer: int | BookingRefusal) -> BookingReason | None:
    return answer.reason if isinstance(answer, BookingRefusal) else None


def test_buffers_count_between_units_only() -> None:
    taken = [visit(0, 0, 0, buffer=10)]
    assert fit(visit(0, 0, 30, buffer=10), taken, SlotPolicy(), 0) == 1
    assert reason(fit(visit(0, 1, 49, buffer=10), taken, SlotPolicy(), 0)) is BookingReason.AGENT_BUSY
    assert fit(visit(0, 1, 50, buffer=10), taken, SlotPolicy(), 0) == 1
    assert fit(visit(1, 1, 0, buffer=10), taken, SlotPolicy(), 0) == 1


def test_places_are_given_out_one_by_one() -> None:
    two = SlotPolicy(capacity=2)
    assert fit(visit(0, 0, 0), [visit(0, 0, 0)], two, 0) == 2
    assert fit(visit(0, 0, 0), [visit(0, 0, 0, seat=2)], two, 0) == 1
    full = [visit(0, 0, 0), visit(0, 0, 15, seat=2)]
    assert reason(fit(visit(0, 0, 10), full, two, 0)) is BookingReason.SLOT_FULL
    assert reason(fit(visit(1, 0, 0), full, two, 0)) is BookingReason.UNIT_WITH_OTHER_AGENT


def test_visitors_of_the_earlier_system_count_although_they_share_a_seat() -> None:
    crowd = [visit(0, 0, 0) for _ in range(3)]
    assert reason(fit(visit(0, 0, 0), crowd, SlotPolicy(capacity=3), 0)) is BookingReason.SLOT_FULL
    assert fit(visit(0, 0, 0), crowd, SlotPolicy(capacity=4), 0) == 2


def test_the_day_is_full() -> None:
    capped = SlotPolicy(daily_cap=2)
    assert fit(visit(0, 0, 0), [], capped, 1) == 1
    assert reason(fit(visit(0, 0, 0), [], capped, 2)) is BookingReason.DAILY_CAP


@pytest.mark.parametrize(("day", "hours"), [("2027-03-14", 23), ("2027-03-15", 24), ("2027-11-07", 25)])
def test_a_day_is_as_long_as_its_zone_has_it(day: str, hours: int) -> None:
    begin, end = local_day(datetime.fromisoformat(f"{day}T18:00:00+00:00"), "America/New_York")
    assert end - begin == timedelta(hours=hours)


_WISHES = st.lists(
    st.builds(
        visit,
        st.integers(0, 1),
        st.integers(0, 2),
        st.integers(0, 200),
        st.integers(5, 60),
        buffer=st.integers(0, 15),
    ),
    max_size=40,
)


@given(wishes=_WISHES, capacity=st.integers(1, 3))
def test_no_order_of_wishes_overlaps(wishes: list[Visit], capacity: int) -> None:
    taken: list[Visit] = []
    for wish in wishes:
        seat = fit(wish, taken, SlotPolicy(capacity=capacity), 0)
        if not isinstance(seat, BookingRefusal):
            assert 1 <= seat <= capacity
            taken.append(
                Visit(
                    wish.agent_id,
                    wish.unit_id,
                    wish.starts_at,
                    wish.ends_at,
                    wish.busy_from,
                    wish.busy_until,
                    seat,
                )
            )
    for a, b in combinations(taken, 2):
        meet = a.starts_at < b.ends_at and b.starts_at < a.ends_at
        if a.unit_id == b.unit_id:
            assert not meet or (a.seat != b.seat and a.agent_id == b.agent_id)
        elif a.agent_id == b.agent_id:
            assert a.busy_until <= b.busy_from or b.busy_until <= a.busy_from
