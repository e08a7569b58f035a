"""The suites against batches made by hand: what each refuses, what stops a batch, what only warns.

One module, because importing Great Expectations takes seconds.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import UUID

import dagster as dg
import pandas as pd
import pytest

from leasebot_pipeline.domain.platforms import Platform
from leasebot_pipeline.quality import checks, decisions, dispatch, inbound, linkage, showings
from leasebot_pipeline.quality.adapter import Rule, validate
from leasebot_pipeline.quality.validation import Effect, Validation, combine

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
ACCOUNT = UUID(int=1)
Row = dict[str, object]


def event(number: int, **changes: object) -> Row:
    row: Row = {
        "id": number,
        "platform_account_id": ACCOUNT,
        "platform": "roomies",
        "external_thread_id": f"thread-{number}",
        "external_message_id": f"message-{number}",
        "identity_source": "platform",
        "direction": "inbound",
        "body": "Is it free?",
        "sent_at": NOW - timedelta(minutes=5),
        "sent_at_text": "5m ago",
        "sent_at_has_time": True,
        "payload": {"leadName": "Maya"},
        "landed_at": NOW,
    }
    return row | changes


def judge(*rows: Row) -> Validation:
    return inbound.check_inbound(Platform.ROOMIES, rows, NOW)


def failed(validation: Validation) -> set[str]:
    return {finding.rule for finding in validation.findings if not finding.passed}


class TestInbound:
    def test_a_good_batch_passes(self) -> None:
        validation = judge(
            event(1),
            event(2, direction="outbound", sent_at=None),
            event(3, sent_at=None, sent_at_text=None),
            event(4, payload={}),
        )
        assert validation.success
        assert validation.usable
        assert not validation.refused
        assert validation.rows == 4

    def test_an_empty_batch_has_nothing_to_find(self) -> None:
        assert judge() == Validation()

    @pytest.mark.parametrize(
        ("changes", "reason"),
        [
            ({"external_thread_id": " "}, "thread_identity_missing"),
            ({"external_thread_id": None}, "thread_identity_missing"),
            ({"external_message_id": ""}, "message_identity_missing"),
            ({"direction": "sideways"}, "direction_unknown"),
            ({"direction": None}, "direction_unknown"),
            ({"body": " \n\t"}, "body_empty"),
            ({"body": None}, "body_empty"),
            ({"body": "x" * 8001}, "body_too_long"),
            ({"sent_at": NOW + timedelta(days=2)}, "sent_at_in_future"),
            ({"sent_at": datetime(1970, 1, 1, tzinfo=UTC)}, "sent_at_implausibly_old"),
        ],
    )
    def test_a_bad_row_is_refused_with_its_reason_and_the_rest_goes_on(
        self, changes: Row, reason: str
    ) -> None:
        validation = judge(event(1), event(2, **changes), event(3), event(4))
        assert validation.refused == {"2": reason}
        assert validation.usable
        assert failed(validation) == {reason}

    def test_all_reasons_of_a_row_are_kept(self) -> None:
        refused = judge(event(1), event(2, body="", direction="?")).refused
        assert refused == {"2": "direction_unknown, body_empty"}

    def test_the_same_message_twice_in_a_batch_is_refused_both_times(self) -> None:
        twin = {"external_thread_id": "t", "external_message_id": "m"}
        assert set(judge(event(1, **twin), event(2, **twin), event(3)).refused) == {"1", "2"}

    def test_the_same_message_id_in_two_threads_is_two_messages(self) -> None:
        assert judge(event(1, external_message_id="m"), event(2, external_message_id="m")).success

    def test_the_limits_themselves_are_allowed(self) -> None:
        assert judge(event(1, body="x" * 8000, sent_at=NOW + timedelta(days=1))).success

    def test_a_missing_column_stops_the_batch(self) -> None:
        rows = [{key: value for key, value in event(n).items() if key != "direction"} for n in (1, 2)]
        validation = judge(*rows)
        assert not validation.usable
        assert "columns_missing" in failed(validation)
        schema = next(finding for finding in validation.findings if finding.rule == "direction_unknown")
        assert schema.error is not None
        assert "direction" in schema.error

    def test_events_of_another_platform_stop_the_batch(self) -> None:
        validation = judge(event(1), event(2, platform="renthop"))
        assert not validation.usable
        assert failed(validation) == {"foreign_platform"}

    def test_a_repeated_event_stops_the_batch(self) -> None:
        assert not judge(event(1), event(1, external_message_id="other")).usable

    def test_times_gone_from_all_rows_stop_the_batch(self) -> None:
        gone = {"sent_at": None, "sent_at_text": None}
        validation = judge(*(event(n, **gone) for n in (1, 2, 3)))
        assert not validation.usable
        assert not validation.refused
        assert failed(validation) == {"time_gone", "time_rare"}

    def test_a_time_that_is_shown_but_not_understood_is_no_drift(self) -> None:
        assert judge(*(event(n, sent_at=None, sent_at_text="soon") for n in (1, 2, 3))).success

    def test_two_rows_without_time_say_too_little_to_stop(self) -> None:
        validation = judge(*(event(n, sent_at=None, sent_at_text=None) for n in (1, 2)))
        assert validation.usable
        assert not validation.success

    def test_mostly_missing_times_are_a_warning(self) -> None:
        gone = {"sent_at": None, "sent_at_text": None}
        validation = judge(event(1), *(event(n, **gone) for n in (2, 3, 4)))
        assert validation.usable
        assert failed(validation) == {"time_rare"}

    def test_a_nameless_lead_warns_and_nameless_threads_stop(self) -> None:
        one = judge(*(event(n, external_thread_id="t", payload={}) for n in (1, 2, 3)))
        assert one.usable
        assert failed(one) == {"lead_name_gone"}
        assert not judge(*(event(n, payload={"leadName": None}) for n in (1, 2, 3))).usable

    def test_a_thousand_rows_are_judged_in_well_under_a_second(self) -> None:
        validation = judge(*(event(n, body="" if n % 100 == 0 else "Hi") for n in range(1, 1001)))
        assert len(validation.refused) == 10


def decision(number: int, **changes: object) -> Row:
    row: Row = {
        "decision_id": f"decision-{number}",
        "conversation_id": f"conversation-{number}",
        "dispatch_key": f"decision:{number}:1",
        "outcome": "send",
        "reason": "policy_send_allowed",
        "intent": "tour_request",
        "workflow_outcome": "general_question",
        "confidence": 0.9,
        "risk_level": "low",
        "guardrails": [],
        "reply_body": "You can come on Friday.",
        "slot_count": 2,
        "is_active": True,
        "effective_send_mode": "auto_send",
        "release_stage": "full",
        "provider": "heuristic",
        "listing_linked": True,
    }
    return row | changes


HELD: Row = {
    "outcome": "escalate",
    "reason": "escalate_no_slot_candidates",
    "reply_body": None,
    "slot_count": 0,
}


class TestDecisions:
    def test_good_decisions_of_each_outcome_pass(self) -> None:
        draft: Row = {
            "outcome": "draft",
            "reason": "policy_draft_required",
            "effective_send_mode": "draft_only",
            "release_stage": "shadow",
        }
        blocked: Row = HELD | {
            "outcome": "blocked",
            "reason": "policy_platform_inactive",
            "is_active": False,
            "guardrails": ["fair_housing_protected_class"],
        }
        validation = decisions.check_decisions(
            [
                decision(1),
                decision(2, **draft),
                decision(3, **HELD),
                decision(4, **blocked),
                decision(5, **(HELD | {"outcome": "skip", "reason": "skip_rule_disabled"})),
                decision(6, **(HELD | {"outcome": "blocked", "reason": "test_allowlist_blocked"})),
            ]
        )
        assert failed(validation) == set()

    @pytest.mark.parametrize(
        ("changes", "reason"),
        [
            ({"slot_count": 0}, "send_without_slot"),
            ({"slot_count": None}, "send_without_slot"),
            ({"guardrails": ["fair_housing_protected_class"]}, "send_past_guardrail"),
            ({"guardrails": None}, "send_past_guardrail"),
            ({"risk_level": "critical"}, "send_at_high_risk"),
            ({"risk_level": None}, "send_at_high_risk"),
            ({"release_stage": "shadow"}, "send_in_shadow"),
            ({"is_active": False}, "send_on_inactive_account"),
            ({"is_active": None}, "send_on_inactive_account"),
            ({"effective_send_mode": "draft_only"}, "send_in_draft_only"),
            ({"reply_body": "  "}, "reply_empty"),
            ({"reply_body": None}, "reply_empty"),
            ({"reply_body": "Come to {{unit}}"}, "reply_placeholder_left"),
            ({"dispatch_key": None}, "dispatch_key_missing"),
            ({"reason": "because"}, "reason_unknown"),
            ({"reason": None}, "reason_unknown"),
            ({"reason": "policy_draft_required"}, "reason_unknown"),
            ({"outcome": "shout"}, "reason_unknown"),
        ],
    )
    def test_a_decision_that_would_do_harm_is_refused_and_the_rest_goes_on(
        self, changes: Row, reason: str
    ) -> None:
        validation = decisions.check_decisions([decision(1), decision(2, **changes), decision(3, **HELD)])
        assert validation.refused == {"decision-2": reason}
        assert validation.usable

    def test_decisions_without_any_reply_pass(self) -> None:
        assert decisions.check_decisions([decision(1, **HELD), decision(2, **HELD)]).success

    def test_two_replies_under_one_dispatch_key_are_both_refused(self) -> None:
        validation = decisions.check_decisions(
            [decision(1, dispatch_key="k"), decision(2, dispatch_key="k"), decision(3)]
        )
        assert validation.refused == {
            "decision-1": "dispatch_key_repeated",
            "decision-2": "dispatch_key_repeated",
        }

    @pytest.mark.parametrize(
        "rows",
        [
            [decision(1), decision(1, conversation_id="other", dispatch_key="other")],
            [decision(1), decision(2, conversation_id="conversation-1")],
            [decision(1, decision_id=None), decision(2)],
            [{"decision_id": "d", "outcome": "send"}],
            [decision(1), decision(2, confidence=1.2)],
            [decision(1), decision(2, confidence=None)],
            [decision(1), decision(2, confidence=float("nan"))],
        ],
    )
    def test_a_plan_that_cannot_be_stored_or_told_apart_stops(self, rows: list[Row]) -> None:
        assert not decisions.check_decisions(rows).usable

    @pytest.mark.parametrize(("held", "passes"), [(6, True), (7, False)])
    def test_many_held_decisions_ask_for_a_look(self, held: int, passes: bool) -> None:
        validation = decisions.check_share_held(10, held)
        assert validation.success is passes
        assert validation.usable

    def test_few_decisions_say_nothing_about_the_share(self) -> None:
        assert decisions.check_share_held(9, 9).success


@pytest.mark.parametrize(
    ("attempted", "resolved", "passes"), [(10, 8, True), (10, 7, False), (4, 0, True), (0, 0, True)]
)
def test_a_low_linkage_coverage_warns(attempted: int, resolved: int, passes: bool) -> None:
    validation = linkage.check_linkage(attempted, resolved)
    assert validation.success is passes
    assert validation.usable


def reply(number: int, **changes: object) -> Row:
    row: Row = {
        "dispatch_id": UUID(int=number),
        "purpose_key": f"decision:{number}",
        "state": "sent",
        "receipt_id": "message-9",
        "sent_at": NOW,
    }
    return row | changes


def showing(number: int, **changes: object) -> Row:
    row: Row = {
        "showing_id": UUID(int=number),
        "overlaps": "no",
        "shares_seat": "no",
        "agrees": "yes",
        "held_too_long": "no",
    }
    return row | changes


class TestShowings:
    def test_a_calendar_that_holds_passes(self) -> None:
        assert showings.check_showings([showing(1), showing(2)]).success
        assert showings.check_showings([]).success

    @pytest.mark.parametrize(
        ("changes", "rule", "check"),
        [
            ({"overlaps": "yes"}, "agent_overlaps", showings.OVERLAPS),
            ({"shares_seat": None}, "seat_shared", showings.OVERLAPS),
            ({"agrees": "no"}, "showing_state_differs", showings.AGREES),
        ],
    )
    def test_what_must_not_be_fails(self, changes: Row, rule: str, check: str) -> None:
        validation = showings.check_showings([showing(1), showing(2, **changes)])
        (broken,) = [finding for finding in validation.findings if not finding.passed]
        assert (broken.rule, broken.check, broken.harmful) == (rule, check, True)

    def test_a_hold_that_is_overdue_is_only_told(self) -> None:
        validation = showings.check_showings([showing(1, held_too_long="yes")])
        (broken,) = [finding for finding in validation.findings if not finding.passed]
        assert (broken.rule, broken.harmful) == ("hold_overdue", False)


class TestDispatch:
    def test_proven_and_waiting_replies_pass(self) -> None:
        waiting: Row = {"state": "queued", "receipt_id": None, "sent_at": None}
        assert dispatch.check_dispatches([reply(1), reply(2, **waiting)]).success
        assert dispatch.check_dispatches([reply(1, **waiting)]).success

    @pytest.mark.parametrize(
        ("changes", "rule"),
        [
            ({"receipt_id": None}, "sent_without_receipt"),
            ({"receipt_id": ""}, "sent_without_receipt"),
            ({"sent_at": None}, "sent_without_time"),
            ({"purpose_key": "decision:1"}, "purpose_key_repeated"),
        ],
    )
    def test_an_unproven_or_doubled_send_is_an_error(self, changes: Row, rule: str) -> None:
        validation = dispatch.check_dispatches([reply(1), reply(2, **changes)])
        assert failed(validation) == {rule}
        assert not validation.usable
        assert not validation.refused

    @pytest.mark.parametrize(
        ("state", "rule"), [("unknown", "delivery_unknown"), ("dead_letter", "reply_given_up")]
    )
    def test_a_reply_that_needs_a_person_warns(self, state: str, rule: str) -> None:
        validation = dispatch.check_dispatches([reply(1), reply(2, state=state, receipt_id=None)])
        assert failed(validation) == {rule}
        assert validation.usable


class TestCheckResults:
    def result(self, validation: Validation, name: str, **options: frozenset[str]) -> dg.AssetCheckResult:
        results = checks.results("inbound_messages", checks.INBOUND, validation, **options)
        return next(result for result in results if result.check_name == name)

    def test_refused_rows_fail_their_check_as_a_warning_and_name_the_ids(self) -> None:
        secret = "my number is 123-45-6789"
        rows = (event(n, direction="?", body=secret) for n in range(2, 15))
        result = self.result(judge(event(1), *rows), inbound.ROWS)
        assert not result.passed
        assert result.severity is dg.AssetCheckSeverity.WARN
        assert result.description == "direction_unknown: 13 rows"
        assert secret not in str(result)
        records = result.metadata["broken"].value.records
        assert records[0].data["ids"] == "2, 3, 4, 5, 6, 7, 8, 9, 10, 11, ..."

    def test_an_unusable_batch_fails_as_an_error(self) -> None:
        result = self.result(judge(event(1), event(2, platform="renthop")), inbound.SCHEMA)
        assert not result.passed
        assert result.severity is dg.AssetCheckSeverity.ERROR

    def test_a_fault_a_person_accepted_is_a_warning(self) -> None:
        validation = judge(*(event(n, sent_at=None, sent_at_text=None) for n in (1, 2, 3)))
        assert self.result(validation, inbound.DRIFT).severity is dg.AssetCheckSeverity.ERROR
        accepted = self.result(validation, inbound.DRIFT, accepted=frozenset({inbound.DRIFT}))
        assert accepted.severity is dg.AssetCheckSeverity.WARN
        assert not accepted.passed

    def test_several_batches_of_a_run_are_one_result(self) -> None:
        validation = combine([judge(event(1), event(2, body="")), judge(event(3, body=""), event(4))])
        result = self.result(validation, inbound.ROWS)
        assert result.metadata["rows"].value == 4
        assert result.metadata["broken"].value.records[0].data["rows"] == 2

    def test_every_declared_check_has_rules_behind_it(self) -> None:
        found = {finding.check for finding in judge(event(1)).findings}
        assert found == {check.name for check in checks.INBOUND}
        found = {finding.check for finding in decisions.check_decisions([decision(1)]).findings}
        found |= {finding.check for finding in decisions.check_share_held(10, 0).findings}
        assert found == {check.name for check in checks.DECISIONS}
        found = {finding.check for finding in dispatch.check_dispatches([reply(1)]).findings}
        assert found == {check.name for check in checks.DISPATCH}


def test_a_rule_that_cannot_be_evaluated_has_not_passed_and_quotes_nothing_of_the_batch() -> None:
    arguments = {"column": "body", "regex": "("}
    rule = Rule("check", "rule", "says", Effect.REFUSE, "expect_column_values_to_match_regex", arguments)
    frame = pd.DataFrame([{"id": 1, "body": "private words"}])
    finding = validate("broken", [rule], frame, key="id").findings[0]
    assert not finding.passed
    assert finding.error is not None
    assert "\n" not in finding.error
    assert "private" not in finding.error
    assert finding.harmful
