"""What calendars mean for a reply: the slots a decision offers, and where they come from."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from sqlalchemy import text

from leasebot_pipeline.domain.slots_policy import SlotPolicy
from tests.stages.conftest import Office

TOUR = "Hi! Could I come and see the room this week?"


def run(office: Office, statement: str) -> None:
    with office.pipeline.engine.begin() as conn:
        conn.execute(text(statement))


def decided(office: Office) -> tuple[str, str, list[dict[str, str]], str | None]:
    with office.pipeline.engine.connect() as conn:
        row = conn.execute(
            text('SELECT outcome, slot_source, slots, reply_body, reason FROM "Decisions"')
        ).one()
    return row.outcome, row.slot_source, row.slots, row.reply_body or row.reason


def test_slots_of_assigned_agents_are_offered_with_their_label(office: Office) -> None:
    """Behaviour 77: the unit's own windows alone are not asked."""
    office.lead_writes("t1", TOUR)
    office.work()
    outcome, source, slots, reply = decided(office)
    assert (outcome, source) == ("send", "unit_agent_availability")
    assert slots
    assert all(slot["agentId"] for slot in slots)
    assert reply is not None
    assert slots[0]["label"] in reply


def test_without_time_of_agents_and_of_the_unit_a_person_is_asked(office: Office) -> None:
    """Behaviour 78."""
    run(office, 'DELETE FROM "AgentAvailabilitySlots"')
    run(office, 'DELETE FROM "AvailabilitySlots"')
    office.lead_writes("t1", TOUR)
    office.work()
    outcome, source, slots, reason = decided(office)
    assert (outcome, source, slots) == ("escalate", "none", [])
    assert reason == "escalate_no_slot_candidates"


def test_the_policy_of_the_settings_reaches_the_offer(office: Office) -> None:
    policy = SlotPolicy(duration=timedelta(minutes=60), minimum_notice=timedelta(days=2))
    office.pipeline = replace(office.pipeline, policy=replace(office.pipeline.policy, slots=policy))
    office.lead_writes("t1", TOUR)
    office.work()
    _, _, slots, _ = decided(office)
    assert slots
    soonest = (office.clock() + timedelta(days=2)).isoformat()
    assert all(slot["startsAt"] >= soonest[:19] for slot in slots)
    assert all(slot["label"].count(":") == 2 for slot in slots)
