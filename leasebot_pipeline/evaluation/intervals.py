"""Shares with the interval in which their true value lies with 95 % confidence."""

from __future__ import annotations

from dataclasses import dataclass
from math import sqrt
from statistics import NormalDist
from typing import Final

_Z: Final = NormalDist().inv_cdf(0.975)


@dataclass(frozen=True, slots=True)
class Share:
    """``count`` of ``of``; no share and no bounds where nothing could be counted."""

    count: int
    of: int

    @property
    def rate(self) -> float | None:
        return self.count / self.of if self.of else None

    @property
    def bounds(self) -> tuple[float, float] | None:
        """Wilson's interval: stays within 0 and 1, and says something about 0 of n too."""
        if not self.of:
            return None
        share, n = self.count / self.of, self.of
        centre = share + _Z**2 / (2 * n)
        spread = _Z * sqrt(share * (1 - share) / n + _Z**2 / (4 * n**2))
        scale = 1 + _Z**2 / n
        low = 0.0 if self.count == 0 else max(0.0, (centre - spread) / scale)
        high = 1.0 if self.count == n else min(1.0, (centre + spread) / scale)
        return low, high

    def as_json(self) -> dict[str, int | float | None]:
        low, high = self.bounds or (None, None)
        return {
            "count": self.count,
            "of": self.of,
            "rate": rounded(self.rate),
            "low95": rounded(low),
            "high95": rounded(high),
        }


def rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 4)
