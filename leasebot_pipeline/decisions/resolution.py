"""How a reading becomes a verdict; the same last steps for every provider."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

from leasebot_pipeline.domain.decisions import (
    MIN_CONFIDENCE,
    DecisionInput,
    Evidence,
    Intent,
    RiskLevel,
    Verdict,
    WorkflowOutcome,
)
from leasebot_pipeline.domain.guardrails import INJECTION, GuardrailHit, check_inbound, risk_of
from leasebot_pipeline.domain.handshake import NO_ANSWER, Answer, AnswerKind, cancels
from leasebot_pipeline.domain.handshake_plan import answer_of
from leasebot_pipeline.domain.intents import Understanding, order_left_unread, understand
from leasebot_pipeline.domain.intents_rulebook import RULES, Rulebook
from leasebot_pipeline.domain.readings import Direction
from leasebot_pipeline.domain.showings import LIVE_SHOWING_STATES

PERSON_MUST_LOOK: Final = frozenset(
    {"unsupported_language", "text_not_readable", "provider_failed", "acceptance_question"}
)
"""Hold reasons that put a conversation into the human_required queue."""
_RISK_ORDER: Final = list(RiskLevel)
_LONG_MESSAGE_WORDS: Final = 250
_ASKS: Final = frozenset({Intent.TOUR_REQUEST, Intent.AVAILABILITY_QUESTION})
_UNREAD_WORDS: Final = 2
"""So many words that no rule accounts for leave a message to a person."""


class Judgement(NamedTuple):
    """What a conversation comes to, before the guardrails speak."""

    intent: Intent
    workflow_outcome: WorkflowOutcome
    confidence: float
    ambiguous: bool = False
    selected_slot_index: int | None = None
    nothing_to_answer: bool = False
    hold_reasons: tuple[str, ...] = ()


def heuristic_verdict(question: DecisionInput, rules: Rulebook = RULES) -> Verdict:
    """The verdict of the rules alone."""
    reading = rules.reader.read(question.new_messages)
    answer = answer_of(question) if question.open_offer else NO_ANSWER
    understood = understand(
        reading, offered=bool(question.open_offer), answers_offer=answer.answers_offer, rules=rules
    )
    earlier: list[str] = []
    ours: list[str] = []
    for direction, text in question.history:
        (earlier if direction is Direction.INBOUND else ours).append(text)
    guardrails = check_inbound(
        question.new_messages, question.lead_name, earlier, reading, understood.hits, rules, ours
    )
    if not guardrails:
        guardrails = _planted(earlier, rules)
    if (not reading.has_letters and not answer.is_pick) or reading.cut:
        judgement = Judgement(
            Intent.UNKNOWN, WorkflowOutcome.GENERAL_QUESTION, 0.5, hold_reasons=("text_not_readable",)
        )
    else:
        judgement = _judge(question, understood, answer, rules)
        if sum([len(sentence.words) for sentence in reading.sentences]) > _LONG_MESSAGE_WORDS:
            judgement = judgement._replace(confidence=judgement.confidence * 0.7)
    follow_up = question.has_recent_outbound and "follow_up" in understood.acts
    if follow_up and earlier and _asked_before(earlier[-1], rules):
        holds = tuple(dict.fromkeys((*judgement.hold_reasons, "unanswered_question")))
        judgement = judgement._replace(hold_reasons=holds)
    return finish(judgement, understood, guardrails, follow_up=follow_up, rules_version=rules.version)


def finish(
    judgement: Judgement,
    understood: Understanding,
    guardrails: tuple[GuardrailHit, ...],
    *,
    follow_up: bool,
    rules_version: str = RULES.version,
) -> Verdict:
    """Apply what always holds: guardrails, risk, doubt and language put a conversation before a person."""
    holds = list(judgement.hold_reasons)
    if understood.language not in ("en", None):
        holds.append("unsupported_language")
    reasons = tuple(dict.fromkeys([hit.reason for hit in guardrails])) if guardrails else ()
    risk = RiskLevel.LOW if judgement.intent is not Intent.UNKNOWN else RiskLevel.MEDIUM
    if reasons:
        risk = max(risk, risk_of(reasons) or risk, key=_RISK_ORDER.index)
    held = bool(
        judgement.ambiguous
        or reasons
        or risk in (RiskLevel.HIGH, RiskLevel.CRITICAL)
        or judgement.confidence < MIN_CONFIDENCE
        or not PERSON_MUST_LOOK.isdisjoint(holds)
    )
    carries_on = follow_up and judgement.intent not in (Intent.UNSUBSCRIBE, Intent.PRICING_QUESTION)
    return Verdict(
        provider="heuristic",
        model=None,
        rules_version=rules_version,
        intent=judgement.intent,
        effective_intent=Intent.FOLLOW_UP if carries_on else judgement.intent,
        follow_up=follow_up,
        workflow_outcome=WorkflowOutcome.HUMAN_REQUIRED if held else judgement.workflow_outcome,
        confidence=round(judgement.confidence, 3),
        risk_level=risk,
        ambiguous=judgement.ambiguous,
        selected_slot_index=judgement.selected_slot_index,
        guardrails=reasons,
        evidence=(*[Evidence(hit.rule, hit.words) for hit in guardrails], *understood.evidence)
        if guardrails
        else understood.evidence,
        reply_language=understood.language,
        intents=understood.intents,
        hold_reasons=tuple(dict.fromkeys(holds)) if holds else (),
        nothing_to_answer=judgement.nothing_to_answer and not held,
    )


def _judge(question: DecisionInput, said: Understanding, answer: Answer, rules: Rulebook) -> Judgement:
    main = said.intents[0] if said.intents else Intent.UNKNOWN
    general = WorkflowOutcome.GENERAL_QUESTION
    asks_tour_or_availability = bool(said.intents) and not said.weak
    if main is Intent.UNSUBSCRIBE:
        # Whoever also asks for something, or takes a time, may mean other messages: never silence on a guess.
        wants_more = bool(_ASKS & set(said.intents)) or answer.is_pick
        return Judgement(main, WorkflowOutcome.NOT_INTERESTED, 0.95, ambiguous=wants_more)
    acts = said.acts
    confirms, other_time, declines = "confirm" in acts, "reschedule" in acts, "decline" in acts
    holds = _unanswered(said, rules)
    in_handshake = bool(question.open_offer) or question.showing_state in LIVE_SHOWING_STATES
    if question.showing is not None and not question.open_offer and cancels(question.new_messages):
        return Judgement(Intent.UNKNOWN, WorkflowOutcome.NOT_INTERESTED, 0.9, hold_reasons=holds)
    if declines:
        answer = NO_ANSWER
    if question.open_offer and Intent.PRICING_QUESTION in said.intents:
        holds = tuple(dict.fromkeys(("unanswered_question", *holds)))
    of_offer = main if main is not Intent.UNKNOWN or not question.open_offer else Intent.TOUR_REQUEST
    doubts = "ambiguous" in said.acts and answer.kind not in (AnswerKind.PROPOSES, AnswerKind.DECLINES)
    if doubts or (declines and (confirms or other_time or asks_tour_or_availability)):
        return Judgement(of_offer, general, 0.5, ambiguous=True, hold_reasons=holds)
    answered = _answer_to_offer(answer, of_offer, holds)
    if answered is not None:
        return answered
    if declines:
        return Judgement(Intent.UNKNOWN, WorkflowOutcome.NOT_INTERESTED, 0.9, hold_reasons=holds)
    if other_time and (in_handshake or question.has_recent_outbound):
        return Judgement(Intent.TOUR_REQUEST, WorkflowOutcome.WANTS_RESCHEDULE, 0.82, hold_reasons=holds)
    if main is not Intent.UNKNOWN:
        certainty = (0.75 if said.weak else 0.93) - 0.04 * min(said.remarks, 5)
        return Judgement(main, general, certainty, hold_reasons=holds)
    if "follow_up" in said.acts and question.has_recent_outbound:
        return Judgement(main, general, 0.85, hold_reasons=holds)
    if question.has_recent_outbound and not question.open_offer and not holds:
        agreed = confirms and question.showing_state in LIVE_SHOWING_STATES and not said.remarks
        if said.only_courtesy or agreed:
            return Judgement(main, WorkflowOutcome.NO_REPLY, 0.9, nothing_to_answer=True)
    unclear = bool(said.unread or said.remarks) and not (said.topics or said.open_questions)
    return Judgement(main, general, 0.6, ambiguous=unclear, hold_reasons=holds)


def _planted(earlier: Sequence[str], rules: Rulebook) -> tuple[GuardrailHit, ...]:
    """What an earlier message tells us to be or do: a plain "Friday works" after it must not be answered by
    rules that did not understand it."""
    for message in earlier:
        if words := order_left_unread(message, rules):
            return (GuardrailHit(INJECTION, "order_in_earlier_turn", words[:80]),)
    return ()


def _asked_before(message: str, rules: Rulebook) -> bool:
    """Whether a lead's message before a nudge asks what no template answers: the nudge is about that, too."""
    said = understand(rules.reader.read([message]), rules=rules)
    return bool(said.topics or said.open_questions or Intent.PRICING_QUESTION in said.intents)


