"""What is asked of the booking service, and what it answers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal
from uuid import UUID

from leasebot_pipeline.domain.booking import BookingReason, BookingRefusal
from leasebot_pipeline.domain.decisions import WorkflowOutcome
from leasebot_pipeline.domain.showings import ShowingState
from leasebot_pipeline.domain.workflow_changes import KEEP, Keep
from leasebot_pipeline.storage.appointments import Booked
from leasebot_pipeline.storage.transitions import Actor


@dataclass(frozen=True, slots=True)
class BookingRequest:
    """One visit to book or to hold. Ids are any UUIDs (G-24).

    ``hold_until`` makes it a hold. ``slot_offer_id``: the offer that was picked; it becomes held or confirmed,
    the other open offers of a conversation that books are superseded.
    """

    idempotency_key: str
    platform_account_id: UUID
    unit_id: UUID
    agent_id: UUID
    starts_at: datetime
    ends_at: datetime
    timezone: str
    conversation_id: UUID | None = None
    listing_id: UUID | None = None
    status: ShowingState = ShowingState.CONFIRMED
    source: str = "lead_selection"
    external_booking_ref: str | None = None
    notes: str | None = None
    metadata: Mapping[str, object] = field(default_factory=dict)
    decision_id: UUID | None = None
    slot_offer_id: UUID | None = None
    message_id: UUID | None = None
    hold_until: datetime | None = None
    actor: Actor = field(default_factory=Actor)
    run_id: str | None = None


@dataclass(frozen=True, slots=True)
class BookingResult:
    """``appointment``: the one booked, replayed, moved or changed; for a refusal the one in the way, if it is
    the caller's own. ``alternatives`` are computed by the caller (the slot search)."""

    outcome: Literal["booked", "replay", "refused"]
    appointment: Booked | None = None
    reason: BookingReason | None = None
    field: str | None = None
    rule: str | None = None

    @property
    def stands(self) -> bool:
        """Whether the wish is fulfilled, now or before."""
        return self.outcome != "refused"


@dataclass(frozen=True, slots=True)
class HoldConfirmation:
    """Confirm the hold of an appointment or of a decision (exactly one of the two)."""

    appointment_id: UUID | None = None
    decision_id: UUID | None = None
    message_id: UUID | None = None
    actor: Actor = field(default_factory=Actor)
    run_id: str | None = None


@dataclass(frozen=True, slots=True)
class HoldRelease:
    """Give up a hold: by appointment, by decision, or all of a conversation.

    ``offer``: what becomes of the offer that was held (``declined``, ``superseded`` or ``expired``).
    """

    appointment_id: UUID | None = None
    decision_id: UUID | None = None
    conversation_id: UUID | None = None
    offer: Literal["declined", "superseded", "expired"] = "superseded"
    reason: str = "released"
    message_id: UUID | None = None
    actor: Actor = field(default_factory=Actor)
    run_id: str | None = None


@dataclass(frozen=True, slots=True)
class StatusChange:
    """Change the status of an appointment, or of a conversation's current one (exactly one id).

    The conversation follows: its outcome is the one that belongs to the status, unless ``workflow_outcome``
    says otherwise (a lead who cancels because of lost interest: ``NOT_INTERESTED``).
    """

    status: ShowingState
    appointment_id: UUID | None = None
    conversation_id: UUID | None = None
    workflow_outcome: WorkflowOutcome | Keep | None = KEEP
    source: str = "ai_outcome_decision"
    trigger: str = "ai_outcome_persistence"
    message_id: UUID | None = None
    actor: Actor = field(default_factory=Actor)
    run_id: str | None = None


@dataclass(frozen=True, slots=True)
class Reschedule:
    """Move a live showing to another time, in place: the old time is free at once, the id stays.

    By appointment or by a conversation's current one (exactly one id). ``agent_id`` None keeps the agent.
    """

    idempotency_key: str
    starts_at: datetime
    ends_at: datetime
    timezone: str | None = None
    appointment_id: UUID | None = None
    conversation_id: UUID | None = None
    agent_id: UUID | None = None
    status: ShowingState = ShowingState.CONFIRMED
    decision_id: UUID | None = None
    slot_offer_id: UUID | None = None
    message_id: UUID | None = None
    actor: Actor = field(default_factory=Actor)
    run_id: str | None = None


def refused(refusal: BookingRefusal, appointment: Booked | None = None) -> BookingResult:
    """A refusal as a result."""
    return BookingResult("refused", appointment, refusal.reason, refusal.field, refusal.rule)
