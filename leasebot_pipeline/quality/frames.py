"""Frames for the suites, made from rows: pandas turns absent values into NaN, which is neither empty nor false.

So columns the rules look at are made from the rows themselves, never from another column of the frame.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import pandas as pd

Rows = Sequence[Mapping[str, object]]


def frame_of(rows: Rows) -> pd.DataFrame:
    """All columns as they are; no rows, no columns."""
    return pd.DataFrame([dict(row) for row in rows])


def values(rows: Rows, column: str) -> list[object]:
    """A column's values; None where a row lacks it."""
    return [row.get(column) for row in rows]


def texts(rows: Rows, column: str) -> list[str]:
    """A column's values as texts; an absent one is empty, so that no expectation passes over it."""
    return ["" if value is None else str(value) for value in values(rows, column)]


def has_columns(frame: pd.DataFrame, columns: Iterable[str]) -> bool:
    return set(columns) <= set(frame.columns)
