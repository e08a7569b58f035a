"""Each case through provider and policy, as an account that may send would decide it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final
from uuid import uuid5

from leasebot_pipeline.domain.decisions import (
    ComposeOptions,
    DecisionInput,
    DecisionProvider,
    Intent,
    Outcome,
    Verdict,
)
from leasebot_pipeline.domain.eligibility import compose, rule_intents
from leasebot_pipeline.domain.platforms import ReleaseStage, SendMode
from leasebot_pipeline.domain.policy import AutomationRule, PlatformPolicy, Template
from leasebot_pipeline.domain.replies import DEFAULT_TEMPLATES
from leasebot_pipeline.domain.slots import Slot
from leasebot_pipeline.evaluation.cases import LabelledCase
from leasebot_pipeline.evaluation.inputs import decision_input
from leasebot_pipeline.evaluation.slot_labels import UNIT, same_slot

SENDS: Final = PlatformPolicy(True, SendMode.AUTO_SEND, SendMode.AUTO_SEND, ReleaseStage.FULL, True)
_TEMPLATES: Final = {
    built_in.name: Template(
        uuid5(UNIT, built_in.name), built_in.name, built_in.body, built_in.variables, is_active=True
    )
    for built_in in DEFAULT_TEMPLATES
}
_RULES: Final = {
    built_in.intent.value: AutomationRule(
        uuid5(UNIT, f"rule {built_in.name}"), built_in.intent.value, True, built_in.name
    )
    for built_in in DEFAULT_TEMPLATES
}


class Settled(StrEnum):
    """Who deals with the message."""

    ANSWERED = "answered"
    """A reply goes out without a person."""
    HELD = "held"
    """A person must look, be it at a draft."""
    SILENT = "silent"
    """No reply and no person."""


class Mistake(StrEnum):
    """How a decision can be wrong, worst first."""

    DANGEROUS = "dangerous"
    """Answered although it must not be."""
    LOST = "lost"
    """Neither answered nor shown to a person although it should be."""
    SLOW = "slow"
    """Held although it could have been answered."""


@dataclass(frozen=True, slots=True)
class JudgedCase:
    """A case with what was decided on it."""

    case: LabelledCase
    asked: DecisionInput
    verdict: Verdict
    outcome: Outcome

    @property
    def settled(self) -> Settled:
        if self.outcome.outcome == "send":
            return Settled.ANSWERED
        if self.outcome.outcome == "skip" or (
            self.outcome.outcome == "escalate" and not self.outcome.human_action_required
        ):
            return Settled.SILENT
        return Settled.HELD

    @property
    def mistake(self) -> Mistake | None:
        """None also when the case does not say whether it may be answered."""
        if self.case.auto_ok is None:
            return None
        if self.settled is Settled.SILENT:
            return None if self.case.silence_is_right else Mistake.LOST
        if self.case.auto_ok:
            return Mistake.SLOW if self.settled is Settled.HELD else None
        return Mistake.DANGEROUS if self.settled is Settled.ANSWERED else None

    @property
    def picked(self) -> Slot | None:
        """The slot the verdict chose from the open offer, or without one from the free slots."""
        index = self.verdict.selected_slot_index
        choices = self.asked.open_offer or self.asked.slots
        return choices[index - 1] if index is not None and 1 <= index <= len(choices) else None

    @property
    def picked_right(self) -> bool:
        picked, expected = self.picked, self.case.expected_slot
        return picked is not None and expected is not None and same_slot(picked, expected)

    @property
    def intent(self) -> Intent:
        """The intent to compare: a label ``follow_up`` speaks of the effective intent."""
        return self.verdict.effective_intent if self.case.intent is Intent.FOLLOW_UP else self.verdict.intent


def judge(cases: Sequence[LabelledCase], provider: DecisionProvider) -> tuple[JudgedCase, ...]:
    """Decide every case under a policy that lets replies go out, with the built-in templates."""
    asked = [decision_input(case) for case in cases]
    verdicts = provider.decide(asked)
    return tuple(
        JudgedCase(case, question, verdict, _outcome(question, verdict))
        for case, question, verdict in zip(cases, asked, verdicts, strict=True)
    )


def _outcome(question: DecisionInput, verdict: Verdict) -> Outcome:
    rule = next(
        (found for intent in rule_intents(question, verdict) if (found := _RULES.get(intent.value))), None
    )
    template = _TEMPLATES.get(rule.template_name) if rule and rule.template_name else None
    return compose(question, verdict, SENDS, rule, template, ComposeOptions())
