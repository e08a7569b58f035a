"""Showings: hold, book, confirm, move, change, release. The only writer of ``"ShowingAppointments"``.

Every function takes a batch in a bounded number of statements, in the caller's transaction, and answers each
request with a typed result; a conflict is a result, never an exception. Locks are taken in a fixed order
(conversations, agents, appointments, each by id), after which all checks are made on committed rows; the
exclusion constraints are the last line. A hold is a ``pending`` appointment with ``hold_expires_at``, so the
same constraints cover held, pending and confirmed rows.

A conversation's showing state, outcome and offers follow in the same transaction (``transitions``,
``slot_offers``); its CURRENT appointment is the newest one that is not a hold (``seq``), and the two never
disagree. A caller that makes several calls in one transaction takes all locks first with ``lock``.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal
from uuid import UUID

from sqlalchemy import Connection

from leasebot_pipeline.domain.booking import BookingReason
from leasebot_pipeline.domain.decisions import WorkflowOutcome
from leasebot_pipeline.domain.showings import ShowingState
from leasebot_pipeline.domain.slots_policy import SlotPolicy
from leasebot_pipeline.domain.workflow_changes import KEEP, Keep
from leasebot_pipeline.storage.transitions import Actor


@dataclass(frozen=True, slots=True)
class Booked:
    """An appointment as it stands. ``sequence`` counts changes of time, agent and status (for calendar files)."""

    id: UUID
    idempotency_key: str
    platform_account_id: UUID
    conversation_id: UUID | None
    unit_id: UUID
    listing_id: UUID | None
    agent_id: UUID
    starts_at: datetime
    ends_at: datetime
    timezone: str
    status: ShowingState
    hold_expires_at: datetime | None
    decision_id: UUID | None
    slot_offer_id: UUID | None
    sequence: int


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
    decision_id: UUID | None = None
    slot_offer_id: UUID | None = None
    message_id: UUID | None = None
    actor: Actor = field(default_factory=Actor)
    run_id: str | None = None


def booking_key(conversation_id: UUID, starts_at: datetime, ends_at: datetime, decision_id: UUID) -> str:
    """``wf:<conversation>:<start>:<end>:<decision>``: one decision books a time once; a later one may again."""
    raise NotImplementedError


def lock(conn: Connection, conversations: Iterable[UUID], agents: Iterable[UUID]) -> None:
    """Lock conversations, then agents, each in id order: two callers never wait for each other crosswise."""
    raise NotImplementedError


def book(
    conn: Connection, requests: Sequence[BookingRequest], policy: SlotPolicy, now: datetime
) -> list[BookingResult]:
    """Book (or, with ``hold_until``, hold) each visit; one result per request, in their order."""
    raise NotImplementedError


def hold(
    conn: Connection, requests: Sequence[BookingRequest], policy: SlotPolicy, now: datetime
) -> list[BookingResult]:
    """``book`` for requests that all carry ``hold_until``. A conversation's new hold replaces its earlier one."""
    raise NotImplementedError


def confirm_holds(
    conn: Connection, requests: Sequence[HoldConfirmation], policy: SlotPolicy, now: datetime
) -> list[BookingResult]:
    """Turn holds into confirmed showings, all checks made again.

    Where the conversation has a live showing ahead, that one is moved to the held time instead.
    """
    raise NotImplementedError


def release_holds(conn: Connection, requests: Sequence[HoldRelease], now: datetime) -> int:
    """Give up holds; what is no hold (any more) is left alone. Returns how many were released."""
    raise NotImplementedError


def expire_holds(conn: Connection, now: datetime, limit: int = 1000) -> int:
    """Free what was held past its time, and expire the offers; returns how many. Never waits for a lock."""
    raise NotImplementedError


def change_status(conn: Connection, requests: Sequence[StatusChange], now: datetime) -> list[BookingResult]:
    """Change statuses as the showing table allows; conversation and appointment in one."""
    raise NotImplementedError


def reschedule(
    conn: Connection, requests: Sequence[Reschedule], policy: SlotPolicy, now: datetime
) -> list[BookingResult]:
    """Move live showings; on a conflict the old time is kept."""
    raise NotImplementedError


def current_appointments(conn: Connection, conversations: Sequence[UUID]) -> dict[UUID, Booked]:
    """The current appointment of each conversation that has one, whatever its status."""
    raise NotImplementedError


def current_holds(conn: Connection, conversations: Sequence[UUID], now: datetime) -> dict[UUID, Booked]:
    """The unexpired hold of each conversation that has one."""
    raise NotImplementedError
