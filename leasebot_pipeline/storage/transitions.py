"""The one way a conversation's workflow changes: decisions, follow-ups, bookings and the API all call it.

Set-based: a batch locks its conversations in id order and takes a bounded number of statements. Each applied
change writes one audit row ``workflow_state_transitioned``; a refused one is a typed result, never an error.
A change of the showing state takes the conversation's current appointment along (G-27).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal
from uuid import UUID

from sqlalchemy import Connection

from leasebot_pipeline.domain.workflow import ConversationState
from leasebot_pipeline.domain.workflow_changes import WorkflowColumns, WorkflowPatch

RefusedBecause = Literal["not_found", "invalid_transition", "validation_error", "no_change", "stale"]


@dataclass(frozen=True, slots=True)
class Actor:
    """Who acts, as the audit log names them: ``worker`` with an agent's id, ``admin``, ``agent``, ``system``."""

    actor_type: str = "worker"
    actor_id: str | None = None


@dataclass(frozen=True, slots=True)
class TransitionRequest:
    """One change of one conversation. ``source`` and ``trigger`` go into the audit row.

    ``expected``: refuse as ``stale`` when the row no longer looks so. ``reopen``: the conversation may pass
    through ``outcome`` and ``lead`` (a newer inbound message, a booking); without it the tables hold as they
    are.
    """

    conversation_id: UUID
    patch: WorkflowPatch
    source: str
    trigger: str
    actor: Actor = field(default_factory=Actor)
    message_id: UUID | None = None
    run_id: str | None = None
    expected: ConversationState | None = None
    reopen: bool = False
    new_appointment_id: UUID | None = None
    """Only set by bookings: the appointment that begins a new showing."""


@dataclass(frozen=True, slots=True)
class TransitionResult:
    """What came of one request. ``kind``, ``current`` and ``target`` name the step of an invalid transition."""

    conversation_id: UUID
    applied: bool
    reason: RefusedBecause | None = None
    message: str | None = None
    kind: str | None = None
    current: str | None = None
    target: str | None = None
    previous: WorkflowColumns | None = None
    next: WorkflowColumns | None = None


def transition(
    conn: Connection, requests: Sequence[TransitionRequest], now: datetime
) -> list[TransitionResult]:
    """Apply the changes in the caller's transaction; one result per request, in their order.

    Two requests for one conversation are applied one after the other.
    """
    raise NotImplementedError
