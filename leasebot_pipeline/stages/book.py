"""Book: what the decisions held, booked, moved and cancelled, after they did; what was held too long is freed.

The bookings themselves are written with their decisions (``handshake``); this stage settles what time alone
changes, and counts.
"""

from __future__ import annotations

from dataclasses import dataclass

from leasebot_pipeline.domain.platforms import Platform
from leasebot_pipeline.stages.pipeline import Pipeline
from leasebot_pipeline.storage import booking, handshake, slot_offers
from leasebot_pipeline.storage.crash_points import transaction


@dataclass(frozen=True, slots=True)
class BookResult:
    """What a run settled, and the platform's showings as they stand."""

    holds_expired: int
    offers_expired: int
    by_status: dict[str, int]
    """Showings of the platform's conversations that are not over, by status; ``held`` are not booked yet."""


def settle(pipeline: Pipeline, platform: Platform) -> BookResult:
    """Free what was held past its time, end offers whose time is over, count what stands: one transaction."""
    now = pipeline.clock()
    with transaction(pipeline.engine, "book.before_commit", "book.after_settling") as conn:
        holds = booking.expire_holds(conn, now)
        offers = slot_offers.expire(conn, now)
        counts = handshake.showings_ahead(conn, platform, now)
    return BookResult(holds, offers, counts)
