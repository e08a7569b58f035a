"""Around a confirmed showing: reminders 24 and 2 hours before, once each; a question to its agent after it."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

import pytest

from leasebot_pipeline.domain.follow_ups import FollowUpPolicy, PolicyChange
from leasebot_pipeline.storage import follow_up_policies, follow_ups
from tests.stages.conftest import ACCOUNT, OfficeMaker
from tests.stages.following import HOUR, Following, following

BEFORE = "9f000000-0000-4000-8000-000000000001"


@pytest.fixture
def house(make_office: OfficeMaker) -> Following:
    """A lead who was answered, with a showing three days ahead (15:00 in New York)."""
    house = following(make_office)
    house.lead_writes("t1")
    house.answer()
    book(house)
    house.plan()
    return house


def book(house: Following, hours: float = 75) -> None:
    starts = house.now + hours * HOUR
    house.office.run(
        """INSERT INTO "ShowingAppointments" (id, idempotency_key, platform_account_id, conversation_id, unit_id, agent_id,
                                               starts_at, ends_at, timezone, status)
           SELECT :id, 'k', c.platform_account_id, c.id, l.unit_id, c.assigned_agent_id, :starts, :ends, 'America/New_York', 'confirmed'
             FROM "Conversations" c JOIN "Listings" l ON l.id = c.listing_id""",
        id=BEFORE,
        starts=starts,
        ends=starts + timedelta(minutes=30),
    )


def showing(house: Following, **values: object) -> None:
    changes = ", ".join(f"{name} = :{name}" for name in values)
    house.office.run(f'UPDATE "ShowingAppointments" SET {changes}', **values)


def open_steps(house: Following) -> list[str]:
    return [stage for stage, status, _ in house.steps() if status == "pending"]


def test_both_reminders_are_sent_once_and_the_agent_is_asked(house: Following) -> None:
    assert house.until_due() == "follow_up_1"
    assert house.take_steps().stopped == 1, "who comes to see the place is not followed up"
    assert house.next_step().queued == 1
    assert house.now == house.one('SELECT starts_at FROM "ShowingAppointments"')[0] - 24 * HOUR
    assert "a reminder of your visit to Cedar Court 1" in house.received("t1")[-1]
    assert house.next_step().queued == 1
    assert "see you soon" in house.received("t1")[-1]
    assert house.plan().looked_at == 0
    assert house.until_due() == "outcome_prompt"
    assert house.take_steps().prompted == 1
    assert len(house.received("t1")) == 3
    (asked,) = house.audited("showing_outcome_prompted")
    assert asked["appointmentId"] == BEFORE
    assert house.broken() == []


def test_the_agent_sees_the_question_until_the_outcome_is_known(house: Following) -> None:
    agent = house.one('SELECT agent_id FROM "ShowingAppointments"')[0]
    house.office.clock.advance(hours=76)
    house.take_in()
    house.take_steps()
    with house.office.pipeline.engine.connect() as conn:
        (prompt,) = follow_ups.open_prompts(conn, agent)
    assert prompt.appointment_id == UUID(BEFORE)
    assert prompt.lead_name == "Ana Lead"
    showing(house, status="completed")
    house.plan()
    with house.office.pipeline.engine.connect() as conn:
        assert follow_ups.open_prompts(conn, agent) == []
    assert ("outcome_prompt", "completed", "outcome_known") in house.steps()


def test_a_showing_that_moves_takes_its_reminders_along(house: Following) -> None:
    later = house.one('SELECT starts_at FROM "ShowingAppointments"')[0] + 24 * HOUR
    showing(house, starts_at=later, ends_at=later + HOUR / 2)
    house.plan()
    due = house.office.rows(
        """SELECT stage, due_at FROM "FollowUps" WHERE status = 'pending' AND appointment_id IS NOT NULL ORDER BY due_at"""
    )
    assert due[:2] == [("reminder_24h", later - 24 * HOUR), ("reminder_2h", later - 2 * HOUR)]
    assert len(house.audited("showing_reminder_stopped")) == 3


def test_a_showing_that_moves_back_is_reminded_of_again(house: Following) -> None:
    first = house.one('SELECT starts_at FROM "ShowingAppointments"')[0]
    showing(house, ends_at=first + 25 * HOUR, starts_at=first + 24 * HOUR)
    house.plan()
    showing(house, starts_at=first, ends_at=first + HOUR / 2)
    house.plan()
    assert sorted(open_steps(house)) == ["follow_up_1", "outcome_prompt", "reminder_24h", "reminder_2h"]


def test_a_cancelled_showing_is_not_reminded_of(house: Following) -> None:
    showing(house, status="cancelled")
    house.plan()
    assert open_steps(house) == ["follow_up_1"]


def test_a_reminder_in_the_outbox_is_withdrawn_when_its_showing_is_cancelled(house: Following) -> None:
    house.until_due()
    house.take_steps()
    house.until_due()
    assert house.take_steps().queued == 1
    showing(house, status="cancelled")
    house.dispatch()
    assert len(house.received("t1")) == 1
    states = house.office.rows(
        """SELECT state, error_code FROM "OutboundDispatches" WHERE purpose = 'reminder'"""
    )
    assert states == [("cancelled", "showing_changed")]


def test_a_lead_whose_message_waits_is_not_reminded_before_it_is_dealt_with(house: Following) -> None:
    """Perhaps it says that they can't come."""
    house.until_due()
    house.take_steps()
    house.lead_writes("t1", "Sorry, I can't make it.")
    house.until_due()
    assert house.take_steps().queued == 0
    assert "reminder_24h" in open_steps(house)
    house.office.clock.advance(hours=23)
    house.take_in()
    house.take_steps()
    assert ("reminder_24h", "cancelled", "too_late") in house.steps()


def test_an_account_may_remind_nobody(make_office: OfficeMaker) -> None:
    house = following(make_office)
    with house.office.pipeline.engine.begin() as conn:
        follow_up_policies.set_policy(
            conn, ACCOUNT, PolicyChange(reminders=False), FollowUpPolicy(), actor_type="admin", actor="u"
        )
    house.lead_writes("t1")
    house.answer()
    book(house)
    house.plan()
    assert sorted(open_steps(house)) == ["follow_up_1", "outcome_prompt"]


def test_who_opted_out_is_not_reminded(house: Following) -> None:
    house.office.clock.advance(hours=2)
    house.lead_writes("t1", "Please unsubscribe me and stop messaging me.")
    house.take_in()
    house.decide()
    assert open_steps(house) == ["outcome_prompt"]


def test_an_account_that_only_drafts_gets_a_draft_of_the_reminder(house: Following) -> None:
    house.office.run("""UPDATE "PlatformAccounts" SET send_mode = 'draft_only' """)
    house.until_due()
    house.take_steps()
    house.until_due()
    assert house.take_steps().drafted == 1
    house.dispatch()
    assert len(house.received("t1")) == 1
