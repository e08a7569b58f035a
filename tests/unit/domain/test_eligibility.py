"""What is done about a conversation: the documented reasons in their order, and none of them lost."""

from __future__ import annotations

from dataclasses import replace
from uuid import UUID

import pytest

from leasebot_pipeline.domain.decisions import ComposeOptions, Intent, RiskLevel, WorkflowOutcome
from leasebot_pipeline.domain.eligibility import policy_intent, rule_intents
from leasebot_pipeline.domain.platforms import SendMode
from leasebot_pipeline.domain.policy import LeadGate, rule_limits
from tests.unit.domain.decision_values import (
    OFFER,
    RULE,
    SENDS,
    TEMPLATE,
    asked,
    composed,
    slot,
    verdict,
)

DRAFTS = replace(SENDS, send_mode_override=SendMode.DRAFT_ONLY)


def test_a_tour_request_is_answered_from_template_and_slots() -> None:
    """Behaviour 79."""
    outcome = composed()
    assert (outcome.outcome, outcome.reason) == ("send", "policy_send_allowed")
    assert outcome.reply_body == (
        "Hi Sam, you can see Maple Court 4B:\n- Fri, Feb 13 6:00 PM - 6:30 PM UTC (Dana)\n"
        "- Sat, Feb 14 3:00 PM - 3:30 PM UTC (Dana)\n- Sat, Feb 14 6:00 PM - 6:30 PM UTC (Dana)\n"
        "- Tue, Feb 17 10:00 AM - 10:30 AM UTC (Dana)"
    )
    assert outcome.slots_offered == OFFER
    assert outcome.template_id == TEMPLATE.id
    assert not outcome.human_action_required


def test_draft_only_accounts_get_a_draft() -> None:
    """Behaviours 95 and 98."""
    outcome = composed(policy=DRAFTS)
    assert (outcome.outcome, outcome.reason) == ("draft", "policy_draft_required")
    assert outcome.reply_body


def test_an_inactive_account_is_blocked_whatever_the_lead_wrote() -> None:
    """Behaviour 97."""
    outcome = composed(
        judged=verdict(guardrails=("legal_escalation",)), policy=replace(SENDS, is_active=False)
    )
    assert (outcome.outcome, outcome.reasons, outcome.reply_body) == (
        "blocked",
        ("policy_platform_inactive",),
        None,
    )


def test_leads_outside_the_allowlist_are_blocked() -> None:
    outcome = composed(options=ComposeOptions(lead_gate=LeadGate(("Ann",))))
    assert (outcome.outcome, outcome.reason) == ("blocked", "test_allowlist_blocked")


def test_all_reasons_are_kept_and_the_documented_order_leads() -> None:
    outcome = composed(
        asked("x", slots=()),
        verdict(
            intent=Intent.UNKNOWN,
            effective_intent=Intent.UNKNOWN,
            workflow_outcome=WorkflowOutcome.HUMAN_REQUIRED,
            confidence=0.2,
            risk_level=RiskLevel.CRITICAL,
            ambiguous=True,
            guardrails=("legal_escalation", "complaint"),
            hold_reasons=("unanswered_question",),
        ),
        rule=None,
        template=None,
    )
    assert outcome.reasons == (
        "escalate_human_required",
        "escalate_low_confidence_human_required",
        "escalate_risk_critical_human_required",
        "escalate_legal_escalation",
        "escalate_complaint",
        "escalate_ambiguous_intent",
        "escalate_unanswered_question",
        "escalate_no_slot_candidates",
        "escalate_no_matching_rule",
    )
    assert outcome.escalation_reason_code == "escalate_human_required"
    assert outcome.human_action_required


def test_pricing_questions_go_to_a_person() -> None:
    """Behaviour 96."""
    outcome = composed(
        judged=verdict(intent=Intent.PRICING_QUESTION, effective_intent=Intent.PRICING_QUESTION)
    )
    assert (outcome.outcome, outcome.reason, outcome.reply_body) == (
        "escalate",
        "escalate_non_tour_intent",
        None,
    )


