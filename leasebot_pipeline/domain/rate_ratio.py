"""Two counts over two amounts of traffic: how many times as often, and how sure that is. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from math import exp, lgamma, log, sqrt
from statistics import NormalDist
from typing import Final

CONFIDENCE: Final = 0.95
_EXACT_UP_TO: Final = 2_000


@dataclass(frozen=True, slots=True)
class RateRatio:
    """``count`` events in ``traffic`` messages now, ``base_count`` in ``base_traffic`` before."""

    count: int
    traffic: int
    base_count: int
    base_traffic: int

    @property
    def rate(self) -> float:
        return self.count / max(self.traffic, 1)

    @property
    def base_rate(self) -> float:
        return self.base_count / max(self.base_traffic, 1)

    @property
    def ratio(self) -> float | None:
        """How many times as often as before; None when nothing happened before but does now (no bound)."""
        if self.count == 0:
            return 0.0
        return None if self.base_count == 0 else self.rate / self.base_rate

    @property
    def at_least(self) -> float:
        """The ratio's lower bound: it is higher than this with 97.5 % confidence.

        Given how many events there were together, those of now are binomial; the bound is Clopper and
        Pearson's of that share, turned back into a ratio of rates. Above 2,000 events Wilson's stands in.
        """
        if self.count == 0:
            return 0.0
        share = _lower_share(self.count, self.count + self.base_count)
        odds = share / (1 - share)
        return odds * max(self.base_traffic, 1) / max(self.traffic, 1)

    def exceeds(self, times: float, minimum: int) -> bool:
        """Whether this is an increase to ``times`` or more: enough events, and no play of chance."""
        if self.count < minimum:
            return False
        ratio = self.ratio
        return (ratio is None or ratio >= times) and self.at_least > 1


def _lower_share(count: int, of: int) -> float:
    tail = (1 - CONFIDENCE) / 2
    if of > _EXACT_UP_TO:
        z = NormalDist().inv_cdf(1 - tail)
        share = count / of
        spread = z * sqrt(share * (1 - share) / of + z**2 / (4 * of**2))
        return min(max((share + z**2 / (2 * of) - spread) / (1 + z**2 / of), 0.0), 1 - 1e-12)
    low, high = 0.0, count / of
    for _ in range(50):
        middle = (low + high) / 2
        if _at_least(count, of, middle) < tail:
            low = middle
        else:
            high = middle
    return min(low, 1 - 1e-12)


def _at_least(count: int, of: int, share: float) -> float:
    """P(X >= count) of a binomial."""
    if share <= 0:
        return 0.0 if count else 1.0
    if share >= 1:
        return 1.0
    one, other, total = log(share), log(1 - share), lgamma(of + 1)
    return min(
        1.0,
        sum(
            exp(total - lgamma(k + 1) - lgamma(of - k + 1) + k * one + (of - k) * other)
            for k in range(count, of + 1)
        ),
    )
