"""Charts as positions on a plot: values in, percentages and pixels out. The templates draw them as SVG.

Widths are percentages, so that a plot fills any screen while its words keep their size.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from leasebot_pipeline.storage.observability.volumes import Volume

HEIGHT: Final = 168
_TOP: Final = 14
_FLOOR: Final = 144
"""Pixels: between them columns stand, below them the words."""
_LEFT: Final = 9.0
"""Percent left free for the numbers of the lines."""
_LABELS: Final = 4
_LAST_LABEL: Final = 94.0
"""Percent; a word further right would stand out of the plot."""


@dataclass(frozen=True, slots=True)
class Bar:
    """A row of a bar chart; ``share`` is its length in percent."""

    label: str
    value: int
    share: float
    text: str


@dataclass(frozen=True, slots=True)
class Line:
    y: float
    label: str


@dataclass(frozen=True, slots=True)
class Column:
    """A step of time with one column for each series."""

    name: str
    middle: float
    label: str
    """Below the plot; empty where there is no room for it."""
    values: tuple[int, ...]
    places: tuple[tuple[float, float, float, float], ...]
    """x and width in percent, y and height in pixels; one for each series."""


@dataclass(frozen=True, slots=True)
class Columns:
    series: tuple[str, ...]
    lines: tuple[Line, ...]
    columns: tuple[Column, ...]

    @property
    def totals(self) -> tuple[int, ...]:
        return tuple(sum(column.values[n] for column in self.columns) for n in range(len(self.series)))


@dataclass(frozen=True, slots=True)
class Span:
    """A platform's delays: two marks on one line, in percent; None where nothing was measured."""

    label: str
    p50: float | None
    p95: float | None
    p50_text: str
    p95_text: str
    count: int
    exceeded: bool


def bars(rows: Iterable[tuple[str, int]], text: Callable[[int], str] = str) -> list[Bar]:
    """Bars against the longest."""
    found = list(rows)
    longest = max((value for _, value in found), default=0)
    return [Bar(label, value, _percent(value, longest), text(value)) for label, value in found]


def volumes(
    steps: Sequence[Volume], name: Callable[[datetime], str], label: Callable[[datetime], str]
) -> Columns:
    """Messages in and out over time. ``name`` is a step's full name, ``label`` the word below it."""
    top = _rounded_up(max((max(one.inbound, one.outbound) for one in steps), default=0))
    width = (100 - _LEFT) / max(len(steps), 1)
    every = max(1, -(-len(steps) // _LABELS))
    columns = []
    for n, one in enumerate(steps):
        begins = _LEFT + n * width
        values = (one.inbound, one.outbound)
        # Two columns share a step, with a gap to the next one.
        each = width * 0.42
        places = tuple(
            (round(begins + width * 0.08 + k * each, 3), round(each * 0.94, 3), *_height(value, top))
            for k, value in enumerate(values)
        )
        fits = n % every == every // 2 and begins + width / 2 < _LAST_LABEL
        shown = label(one.starts_at) if fits else ""
        columns.append(Column(name(one.starts_at), round(begins + width / 2, 3), shown, values, places))
    lines = tuple(
        Line(round(_FLOOR - (_FLOOR - _TOP) * part, 1), _short(round(top * part))) for part in (0, 0.5, 1)
    )
    return Columns(("in", "out"), lines, tuple(columns))


def spans(
    rows: Iterable[tuple[str, int | None, int | None, int, bool]], target_ms: int
) -> tuple[list[Span], float]:
    """Delays of platforms (label, p50, p95, count, exceeded), and where the target lies, in percent."""
    found = list(rows)
    longest = max([target_ms, *(p95 for _, _, p95, _, _ in found if p95 is not None)]) * 1.08
    made = [
        Span(
            label,
            None if p50 is None else _percent(p50, longest),
            None if p95 is None else _percent(p95, longest),
            duration(p50),
            duration(p95),
            count,
            exceeded,
        )
        for label, p50, p95, count, exceeded in found
    ]
    return made, _percent(target_ms, longest)


def duration(ms: int | None) -> str:
    """``640 ms``, ``12.4 s``, ``3.5 min``, ``2.1 h``."""
    if ms is None:
        return "–"
    if ms < 1000:
        return f"{ms} ms"
    seconds = ms / 1000
    if seconds < 120:
        return f"{seconds:.1f} s"
    if seconds < 7200:
        return f"{seconds / 60:.1f} min"
    return f"{timedelta(seconds=seconds) / timedelta(hours=1):.1f} h"


def _percent(value: float, longest: float) -> float:
    return round(100 * value / longest, 2) if longest else 0.0


def _height(value: int, top: int) -> tuple[float, float]:
    """y and height; what is not nothing is seen."""
    height = (_FLOOR - _TOP) * value / top
    height = max(height, 1.5) if value else 0
    return round(_FLOOR - height, 1), round(height, 1)


def _rounded_up(value: int) -> int:
    """The next of 2, 4, 6, 8, 10, 12, 16, 20, 40, 60 …: their halves are whole too."""
    step = 1
    while True:
        for factor in (2, 4, 6, 8, 10, 12, 16):
            if value <= factor * step:
                return factor * step
        step *= 10


def _short(value: int) -> str:
    return f"{value / 1000:.3g}k" if value >= 1000 else str(value)
