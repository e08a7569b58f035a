"""A conversation a person has taken over: never answered or followed up by the bot, at whatever moment it was taken."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from uuid import UUID

import pytest
from sqlalchemy import text

from leasebot_pipeline.platforms.mock import MockConnector
from leasebot_pipeline.stages import decide, dispatch
from leasebot_pipeline.storage import steering
from leasebot_pipeline.storage.booking import Actor
from tests.stages.conftest import PLATFORM, OfficeMaker
from tests.stages.following import Following, following
from tests.stages.test_dispatch import Desk, Site, Sites, Told

PERSON = Actor("admin", "u1")


@pytest.fixture
def desk(make_office: OfficeMaker) -> Desk:
    office = make_office()
    site, told = Site(MockConnector(PLATFORM, office.clock)), Told()
    office.pipeline = replace(office.pipeline, connectors=Sites(site), alerts=told)
    return Desk(office, site, told)


@pytest.fixture
def house(make_office: OfficeMaker) -> Following:
    return following(make_office)


def steer(place: Desk | Following, change: Callable[..., bool]) -> None:
    office = place.office
    with office.pipeline.engine.begin() as conn:
        conversation: UUID = conn.execute(text('SELECT id FROM "Conversations"')).scalar_one()
        seen = steering.lock(conn, conversation, office.clock())
        assert seen is not None
        assert change(conn, seen, PERSON, office.clock())


def decided(place: Desk | Following) -> tuple[object, ...]:
    return place.office.rows(
        'SELECT outcome, reason, reply_body FROM "Decisions" ORDER BY through_seq DESC LIMIT 1'
    )[0]


def test_what_the_bot_had_queued_is_held_and_stays_so(desk: Desk) -> None:
    desk.answer()
    steer(desk, steering.take_over)
    assert desk.states() == ["held"]
    assert desk.dispatch().claimed == desk.site.sends == 0
    shown = desk.office.rows(
        """SELECT metadata ->> 'reviewStatus' FROM "Messages" WHERE direction = 'outbound'"""
    )
    assert shown == [("hold",)], "the person sees what it had meant to say"
    assert desk.audited("conversation_taken_over") == 1
    assert desk.broken() == []


def test_taken_over_the_moment_before_the_click(desk: Desk) -> None:
    desk.answer()
    desk.site.before_intent = lambda: steer(desk, steering.take_over)
    assert desk.dispatch().sent == 0
    assert (desk.received(), desk.states()) == ([], ["held"])
    assert desk.office.rows('SELECT error_code, attempts FROM "OutboundDispatches"') == [
        ("taken_over_by_person", 0)
    ]
    assert desk.broken() == []


def test_taken_over_while_the_bot_was_deciding(desk: Desk) -> None:
    desk.ask()
    desk.take_in()
    plan = decide.plan(desk.office.pipeline, PLATFORM, "run-1")
    steer(desk, steering.take_over)
    assert decide.apply(desk.office.pipeline, plan, {}, "run-1").raced == 1
    desk.office.decide()
    assert decided(desk) == ("escalate", "escalate_taken_over_by_person", None)
    assert desk.states() == []
    [marks] = desk.office.rows(
        """SELECT metadata ->> 'reviewStatus', metadata ->> 'replyDecisionReason' FROM "Messages" """
    )
    assert marks == ("hold", "escalate_taken_over_by_person"), "it waits for the person"


def test_handed_back_the_bot_answers_the_next_message(desk: Desk) -> None:
    desk.ask()
    desk.take_in()
    steer(desk, steering.take_over)
    desk.office.decide()
    steer(desk, steering.hand_back)
    assert dispatch.dispatch(desk.office.pipeline, PLATFORM, "run-1").sent == 0, (
        "nothing was queued meanwhile"
    )
    desk.office.clock.advance(minutes=5)
    desk.answer()
    assert desk.dispatch().sent == 1
    assert desk.audited("conversation_handed_back") == 1
    assert desk.broken() == []


def test_nobody_taken_over_is_followed_up(house: Following) -> None:
    house.lead_writes("t1")
    house.answer()
    steer(house, steering.take_over)
    assert house.steps() == [("follow_up_1", "cancelled", "taken_over_by_person")]
    house.pass_time(days=3)
    house.plan()
    house.take_steps()
    house.dispatch()
    assert len(house.received("t1")) == 1
    assert house.broken() == []


def test_a_step_that_was_left_standing_is_not_taken(house: Following) -> None:
    house.lead_writes("t1")
    house.answer()
    house.office.run("""UPDATE "Conversations" SET taken_over_at = now(), taken_over_by = 'u1'""")
    house.until_due()
    assert house.take_steps().stopped == 1
    assert house.steps() == [("follow_up_1", "cancelled", "taken_over_by_person")]


def test_a_follow_up_on_its_way_is_called_off(house: Following) -> None:
    house.lead_writes("t1")
    house.answer()
    house.until_due()
    assert house.take_steps().queued == 1
    steer(house, steering.take_over)
    house.dispatch()
    assert len(house.received("t1")) == 1
    assert house.steps() == [("follow_up_1", "cancelled", "taken_over_by_person")]
    assert house.broken() == []
