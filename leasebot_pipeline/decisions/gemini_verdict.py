"""What a model's answer may change of the rules' verdict. Pure, so that a stored answer replays to the same verdict.

The model chooses intent, outcome and slot where the rules leave a choice. The stricter side wins: guardrails,
doubts, risks and hold reasons of either stay. It can't end a conversation, opt a lead out, move or cancel a
showing on its own: where the lead's words don't say the same to the rules, a person looks. Where the rules
found no wish at all, its reading alone makes a draft.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Final

from leasebot_pipeline.decisions.gemini_answer import GeminiAnswer
from leasebot_pipeline.decisions.resolution import PERSON_MUST_LOOK
from leasebot_pipeline.decisions.suggestion import what_is_wrong
from leasebot_pipeline.domain.decisions import (
    MIN_CONFIDENCE,
    DecisionInput,
    Evidence,
    Intent,
    RiskLevel,
    Verdict,
    WorkflowOutcome,
)
from leasebot_pipeline.domain.showings import LIVE_SHOWING_STATES

_RISKS: Final = list(RiskLevel)
_W = WorkflowOutcome
_SILENT: Final = frozenset({_W.NOT_INTERESTED, _W.NO_REPLY})
"""Outcomes after which nobody answers."""
_TOUCHES_A_SHOWING: Final = frozenset({_W.NOT_INTERESTED, _W.WANTS_RESCHEDULE, _W.SHOWING_CONFIRMED})
_SAYS_NOTHING: Final = frozenset({None, _W.GENERAL_QUESTION})
NOT_ASKED: Final = "held_by_rules"
_DISCARDED: Final = "suggestion_discarded"


def held_by_rules(by_rules: Verdict) -> bool:
    """Whether the rules hold this whatever a model would say: such text is not sent to it at all."""
    return bool(by_rules.guardrails) or by_rules.intent is Intent.UNSUBSCRIBE


def not_asked(by_rules: Verdict) -> Verdict:
    return replace(by_rules, provider_details={"not_asked": NOT_ASKED})


def fallen_back(by_rules: Verdict, details: Mapping[str, object]) -> Verdict:
    """The rules' verdict, which says why no model helped (``fallback_reason`` of the details)."""
    reason = str(details["fallback_reason"])
    return replace(
        by_rules,
        provider_details=dict(details),
        evidence=(*by_rules.evidence, Evidence("model_not_used", reason)),
    )


def answered(
    question: DecisionInput,
    by_rules: Verdict,
    answer: GeminiAnswer,
    model: str,
    details: Mapping[str, object],
) -> Verdict:
    """The verdict with a model's answer, which stands in the details so that it can be replayed."""
    rules = {
        "intent": by_rules.intent.value,
        "workflow_outcome": by_rules.workflow_outcome.value,
        "confidence": by_rules.confidence,
    }
    wrong = details.get(_DISCARDED)
    if not isinstance(wrong, list):  # else it was looked at when it was new
        wrong = list(what_is_wrong(question, answer.suggestedReply))
    if wrong:
        answer = answer.model_copy(update={"suggestedReply": None})
    verdict = merge(question, by_rules, answer)
    return replace(
        verdict,
        provider="gemini",
        model=model,
        provider_details={
            **details,
            _DISCARDED: wrong,
            "answer": answer.model_dump(mode="json"),
            "rules": rules,
        },
        evidence=(*verdict.evidence, *(Evidence(_DISCARDED, str(why)) for why in wrong)),
    )


def replayed(
    question: DecisionInput, by_rules: Verdict, model: str | None, details: Mapping[str, object]
) -> Verdict:
    """The verdict that stored provider details lead to; the rules' own when no model was ever configured."""
    if (said := details.get("answer")) is not None and model is not None:
        rest = {key: value for key, value in details.items() if key not in ("answer", "rules")}
        return answered(question, by_rules, GeminiAnswer.model_validate(said), model, rest)
    if "fallback_reason" in details:
        return fallen_back(by_rules, details)
    return not_asked(by_rules) if "not_asked" in details else by_rules