def _answer_to_offer(answer: Answer, main: Intent, holds: tuple[str, ...]) -> Judgement | None:
    """What an answer to the open offer comes to; None when the message does not speak of the offer."""
    if answer.index is not None:
        return Judgement(
            Intent.TOUR_REQUEST,
            WorkflowOutcome.SHOWING_CONFIRMED,
            0.93 if answer.firm else 0.8,
            selected_slot_index=answer.index,
            hold_reasons=holds,
        )
    if answer.kind in (AnswerKind.PROPOSES, AnswerKind.DECLINES):
        return Judgement(Intent.TOUR_REQUEST, WorkflowOutcome.WANTS_RESCHEDULE, 0.85, hold_reasons=holds)
    if answer.kind in (AnswerKind.AGREES, AnswerKind.AMBIGUOUS):
        return Judgement(main, WorkflowOutcome.GENERAL_QUESTION, 0.5, ambiguous=True, hold_reasons=holds)
    return None


def _unanswered(said: Understanding, rules: Rulebook) -> tuple[str, ...]:
    """A question beside the answerable ones would be left open by a template: a person answers it."""
    mixed_price = Intent.PRICING_QUESTION in said.intents[1:]
    reasons = ["unanswered_question"] if said.topics or said.open_questions or mixed_price else []
    if "acceptance_asked" in said.topics:
        reasons.append("acceptance_question")  # the same for everybody, whatever they ask to be accepted with
    unread = said.unread
    if unread and (
        len(unread) >= _UNREAD_WORDS
        or any(
            " " in word or word in rules.sensitive or word in rules.heavy or word.isdigit() for word in unread
        )
    ):
        reasons.append("not_fully_understood")
    return tuple(reasons)
