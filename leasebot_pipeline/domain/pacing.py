"""Pacing: how long one account must wait before its next action of a kind.

Numbers are the earlier system's (domain contract, section "Pacing and retry"): a minimum interval per
platform plus random jitter, counted per account and action, here shared by all processes: a process
reserves its instant in the database before it waits for it.
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

    def distance(self, fraction: float) -> timedelta:
        """Distance to the action before. ``fraction`` in [0, 1) scales the jitter (a random number)."""
        return timedelta(milliseconds=self.min_interval_ms + self.jitter_ms * fraction)


DEFAULT_PACES: Final[dict[Platform, Pace]] = {
    Platform.SPAREROOM: Pace(1400, 400),
    Platform.ROOMIES: Pace(1250, 300),
    Platform.LEASEBREAK: Pace(1100, 250),
    Platform.RENTHOP: Pace(1100, 250),
    Platform.FURNISHEDFINDER: Pace(1500, 450),
}


def wait_seconds(last: datetime | None, now: datetime, pace: Pace, fraction: float) -> float:
    """Seconds to wait before the action, when the last of its kind began at ``last``."""
    if last is None:
        return 0.0
    return max(0.0, (last + pace.distance(fraction) - now).total_seconds())
