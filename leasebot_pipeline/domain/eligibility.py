"""From a verdict to an outcome: is a reply sent, drafted, skipped, held for a person or blocked, and why.

Documented reason codes keep their order; all that apply are kept and the first one leads. Pure.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from leasebot_pipeline.domain.decisions import (
    ANSWERABLE_INTENTS,
    MIN_CONFIDENCE,
    ComposeOptions,
    DecisionInput,
    Intent,
    Outcome,
    OutcomeName,
    RiskLevel,
    Verdict,
    WorkflowOutcome,
)
from leasebot_pipeline.domain.guardrails_outbound import check_outbound, check_times
from leasebot_pipeline.domain.handshake_plan import HandshakePlan, Move, plan_handshake
from leasebot_pipeline.domain.handshake_replies import SHOWING_TEMPLATES, showing_context
from leasebot_pipeline.domain.platforms import SendMode
from leasebot_pipeline.domain.policy import AutomationRule, PlatformPolicy, Template
from leasebot_pipeline.domain.replies import TemplateInvalid, default_template, render, template_context
from leasebot_pipeline.domain.showings import LIVE_SHOWING_STATES
from leasebot_pipeline.domain.slots import Slot, distinct_by_label, label

# Reasons an unclear answer brings along; they do not stand against asking back.
_OF_AMBIGUITY: Final = frozenset({"escalate_human_required", "escalate_low_confidence_human_required"})
_NO_TEMPLATES: Final[Mapping[str, Template]] = MappingProxyType({})
# Reasons that make no work for a person: an opt-out is only respected.
_NO_PERSON_NEEDED: Final = frozenset({"escalate_unsubscribe_requested"})


def policy_intent(question: DecisionInput, verdict: Verdict) -> Intent:
    """The intent the policy goes by: a bare follow-up continues what the conversation was about."""
    if verdict.follow_up and verdict.intent is Intent.UNKNOWN:
        return _stored_intent(question) or Intent.TOUR_REQUEST
    return verdict.intent


def rule_intents(question: DecisionInput, verdict: Verdict) -> tuple[Intent, ...]:
    """Intents under which an automation rule is looked for, the first with a rule wins.

    A follow-up goes by what the conversation was last about; a rule for tours answers the other
    answerable intents too. Nothing is looked up for what is never answered.
    """
    if verdict.effective_intent is Intent.FOLLOW_UP:
        stored = _stored_intent(question)
        order = (*((stored,) if stored else ()), Intent.FOLLOW_UP, Intent.TOUR_REQUEST)
    elif verdict.effective_intent in ANSWERABLE_INTENTS:
        order = (verdict.effective_intent, Intent.TOUR_REQUEST)
    else:
        order = (verdict.effective_intent,)
    return tuple(dict.fromkeys(order))


def _stored_intent(question: DecisionInput) -> Intent | None:
    return next((i for i in ANSWERABLE_INTENTS if i.value == question.last_intent), None)


@dataclass(frozen=True, slots=True)
class _Reply:
    """A reply that could go out, or why there is none."""

    body: str = ""
    draft_only: bool = False
    template: Template | None = None
    invalid: bool = False
    broken: tuple[str, ...] = ()


def compose(
    question: DecisionInput,
    verdict: Verdict,
    policy: PlatformPolicy,
    rule: AutomationRule | None,
    template: Template | None,
    options: ComposeOptions,
    showing_templates: Mapping[str, Template] = _NO_TEMPLATES,
    *,
    taken: Slot | None = None,
) -> Outcome:
    """Decide what is done about a conversation. ``rule`` and ``template`` are those of ``rule_intents``;
    ``showing_templates`` the account's own texts of the handshake by name; ``taken`` a slot that could not be
    booked after all."""
    gate = (
        "policy_platform_inactive"
        if not policy.is_active
        else options.lead_gate.refusal(question.platform, question.lead_name, question.age_s)
    )
    if gate is not None:
        return _without_reply("blocked", (gate,))
    plan = plan_handshake(question, verdict, options.slot_option_limit, taken=taken)
    if plan is not None:
        return _answer_offer(question, verdict, policy, rule, plan, showing_templates, ask=options.ask_back)

    slots = _offerable(question, verdict, options.slot_option_limit)
    reply = _reply(question, verdict, rule, template, slots)
    held = _reasons_to_hold(question, verdict, slots, rule, reply)
    if _nothing_to_do(question, verdict):
        declined = verdict.workflow_outcome is WorkflowOutcome.NOT_INTERESTED
        return _without_reply("skip", ("skip_lead_declined" if declined else "skip_nothing_to_answer",))
    if held:
        outcome: OutcomeName = "skip" if held[0] == "skip_rule_disabled" else "escalate"
        return _without_reply(outcome, held, reply.broken)
    wants_drafts = reply.draft_only or verdict.draft_only or (rule is not None and rule.draft_only)
    may_send = policy.effective_send_mode is SendMode.AUTO_SEND and not wants_drafts
    reasons = ["policy_send_allowed" if may_send else "policy_draft_required"]
    if verdict.draft_only:
        reasons.append("draft_read_by_model_alone")
    if reply.draft_only:
        reasons.append("draft_text_not_from_template")
    return Outcome(
        outcome="send" if may_send else "draft",
        reason=reasons[0],
        reasons=tuple(reasons),
        escalation_reason_code=None,
        reply_body=reply.body,
        slots_offered=slots,
        template_id=reply.template.id if reply.template else None,
        human_action_required=False,
        guardrails_out=(),
    )


def _answer_offer(
    question: DecisionInput,
    verdict: Verdict,
    policy: PlatformPolicy,
    rule: AutomationRule | None,
    plan: HandshakePlan,
    templates: Mapping[str, Template],
    *,
    ask: SendMode,
) -> Outcome:
    """The reply to a step of the handshake. A pick is always answerable: neither a rule nor free slots are
    needed for it, and its text comes from a template in any case.

    The question back to an unclear answer calls a person; it is prepared as a draft, or sent where ``ask``
    allows it.
    """
    asks = plan.move is Move.ASK
    reply = _showing_reply(question, plan, templates.get(plan.text.value))
    held = [reason for reason in _grave(question, verdict, rule) if not (asks and reason in _OF_AMBIGUITY)]
    held.extend(f"escalate_{code}" for code in (*reply.broken, *verdict.hold_reasons))
    if plan.slot is not None and plan.slot.agent_id is None:
        held.append("escalate_no_agent_for_slot")
    if rule is not None and not rule.enabled:
        held.append("skip_rule_disabled")
    if reply.invalid:
        held.append("escalate_template_invalid")
    if held:
        reasons = tuple(dict.fromkeys([*_grave(question, verdict, rule), *held]))
        outcome: OutcomeName = "skip" if reasons[0] == "skip_rule_disabled" else "escalate"
        return _without_reply(outcome, reasons, reply.broken)
    may_send = (
        policy.effective_send_mode is SendMode.AUTO_SEND
        and not (asks and ask is not SendMode.AUTO_SEND)
        and not (rule is not None and rule.draft_only)
        and not verdict.draft_only
    )
    reasons = ("policy_send_allowed" if may_send else "policy_draft_required", f"handshake_{plan.move.value}")
    calls_person = asks and not may_send
    if calls_person:
        reasons = (*reasons, "escalate_ambiguous_intent")
    return Outcome(
        outcome="send" if may_send else "draft",
        reason=reasons[0],
        reasons=reasons,
        escalation_reason_code="escalate_ambiguous_intent" if calls_person else None,
        reply_body=reply.body,
        slots_offered=plan.offers,
        template_id=reply.template.id if reply.template else None,
        human_action_required=calls_person,
        guardrails_out=(),
        handshake=plan,
    )


def _showing_reply(question: DecisionInput, plan: HandshakePlan, own: Template | None) -> _Reply:
    context = showing_context(question.lead_name, question.unit_label, question.unit_number, plan)
    body = (
        own.body if own is not None and own.is_active and own.body.strip() else SHOWING_TEMPLATES[plan.text]
    )
    try:
        text = render(body, context)
    except TemplateInvalid:
        return _Reply(invalid=True)
    return _Reply(text, template=own, broken=check_outbound(text, body))


def _without_reply(outcome: OutcomeName, reasons: tuple[str, ...], broken: tuple[str, ...] = ()) -> Outcome:
    escalated = outcome == "escalate"
    return Outcome(
        outcome=outcome,
        reason=reasons[0],
        reasons=reasons,
        escalation_reason_code=reasons[0] if escalated else None,
        reply_body=None,
        slots_offered=(),
        template_id=None,
        human_action_required=escalated and reasons[0] not in _NO_PERSON_NEEDED,
        guardrails_out=broken,
    )


def _offerable(question: DecisionInput, verdict: Verdict, limit: int) -> tuple[Slot, ...]:
    """The best few candidates, in the order of time; after a refused offer only other ones."""
    slots = question.slots
    if verdict.workflow_outcome is WorkflowOutcome.WANTS_RESCHEDULE:
        refused = {(slot.starts_at, slot.ends_at) for slot in question.open_offer}
        slots = tuple(slot for slot in slots if (slot.starts_at, slot.ends_at) not in refused)
    best = distinct_by_label(slots, max(limit, 1))
    return tuple(sorted(best, key=lambda slot: slot.starts_at))


def _reply(
    question: DecisionInput,
    verdict: Verdict,
    rule: AutomationRule | None,
    template: Template | None,
    slots: tuple[Slot, ...],
) -> _Reply:
    """The reply from the template; without one a model's or the built-in text, which is at most a draft."""
    if rule is None or not slots:
        return _Reply()
    context = template_context(question.lead_name, question.unit_label, question.unit_number, slots)
    if template is not None and template.is_active and template.body.strip():
        try:
            body = render(template.body, context)
        except TemplateInvalid:
            return _Reply(invalid=True)
        return _Reply(body, template=template, broken=check_outbound(body, template.body))
    if verdict.suggested_reply and verdict.suggested_reply.strip():
        body = verdict.suggested_reply.strip()
        named = [label(slot) for slot in slots]
        return _Reply(body, draft_only=True, broken=(*check_outbound(body), *check_times(body, named)))
    built_in = default_template(verdict.effective_intent)
    if built_in is None:
        return _Reply()
    body = render(built_in.body, context)
    return _Reply(body, draft_only=True, broken=check_outbound(body, built_in.body))


