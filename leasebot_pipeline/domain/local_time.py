"""Local times and instants, right on the days clocks change. Pure.

A time that clocks skip (spring) is refused by ``instant_of`` and moved to the end of the gap by
``instant_after_gap``; one that comes twice (autumn) means the earlier instant unless told otherwise.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from typing import Final, Literal
from zoneinfo import ZoneInfo

NONEXISTENT_LOCAL_TIME: Final = "NONEXISTENT_LOCAL_TIME"


class NonexistentLocalTime(ValueError):
    """Clocks skip that time of that day in that zone."""

    code = NONEXISTENT_LOCAL_TIME

    def __init__(self, day: date, at: time, zone_name: str) -> None:
        self.details = {"date": day.isoformat(), "time": at.isoformat("minutes"), "timezone": zone_name}
        super().__init__(
            f"{day.isoformat()} {at.isoformat('minutes')} does not exist in {zone_name}: clocks skip it"
        )


def instant_of(
    day: date, at: time, tz: ZoneInfo, disambiguation: Literal["earlier", "later"] = "earlier"
) -> datetime:
    """The instant in UTC. Raises NonexistentLocalTime for a time that clocks skip."""
    local = datetime.combine(day, at, tzinfo=tz).replace(fold=int(disambiguation == "later"))
    instant = local.astimezone(UTC)
    if instant.astimezone(tz).replace(tzinfo=None) != local.replace(tzinfo=None):
        raise NonexistentLocalTime(day, at, str(tz.key))
    return instant


def instant_after_gap(day: date, at: time, tz: ZoneInfo) -> datetime:
    """The instant in UTC, the earlier of two; for a time that clocks skip the instant at which they do."""
    try:
        return instant_of(day, at, tz)
    except NonexistentLocalTime:
        local = datetime.combine(day, at, tzinfo=tz)
        before, after = local.replace(fold=0).utcoffset(), local.replace(fold=1).utcoffset()
        assert before is not None
        assert after is not None
        # Read with the offset before the change the time lies after the jump, with the later offset before it:
        # the jump is the one instant between the two at which the offset changes.
        low, high = (local.replace(tzinfo=None) - after), (local.replace(tzinfo=None) - before)
        return _jump(low.replace(tzinfo=UTC), high.replace(tzinfo=UTC), tz)


def local_text(instant: datetime, tz: ZoneInfo) -> str:
    """``YYYY-MM-DDTHH:mm:ss`` in that zone, without offset."""
    return instant.astimezone(tz).replace(tzinfo=None).isoformat(timespec="seconds")


def _jump(low: datetime, high: datetime, tz: ZoneInfo) -> datetime:
    """The first second in (low, high] with the offset of ``high``."""
    target = high.astimezone(tz).utcoffset()
    while high - low > timedelta(seconds=1):
        middle = low + timedelta(seconds=int((high - low).total_seconds()) // 2)
        if middle.astimezone(tz).utcoffset() == target:
            high = middle
        else:
            low = middle
    return high
