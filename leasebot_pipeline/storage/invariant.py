"""What one invariant is; the lists are in ``invariants`` and its parts."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Invariant:
    """``sql`` selects one text column, a row per violation; it may use :now, the bounds and :critical."""

    name: str
    sentence: str
    sql: str