def _grave(question: DecisionInput, verdict: Verdict, rule: AutomationRule | None = None) -> list[str]:
    """Reasons 1 to 5: a person, doubt, the risk, an opt-out, a guardrail on what the lead wrote.

    ``rule`` may ask for more certainty than is asked for in general.
    """
    reasons: list[str] = []
    wanted = max(MIN_CONFIDENCE, (rule.min_confidence or 0.0) if rule is not None else 0.0)
    if verdict.workflow_outcome is WorkflowOutcome.HUMAN_REQUIRED:
        reasons.append("escalate_human_required")
    if verdict.confidence < wanted:
        reasons.append("escalate_low_confidence_human_required")
    if verdict.risk_level in (RiskLevel.HIGH, RiskLevel.CRITICAL):
        reasons.append(f"escalate_risk_{verdict.risk_level.value}_human_required")
    if policy_intent(question, verdict) is Intent.UNSUBSCRIBE:
        reasons.append("escalate_unsubscribe_requested")
    reasons.extend(f"escalate_{code}" for code in verdict.guardrails)
    return reasons


def _nothing_to_do(question: DecisionInput, verdict: Verdict) -> bool:
    """A bare thank-you, or a plain "no" of a lead for whom no showing stands."""
    if _grave(question, verdict) or verdict.hold_reasons:
        return False
    if verdict.nothing_to_answer:
        return True
    return (
        verdict.workflow_outcome is WorkflowOutcome.NOT_INTERESTED
        and verdict.intent is Intent.UNKNOWN
        and not verdict.ambiguous
        and question.showing_state not in LIVE_SHOWING_STATES
    )


