"""``"SlotOffers"``: the handshake's memory, changed only along its transition table, set by set."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from sqlalchemy import Connection

from leasebot_pipeline.domain.slot_offers import OfferState
from leasebot_pipeline.domain.slots import Slot
from leasebot_pipeline.storage.transitions import Actor


@dataclass(frozen=True, slots=True)
class StoredOffer:
    """One offered slot; ``position`` is 1-based in the order of the reply that named it."""

    id: UUID
    conversation_id: UUID
    decision_id: UUID
    position: int
    state: OfferState
    slot: Slot
    label: str
    offered_at: datetime
    expires_at: datetime | None
    hold_expires_at: datetime | None


@dataclass(frozen=True, slots=True)
class OfferChange:
    """Take offers to a state: one by its id, or all open ones of a conversation (exactly one id).

    ``keep`` are offers of the conversation to leave alone.
    """

    target: OfferState
    offer_id: UUID | None = None
    conversation_id: UUID | None = None
    keep: tuple[UUID, ...] = ()
    hold_expires_at: datetime | None = None
    message_id: UUID | None = None
    actor: Actor = field(default_factory=Actor)
    run_id: str | None = None


def offer(conn: Connection, rows: Sequence[Mapping[str, object]], now: datetime) -> None:
    """Store what a reply offers. Rows: conversation_id, decision_id, unit_id, agent_id, starts_at, ends_at, timezone,
    label, position; expires_at (default: the slot's start) and id (default: a new one) may be given."""
    raise NotImplementedError


def change(conn: Connection, changes: Sequence[OfferChange], now: datetime) -> dict[UUID, OfferState]:
    """Change offers; what has ended stays as it is. Returns the new state of each offer that changed."""
    raise NotImplementedError


def expire(conn: Connection, now: datetime, limit: int = 1000) -> int:
    """Expire open offers whose time ran out; returns how many."""
    raise NotImplementedError


def open_offers(
    conn: Connection, conversations: Sequence[UUID], now: datetime
) -> dict[UUID, tuple[StoredOffer, ...]]:
    """The newest open offer of each conversation that has one, in its order."""
    raise NotImplementedError
