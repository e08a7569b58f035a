"""When a part that died is started again."""

from __future__ import annotations

from typing import Final

_FIRST_S: Final = 1.0
_LONGEST_S: Final = 30.0
HEALTHY_AFTER_S: Final = 60.0
"""A part that served this long is well again: its next death counts as the first."""


def delay_before_restart(deaths: int) -> float:
    """Seconds to wait before the start that follows the ``deaths``-th death in a row (1 or more)."""
    return min(_LONGEST_S, _FIRST_S * 2.0 ** (max(1, deaths) - 1))


def count_deaths(deaths_so_far: int, served_s: float) -> int:
    """Deaths in a row, this one included, for a part that served ``served_s`` seconds."""
    return 1 if served_s >= HEALTHY_AFTER_S else deaths_so_far + 1
