"""How visits are cut and how many there may be: the rules of one slot search. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

NO_TIME = timedelta(0)


@dataclass(frozen=True, slots=True)
class SlotPolicy:
    """What a visit is. Raises ``ValueError`` naming the field and the rule it breaks.

    ``buffer_before`` and ``buffer_after`` keep an agent free around a visit of another unit: two visits of
    different units never have overlapping buffered ranges. ``capacity`` is how many leads may come to one unit
    at the same time. ``daily_cap`` is how many showings an agent may have per day, in the agent's own zone; each
    lead of a group counts; None = no cap.
    """

    duration: timedelta = timedelta(minutes=30)
    buffer_before: timedelta = NO_TIME
    buffer_after: timedelta = NO_TIME
    minimum_notice: timedelta = NO_TIME
    daily_cap: int | None = None
    capacity: int = 1

    def __post_init__(self) -> None:
        if self.duration <= NO_TIME:
            raise ValueError("duration: must be positive")
        for name in ("buffer_before", "buffer_after", "minimum_notice"):
            if getattr(self, name) < NO_TIME:
                raise ValueError(f"{name}: must not be negative")
        if self.daily_cap is not None and self.daily_cap < 1:
            raise ValueError("daily_cap: must be at least 1, or None for no cap")
        if self.capacity < 1:
            raise ValueError("capacity: must be at least 1")
