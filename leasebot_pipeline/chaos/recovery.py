"""How long interrupted work stays undone."""

from __future__ import annotations

from dataclasses import dataclass, field

from leasebot_pipeline.domain.platforms import Platform


@dataclass(slots=True)
class Recovery:
    """Since when a platform's work is interrupted, and in how many seconds it was taken up again, each time."""

    since: dict[Platform, float] = field(default_factory=dict)
    seconds: list[float] = field(default_factory=list)

    def interrupted(self, platform: Platform, at: float) -> None:
        """A process died, or froze, over the platform's work."""
        self.since.setdefault(platform, at)

    def database_is_back(self, at: float) -> None:
        """What was interrupted could not go on before."""
        self.since = dict.fromkeys(self.since, at)

    def went_on(self, platform: Platform, began: float) -> None:
        """A cycle of the platform that began then had the account and ran through, whatever it found."""
        since = self.since.get(platform)
        if since is not None and began >= since:
            self.seconds.append(began - since)
            del self.since[platform]
