"""How long interrupted work stays undone."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from leasebot_pipeline.domain.platforms import Platform

Interruption = Literal["killed", "frozen", "failed", "database"]


@dataclass(slots=True)
class Recovery:
    """Since when a platform's work is interrupted, and in how many seconds it was taken up again, each time.

    ``killed_alone`` are those of ``seconds`` in which one process was killed and nothing else interrupted the platform
    before it went on.
    """

    since: dict[Platform, float] = field(default_factory=dict)
    seconds: list[float] = field(default_factory=list)
    killed_alone: list[float] = field(default_factory=list)
    _by: dict[Platform, list[Interruption]] = field(default_factory=dict, init=False)

    def interrupted(self, platform: Platform, at: float, by: Interruption) -> None:
        """A process died, froze or failed over the platform's work."""
        self.since.setdefault(platform, at)
        self._by.setdefault(platform, []).append(by)

    def database_is_back(self, at: float) -> None:
        """What was interrupted could not go on before."""
        for platform in self.since:
            self.interrupted(platform, at, "database")
        self.since = dict.fromkeys(self.since, at)

    def went_on(self, platform: Platform, began: float) -> None:
        """A cycle of the platform that began then had the account and ran through, whatever it found."""
        since = self.since.get(platform)
        if since is not None and began >= since:
            self.seconds.append(began - since)
            if self._by.pop(platform) == ["killed"]:
                self.killed_alone.append(began - since)
            del self.since[platform]
