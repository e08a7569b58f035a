"""Ten-minute slices: what is counted by the whole slice, and where a window's whole slices begin."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Final

SLICE: Final = timedelta(minutes=10)
KEPT: Final = timedelta(days=8)
"""How long slices are kept: longer than the longest window (168 hours)."""
ROLLING: Final = timedelta(hours=24)
"""What the counts of the most active conversations roll over: the default window."""
_ORIGIN: Final = datetime(2000, 1, 1, tzinfo=UTC)


def slice_sql(instant: str) -> str:
    """SQL of the slice an instant lies in. The migration's triggers use the same."""
    return f"date_bin('10 minutes', {instant}, '2000-01-01 00:00:00+00')"


def slice_start(moment: datetime) -> datetime:
    """The beginning of the slice ``moment`` lies in."""
    return moment - (moment - _ORIGIN) % SLICE


def first_whole_slice(since: datetime) -> datetime:
    """The first slice that lies completely after ``since``."""
    start = slice_start(since)
    return start if start == since else start + SLICE
