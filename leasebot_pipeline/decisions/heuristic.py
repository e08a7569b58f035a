"""The provider that decides by rules alone: deterministic, offline, and what every other falls back to."""

from __future__ import annotations

from collections.abc import Sequence

from leasebot_pipeline.decisions.resolution import heuristic_verdict
from leasebot_pipeline.domain.decisions import DecisionInput, Verdict, failed_verdict
from leasebot_pipeline.domain.intents import RULES_VERSION
from leasebot_pipeline.domain.intents_rulebook import RULES


class HeuristicProvider:
    """Reads conversations by the rules of ``domain.intents`` and ``domain.guardrails``."""

    def __init__(self) -> None:
        RULES.index.compile()  # so that the first leads of a process are read as quickly as the others

    def decide(self, inputs: Sequence[DecisionInput]) -> list[Verdict]:
        """One verdict per input, in order. An input the rules stumble over is held, the others go on."""
        return [self._one(question) for question in inputs]

    def _one(self, question: DecisionInput) -> Verdict:
        try:
            return heuristic_verdict(question)
        except Exception as failure:  # one unreadable conversation must not stop the batch
            return failed_verdict("heuristic", None, RULES_VERSION, failure)
