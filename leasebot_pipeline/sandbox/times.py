"""How each platform writes a time. All take an aware instant; the zone is New York's, as on the sites."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final
from zoneinfo import ZoneInfo

ZONE: Final = ZoneInfo("America/New_York")


def _clock(local: datetime) -> str:
    return f"{local.hour % 12 or 12}:{local.minute:02d}"


def spareroom_time(at: datetime, now: datetime) -> str:
    """Inbox: ``Today 3:05 pm``, ``Yesterday 3:05 pm``, then only ``11/24/2026``."""
    local, today = at.astimezone(ZONE), now.astimezone(ZONE).date()
    days = (today - local.date()).days
    if days in (0, 1):
        return f"{'Yesterday' if days else 'Today'} {_clock(local)} {local.strftime('%p').lower()}"
    return local.strftime("%m/%d/%Y")


def spareroom_thread_time(at: datetime, now: datetime) -> str:
    """Thread: as in the inbox, but older days keep their time of day."""
    text = spareroom_time(at, now)
    local = at.astimezone(ZONE)
    return text if text[0].isalpha() else f"{text} {_clock(local)} {local.strftime('%p').lower()}"


def ago(at: datetime, now: datetime) -> str:
    """``4m ago``, ``2h ago``, ``3d ago``, ``5w ago``; never less than a minute."""
    minutes = max(int((now - at).total_seconds() // 60), 1)
    for size, letter in ((7 * 24 * 60, "w"), (24 * 60, "d"), (60, "h")):
        if minutes >= size:
            return f"{minutes // size}{letter} ago"
    return f"{minutes}m ago"


def leasebreak_time(at: datetime) -> str:
    """``Nov 24, 2026 3:05 PM``."""
    local = at.astimezone(ZONE)
    return f"{local:%b} {local.day}, {local.year} {_clock(local)} {local:%p}"


def furnishedfinder_time(at: datetime) -> str:
    """``Nov 24, 2026, 3:05 PM``."""
    local = at.astimezone(ZONE)
    return f"{local:%b} {local.day}, {local.year}, {_clock(local)} {local:%p}"


def iso(at: datetime) -> str:
    """``2026-11-24T20:05:09.120Z``."""
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def short_day(at: datetime) -> str:
    """``Nov 24``."""
    local = at.astimezone(ZONE)
    return f"{local:%b} {local.day}"
