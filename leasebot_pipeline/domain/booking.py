"""Bookings: what is asked for, what may be answered, and which visits fit beside which. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from leasebot_pipeline.domain.slots_policy import SlotPolicy


class BookingReason(StrEnum):
    """Why a booking is refused."""

    END_BEFORE_START = "end_before_start"
    UNKNOWN_ZONE = "unknown_zone"
    IN_THE_PAST = "in_the_past"
    KEY_TOO_SHORT = "key_too_short"
    UNKNOWN_ACCOUNT = "unknown_account"
    UNKNOWN_UNIT = "unknown_unit"
    UNIT_INACTIVE = "unit_inactive"
    UNKNOWN_AGENT = "unknown_agent"
    AGENT_REMOVED = "agent_removed"
    AGENT_NOT_ASSIGNED = "agent_not_assigned"
    UNKNOWN_LISTING = "unknown_listing"
    LISTING_MISMATCH = "listing_mismatch"
    UNKNOWN_CONVERSATION = "unknown_conversation"
    CONVERSATION_MISMATCH = "conversation_mismatch"
    IDEMPOTENCY_CONFLICT = "idempotency_conflict"
    ALREADY_BOOKED = "already_booked"
    """The conversation has a live showing ahead: reschedule that one."""
    SLOT_UNAVAILABLE = "slot_unavailable"
    """Unit or agent is not available then."""
    AGENT_BUSY = "agent_busy"
    """The agent shows another unit then, buffers included."""
    SLOT_FULL = "slot_full"
    """The unit is shown then, and there is no further place."""
    DAILY_CAP = "daily_cap"
    REFERENCE_IN_USE = "reference_in_use"
    NOT_FOUND = "not_found"
    HOLD_EXPIRED = "hold_expired"
    NOT_HELD = "not_held"
    INVALID_TRANSITION = "invalid_transition"
    NO_CHANGE = "no_change"


CONFLICT_REASONS = frozenset({BookingReason.AGENT_BUSY, BookingReason.SLOT_FULL, BookingReason.DAILY_CAP})
"""Somebody else has the time: offer alternatives."""


@dataclass(frozen=True, slots=True)
class BookingRefusal:
    """``field`` (camelCase, as the API names it) and the ``rule`` it breaks, in words."""

    reason: BookingReason
    field: str
    rule: str


@dataclass(frozen=True, slots=True)
class Visit:
    """A showing that takes an agent's time. Buffers keep other units away, never the same unit."""

    agent_id: UUID
    unit_id: UUID
    starts_at: datetime
    ends_at: datetime
    busy_from: datetime
    busy_until: datetime
    seat: int = 1


def fit(
    wish: Visit, taken: Iterable[Visit], policy: SlotPolicy, visits_that_day: int
) -> int | BookingRefusal:
    """The seat on which the wish fits beside what is taken, or why it does not."""
    raise NotImplementedError
