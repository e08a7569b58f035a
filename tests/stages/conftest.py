"""A pipeline over a practice team: listings, agents with calendars, rules, templates, the heuristic provider."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import cast
from uuid import UUID

import pytest
from sqlalchemy import text

from leasebot_pipeline.decisions.heuristic import HeuristicProvider
from leasebot_pipeline.domain.listings import sync_row
from leasebot_pipeline.domain.platforms import REQUIRED_ACCOUNTS, Platform, ReleaseStage, SendMode
from leasebot_pipeline.domain.readings import ListingRow
from leasebot_pipeline.platforms.protocol import Connectors
from leasebot_pipeline.stages import decide, ingest, link
from leasebot_pipeline.stages.decide import DecideResult
from leasebot_pipeline.stages.pipeline import Pipeline, PipelinePolicy
from leasebot_pipeline.storage import bootstrap, landing, listings, platform_runs, sample_workspace
from leasebot_pipeline.storage.landing import LandedMessage
from tests.conftest import Database

PLATFORM = Platform.SPAREROOM
ACCOUNT: UUID = next(account.id for account in REQUIRED_ACCOUNTS if account.platform is PLATFORM)
NOON = datetime(2026, 11, 24, 17, tzinfo=UTC)
"""A Tuesday noon in New York."""


@dataclass
class Clock:
    """A clock that stands still until it is moved."""

    now: datetime = NOON

    def __call__(self) -> datetime:
        return self.now

    def advance(self, **span: float) -> None:
        self.now += timedelta(**span)


@dataclass
class Office:
    """The pipeline of a leasing team, with shorthands for what happens to it."""

    pipeline: Pipeline
    clock: Clock
    statements: list[str] = field(default_factory=list)

    def lead_writes(
        self,
        thread: str,
        *bodies: str,
        listing: str | None = "L1",
        sent_at: datetime | None = None,
        by: str = "inbound",
    ) -> None:
        """New messages appear in a thread and are landed."""
        with self.pipeline.engine.begin() as conn:
            known = conn.execute(
                text('SELECT count(*) FROM "InboundEvents" WHERE external_thread_id = :t'), {"t": thread}
            ).scalar_one()
            run = platform_runs.begin(
                conn,
                account=ACCOUNT,
                platform=PLATFORM,
                action="ingest",
                triggered_by="test",
                run_id=None,
                now=self.clock(),
            )
            landing.land_thread(
                conn,
                account=ACCOUNT,
                platform=PLATFORM,
                external_thread_id=thread,
                messages=[
                    LandedMessage(f"m{known + n}", "platform", by, body, sent_at or self.clock(), "now", True)
                    for n, body in enumerate(bodies)
                ],
                payload={
                    "leadName": "Ana Lead",
                    **({"linkageHints": {"listingExternalId": listing}} if listing else {}),
                },
                platform_run=run,
                now=self.clock(),
            )

    def take_in(self) -> None:
        """Ingest and link what has landed."""
        ingest.ingest(self.pipeline, ingest.load(self.pipeline, PLATFORM), {}, "run-1")
        link.link(self.pipeline, PLATFORM, "run-1")

    def decide(self) -> DecideResult:
        plan = decide.plan(self.pipeline, PLATFORM, "run-1")
        return decide.apply(self.pipeline, plan, {}, "run-1")

    def work(self) -> DecideResult:
        self.take_in()
        return self.decide()

    def rows(self, query: str, **parameters: object) -> Sequence[tuple[object, ...]]:
        with self.pipeline.engine.connect() as conn:
            return [tuple(row) for row in conn.execute(text(query), parameters)]

    def pass_by(self, **span: float) -> None:
        """Time goes by on our clock and on the database's, which can't be set: what it counts from moves back."""
        self.clock.advance(**span)
        self.run(
            'UPDATE "OutboundDispatches" SET in_doubt_since = in_doubt_since - CAST(:span AS interval)',
            span=timedelta(**span),
        )

    def run(self, statement: str, **parameters: object) -> None:
        with self.pipeline.engine.begin() as conn:
            conn.execute(text(statement), parameters)


OfficeMaker = Callable[..., Office]


@pytest.fixture
def make_office(database: Database) -> OfficeMaker:
    """Build the office; keyword arguments change the policy."""

    def make(connectors: Connectors | None = None, **policy: object) -> Office:
        clock = Clock()
        with database.engine.begin() as conn:
            choice = bootstrap.AccountChoice({}, True, "login", SendMode.AUTO_SEND)
            bootstrap.ensure_required_accounts(conn, dict.fromkeys(Platform, choice))
            bootstrap.ensure_release_stage(conn, ReleaseStage.FULL, "tests", clock())
            rows = [
                sync_row(
                    ACCOUNT,
                    ListingRow(
                        f"L{n}", "active", title=f"Room {n}", property_name="Cedar Court", unit_number=str(n)
                    ),
                    clock().isoformat(),
                )
                for n in range(1, 4)
            ]
            listings.sync(conn, ACCOUNT, rows, complete=True, now=clock())
            sample_workspace.seed_replies(conn)
            sample_workspace.seed_team(conn, clock())
        values = {
            "default_send_mode": SendMode.AUTO_SEND,
            "ingest_batch_size": 5000,
            "decision_batch_size": 5000,
        }
        pipeline = Pipeline(
            engine=database.engine,
            clock=clock,
            connectors=cast("Connectors", connectors),
            provider=HeuristicProvider(),
            policy=PipelinePolicy(**{**values, **policy}),  # type: ignore[arg-type]
            sleep=lambda _seconds: None,
            fraction=lambda: 0.0,
        )
        return Office(pipeline, clock)

    return make


@pytest.fixture
def office(make_office: OfficeMaker) -> Office:
    return make_office()
