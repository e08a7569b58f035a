"""Everything a play acts on: database, sites, receiver, crew, and the time of all of them."""

from __future__ import annotations

import contextlib
import logging
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Final, Self

from sqlalchemy.exc import OperationalError

from leasebot_pipeline.chaos import ground
from leasebot_pipeline.chaos.clock import PlayClock
from leasebot_pipeline.chaos.crew import Crew
from leasebot_pipeline.chaos.ground import Database, Receiver
from leasebot_pipeline.chaos.tasks import BrowserPlace, Place
from leasebot_pipeline.chaos.verdict import Journal, read_journal
from leasebot_pipeline.sandbox.testing import SandboxServer

_SITES_PATIENCE_S: Final = 30.0


class PlayFailed(RuntimeError):
    """The play itself broke down; what it was to show was not shown."""


@dataclass(slots=True)
class PlayTime:
    """The clock of all processes, and how much of its way it only leapt."""

    clock: PlayClock
    begun: datetime
    wake: Callable[[], None]
    age: Callable[[float], None]
    """Lets seconds go by for the database, whose own clock can't be set."""
    leapt_s: float = 0.0
    owed_s: float = 0.0
    """Seconds that went by while the database was away."""

    @property
    def played_s(self) -> float:
        """Seconds of the play, without those that a leap of the clock only pretended."""
        return (self.clock() - self.begun).total_seconds() - self.leapt_s

    def pass_by(self, seconds: float) -> None:
        """Time goes by, and nobody has to wait for it."""
        self.clock.advance(seconds)
        self.wake()
        self.owed_s += seconds
        with contextlib.suppress(OperationalError):
            self.age(self.owed_s)
            self.owed_s = 0.0

    def leap(self, seconds: float) -> None:
        """The clock is set, by a person or by its network: no time goes by."""
        self.leapt_s += seconds
        self.clock.advance(seconds)
        self.wake()


class Scene:
    """A context manager: all of it stands when the block begins, none of it is left when it ends."""

    def __init__(self, folder: Path, seed: int, workers: int) -> None:
        self.folder, self.seed, self.workers = folder, seed, workers
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        # Visitors die in the middle of a request, on purpose; what the sites say of that is no news.
        logging.getLogger("uvicorn.error").setLevel(logging.CRITICAL)
        clock = PlayClock(self.folder / "clock")
        enter = self._stack.enter_context
        try:
            self.database = enter(Database(self.folder / "database", clock()))
            self.sandbox = enter(
                SandboxServer(self.folder / "sites", time_scale=1.0, seed=self.seed, clock=clock)
            )
            self.receiver = enter(Receiver())
            age = partial(ground.let_time_pass, self.database.engine)
            self.time = PlayTime(clock, clock(), self.sandbox.wake, age)
            self.crew = enter(Crew(self._place(), self.workers))
        except BaseException:
            self._stack.close()
            raise
        return self

    def __exit__(self, *ending: object) -> None:
        self._stack.close()

    def browser_crew(self, executable: Path) -> Crew:
        """Two workers that drive a real browser; the caller enters and leaves it."""
        place = BrowserPlace(str(executable), str(self.folder / "browser"))
        return Crew(replace(self._place(), browser=place), 2)

    def now(self) -> datetime:
        """The play's clock."""
        return self.time.clock()

    def journal(self) -> Journal:
        """What the sites wrote down so far."""
        return read_journal(self.folder / "sites" / "journal.jsonl")

    def until_sites_are_quiet(self) -> None:
        """A request of a worker that died may still be on its way: time must not leap over it."""
        deadline = time.monotonic() + _SITES_PATIENCE_S
        calm = 0
        while calm < 2:
            calm = calm + 1 if self.sandbox.requests_under_way == 0 else 0
            time.sleep(0.005)
            if time.monotonic() > deadline:
                raise PlayFailed("a site does not finish its requests")

    def _place(self) -> Place:
        return Place(
            database_url=self.database.url,
            base_urls=dict(self.sandbox.base_urls),
            clock_file=str(self.folder / "clock"),
            host="",
            webhook_url=self.receiver.url,
            seed=self.seed,
            archive_dir=str(self.folder / "archive"),
        )
