"""The slot search with its policy, and the reasons it gives: the two never contradict each other."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from leasebot_pipeline.domain.slots import AgentWindow, Appointment, Assignment, Slot, UnitWindow
from leasebot_pipeline.domain.slots_policy import SlotPolicy
from leasebot_pipeline.domain.slots_reasons import Obstacle, why_not_offered
from leasebot_pipeline.domain.slots_search import UnitCalendar, candidates, free_slots, nearest

UNIT, OTHER_UNIT, DANA, LEE, ANA, BEN = (UUID(int=n) for n in range(1, 7))
START = datetime(2026, 11, 24, tzinfo=UTC)
MINUTES = timedelta(minutes=1)
BOTH = (Assignment(UNIT, DANA, "Dana", 1, "UTC"), Assignment(UNIT, LEE, "Lee", 2, "UTC"))


def at(hours: float) -> datetime:
    return START + timedelta(hours=hours)


def unit(begin: float, end: float, status: str = "open", zone: str = "UTC") -> UnitWindow:
    return UnitWindow(UNIT, at(begin), at(end), zone, status)  # type: ignore[arg-type]


def free(begin: float, end: float, who: UUID = DANA, status: str = "available") -> AgentWindow:
    return AgentWindow(who, at(begin), at(end), "UTC", status)  # type: ignore[arg-type]


def booked(
    begin: float, end: float, of: UUID = OTHER_UNIT, by: UUID = DANA, lead: UUID | None = None
) -> Appointment:
    return Appointment(by, of, at(begin), at(end), conversation_id=lead)


def calendar(
    *parts: UnitWindow | AgentWindow | Appointment, assigned: tuple[Assignment, ...] = BOTH
) -> UnitCalendar:
    return UnitCalendar(
        UNIT,
        [part for part in parts if isinstance(part, UnitWindow)],
        assigned,
        [part for part in parts if isinstance(part, AgentWindow)],
        [part for part in parts if isinstance(part, Appointment)],
    )


def hours(slots: tuple[Slot, ...]) -> list[float]:
    return [(slot.starts_at - START) / timedelta(hours=1) for slot in slots]


def reasons(
    of: UnitCalendar,
    hour: float,
    policy: SlotPolicy | None = None,
    *,
    by: UUID = DANA,
    now: float = 0,
    horizon: float | None = None,
) -> list[str]:
    until = None if horizon is None else at(horizon)
    found = why_not_offered(of, policy or SlotPolicy(), by, at(hour), at(now), until)
    return [reason.obstacle.value for reason in found]


def test_windows_that_touch_are_one_and_a_visit_may_cross_the_seam() -> None:
    parts = calendar(unit(10, 10.75), unit(10.75, 12), free(10, 11.25), free(11.25, 12))
    assert hours(free_slots(parts, SlotPolicy(), at(0))) == [10, 10.5, 11, 11.5]


def test_a_blocked_hour_of_the_unit_takes_only_its_own_time() -> None:
    """G-53: an override can block a unit."""
    parts = calendar(unit(10, 13), unit(11, 12, "blocked"), free(10, 13))
    assert hours(free_slots(parts, SlotPolicy(), at(0))) == [10, 10.5, 12, 12.5]


def test_visits_of_different_units_lie_both_buffers_apart() -> None:
    policy = SlotPolicy(buffer_before=10 * MINUTES, buffer_after=20 * MINUTES)
    parts = calendar(unit(9, 14), free(9, 14), booked(11, 11.5))
    found = hours(free_slots(parts, policy, at(0)))
    assert found == [9, 9.5, 10, 12, 12.5, 13, 13.5]
    assert reasons(parts, 10.5, policy) == ["agent_buffer"]
    assert reasons(parts, 11, policy) == ["agent_booked"]


def test_the_unit_itself_needs_no_buffer() -> None:
    policy = SlotPolicy(buffer_before=30 * MINUTES, buffer_after=30 * MINUTES)
    parts = calendar(unit(10, 12), free(10, 12), booked(10.5, 11, UNIT))
    assert hours(free_slots(parts, policy, at(0))) == [10, 11, 11.5]


def test_a_showing_keeps_the_buffers_it_was_booked_with() -> None:
    wide = Appointment(DANA, OTHER_UNIT, at(11), at(11.5), True, None, 60 * MINUTES, timedelta(0))
    assert hours(free_slots(calendar(unit(9, 13), free(9, 13), wide), SlotPolicy(), at(0))) == [
        9,
        9.5,
        11.5,
        12,
        12.5,
    ]


def test_notice_counts_from_now_and_the_grid_stays() -> None:
    policy = SlotPolicy(duration=60 * MINUTES, minimum_notice=45 * MINUTES)
    parts = calendar(unit(9, 13), free(9, 13))
    assert hours(free_slots(parts, policy, at(9.1))) == [10, 11, 12]
    assert reasons(parts, 9, policy, now=8.5) == ["short_notice"]
    assert reasons(parts, 9, policy, now=9.5) == ["in_the_past"]
    assert reasons(parts, 10.5, policy) == ["off_grid"]


def test_the_daily_cap_counts_visits_in_the_agents_own_day() -> None:
    """Each lead of a group counts, and what is over; the next day is free."""
    new_york = Assignment(UNIT, DANA, "Dana", 1, "America/New_York")  # its day ends at 5:00 UTC
    over = Appointment(DANA, OTHER_UNIT, at(15), at(15.5), blocks=False)
    group = [booked(27, 27.5, UNIT), booked(27, 27.5, UNIT)]
    parts = calendar(unit(15, 31), free(15, 31), over, *group, assigned=(new_york,))
    policy = SlotPolicy(daily_cap=3, capacity=3)
    assert hours(free_slots(parts, policy, at(15))) == [29, 29.5, 30, 30.5]
    assert reasons(parts, 26, policy, now=15) == ["daily_cap"]


def test_a_group_has_its_size_and_one_agent() -> None:
    """G-25: same-unit bookings have a capacity; the second agent does not show a unit that is being shown."""
    parts = calendar(unit(10, 11), free(10, 11), free(10, 11, LEE), booked(10, 10.5, UNIT))
    pair = SlotPolicy(capacity=2)
    assert [(s.agent_name, s.starts_at) for s in free_slots(parts, pair, at(0))] == [
        ("Dana", at(10)),
        ("Dana", at(10.5)),
        ("Lee", at(10.5)),
    ]
    assert reasons(parts, 10, pair, by=LEE) == ["unit_with_other_agent"]
    assert reasons(parts, 10) == ["slot_full"]


def test_a_place_is_free_only_for_a_whole_visit() -> None:
    """Two leads who only meet the visit one after the other leave a place; taken seats must not leave none."""
    hour = SlotPolicy(duration=60 * MINUTES, capacity=2)
    early, late = booked(10, 10.5, UNIT), booked(10.5, 11, UNIT)
    parts = calendar(unit(10, 11), free(10, 11), early, late)
    assert hours(free_slots(parts, hour, at(0))) == [10]
    crossed = calendar(unit(10, 11), free(10, 11), early, replace(late, seat=2))
    assert reasons(crossed, 10, hour) == ["slot_full"]


def test_a_conversations_own_showing_does_not_stand_in_its_way() -> None:
    parts = calendar(unit(10, 11), free(10, 11), booked(10, 10.5, UNIT, lead=ANA))
    assert hours(free_slots(parts, SlotPolicy(), at(0))) == [10.5]
    assert hours(free_slots(parts, SlotPolicy(), at(0), ignoring_conversation=BEN)) == [10.5]
    assert hours(free_slots(parts, SlotPolicy(), at(0), ignoring_conversation=ANA)) == [10, 10.5]


def test_the_second_agent_is_offered_where_only_that_one_is_free() -> None:
    """The key scenario: one agent is free from 11 to 12, the other from 15 to 16."""
    parts = calendar(unit(9, 18), free(11, 12), free(15, 16, LEE))
    found = candidates(parts, SlotPolicy(), at(0))
    assert {(slot.starts_at, slot.agent_name) for slot in found} == {
        (at(11), "Dana"),
        (at(11.5), "Dana"),
        (at(15), "Lee"),
        (at(15.5), "Lee"),
    }


def test_the_nearest_times_come_first_with_the_conversations_agent_where_free() -> None:
    parts = calendar(unit(9, 18), free(9, 12), free(11, 18, LEE))
    found = nearest(parts, SlotPolicy(), at(0), at(11.6), 3, assigned_agent_id=LEE)
    assert hours(found) == [11.5, 12, 11]
    assert {slot.agent_name for slot in found} == {"Lee"}


def test_passive_and_foreign_agents_are_not_offered_and_the_reason_says_so() -> None:
    """Behaviour 47: only active assignments count."""
    passive = (Assignment(UNIT, DANA, "Dana", 1, "UTC", active=False), BOTH[1])
    parts = calendar(unit(10, 11), free(10, 11), free(10, 11, LEE), assigned=passive)
    assert {slot.agent_name for slot in free_slots(parts, SlotPolicy(), at(0))} == {"Lee"}
    assert reasons(parts, 10) == ["agent_passive"]
    assert reasons(parts, 10, by=ANA) == ["agent_not_assigned", "agent_not_available"]


def test_all_reasons_are_told_in_order() -> None:
    parts = calendar(
        unit(10, 11),
        unit(10, 10.25, "blocked"),
        free(10, 10.25),
        free(10, 10.25, status="unavailable"),
        booked(10, 10.5),
        booked(10, 10.5, UNIT, LEE),
        booked(10, 10.5, UNIT, LEE),
        assigned=(Assignment(UNIT, DANA, "Dana", 1, "UTC", active=False),),
    )
    assert reasons(parts, 10, SlotPolicy(daily_cap=1), now=11, horizon=9) == [
        "agent_passive",
        "in_the_past",
        "beyond_horizon",
        "unit_blocked",
        "agent_not_available",
        "agent_unavailable",
        "agent_booked",
        "unit_with_other_agent",
        "unit_with_other_agent",
        "slot_full",
        "daily_cap",
    ]


def test_reasons_are_told_in_the_order_they_are_declared() -> None:
    order = list(Obstacle)
    parts = calendar(unit(9, 10), free(9.5, 10), booked(10, 10.5))
    found = why_not_offered(parts, SlotPolicy(), DANA, at(10), at(0))
    positions = [order.index(reason.obstacle) for reason in found]
    assert positions == sorted(positions)
    assert [reason.obstacle for reason in found] == [
        Obstacle.UNIT_NOT_OPEN,
        Obstacle.AGENT_NOT_AVAILABLE,
        Obstacle.AGENT_BOOKED,
    ]


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("duration", timedelta(0)),
        ("buffer_before", -MINUTES),
        ("buffer_after", -MINUTES),
        ("minimum_notice", -MINUTES),
        ("daily_cap", 0),
        ("capacity", 0),
    ],
)
def test_an_impossible_policy_names_the_field(field: str, value: object) -> None:
    with pytest.raises(ValueError, match=f"^{field}:"):
        SlotPolicy(**{field: value})  # type: ignore[arg-type]


# ---- Properties, over the nights on which clocks change in New York and Lord Howe (by half an hour) ----

_NIGHTS = [
    datetime(2026, 3, 8, tzinfo=UTC),
    datetime(2026, 11, 1, tzinfo=UTC),
    datetime(2026, 4, 4, 12, tzinfo=UTC),
    datetime(2026, 10, 3, 12, tzinfo=UTC),
]
_ZONES = ["America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu", "UTC"]
_quarters = st.tuples(st.integers(0, 95), st.integers(1, 24))


@st.composite
def calendars(draw: st.DrawFn) -> tuple[UnitCalendar, SlotPolicy, datetime]:
    night = draw(st.sampled_from(_NIGHTS))

    def span() -> tuple[datetime, datetime]:
        begin, length = draw(_quarters)
        return night + 15 * MINUTES * begin, night + 15 * MINUTES * (begin + length)

    def several(most: int) -> range:
        return range(draw(st.integers(0, most)))

    windows = [
        UnitWindow(
            UNIT,
            *span(),
            draw(st.sampled_from(_ZONES)),
            draw(st.sampled_from(["open", "open", "blocked"])),
        )
        for _ in several(4)
    ]
    agent_windows = [
        AgentWindow(
            draw(st.sampled_from([DANA, LEE])),
            *span(),
            draw(st.sampled_from(_ZONES)),
            draw(st.sampled_from(["available", "available", "unavailable"])),
        )
        for _ in several(5)
    ]
    taken = []
    for _ in several(4):
        begin, _end = span()
        taken.append(
            Appointment(
                draw(st.sampled_from([DANA, LEE])),
                draw(st.sampled_from([UNIT, OTHER_UNIT])),
                begin,
                begin + draw(st.sampled_from([30, 45])) * MINUTES,
                draw(st.booleans()),
                draw(st.sampled_from([None, ANA])),
                draw(st.sampled_from([None, 15 * MINUTES])),
                seat=draw(st.sampled_from([1, 2])),
            )
        )
    assigned = tuple(
        Assignment(UNIT, who, name, n, draw(st.sampled_from(_ZONES)), draw(st.booleans()) or who == DANA)
        for n, (who, name) in enumerate([(DANA, "Dana"), (LEE, "Lee")])
    )
    policy = SlotPolicy(
        draw(st.sampled_from([15, 30, 45, 60])) * MINUTES,
        draw(st.sampled_from([0, 10])) * MINUTES,
        draw(st.sampled_from([0, 20])) * MINUTES,
        draw(st.sampled_from([0, 60])) * MINUTES,
        draw(st.sampled_from([None, 1, 2])),
        draw(st.sampled_from([1, 2])),
    )
    now = night + 15 * MINUTES * draw(st.integers(0, 40))
    return UnitCalendar(UNIT, windows, assigned, agent_windows, taken), policy, now


@given(calendars(), st.sampled_from([None, ANA]))
def test_a_time_is_free_exactly_when_nothing_is_said_against_it(
    drawn: tuple[UnitCalendar, SlotPolicy, datetime], ignoring: UUID | None
) -> None:
    of, policy, now = drawn
    found = free_slots(of, policy, now, ignoring_conversation=ignoring)
    for slot in found:
        if slot.agent_id is not None:
            said = why_not_offered(
                of, policy, slot.agent_id, slot.starts_at, now, ignoring_conversation=ignoring
            )
            assert said == ()
    offered = {(slot.agent_id, slot.starts_at) for slot in found}
    for quarter in range(0, 96, 3):
        instant = now + 15 * MINUTES * quarter
        for who in (DANA, LEE):
            said = why_not_offered(of, policy, who, instant, now, ignoring_conversation=ignoring)
            assert (not said) == ((who, instant) in offered)


@given(calendars())
def test_no_free_visit_collides_with_anything(drawn: tuple[UnitCalendar, SlotPolicy, datetime]) -> None:
    of, policy, now = drawn
    for slot in free_slots(of, policy, now):
        assert slot.starts_at >= now + policy.minimum_notice
        assert slot.ends_at - slot.starts_at == policy.duration
        assert slot.starts_at.astimezone(ZoneInfo(slot.timezone)).minute in (0, 30)
        at_once = [0] * 60
        for taken in of.appointments:
            if not taken.blocks:
                continue
            before = policy.buffer_before if taken.buffer_before is None else taken.buffer_before
            after = policy.buffer_after if taken.buffer_after is None else taken.buffer_after
            if taken.unit_id != UNIT and taken.agent_id == slot.agent_id:
                assert (
                    slot.starts_at - policy.buffer_before >= taken.ends_at + after
                    or slot.ends_at + policy.buffer_after <= taken.starts_at - before
                )
            elif taken.unit_id == UNIT and taken.starts_at < slot.ends_at and slot.starts_at < taken.ends_at:
                assert taken.agent_id == slot.agent_id
                for minute in range(len(at_once)):
                    moment = slot.starts_at + minute * MINUTES
                    at_once[minute] += taken.starts_at <= moment < min(taken.ends_at, slot.ends_at)
        assert max(at_once) < policy.capacity


@given(calendars(), st.integers(0, 8))
@example((calendar(unit(9, 18), free(9, 18)), SlotPolicy(), at(0)), 3)
def test_what_is_offered_and_what_is_near_are_free_and_each_instant_once(
    drawn: tuple[UnitCalendar, SlotPolicy, datetime], limit: int
) -> None:
    of, policy, now = drawn
    everything = set(free_slots(of, policy, now))
    for chosen in (candidates(of, policy, now, limit), nearest(of, policy, now, now, limit)):
        assert len(chosen) == min(limit, len({slot.starts_at for slot in everything}))
        assert len({slot.starts_at for slot in chosen}) == len(chosen)
        assert set(chosen) <= everything
