"""A decision on a conversation that waits: what is asked, what a provider says, what comes of it.

The unit is the conversation: a burst of new messages is one ``DecisionInput`` and gets one answer.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Final, Literal, Protocol
from uuid import UUID

from leasebot_pipeline.domain.platforms import Platform, SendMode
from leasebot_pipeline.domain.policy import LeadGate
from leasebot_pipeline.domain.readings import Direction
from leasebot_pipeline.domain.slots import Slot

if TYPE_CHECKING:
    from leasebot_pipeline.domain.handshake_plan import HandshakePlan


class Intent(StrEnum):
    """What a lead wants. FOLLOW_UP is only ever an effective intent."""

    TOUR_REQUEST = "tour_request"
    PRICING_QUESTION = "pricing_question"
    AVAILABILITY_QUESTION = "availability_question"
    UNSUBSCRIBE = "unsubscribe"
    UNKNOWN = "unknown"
    FOLLOW_UP = "follow_up"


class WorkflowOutcome(StrEnum):
    """What a conversation has come to. The last two are only ever set by people."""

    NOT_INTERESTED = "not_interested"
    WANTS_RESCHEDULE = "wants_reschedule"
    NO_REPLY = "no_reply"
    SHOWING_CONFIRMED = "showing_confirmed"
    GENERAL_QUESTION = "general_question"
    HUMAN_REQUIRED = "human_required"
    NO_SHOW = "no_show"
    COMPLETED = "completed"


class RiskLevel(StrEnum):
    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"
    CRITICAL = "critical"


ProviderName = Literal["heuristic", "gemini"]
OutcomeName = Literal["send", "draft", "skip", "escalate", "blocked"]

PROVIDER_INTENTS: Final[tuple[Intent, ...]] = tuple(i for i in Intent if i is not Intent.FOLLOW_UP)
PROVIDER_OUTCOMES: Final[tuple[WorkflowOutcome, ...]] = tuple(WorkflowOutcome)[:6]
"""The six outcomes a provider may give."""
ANSWERABLE_INTENTS: Final = frozenset({Intent.TOUR_REQUEST, Intent.AVAILABILITY_QUESTION, Intent.FOLLOW_UP})
MIN_CONFIDENCE: Final = 0.55


@dataclass(frozen=True, slots=True)
class ReplyExample:
    """What another lead of the account wrote, and the reply that was sent to it."""

    inbound: str
    reply: str
    lead_name: str | None = None


@dataclass(frozen=True, slots=True)
class DecisionInput:
    """All a provider and the policy may know of one waiting conversation."""

    conversation_id: UUID
    platform: Platform
    lead_name: str | None
    unit_label: str | None
    unit_number: str | None
    new_messages: tuple[str, ...]
    """Unanswered messages of the lead, oldest first."""
    history: tuple[tuple[Direction, str], ...]
    """Earlier messages of both sides, oldest first, without the new ones."""
    slots: tuple[Slot, ...]
    """Candidates for an offer, best first."""
    open_offer: tuple[Slot, ...]
    """Slots of the last offer that are still open, in the order they were offered."""
    has_recent_outbound: bool
    last_intent: str | None
    workflow_state: str
    workflow_outcome: str | None
    showing_state: str | None
    age_s: float | None
    """Seconds since the newest message was sent; None when unknown."""
    asked_at: datetime | None = None
    """When the newest message was written: what "tomorrow" counts from."""
    held_position: int | None = None
    """1-based into ``open_offer``: the slot that is held until the lead confirms it."""
    gone_positions: tuple[int, ...] = ()
    """1-based into ``open_offer``: slots whose time has passed; they keep their place in the list."""
    showing: Slot | None = None
    """The live showing ahead."""
    free_slots: tuple[Slot, ...] = ()
    """Every free visit; ``slots`` are the best of them."""
    examples: tuple[ReplyExample, ...] = ()
    """How the account answers: style for a model, no fact of this conversation."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """Why: the rule that spoke and the lead's words it spoke on."""

    rule: str
    words: str

    def as_details(self) -> dict[str, str]:
        return {"rule": self.rule, "words": self.words}


@dataclass(slots=True)
class Verdict:
    """A provider's reading of one conversation. Nobody changes one; it is not ``frozen`` because one is made
    for every message, and a frozen one of so many fields takes three times as long to make."""

    provider: ProviderName
    model: str | None
    rules_version: str
    intent: Intent
    effective_intent: Intent
    follow_up: bool
    workflow_outcome: WorkflowOutcome
    confidence: float
    risk_level: RiskLevel
    ambiguous: bool
    selected_slot_index: int | None
    """1-based into ``open_offer`` when there is one, else into ``slots``."""
    guardrails: tuple[str, ...]
    """Reason codes of inbound guardrails that were hit, strongest first."""
    evidence: tuple[Evidence, ...]
    reply_language: str | None
    """ISO 639-1 code of the lead's language; None when it could not be told."""
    provider_details: dict[str, object] = field(default_factory=dict)
    intents: tuple[Intent, ...] = ()
    """Every intent found, main one first."""
    hold_reasons: tuple[str, ...] = ()
    """Codes, without the ``escalate_`` prefix, of other grounds for a person to look."""
    nothing_to_answer: bool = False
    """True for a bare thank-you and the like: neither a reply nor a person is needed."""
    suggested_reply: str | None = None
    """Free text of a model: at most a draft for a person."""
    draft_only: bool = False
    """A model alone found what the lead wants: a reply to that is at most a draft for a person."""


class DecisionProvider(Protocol):
    """Reads conversations. Never raises for a single input: see ``failed_verdict``."""

    def decide(self, inputs: Sequence[DecisionInput]) -> list[Verdict]:
        """One verdict per input, in the order of the inputs."""
        ...


def failed_verdict(
    provider: ProviderName,
    model: str | None,
    rules_version: str,
    failure: BaseException,
) -> Verdict:
    """The verdict on an input its provider could not read: a person must look.

    Only the failure's type is kept, since its text may quote the lead.
    """
    return Verdict(
        provider=provider,
        model=model,
        rules_version=rules_version,
        intent=Intent.UNKNOWN,
        effective_intent=Intent.UNKNOWN,
        follow_up=False,
        workflow_outcome=WorkflowOutcome.HUMAN_REQUIRED,
        confidence=0.0,
        risk_level=RiskLevel.HIGH,
        ambiguous=True,
        selected_slot_index=None,
        guardrails=(),
        evidence=(Evidence("provider_failed", type(failure).__name__),),
        reply_language=None,
        provider_details={"failure": type(failure).__name__},
        hold_reasons=("provider_failed",),
    )


@dataclass(frozen=True, slots=True)
class ComposeOptions:
    """Limits of a reply and the gates before it."""

    slot_option_limit: int = 4
    lead_gate: LeadGate = field(default_factory=LeadGate)
    ask_back: SendMode = SendMode.DRAFT_ONLY
    """Whether the question back to an unclear answer ("which one do you mean?") goes out alone."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What is done about a conversation, and every reason for it."""

    outcome: OutcomeName
    reason: str
    reasons: tuple[str, ...]
    """All reasons that apply; the first is ``reason``."""
    escalation_reason_code: str | None
    reply_body: str | None
    """Only for ``send`` and ``draft``."""
    slots_offered: tuple[Slot, ...]
    """The slots the reply names, in its order; empty without a reply."""
    template_id: UUID | None
    human_action_required: bool
    guardrails_out: tuple[str, ...]
    """Reason codes of outbound guardrails that the prepared reply hit."""
    handshake: HandshakePlan | None = None
    """What is booked, held, offered or cancelled together with the reply."""
