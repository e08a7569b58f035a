"""Bookings: what is asked for, what may be answered, and which visits fit beside which. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from enum import StrEnum
from typing import Final
from uuid import UUID
from zoneinfo import ZoneInfo

from leasebot_pipeline.domain.slots import zone
from leasebot_pipeline.domain.slots_policy import SlotPolicy


class BookingReason(StrEnum):
    """Why a booking is refused."""

    TIME_WITHOUT_OFFSET = "time_without_offset"
    END_BEFORE_START = "end_before_start"
    UNKNOWN_ZONE = "unknown_zone"
    IN_THE_PAST = "in_the_past"
    TOO_LONG = "too_long"
    TOO_FAR_AHEAD = "too_far_ahead"
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
    UNIT_WITH_OTHER_AGENT = "unit_with_other_agent"
    """Another agent shows the unit then."""
    SLOT_FULL = "slot_full"
    """The unit is shown then, and there is no further place."""
    DAILY_CAP = "daily_cap"
    REFERENCE_IN_USE = "reference_in_use"
    NOT_FOUND = "not_found"
    HOLD_EXPIRED = "hold_expired"
    NOT_HELD = "not_held"
    INVALID_TRANSITION = "invalid_transition"
    NO_CHANGE = "no_change"


CONFLICT_REASONS: Final = frozenset(
    {
        BookingReason.AGENT_BUSY,
        BookingReason.UNIT_WITH_OTHER_AGENT,
        BookingReason.SLOT_FULL,
        BookingReason.DAILY_CAP,
    }
)
"""Somebody else has the time: offer alternatives (with ``SLOT_UNAVAILABLE``, too)."""


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


MIN_KEY: Final = 6
LONGEST_VISIT: Final = timedelta(days=1)
FARTHEST: Final = timedelta(days=5 * 365)
"""Beyond it a date is a slip of the pen."""


def plain_refusal(
    key: str, starts_at: datetime, ends_at: datetime, timezone: str | None, now: datetime
) -> BookingRefusal | None:
    """What is wrong with a request by itself; None when nothing is. ``timezone`` None: it keeps the one it has."""
    reason = BookingReason
    if len(key.strip()) < MIN_KEY:
        return BookingRefusal(reason.KEY_TOO_SHORT, "idempotencyKey", f"at least {MIN_KEY} characters")
    for field, instant in (("startsAt", starts_at), ("endsAt", ends_at)):
        if instant.tzinfo is None:
            return BookingRefusal(reason.TIME_WITHOUT_OFFSET, field, "an instant with its offset")
    if ends_at <= starts_at:
        return BookingRefusal(reason.END_BEFORE_START, "endsAt", "after startsAt")
    if ends_at - starts_at > LONGEST_VISIT:
        return BookingRefusal(reason.TOO_LONG, "endsAt", "at most a day after startsAt")
    if starts_at - now > FARTHEST:
        return BookingRefusal(reason.TOO_FAR_AHEAD, "startsAt", "within five years")
    if timezone is not None and zone(timezone) is None:
        return BookingRefusal(reason.UNKNOWN_ZONE, "timezone", "an IANA time zone")
    if starts_at <= now:
        return BookingRefusal(reason.IN_THE_PAST, "startsAt", "in the future")
    return None


def fit(
    wish: Visit, taken: Iterable[Visit], policy: SlotPolicy, visits_that_day: int
) -> int | BookingRefusal:
    """The seat on which the wish fits beside what is taken, or why it does not.

    ``taken``: live visits of the wish's agent and of its unit (others are ignored). Two visits of one agent in
    different units never have overlapping buffered ranges. Visits of one unit share its time up to the capacity,
    all with one agent: each has a seat of its own among those it meets. ``visits_that_day``: what already counts
    against the agent's daily cap.
    """
    beside: list[Visit] = []
    for other in taken:
        if other.unit_id != wish.unit_id:
            buffered = other.busy_from < wish.busy_until and wish.busy_from < other.busy_until
            if other.agent_id == wish.agent_id and buffered:
                rule = "the agent must be free, buffers around the visit included"
                return BookingRefusal(BookingReason.AGENT_BUSY, "startsAt", rule)
        elif other.starts_at < wish.ends_at and wish.starts_at < other.ends_at:
            if other.agent_id != wish.agent_id:
                rule = "one agent at a time shows a unit"
                return BookingRefusal(BookingReason.UNIT_WITH_OTHER_AGENT, "agentId", rule)
            beside.append(other)
    used = {other.seat for other in beside}
    seat = next((n for n in range(1, policy.capacity + 1) if n not in used), None)
    if seat is None or _most_at_once(wish, beside) >= policy.capacity:
        rule = f"at most {policy.capacity} at a time may see a unit"
        return BookingRefusal(BookingReason.SLOT_FULL, "startsAt", rule)
    if policy.daily_cap is not None and visits_that_day >= policy.daily_cap:
        rule = f"at most {policy.daily_cap} visits of an agent a day"
        return BookingRefusal(BookingReason.DAILY_CAP, "startsAt", rule)
    return seat


def _most_at_once(wish: Visit, beside: list[Visit]) -> int:
    """How many of the visits take place at the same time during the wish, at the worst moment.

    Seats of rows taken over from the earlier system, which knew none, may lie beyond the capacity.
    """
    moments = [wish.starts_at, *(v.starts_at for v in beside if wish.starts_at < v.starts_at < wish.ends_at)]
    return max(sum(v.starts_at <= moment < v.ends_at for v in beside) for moment in moments)


def local_day(instant: datetime, timezone: str) -> tuple[datetime, datetime]:
    """Begin and end, in UTC, of the day of a zone in which the instant lies; 23 to 25 hours long."""
    tz = zone(timezone) or ZoneInfo("UTC")
    midnight = datetime.combine(instant.astimezone(tz).date(), time(), tz)
    following = datetime.combine(midnight.date() + timedelta(days=1), time(), tz)
    return midnight.astimezone(UTC), following.astimezone(UTC)
