"""Spans of time: overlaps, remainders, and the visits that fit into one. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

Span = tuple[datetime, datetime]
"""A half-open range of time, start before end, both in UTC."""


def overlaps(first: Span, second: Span) -> bool:
    """Whether two spans share any time; spans that only touch do not."""
    return first[0] < second[1] and second[0] < first[1]


def intersect(first: Iterable[Span], second: Iterable[Span]) -> list[Span]:
    """All non-empty overlaps of two sets of spans, by start."""
    others = list(second)
    return sorted(
        (max(a[0], b[0]), min(a[1], b[1])) for a in first for b in others if max(a[0], b[0]) < min(a[1], b[1])
    )


def subtract(spans: Iterable[Span], blocks: Iterable[Span]) -> list[Span]:
    """What is left of the spans outside all blocks, by start."""
    left = sorted(spans)
    for begin, end in blocks:
        left = [
            piece
            for start, stop in left
            for piece in ((start, min(stop, begin)), (max(start, end), stop))
            if piece[0] < piece[1]
        ]
    return sorted(set(left))


def merged(spans: Iterable[Span]) -> list[Span]:
    """The same time as disjoint spans, by start; spans that touch become one."""
    joined: list[Span] = []
    for start, end in sorted(spans):
        if joined and start <= joined[-1][1]:
            joined[-1] = (joined[-1][0], max(joined[-1][1], end))
        else:
            joined.append((start, end))
    return joined


def visits(span: Span, duration: timedelta, tz: ZoneInfo) -> list[Span]:
    """Consecutive visits of that length inside the span, each starting on a local half hour."""
    if duration <= timedelta(0):
        raise ValueError("duration must be positive")
    found: list[Span] = []
    start = _next_half_hour(span[0], tz)
    while start + duration <= span[1]:
        found.append((start, start + duration))
        start = _next_half_hour(start + duration, tz)
    return found


def _next_half_hour(instant: datetime, tz: ZoneInfo) -> datetime:
    local = instant.astimezone(tz)
    past = timedelta(minutes=local.minute % 30, seconds=local.second, microseconds=local.microsecond)
    return (instant if not past else instant + timedelta(minutes=30) - past).astimezone(UTC)
