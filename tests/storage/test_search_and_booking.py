"""What the slot search offers can be booked, and what it explains away can't: the two never disagree."""

from __future__ import annotations

import random
from datetime import timedelta
from uuid import UUID

import pytest
from sqlalchemy import Connection

from leasebot_pipeline.domain.slots_policy import SlotPolicy
from leasebot_pipeline.domain.slots_reasons import Obstacle
from leasebot_pipeline.domain.slots_search import free_slots
from leasebot_pipeline.storage.calendars import load_calendars
from leasebot_pipeline.storage.slot_reasons import explain
from tests.storage.conftest import NOW
from tests.storage.office import TEN, Office

WEEK = timedelta(days=7)
QUARTER = timedelta(minutes=15)
# What only a person may overrule: a booking by hand can begin at any minute and at short notice.
_ADVICE = {Obstacle.SHORT_NOTICE, Obstacle.OFF_GRID, Obstacle.BEYOND_HORIZON}


def _busy_office(conn: Connection, seed: int) -> tuple[Office, random.Random, list[UUID], list[UUID]]:
    luck = random.Random(seed)
    policy = SlotPolicy(
        buffer_before=luck.choice([0, 1]) * QUARTER,
        buffer_after=luck.choice([0, 1, 2]) * QUARTER,
        daily_cap=luck.choice([None, 6]),
        capacity=luck.choice([1, 2]),
    )
    office = Office(conn, policy)
    agents = [office.agent(full_name="Dana"), office.agent(full_name="Lee")]
    units = [office.unit(*agents), office.unit(*agents[:1]), office.unit(*reversed(agents))]
    for _ in range(4):
        start = TEN + luck.randrange(-8, 24) * QUARTER
        end = start + luck.randrange(1, 5) * QUARTER
        if luck.random() < 0.5:
            office.opens(luck.choice(units), start, end, "blocked")
        else:
            office.is_there(luck.choice(agents), start, end, "unavailable")
    return office, luck, agents, units


@pytest.mark.parametrize("seed", range(6))
def test_every_offered_slot_can_be_booked_until_none_is_left(conn: Connection, seed: int) -> None:
    office, luck, _, units = _busy_office(conn, seed)
    booked = 0
    while True:
        offered = [
            slot
            for unit in units
            for slot in free_slots(
                load_calendars(conn, [unit], NOW, WEEK).for_unit(unit),
                office.policy,
                NOW,
            )
        ]
        if not offered:
            break
        slot = luck.choice(offered)
        assert slot.agent_id is not None
        result = office.book(slot.unit_id, slot.agent_id, slot.starts_at)
        assert result.outcome == "booked", (slot, result)
        booked += 1
    assert booked > 10
    assert office.broken() == []


@pytest.mark.parametrize("seed", range(3))
def test_what_is_explained_away_is_refused_and_the_rest_is_booked(conn: Connection, seed: int) -> None:
    office, luck, agents, units = _busy_office(conn, seed)
    outcomes = set()
    for _ in range(60):
        unit, agent = luck.choice(units), luck.choice(agents)
        start = TEN + luck.randrange(-10, 36) * QUARTER
        found = explain(conn, unit, agent, start, office.policy, NOW, WEEK)
        against = [reason for reason in found if reason.obstacle not in _ADVICE]
        result = office.book(unit, agent, start)
        assert (result.outcome == "refused") == bool(against), (start, found, result)
        outcomes.add(result.outcome)
    assert outcomes == {"booked", "refused"}
