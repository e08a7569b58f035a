"""The asset chain over a real database: what a run does, what it reports, and what stops it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import dagster as dg
import pytest

from assets.book import showing_appointments
from assets.decide import reply_decisions
from assets.dispatch import outbound_dispatches
from assets.ingest import conversation_linkage, inbound_messages
from assets.inventory import listings_asset
from assets.operations import invariants_asset
from leasebot_pipeline.decisions.heuristic import HeuristicProvider
from leasebot_pipeline.definitions import check_invariants
from leasebot_pipeline.domain.decisions import DecisionInput, Verdict
from leasebot_pipeline.domain.readings import Direction, ListingRow, ThreadMessage, ThreadReading
from leasebot_pipeline.stages.poll import poll
from tests.dagster.conftest import PLATFORM, Office

CHAIN = [
    inbound_messages,
    conversation_linkage,
    reply_decisions,
    showing_appointments,
    outbound_dispatches,
]


def work(office: Office, *, config: dict[str, object] | None = None) -> dg.ExecuteInProcessResult:
    """Poll, then one run of the chain."""
    poll(office.pipeline, PLATFORM, "test")
    return dg.materialize(
        CHAIN,
        instance=office.instance,
        partition_key=PLATFORM.value,
        resources={"pipeline": office.pipeline},
        run_config={"ops": {"inbound_messages": {"config": config}}} if config else None,
        raise_on_error=False,
    )


def metadata(result: dg.ExecuteInProcessResult, asset: str) -> dict[str, object]:
    event = next(
        event
        for event in result.get_asset_materialization_events()
        if event.materialization.asset_key == dg.AssetKey(asset)
    )
    return {name: value.value for name, value in event.materialization.metadata.items()}


def check_results(result: dg.ExecuteInProcessResult) -> dict[str, dg.AssetCheckEvaluation]:
    return {evaluation.check_name: evaluation for evaluation in result.get_asset_check_evaluations()}


def test_a_question_about_a_tour_is_ingested_linked_decided_and_answered_in_one_run(office: Office) -> None:
    """Behaviour 92 (differs: the look at the inbox is the sensor's; a run begins with what it landed)."""
    office.lead_writes("t1", "Hi, can I come for a tour this week?")
    result = work(office)
    assert result.success
    assert metadata(result, "inbound_messages") | {"ingested": 1, "quarantined": 0, "conversations": 1} == (
        metadata(result, "inbound_messages")
    )
    assert metadata(result, "conversation_linkage")["resolved"] == 1
    assert metadata(result, "reply_decisions")["queued"] == 1
    assert metadata(result, "outbound_dispatches")["sent"] == 1
    thread = office.inbox().threads["t1"]
    assert [message.direction.value for message in thread.messages] == ["inbound", "outbound"]
    checks = check_results(result)
    assert len(checks) == 13
    assert all(evaluation.passed for evaluation in checks.values())


def test_a_pick_is_booked_and_confirmed_through_the_whole_chain(office: Office) -> None:
    """Behaviour 76: the confirmation that was sent says which slot it confirms."""
    office.lead_writes("t1", "Hi, can I come for a tour this week?")
    work(office)
    office.clock.advance(minutes=1)
    office.lead_writes("t1", "The second one please")
    result = work(office)
    assert result.success
    assert metadata(result, "reply_decisions")["showings_confirmed"] == 1
    assert metadata(result, "showing_appointments")["showings_ahead"] == 1
    assert metadata(result, "outbound_dispatches")["sent"] == 1
    ((label,),) = office.rows("""SELECT label FROM "SlotOffers" WHERE state = 'confirmed'""")
    newest = office.inbox().threads["t1"].messages[-1]
    assert str(label) in newest.body
    ((resolved,),) = office.rows(
        """SELECT metadata #>> '{slotConfirmationResolved,label}' FROM "Messages" WHERE direction = 'outbound' ORDER BY seq DESC LIMIT 1"""
    )
    assert resolved == label
    assert all(evaluation.passed for evaluation in check_results(result).values())


def test_decisions_and_audit_rows_name_the_run(office: Office) -> None:
    office.lead_writes("t1", "Hi, can I come for a tour this week?")
    result = work(office)
    assert office.rows('SELECT run_id FROM "Decisions"') == [(result.run_id,)]
    actions = office.rows('SELECT DISTINCT action FROM "AuditLogs" WHERE run_id = :run', run=result.run_id)
    assert {"ingest_conversation_linkage_resolved", "ai_reply_decision", "platform_dispatch_sent"} <= {
        action for (action,) in actions
    }


def test_a_second_run_finds_nothing_and_answers_nothing_again(office: Office) -> None:
    office.lead_writes("t1", "Hi, can I come for a tour this week?")
    work(office)
    office.clock.advance(minutes=1)
    result = work(office)
    assert result.success
    assert metadata(result, "reply_decisions")["decided"] == 0
    assert len(office.inbox().threads["t1"].messages) == 2


def test_more_messages_than_a_batch_holds_are_one_run(office: Office) -> None:
    policy = replace(office.pipeline.policy, ingest_batch_size=2, decision_batch_size=2)
    office.pipeline = replace(office.pipeline, policy=policy)
    for number in range(5):
        office.lead_writes(f"t{number}", "Hi, can I come for a tour this week?")
    result = work(office)
    assert metadata(result, "inbound_messages")["batches"] == 3
    assert metadata(result, "inbound_messages")["ingested"] == 5
    assert metadata(result, "reply_decisions")["decided"] == 5
    assert office.rows("SELECT count(*) FROM \"OutboundDispatches\" WHERE state = 'sent'") == [(5,)]


def test_a_bad_event_is_quarantined_with_its_reason_and_the_rest_is_answered(office: Office) -> None:
    office.lead_writes("t1", "Hi, can I come for a tour this week?")
    office.lead_writes("t2", "   ")
    result = work(office)
    assert result.success
    assert metadata(result, "inbound_messages")["quarantined"] == 1
    assert metadata(result, "outbound_dispatches")["sent"] == 1
    events = office.rows(
        'SELECT external_thread_id, quarantine_reason FROM "InboundEvents" ORDER BY external_thread_id'
    )
    assert events == [("t1", None), ("t2", "body_empty")]
    check = check_results(result)["rows_usable"]
    assert not check.passed
    assert check.severity is dg.AssetCheckSeverity.WARN


def untimed(office: Office, *threads: str) -> None:
    """Threads of a page whose times are no longer found."""
    for number, thread in enumerate(threads):
        body = "Hi, can I come for a tour this week?"
        message = ThreadMessage(f"m{number}", "hash", Direction.INBOUND, body)
        office.inbox().threads[thread] = ThreadReading(
            thread, (message,), lead_name="Ana Lead", listing_external_id="L1"
        )


def test_a_page_without_times_blocks_everything_downstream_and_loses_nothing(office: Office) -> None:
    untimed(office, "t1", "t2", "t3")
    result = work(office)
    assert not result.success
    check = check_results(result)["markup_drift"]
    assert not check.passed
    assert check.severity is dg.AssetCheckSeverity.ERROR
    assert check.blocking
    ran = {
        event.materialization.asset_key.to_user_string()
        for event in result.get_asset_materialization_events()
    }
    assert ran == {"inbound_messages"}
    assert office.rows('SELECT count(*) FROM "Messages"') == [(0,)]
    waiting = 'SELECT count(*) FROM "InboundEvents" WHERE ingested_at IS NULL AND quarantined_at IS NULL'
    assert office.rows(waiting) == [(3,)]


@pytest.mark.parametrize(("choice", "messages", "quarantined"), [("ACCEPT", 3, 0), ("QUARANTINE", 0, 3)])
def test_a_person_may_accept_a_changed_page_or_set_its_messages_aside(
    office: Office, choice: str, messages: int, quarantined: int
) -> None:
    untimed(office, "t1", "t2", "t3")
    result = work(office, config={"on_markup_drift": choice})
    assert result.success
    assert check_results(result)["markup_drift"].severity is dg.AssetCheckSeverity.WARN
    assert office.rows("SELECT count(*) FROM \"Messages\" WHERE direction = 'inbound'") == [(messages,)]
    reasons = "SELECT count(*) FROM \"InboundEvents\" WHERE quarantine_reason = 'markup_drift'"
    assert office.rows(reasons) == [(quarantined,)]


class Mumbling(HeuristicProvider):
    """A provider that finds a reason and does not say which."""

    def decide(self, inputs: Sequence[DecisionInput]) -> list[Verdict]:
        return [replace(verdict, hold_reasons=("",)) for verdict in super().decide(inputs)]


class Overconfident(HeuristicProvider):
    """A provider whose confidence is no share."""

    def decide(self, inputs: Sequence[DecisionInput]) -> list[Verdict]:
        return [replace(verdict, confidence=7.0) for verdict in super().decide(inputs)]


def test_a_decision_the_gate_refuses_is_held_for_a_person_with_the_rule_it_broke(office: Office) -> None:
    office.pipeline = replace(office.pipeline, provider=Mumbling())
    office.lead_writes("t1", "Hi, can I come for a tour this week?")
    result = work(office)
    assert result.success
    check = check_results(result)["decisions_well_formed"]
    assert not check.passed
    assert check.severity is dg.AssetCheckSeverity.WARN
    assert metadata(result, "reply_decisions")["refused"] == 1
    decided = office.rows('SELECT outcome, reason, reasons FROM "Decisions"')
    assert [(outcome, reason) for outcome, reason, _ in decided] == [("escalate", "escalate_quality_gate")]
    assert "quality_gate: reason_unknown" in str(decided[0][2])
    assert office.rows('SELECT count(*) FROM "OutboundDispatches"') == [(0,)]


def test_a_broken_plan_has_no_effect_and_blocks_dispatch(office: Office) -> None:
    office.pipeline = replace(office.pipeline, provider=Overconfident())
    office.lead_writes("t1", "Hi, can I come for a tour this week?")
    result = work(office)
    assert not result.success
    check = check_results(result)["decision_schema"]
    assert not check.passed
    assert check.severity is dg.AssetCheckSeverity.ERROR
    assert "outbound_dispatches" not in {
        event.materialization.asset_key.to_user_string()
        for event in result.get_asset_materialization_events()
    }
    assert office.rows('SELECT count(*) FROM "Decisions"') == [(0,)]
    office.pipeline = replace(office.pipeline, provider=HeuristicProvider())
    assert metadata(work(office), "outbound_dispatches")["sent"] == 1


def test_many_conversations_about_unknown_listings_ask_for_a_look(office: Office) -> None:
    for number in range(5):
        office.lead_writes(f"t{number}", "Hi, can I come for a tour this week?", listing="unheard-of")
    result = work(office)
    assert result.success
    check = check_results(result)["linkage_coverage"]
    assert not check.passed
    assert check.severity is dg.AssetCheckSeverity.WARN


def test_listings_are_read_and_a_conversation_without_listing_finds_it_at_once(office: Office) -> None:
    office.lead_writes("t1", "Hi, can I come for a tour this week?", listing="L9")
    work(office)
    assert office.rows('SELECT listing_id FROM "Conversations"') == [(None,)]
    office.clock.advance(minutes=1)
    office.inbox().listings.append(
        ListingRow("L9", "active", "Room 9", property_name="Cedar Court", unit_number="9")
    )
    result = dg.materialize(
        [listings_asset([PLATFORM])], instance=office.instance, resources={"pipeline": office.pipeline}
    )
    assert metadata(result, "listings")["inserted"] == 1
    assert metadata(result, "listings")["conversations_relinked"] == 1
    assert office.rows('SELECT listing_id IS NOT NULL FROM "Conversations"') == [(True,)]
    assert check_results(result)["every_account_read"].passed


def test_the_invariants_hold_after_work_and_a_violated_one_fails_its_run(office: Office) -> None:
    office.lead_writes("t1", "Hi, can I come for a tour this week?")
    work(office)
    asset = [invariants_asset(check_invariants)]
    resources = {"pipeline": office.pipeline}
    assert dg.materialize(asset, instance=office.instance, resources=resources).success
    office.run('DELETE FROM "OutboundDispatches"')
    broken = dg.materialize(asset, instance=office.instance, resources=resources, raise_on_error=False)
    assert not broken.success
    evaluation = check_results(broken)["invariants_hold"]
    assert "decision_has_effect" in str(evaluation.description)