def test_a_follow_up_does_not_smuggle_a_pricing_question_past() -> None:
    outcome = composed(
        judged=verdict(intent=Intent.PRICING_QUESTION, effective_intent=Intent.FOLLOW_UP, follow_up=True)
    )
    assert outcome.reason == "escalate_non_tour_intent"


def test_without_slots_nothing_is_promised() -> None:
    """Behaviours 73 and 78."""
    outcome = composed(asked("Can I tour?", slots=()))
    assert (outcome.outcome, outcome.reason) == ("escalate", "escalate_no_slot_candidates")


def test_an_opt_out_is_respected_without_making_work() -> None:
    """Behaviour 81."""
    outcome = composed(
        judged=verdict(
            intent=Intent.UNSUBSCRIBE,
            effective_intent=Intent.UNSUBSCRIBE,
            follow_up=True,
            workflow_outcome=WorkflowOutcome.NOT_INTERESTED,
        )
    )
    assert (outcome.outcome, outcome.reason) == ("escalate", "escalate_unsubscribe_requested")
    assert not outcome.human_action_required


def test_rules_decide() -> None:
    assert composed(rule=None).reason == "escalate_no_matching_rule"
    disabled = composed(rule=replace(RULE, enabled=False))
    assert (disabled.outcome, disabled.reason) == ("skip", "skip_rule_disabled")


def test_a_template_with_an_unknown_placeholder_is_held() -> None:
    outcome = composed(template=replace(TEMPLATE, body="Hi {{ nickname }}"))
    assert (outcome.outcome, outcome.reason) == ("escalate", "escalate_template_invalid")


def test_without_a_template_the_built_in_text_is_at_most_a_draft() -> None:
    """Behaviour 74."""
    for policy in (SENDS, DRAFTS):
        outcome = composed(template=None, policy=policy)
        assert (outcome.outcome, outcome.reason) == ("draft", "policy_draft_required")
        assert outcome.reply_body is not None
        assert "- Fri, Feb 13 6:00 PM" in outcome.reply_body


def test_a_models_text_is_at_most_a_draft_and_passes_the_outbound_guardrails() -> None:
    suggested = composed(template=None, judged=verdict(suggested_reply="Come by on Friday!"))
    assert (suggested.outcome, suggested.reply_body) == ("draft", "Come by on Friday!")
    assert "draft_text_not_from_template" in suggested.reasons
    linked = composed(template=None, judged=verdict(suggested_reply="Pay $500 at https://x.test"))
    assert linked.outcome == "escalate"
    assert linked.guardrails_out == ("outbound_contains_link", "outbound_contains_money")
    assert linked.reason == "escalate_outbound_contains_link"


def test_a_model_never_replaces_a_template() -> None:
    outcome = composed(judged=verdict(suggested_reply="Come whenever you like"))
    assert outcome.outcome == "send"
    assert outcome.reply_body is not None
    assert outcome.reply_body.startswith("Hi Sam, you can see Maple Court 4B")


def test_other_times_are_times_not_offered_before() -> None:
    other = slot(18, 12)
    outcome = composed(
        asked("Another time?", open_offer=OFFER, slots=(*OFFER, other)),
        verdict(workflow_outcome=WorkflowOutcome.WANTS_RESCHEDULE),
    )
    assert (outcome.outcome, outcome.slots_offered) == ("send", (other,))


@pytest.mark.parametrize(
    ("wants", "reason"),
    [
        (WorkflowOutcome.WANTS_RESCHEDULE, "escalate_reschedule_requires_booking"),
        (WorkflowOutcome.NOT_INTERESTED, "escalate_cancellation_requires_booking"),
        (WorkflowOutcome.GENERAL_QUESTION, "escalate_showing_already_arranged"),
    ],
)
def test_a_showing_that_is_not_ours_is_changed_by_a_person(wants: WorkflowOutcome, reason: str) -> None:
    outcome = composed(asked("x", showing_state="confirmed"), verdict(workflow_outcome=wants))
    assert outcome.outcome == "escalate"
    assert reason in outcome.reasons


