"""The real stages in the test's own process, over a real database and the five sites' HTTP: no browser, no workers."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from uuid import UUID

from sqlalchemy import text

from leasebot_pipeline.chaos import ground, worker
from leasebot_pipeline.chaos.clock import PlayClock
from leasebot_pipeline.chaos.ground import Receiver
from leasebot_pipeline.chaos.scene import PlayTime
from leasebot_pipeline.chaos.tasks import Place
from leasebot_pipeline.chaos.verdict import Verdict, judge, read_journal
from leasebot_pipeline.domain.platforms import Platform
from leasebot_pipeline.sandbox.testing import SandboxServer
from leasebot_pipeline.sandbox.world import Lead
from leasebot_pipeline.stages import accounts
from leasebot_pipeline.stages.alerts import sweep
from leasebot_pipeline.stages.pipeline import Pipeline
from leasebot_pipeline.storage import accounts_runtime, crash_points, demo_figures, invariants
from leasebot_pipeline.storage.crash_points import CrashPointReached
from tests.conftest import Database

TOUR = "Hi! Could I come and see the apartment this week? Any time works."
MOST_CYCLES = 12


@dataclass
class House:
    """Sites, database, receiver of alerts, and a pipeline over all of them."""

    sandbox: SandboxServer
    database: Database
    receiver: Receiver
    time: PlayTime
    pipeline: Pipeline
    journal: Path
    names: Iterator[int] = field(default_factory=lambda: iter(range(1, 10_000)))

    def lead(self, platform: Platform, *texts: str, **fields: object) -> Lead:
        """A lead who writes, and is content with one answer."""
        return self.sandbox.add_lead(platform, *(texts or (TOUR,)), name=f"Ana {next(self.names)}", **fields)

    def cycle(self, platform: Platform) -> None:
        """A look at the platform and a run over what waits, as production does it."""
        worker.cycle(self.pipeline, platform, "chaos")

    def crash(self, point: str, act: Callable[[], object], *, least: int = 1) -> int:
        """Act until an exception was raised at the point; how often it took."""
        crash_points.arm(f"{point}:raise")
        try:
            for tries in range(1, MOST_CYCLES + 1):
                with suppress(CrashPointReached):  # an attempt at a reply records it and goes on
                    act()
                if crash_points.times_passed(point):
                    return tries
                self.time.pass_by(31.0)
        finally:
            crash_points.arm(None)
        raise AssertionError(f"{point} was never passed")

    def settle(self, platform: Platform) -> None:
        """People do what they were asked to, and the pipeline runs until nothing is open."""
        self.sandbox.clear_faults()
        for _ in range(MOST_CYCLES):
            if self.stopped(platform):
                accounts.resume(self.pipeline.engine, platform, actor="tests")
            self.cycle(platform)
            if self.is_settled():
                break
            self.time.pass_by(31.0)
        sweep(self.pipeline.engine, self.pipeline.alerts, self.pipeline.clock)

    def is_settled(self) -> bool:
        """Everything that was written is known, and nothing is left to do for it."""
        with self.pipeline.engine.connect() as conn:
            known = ground.stored(conn)
        return known >= self.sandbox.written and not self.open_work()

    def stopped(self, platform: Platform) -> bool:
        with self.pipeline.engine.connect() as conn:
            rows = accounts_runtime.accounts(conn, platform)
        return any(row.state.stop_code is not None for row in rows)

    def cap(self, platform: Platform, cap: int | None) -> None:
        """The account's share of the day; None is the general one."""
        with self.pipeline.engine.connect() as conn:
            rows = accounts_runtime.accounts(conn, platform)
        accounts.limit(self.pipeline.engine, rows, accounts.Limits(cap=cap, set_cap=True), actor="tests")

    def open_work(self) -> int:
        with self.pipeline.engine.connect() as conn:
            return demo_figures.open_work(conn)

    def judged(self) -> Verdict:
        """What all leads so far really received against what we say we did."""
        with self.pipeline.engine.connect() as conn:
            return judge(conn, read_journal(self.journal))

    def broken_invariants(self) -> list[str]:
        with self.pipeline.engine.connect() as conn:
            found = invariants.check(conn, self.pipeline.clock())
        return [f"{one.name}: {one.sample}" for one in found if not one.holds]

    def conversation(self, lead: Lead) -> UUID:
        (found,) = self.rows('SELECT id FROM "Conversations" WHERE external_thread_id = :t', t=lead.thread)
        return found[0]

    def run(self, statement: str, **parameters: object) -> None:
        with self.pipeline.engine.begin() as conn:
            conn.execute(text(statement), parameters)

    def rows(self, query: str, **parameters: object) -> list[tuple]:  # type: ignore[type-arg]
        with self.pipeline.engine.connect() as conn:
            return [tuple(row) for row in conn.execute(text(query), parameters)]


@contextmanager
def opened(database: Database, folder: Path) -> Iterator[House]:
    """A house over a migrated database; files below the folder."""
    clock = PlayClock(folder / "clock")
    ground.prepare(database.engine, clock())
    with (
        SandboxServer(folder / "sites", time_scale=1.0, clock=clock) as sandbox,
        Receiver() as receiver,
    ):
        place = Place(
            database_url=database.url,
            base_urls=dict(sandbox.base_urls),
            clock_file=str(folder / "clock"),
            host="",
            webhook_url=receiver.url,
            seed=1,
            archive_dir=str(folder / "archive"),
        )
        pipeline = worker.build(place, clock)
        time = PlayTime(clock, clock(), sandbox.wake, partial(ground.let_time_pass, database.engine))
        try:
            yield House(sandbox, database, receiver, time, pipeline, folder / "sites" / "journal.jsonl")
        finally:
            pipeline.connectors.close()
            pipeline.engine.dispose()
