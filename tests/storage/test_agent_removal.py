"""An agent who leaves (G-66): nothing fails, nothing is lost, nothing more is done in the agent's name."""

from __future__ import annotations

from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import Connection, text

from leasebot_pipeline.domain.booking import BookingReason
from leasebot_pipeline.domain.platforms import Platform
from leasebot_pipeline.storage import booking, linkage
from leasebot_pipeline.storage.agent_removal import RemovalResult, remove_agents
from leasebot_pipeline.storage.tables.scheduling import follow_ups
from leasebot_pipeline.storage.transitions import Actor
from tests.storage import rows
from tests.storage.conftest import NOW
from tests.storage.office import DAY, TEN, Office

ADMIN = Actor("admin", "aB3")


@pytest.fixture
def office(conn: Connection) -> Office:
    return Office(conn)


def remove(office: Office, *agents: UUID) -> list[RemovalResult]:
    return remove_agents(office.conn, agents, ADMIN, NOW)


def test_showings_ahead_stand_and_go_to_a_person(office: Office) -> None:
    leaving, staying = office.agent(), office.agent()
    unit = office.unit(leaving, staying)
    lead = office.lead(unit, assigned_agent_id=leaving)
    booked = office.book(unit, leaving, conversation_id=lead).appointment
    past = rows.showing(office.conn, leaving, unit, starts_at=NOW - DAY, ends_at=NOW)
    assert booked is not None
    (result,) = remove(office, leaving)
    assert result == RemovalResult(leaving, "removed", (booked.id,), (lead,))
    assert office.conversation(lead) == ("outcome", "human_required", "confirmed")
    kept = 'SELECT count(*) FROM "ShowingAppointments" WHERE agent_id = :a AND id = ANY(:ids)'
    assert rows.value(office.conn, kept, a=leaving, ids=[booked.id, past]) == 2
    (told,) = office.audits("agent_removed")
    assert told["showings"] == [str(booked.id)]
    assert office.broken() == []


def test_nothing_more_is_offered_held_or_booked_with_the_agent(office: Office) -> None:
    leaving = office.agent()
    unit = office.unit(leaving)
    lead = office.lead(unit)
    offer = office.offer(lead, unit, leaving)
    held = office.book(unit, leaving, conversation_id=lead, hold_until=TEN, slot_offer_id=offer)
    remove(office, leaving)
    assert held.appointment is not None
    assert office.offer_state(offer) == "superseded"
    confirm = booking.HoldConfirmation(appointment_id=held.appointment.id)
    refused = booking.confirm_holds(office.conn, [confirm], office.policy, NOW)[0]
    assert refused.reason is BookingReason.HOLD_EXPIRED
    assert office.book(unit, leaving).reason is BookingReason.AGENT_REMOVED


def test_follow_ups_end_and_their_leads_go_to_a_person(office: Office) -> None:
    """Before, the CHECK on the follow-up fields made this fail."""
    leaving = office.agent()
    stage: dict[str, Any] = {
        "follow_up_stage": "follow_up_1",
        "follow_up_due_at": NOW,
        "follow_up_owner_agent_id": leaving,
    }
    waiting = rows.conversation(office.conn, workflow_state="follow_up_1", **stage)
    ended = rows.conversation(
        office.conn, workflow_state="outcome", workflow_outcome="not_interested", **stage
    )
    planned = rows.add(
        office.conn,
        follow_ups,
        conversation_id=waiting,
        stage="follow_up_1",
        due_at=NOW,
        owner_agent_id=leaving,
    )
    remove(office, leaving)
    assert office.conversation(waiting) == ("outcome", "human_required", None)
    assert office.conversation(ended) == ("outcome", "not_interested", None)
    query = 'SELECT count(*) FROM "Conversations" WHERE follow_up_owner_agent_id IS NOT NULL'
    assert rows.value(office.conn, query) == 0
    assert rows.value(office.conn, 'SELECT status FROM "FollowUps" WHERE id = :id', id=planned) == "cancelled"


def test_assigned_leads_get_the_units_next_agent(office: Office) -> None:
    leaving, staying = office.agent(), office.agent()
    unit = office.unit(leaving, staying)
    lead = office.lead(unit, assigned_agent_id=leaving)
    remove(office, leaving)
    linkage.assign_missing_agents(office.conn, Platform.SPAREROOM)
    query = 'SELECT assigned_agent_id FROM "Conversations" WHERE id = :id'
    assert rows.value(office.conn, query, id=lead) == staying


def test_removing_twice_and_a_stranger(office: Office) -> None:
    leaving, stranger = office.agent(), uuid4()
    assert [r.outcome for r in remove(office, leaving, stranger)] == ["removed", "not_found"]
    assert remove(office, leaving)[0].outcome == "already_removed"
    assert len(office.audits("agent_removed")) == 1
    removed = 'SELECT removed_at FROM "Agents" WHERE id = :id'
    assert office.conn.execute(text(removed), {"id": leaving}).scalar_one() == NOW
