"""Local times beside instants: in the zone asked for, without offset."""

from __future__ import annotations

from datetime import datetime
from typing import TypedDict
from zoneinfo import ZoneInfo

from leasebot_pipeline.domain.local_time import local_text


class LocalSpan(TypedDict):
    local_start: str
    local_end: str


def local_span(starts_at: datetime, ends_at: datetime, timezone: str) -> LocalSpan:
    """``YYYY-MM-DDTHH:mm:ss`` of both ends; UTC for a zone of the earlier system that is none."""
    try:
        zone = ZoneInfo(timezone)
    except (KeyError, ValueError, OSError):
        zone = ZoneInfo("UTC")
    return {"local_start": local_text(starts_at, zone), "local_end": local_text(ends_at, zone)}
