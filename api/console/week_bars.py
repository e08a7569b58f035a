"""A week of a calendar drawn as one bar a day, and the same in words."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from api.console.times import Clock, until
from leasebot_pipeline.domain.local_time import instant_after_gap
from leasebot_pipeline.domain.slots_spans import Span, merged, subtract
from leasebot_pipeline.storage.availability import CalendarSlot
from leasebot_pipeline.storage.showings import Showing

WIDTH: Final = 960
"""Of a bar, in units of its drawing: 40 an hour on a day of 24."""
HOURS: Final = (6, 12, 18)
"""Marked in each bar, and named above them."""


@dataclass(frozen=True, slots=True)
class Piece:
    """A part of a bar."""

    kind: str
    """``open``, ``blocked`` or ``showing``."""
    x: float
    width: float
    words: str


@dataclass(frozen=True, slots=True)
class Bar:
    """One day: what to draw, and what to say. ``exceptions``: something of that day is not from a weekly rule."""

    date: date
    pieces: tuple[Piece, ...]
    ticks: tuple[float, ...]
    exceptions: bool

    def of(self, kind: str) -> list[str]:
        return [piece.words for piece in self.pieces if piece.kind == kind]


def week_of(
    first: date,
    zone: ZoneInfo,
    slots: Sequence[CalendarSlot],
    showings: Iterable[Showing],
    opens: str,
    clock: Clock,
) -> list[Bar]:
    """Seven days from a date on, in a zone. Days of 23 and 25 hours fill their bar like others."""
    open_spans = merged([_span(slot) for slot in slots if slot.status == opens])
    blocked = merged([_span(slot) for slot in slots if slot.status != opens])
    taken = [(s.starts_at, s.ends_at) for s in showings]
    free = subtract(open_spans, blocked)
    bars = []
    for n in range(7):
        day = first + timedelta(days=n)
        begin, end = _midnight(day, zone), _midnight(day + timedelta(days=1), zone)
        pieces = tuple(
            _piece(kind, span, begin, end, clock, zone.key)
            for kind, spans in (("open", free), ("blocked", blocked), ("showing", taken))
            for span in spans
            if span[0] < end and begin < span[1]
        )
        ticks = tuple(_x(instant_after_gap(day, time(hour), zone), begin, end) for hour in HOURS)
        own = any(s.rule_id is None and s.starts_at < end and begin < s.ends_at for s in slots)
        bars.append(Bar(day, pieces, ticks, own))
    return bars


def _piece(kind: str, span: Span, begin: datetime, end: datetime, clock: Clock, zone: str) -> Piece:
    start, stop = max(span[0], begin), min(span[1], end)
    left = _x(start, begin, end)
    last = "midnight" if stop == end else clock.time(stop, zone)
    return Piece(kind, left, max(_x(stop, begin, end) - left, 3), until(clock.time(start, zone), last))


def _x(instant: datetime, begin: datetime, end: datetime) -> float:
    return round((instant - begin) / (end - begin) * WIDTH, 1)


def _midnight(day: date, zone: ZoneInfo) -> datetime:
    return instant_after_gap(day, time(), zone)


def _span(slot: CalendarSlot) -> Span:
    return slot.starts_at, slot.ends_at
