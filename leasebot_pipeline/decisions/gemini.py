"""The provider that asks Gemini, with the rules as guard before it and as fallback behind it.

The model may name intent, outcome, risk and a slot. It cannot lift what the rules hold, and its text is at
most a draft. On any failure the rules' verdict stands and says why.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Final, Protocol

from leasebot_pipeline.decisions.gemini_client import GeminiAnswer, GeminiFailure, GeminiReply
from leasebot_pipeline.decisions.prompt import question_prompt, system_prompt
from leasebot_pipeline.decisions.resolution import PERSON_MUST_LOOK, heuristic_verdict
from leasebot_pipeline.domain.decisions import (
    MIN_CONFIDENCE,
    DecisionInput,
    Evidence,
    Intent,
    RiskLevel,
    Verdict,
    WorkflowOutcome,
    failed_verdict,
)
from leasebot_pipeline.domain.intents import RULES_VERSION

_RISKS: Final = list(RiskLevel)


class Asker(Protocol):
    """What the provider needs of a client."""

    @property
    def model(self) -> str: ...

    def ask(self, system: str, question: str) -> GeminiReply:
        """Raises ``GeminiFailure``."""
        ...


@dataclass(frozen=True, slots=True)
class GeminiOptions:
    """Limits of a batch. After ``failures_in_a_row`` or ``batch_deadline_s`` the rest goes by the rules."""

    playbook: str = ""
    context_messages: int = 12
    concurrency: int = 8
    batch_deadline_s: float = 20.0
    failures_in_a_row: int = 5


class GeminiProvider:
    """Decides batches with Gemini; see the module's text for what it may and may not."""

    def __init__(
        self,
        client: Asker,
        options: GeminiOptions | None = None,
        *,
        seconds: Callable[[], float] = time.monotonic,
    ) -> None:
        self._client = client
        self._options = options or GeminiOptions()
        self._system = system_prompt(self._options.playbook)
        self._seconds = seconds

    def decide(self, inputs: Sequence[DecisionInput]) -> list[Verdict]:
        """One verdict per input, in order; never raises for a single input."""
        if not inputs:
            return []
        batch = _Batch(self._seconds() + self._options.batch_deadline_s, self._options.failures_in_a_row)
        with ThreadPoolExecutor(min(self._options.concurrency, len(inputs)), "gemini") as pool:
            return list(pool.map(lambda question: self._one(question, batch), inputs))

    def _one(self, question: DecisionInput, batch: _Batch) -> Verdict:
        try:
            by_rules = heuristic_verdict(question)
        except Exception as failure:  # one unreadable conversation must not stop the batch
            return failed_verdict("heuristic", None, RULES_VERSION, failure)
        if by_rules.guardrails or by_rules.intent is Intent.UNSUBSCRIBE:
            return replace(by_rules, provider_details={"not_asked": "held_by_rules"})
        started = self._seconds()
        if (closed := batch.closed_because(started)) is not None:
            return self._fallback(by_rules, closed, 0)
        try:
            prompt = question_prompt(question, self._options.context_messages)
            reply = self._client.ask(self._system, prompt)
            batch.record(succeeded=True)
            return self._merged(question, by_rules, reply, self._milliseconds_since(started))
        except GeminiFailure as failure:
            batch.record(succeeded=False)
            return self._fallback(by_rules, failure.code, self._milliseconds_since(started))
        except Exception as failure:  # whatever else an SDK may raise: the rules decide, and say so
            batch.record(succeeded=False)
            code = f"unexpected_{type(failure).__name__}"
            return self._fallback(by_rules, code, self._milliseconds_since(started))

    def _milliseconds_since(self, started: float) -> int:
        return round((self._seconds() - started) * 1000)

    def _fallback(self, by_rules: Verdict, reason: str, latency_ms: int) -> Verdict:
        details = {"fallback_reason": reason, "model": self._client.model, "latency_ms": latency_ms}
        return replace(by_rules, provider_details=details)

    def _merged(
        self, question: DecisionInput, by_rules: Verdict, reply: GeminiReply, latency_ms: int
    ) -> Verdict:
        verdict = merge(question, by_rules, reply.answer)
        details: dict[str, object] = {
            "latency_ms": latency_ms,
            "prompt_tokens": reply.prompt_tokens,
            "output_tokens": reply.output_tokens,
            "answer": reply.answer.model_dump(mode="json", exclude={"suggestedReply"}),
            "rules": {
                "intent": by_rules.intent.value,
                "workflow_outcome": by_rules.workflow_outcome.value,
                "confidence": by_rules.confidence,
            },
        }
        return replace(verdict, provider="gemini", model=self._client.model, provider_details=details)


def merge(question: DecisionInput, by_rules: Verdict, answer: GeminiAnswer) -> Verdict:
    """The rules' verdict with what the model adds.

    The model's ``unknown`` does not beat a clear reading of the rules; doubts, risks and hold reasons of
    either side stay; an index outside the list counts as none.
    """
    said = Intent(answer.intent)
    intent = by_rules.intent if said is Intent.UNKNOWN else said
    confidence = (
        answer.confidence
        if answer.confidence is not None and 0 <= answer.confidence <= 1
        else by_rules.confidence
    )
    risk = by_rules.risk_level
    if answer.riskLevel is not None:
        risk = RiskLevel(answer.riskLevel)
    ambiguous = answer.ambiguity or by_rules.ambiguous
    outcome = WorkflowOutcome(answer.workflowOutcome) if answer.workflowOutcome else by_rules.workflow_outcome
    choices = len(question.open_offer or question.slots)
    index = answer.selectedSlotIndex
    if index is not None and not 1 <= index <= choices:
        index = None
    held = (
        ambiguous
        or _RISKS.index(risk) >= _RISKS.index(RiskLevel.HIGH)
        or confidence < MIN_CONFIDENCE
        or bool(PERSON_MUST_LOOK & set(by_rules.hold_reasons))
    )
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
        evidence=(*by_rules.evidence, Evidence("model", answer.reasonCode or answer.intent)),
        nothing_to_answer=by_rules.nothing_to_answer
        and outcome in (WorkflowOutcome.GENERAL_QUESTION, WorkflowOutcome.NO_REPLY),
        suggested_reply=answer.suggestedReply,
    )


class _Batch:
    """Whether the model may still be asked in this batch."""

    def __init__(self, deadline: float, failures_allowed: int) -> None:
        self._deadline = deadline
        self._failures_allowed = failures_allowed
        self._failures = 0
        self._lock = threading.Lock()

    def closed_because(self, now: float) -> str | None:
        if now >= self._deadline:
            return "batch_deadline"
        with self._lock:
            return "failing_in_a_row" if self._failures >= self._failures_allowed else None

    def record(self, *, succeeded: bool) -> None:
        with self._lock:
            self._failures = 0 if succeeded else self._failures + 1
