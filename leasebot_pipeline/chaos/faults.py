"""What goes wrong in a play and when: chosen by the seed alone, before anybody knows what comes of it."""

from __future__ import annotations

import random
from collections import Counter, deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from leasebot_pipeline.domain.platforms import Platform
from leasebot_pipeline.storage.crash_points import CRASH_POINTS

WAYS: Final = ("raise", "kill")

KINDS: Final[dict[str, float]] = {
    "crash": 60,  # raise, kill -9 or freeze at a named point
    "kill": 8,  # kill -9 at any instant
    "commit_unsent": 3,  # connection reset before the server got the commit
    "commit_unanswered": 3,  # connection reset before the server's answer came back
    "connections_cut": 2,  # the server ends every connection
    "database_restart": 1,
    "database_crash": 0.7,
    "database_away": 0.25,  # for a minute
    "twice": 8,  # two workers at once
    "second_deployment": 3,
    "clock_forward": 2,
    "clock_back": 1,
    "clock_skew": 3,
    "site": 28,
    "kill_switch": 2,
    "shadow": 1,
    "inactive": 1,
    "draft_only": 1,
    "daily_cap": 1,
    "receiver_down": 2,
}
"""Kinds of faults by how often they are chosen."""

SITE_FAULTS: Final[dict[str, float]] = {
    "expired_session": 3,
    "challenge": 1,
    "captcha": 1,
    "rate_limited": 2,
    "server_error": 4,
    "slow_page": 1,
    "half_page": 3,
    "changed_markup": 1,
    "lost_response": 6,
    "refused_reply": 3,
    "late_reply": 1,
    "deaf_thread": 2,
    "duplicated_rows": 3,
    "reordered_rows": 3,
    "short_list": 3,
}
"""Faults of the sites by how often they are chosen; three are the sandbox's own with another reach."""


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault. ``delay_s`` is when in its tick it strikes, ``ticks`` how long it lasts."""

    kind: str
    platform: Platform
    what: str | None = None
    nth: int = 1
    delay_s: float = 0.0
    seconds: float = 0.0
    ticks: int = 1

    @property
    def name(self) -> str:
        """How it is counted."""
        return f"{self.kind}:{self.what}" if self.kind == "site" else self.kind


@dataclass(slots=True)
class CrashDeck:
    """Every crash point, each way, shuffled: dealt until all were reached, then again."""

    chance: random.Random
    _deck: deque[tuple[str, str]] = field(default_factory=deque, init=False)
    reached: Counter[tuple[str, str]] = field(default_factory=Counter, init=False)

    def deal(self, *, stall: bool) -> tuple[str, str]:
        """The next point and way. ``stall`` says whether a worker may be frozen now."""
        if not self._deck:
            ways = self.all_ways()
            self.chance.shuffle(ways)
            self._deck.extend(sorted(ways, key=lambda way: self.reached[way] > 0))
        for _ in range(len(self._deck)):
            point, way = self._deck.popleft()
            if way != "stall" or stall:
                return point, way
            self._deck.append((point, way))
        return point, "kill"

    @property
    def unreached(self) -> list[tuple[str, str]]:
        """Crashes that never came about so far."""
        return [way for way in self.all_ways() if not self.reached[way]]

    def deal_unreached(self) -> None:
        """Put what was never reached on top, in its own order."""
        self._deck = deque(self.unreached)

    @property
    def ways(self) -> int:
        """How many crashes there are: every point, each way it can be done there."""
        return len(self.all_ways())

    def missed(self, point: str, way: str) -> None:
        """It was armed and never passed: its turn comes again."""
        self._deck.append((point, way))

    @staticmethod
    def all_ways() -> list[tuple[str, str]]:
        # Inside a transaction a frozen process only holds locks until the server ends its connection.
        return [
            (point, way)
            for point in CRASH_POINTS
            for way in (*WAYS, *(("stall",) if _outside(point) else ()))
        ]


def _outside(point: str) -> bool:
    return ".after_" in point or point == "dispatch.before_click"


def choose(chance: random.Random, platforms: Sequence[Platform], rate: float) -> list[Fault]:
    """The faults of one tick; ``rate`` is how many there are on average."""
    found: list[Fault] = []
    while chance.random() < rate / (1 + rate):
        kind = chance.choices(list(KINDS), list(KINDS.values()))[0]
        what = chance.choices(list(SITE_FAULTS), list(SITE_FAULTS.values()))[0] if kind == "site" else None
        found.append(
            Fault(
                kind,
                platform=chance.choice(platforms),
                what=what,
                nth=chance.randint(1, 12),
                delay_s=chance.random() * 0.6,
                seconds=chance.uniform(5, 240),
                ticks=chance.randint(1, 4),
            )
        )
    return found