def merge(question: DecisionInput, by_rules: Verdict, answer: GeminiAnswer) -> Verdict:
    """The rules' verdict with what the model adds; see the module's text."""
    said = Intent(answer.intent)
    intent = by_rules.intent if said is Intent.UNKNOWN else said
    wanted = WorkflowOutcome(answer.workflowOutcome) if answer.workflowOutcome else None
    index, doubts = _slot(question, by_rules, answer)
    doubts += _disagreements(question, by_rules, said, wanted)
    confidence = by_rules.confidence
    if answer.confidence is not None and 0 <= answer.confidence <= 1:
        rules_doubt = by_rules.confidence < MIN_CONFIDENCE
        confidence = min(answer.confidence, by_rules.confidence) if rules_doubt else answer.confidence
    risk = by_rules.risk_level
    if answer.riskLevel is not None:
        risk = max(risk, RiskLevel(answer.riskLevel), key=_RISKS.index)
    ambiguous = answer.ambiguity or by_rules.ambiguous or bool(doubts)
    held = (
        ambiguous
        or wanted is WorkflowOutcome.HUMAN_REQUIRED
        or by_rules.workflow_outcome is WorkflowOutcome.HUMAN_REQUIRED
        or _RISKS.index(risk) >= _RISKS.index(RiskLevel.HIGH)
        or confidence < MIN_CONFIDENCE
        or bool(PERSON_MUST_LOOK & set(by_rules.hold_reasons))
    )
    # A model that says nothing of the handshake does not undo what the lead's own words say to the rules.
    outcome = by_rules.workflow_outcome if wanted is None or wanted in _SAYS_NOTHING else wanted
    price_too = Intent.PRICING_QUESTION in by_rules.intents and len(by_rules.intents) > 1
    holds = by_rules.hold_reasons
    if price_too and intent is not Intent.PRICING_QUESTION:  # a template would leave the price open
        holds = tuple(dict.fromkeys((*holds, "unanswered_question")))
    carries_on = by_rules.follow_up and intent not in (Intent.UNSUBSCRIBE, Intent.PRICING_QUESTION)
    return replace(
        by_rules,
        intent=intent,
        effective_intent=Intent.FOLLOW_UP if carries_on else intent,
        workflow_outcome=WorkflowOutcome.HUMAN_REQUIRED if held else outcome,
        confidence=round(confidence, 3),
        risk_level=risk,
        ambiguous=ambiguous,
        selected_slot_index=index,
        hold_reasons=holds,
        evidence=(
            *by_rules.evidence,
            Evidence("model", _code(answer.reasonCode) or answer.intent),
            *(Evidence("model_disagrees", doubt) for doubt in doubts),
        ),
        nothing_to_answer=by_rules.nothing_to_answer
        and not held
        and intent is by_rules.intent
        and (wanted is None or wanted in _SILENT | _SAYS_NOTHING),
        draft_only=by_rules.intent is Intent.UNKNOWN
        and not by_rules.follow_up
        and intent is not Intent.UNKNOWN,
        suggested_reply=(answer.suggestedReply or "").strip() or None,
    )


def _slot(
    question: DecisionInput, by_rules: Verdict, answer: GeminiAnswer
) -> tuple[int | None, tuple[str, ...]]:
    """The slot: what the lead's words name before what the model picked; an index outside the list is none."""
    picked = answer.selectedSlotIndex
    if picked is not None and not 1 <= picked <= len(question.open_offer or question.slots):
        picked = None
    named = by_rules.selected_slot_index
    if named is not None and picked is not None and named != picked:
        return named, ("slot",)
    return (picked if named is None else named), ()


def _disagreements(
    question: DecisionInput, by_rules: Verdict, said: Intent, wanted: WorkflowOutcome | None
) -> tuple[str, ...]:
    """What the model wants that the lead's words, as the rules read them, do not bear out."""
    found: list[str] = []
    if said is Intent.UNSUBSCRIBE:
        found.append("unsubscribe")  # the rules' own opt-outs never get here
    closes = by_rules.nothing_to_answer or by_rules.workflow_outcome in _SILENT
    if closes and said is not Intent.UNKNOWN and said is not by_rules.intent:
        found.append("intent")  # a thank-you or a refusal is not answered with an offer
    if wanted is None or wanted in _SAYS_NOTHING or wanted is by_rules.workflow_outcome:
        return tuple(found)
    rules_act = by_rules.workflow_outcome in _TOUCHES_A_SHOWING
    live = question.showing is not None or question.showing_state in LIVE_SHOWING_STATES
    quiet = wanted in _SILENT and not by_rules.nothing_to_answer
    if quiet or (wanted in _TOUCHES_A_SHOWING and (rules_act or live)):
        found.append(wanted.value)
    return tuple(found)


def _code(text: str | None) -> str | None:
    """A reason code as it may be stored: the model's own words are not evidence."""
    kept = "".join(c for c in (text or "")[:60] if c.isascii() and (c.isalnum() or c in "_-"))
    return kept or None
