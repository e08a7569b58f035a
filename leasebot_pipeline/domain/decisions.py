"""What a decision is asked, what a provider answers, what comes of it: plain values.

The unit is a conversation that waits, not a message: a burst is answered once, from its newest state.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol
from uuid import UUID

from leasebot_pipeline.domain.platforms import Platform
from leasebot_pipeline.domain.readings import Direction
from leasebot_pipeline.domain.slots import Slot


class Intent(StrEnum):
    TOUR_REQUEST = "tour_request"
    PRICING_QUESTION = "pricing_question"
    AVAILABILITY_QUESTION = "availability_question"
    UNSUBSCRIBE = "unsubscribe"
    UNKNOWN = "unknown"


class WorkflowOutcome(StrEnum):
    """The six outcomes a provider may give; ``no_show`` and ``completed`` are a person's."""

    NOT_INTERESTED = "not_interested"
    WANTS_RESCHEDULE = "wants_reschedule"
    NO_REPLY = "no_reply"
    SHOWING_CONFIRMED = "showing_confirmed"
    GENERAL_QUESTION = "general_question"
    HUMAN_REQUIRED = "human_required"


class Risk(StrEnum):
    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"
    CRITICAL = "critical"


class Outcome(StrEnum):
    SEND = "send"
    DRAFT = "draft"
    SKIP = "skip"
    ESCALATE = "escalate"
    BLOCKED = "blocked"


@dataclass(frozen=True, slots=True)
class DecisionInput:
    """A waiting conversation as a provider sees it."""

    conversation_id: UUID
    platform: Platform
    lead_name: str | None
    unit_label: str | None
    unit_number: str | None
    new_messages: tuple[str, ...]
    """Inbound texts nobody answered yet, oldest first."""
    history: tuple[tuple[Direction, str], ...]
    """What was written before, oldest first."""
    slots: tuple[Slot, ...]
    open_offer: tuple[Slot, ...]
    """Slots of our last offer that are still open, in the order they were offered."""
    has_recent_outbound: bool
    last_intent: Intent | None = None


@dataclass(frozen=True, slots=True)
class Evidence:
    """Why a verdict says so: the rule that spoke and the words it spoke about."""

    rule: str
    words: str


@dataclass(frozen=True, slots=True)
class Verdict:
    """A provider's answer. ``selected_slot_index`` counts from 1 in the open offer, else in the slots."""

    provider: str
    rules_version: str
    intent: Intent
    workflow_outcome: WorkflowOutcome
    confidence: float
    risk: Risk
    ambiguous: bool
    follow_up: bool
    guardrails: tuple[str, ...] = ()
    selected_slot_index: int | None = None
    evidence: tuple[Evidence, ...] = ()
    model: str | None = None
    provider_details: Mapping[str, object] = field(default_factory=dict)

    @property
    def effective_intent(self) -> str:
        return "follow_up" if self.follow_up else self.intent.value


class DecisionProvider(Protocol):
    """Judges conversations in batches, in order; one input that fails never fails the others."""

    def decide(self, inputs: Sequence[DecisionInput]) -> list[Verdict]: ...


@dataclass(frozen=True, slots=True)
class AutomationRule:
    """Which template answers an intent on an account."""

    id: UUID
    intent: str
    enabled: bool
    template_name: str


@dataclass(frozen=True, slots=True)
class Template:
    """A reply text with ``{{ placeholders }}``."""

    id: UUID
    name: str
    body: str


@dataclass(frozen=True, slots=True)
class Reply:
    """What becomes of a waiting conversation. ``reasons`` holds all that apply, ``reason`` the first."""

    outcome: Outcome
    reasons: tuple[str, ...]
    body: str | None = None
    slots: tuple[Slot, ...] = ()
    template_id: UUID | None = None
    guardrails_out: tuple[str, ...] = ()

    @property
    def reason(self) -> str:
        return self.reasons[0]

    @property
    def escalation_reason_code(self) -> str | None:
        return self.reason if self.outcome is Outcome.ESCALATE else None