def _reasons_to_hold(
    question: DecisionInput,
    verdict: Verdict,
    slots: tuple[Slot, ...],
    rule: AutomationRule | None,
    reply: _Reply,
) -> tuple[str, ...]:
    reasons = _grave(question, verdict, rule)
    reasons.extend(f"escalate_{code}" for code in reply.broken)
    if verdict.ambiguous or policy_intent(question, verdict) is Intent.UNKNOWN:
        reasons.append("escalate_ambiguous_intent")
    if not {verdict.effective_intent, policy_intent(question, verdict)} <= ANSWERABLE_INTENTS | {
        Intent.UNKNOWN
    }:
        reasons.append("escalate_non_tour_intent")
    reasons.extend(f"escalate_{code}" for code in verdict.hold_reasons)
    has_showing = question.showing_state in LIVE_SHOWING_STATES
    # A showing state without a showing of ours: whoever arranged it has to change it.
    if verdict.workflow_outcome is WorkflowOutcome.WANTS_RESCHEDULE and has_showing:
        reasons.append("escalate_reschedule_requires_booking")
    if verdict.workflow_outcome is WorkflowOutcome.NOT_INTERESTED and has_showing:
        reasons.append("escalate_cancellation_requires_booking")
    if has_showing and verdict.workflow_outcome is WorkflowOutcome.GENERAL_QUESTION:
        reasons.append("escalate_showing_already_arranged")
    if not slots:
        reasons.append("escalate_no_slot_candidates")
    if rule is None:
        reasons.append("escalate_no_matching_rule")
    elif not rule.enabled:
        reasons.append("skip_rule_disabled")
    if reply.invalid:
        reasons.append("escalate_template_invalid")
    elif rule is not None and slots and not reply.body:
        reasons.append("escalate_template_missing")
    return tuple(dict.fromkeys(reasons))
