"""Daily send caps: how many replies an account sends by itself in one of its own calendar days. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo


@dataclass(frozen=True, slots=True)
class SendDay:
    """A calendar day of an account as two UTC instants; 23 or 25 hours long when the clocks change."""

    begins: datetime
    ends: datetime


def send_day(now: datetime, timezone: str) -> SendDay:
    """The account's day that holds ``now``. Raises ZoneInfoNotFoundError for an unknown zone."""
    zone = ZoneInfo(timezone)
    today = now.astimezone(zone).date()
    begins = datetime.combine(today, time(), zone)
    ends = datetime.combine(today + timedelta(days=1), time(), zone)
    return SendDay(begins.astimezone(UTC), ends.astimezone(UTC))


def cap_in_force(own: int | None, general: int | None) -> int | None:
    """The account's own cap before the general one; 0 and None are no cap."""
    chosen = general if own is None else own
    return chosen or None


def is_capped(sent_today: int, cap: int | None) -> bool:
    """True when the account has sent its share of the day."""
    return cap is not None and sent_today >= cap