def test_a_plain_no_needs_neither_a_reply_nor_a_person() -> None:
    no = verdict(
        intent=Intent.UNKNOWN,
        effective_intent=Intent.UNKNOWN,
        workflow_outcome=WorkflowOutcome.NOT_INTERESTED,
    )
    assert composed(judged=no).reasons == ("skip_lead_declined",)
    assert composed(judged=replace(no, guardrails=("complaint",))).outcome == "escalate"
    assert composed(judged=replace(no, hold_reasons=("unanswered_question",))).outcome == "escalate"


def test_the_best_few_slots_are_offered_in_the_order_of_time() -> None:
    best_first = (OFFER[3], OFFER[0], OFFER[1], OFFER[2])
    outcome = composed(asked("Can I tour?", slots=best_first), options=ComposeOptions(slot_option_limit=2))
    assert outcome.slots_offered == (OFFER[0], OFFER[3])


def test_which_rule_answers_what() -> None:
    """Behaviour 80: a follow-up goes by what the conversation was about."""
    nudge = verdict(intent=Intent.UNKNOWN, effective_intent=Intent.FOLLOW_UP, follow_up=True)
    stored = asked("Any update?", last_intent="availability_question", has_recent_outbound=True)
    assert rule_intents(stored, nudge)[0] is Intent.AVAILABILITY_QUESTION
    assert policy_intent(stored, nudge) is Intent.AVAILABILITY_QUESTION
    assert rule_intents(asked("Any update?"), nudge) == (Intent.FOLLOW_UP, Intent.TOUR_REQUEST)
    available = verdict(intent=Intent.AVAILABILITY_QUESTION, effective_intent=Intent.AVAILABILITY_QUESTION)
    assert rule_intents(asked("?"), available) == (Intent.AVAILABILITY_QUESTION, Intent.TOUR_REQUEST)
    assert composed(judged=nudge, template=replace(TEMPLATE, id=UUID(int=99))).outcome == "send"


def test_a_rule_may_ask_for_more_certainty_than_is_asked_for_in_general() -> None:
    """Behaviour 84, per account and intent."""
    unsure = verdict(confidence=0.75)
    assert composed(judged=unsure).outcome == "send"
    held = composed(judged=unsure, rule=replace(RULE, min_confidence=0.9))
    assert (held.outcome, held.reason) == ("escalate", "escalate_low_confidence_human_required")
    assert held.human_action_required
    assert composed(judged=verdict(confidence=0.95), rule=replace(RULE, min_confidence=0.9)).outcome == "send"


def test_a_rule_never_lowers_the_general_bound() -> None:
    held = composed(judged=verdict(confidence=0.5), rule=replace(RULE, min_confidence=0.1))
    assert held.reason == "escalate_low_confidence_human_required"


def test_a_rule_may_keep_an_intent_to_drafts() -> None:
    outcome = composed(rule=replace(RULE, draft_only=True))
    assert (outcome.outcome, outcome.reason) == ("draft", "policy_draft_required")


@pytest.mark.parametrize(
    ("min_confidence", "send_mode", "limits"),
    [
        (None, None, (None, False)),
        ("0.8", "auto_send", (0.8, False)),
        ("0.8", "draft_only", (0.8, True)),
        ("high", None, (1.0, False)),
        ("80", None, (1.0, False)),
        ("-1", None, (1.0, False)),
        ("nan", None, (1.0, False)),
        (None, "automatic", (None, True)),
    ],
)
def test_limits_of_a_rule_that_cannot_be_read_are_the_strictest(
    min_confidence: str | None, send_mode: str | None, limits: tuple[float | None, bool]
) -> None:
    assert rule_limits(min_confidence, send_mode) == limits


@pytest.mark.parametrize(
    ("text", "allowed"),
    [
        ("Friday at 6 PM would work, shall we say Fri, Feb 13?", True),
        ("Come by on Saturday at 3:00 PM.", True),
        ("Come by on Sunday!", False),
        ("How about Friday at 7 PM?", False),
        ("Feb 20 is open too", False),
        ("You can come tomorrow", False),
    ],
)
def test_a_models_text_names_only_offered_times(text: str, allowed: bool) -> None:
    outcome = composed(template=None, judged=verdict(suggested_reply=text))
    assert outcome.outcome == ("draft" if allowed else "escalate")
    assert ("outbound_time_not_offered" in outcome.guardrails_out) is not allowed
