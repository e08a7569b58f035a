"""Pacing: how long one account must wait before its next action of a kind.

Numbers are the earlier system's (domain contract, section "Pacing and retry"): a minimum interval per
platform plus random jitter, counted per account and action, here shared by all processes.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from leasebot_pipeline.domain.platforms import Platform


@dataclass(frozen=True, slots=True)
class Pace:
    """Minimum distance of two actions of one kind on one account, in milliseconds."""

    min_interval_ms: int
    jitter_ms: int


DEFAULT_PACES: Final[dict[Platform, Pace]] = {
    Platform.SPAREROOM: Pace(1400, 400),
    Platform.ROOMIES: Pace(1250, 300),
    Platform.LEASEBREAK: Pace(1100, 250),
    Platform.RENTHOP: Pace(1100, 250),
    Platform.FURNISHEDFINDER: Pace(1500, 450),
}


def wait_seconds(last: datetime | None, now: datetime, pace: Pace, fraction: float) -> float:
    """Seconds to wait before the action. ``fraction`` in [0, 1) scales the jitter (a random number)."""
    if last is None:
        return 0.0
    due = last + timedelta(milliseconds=pace.min_interval_ms + pace.jitter_ms * fraction)
    return max(0.0, (due - now).total_seconds())
