"""A leasing team on five platforms in memory, with a real database and a Dagster instance of its own."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import UUID

import dagster as dg
import pytest
from sqlalchemy import text

from leasebot_pipeline.decisions.heuristic import HeuristicProvider
from leasebot_pipeline.domain.platforms import REQUIRED_ACCOUNTS, Platform, ReleaseStage, SendMode
from leasebot_pipeline.domain.readings import ListingRow
from leasebot_pipeline.platforms.mock import MockConnectors, MockInbox
from leasebot_pipeline.stages.pipeline import Pipeline, PipelinePolicy
from leasebot_pipeline.stages.sync_listings import sync_listings
from leasebot_pipeline.storage import bootstrap, sample_workspace
from tests.conftest import Database

PLATFORM = Platform.ROOMIES
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


def account_of(platform: Platform) -> UUID:
    return next(account.id for account in REQUIRED_ACCOUNTS if account.platform is platform)


@dataclass
class Office:
    """The pipeline with what stands around it."""

    pipeline: Pipeline
    connectors: MockConnectors
    clock: Clock
    instance: dg.DagsterInstance

    def inbox(self, platform: Platform = PLATFORM) -> MockInbox:
        return self.connectors.for_platform(platform).inbox(account_of(platform))

    def lead_writes(self, thread: str, body: str, listing: str | None = "L1") -> None:
        self.inbox().write(thread, body, self.clock, lead_name="Ana Lead", listing_external_id=listing)

    def rows(self, query: str, **parameters: object) -> Sequence[tuple[object, ...]]:
        with self.pipeline.engine.connect() as conn:
            return [tuple(row) for row in conn.execute(text(query), parameters)]

    def run(self, statement: str, **parameters: object) -> None:
        with self.pipeline.engine.begin() as conn:
            conn.execute(text(statement), parameters)


@pytest.fixture
def office(database: Database) -> Iterator[Office]:
    """Five active accounts that send by themselves; the one on Roomies has three listings with agents."""
    clock = Clock()
    with database.engine.begin() as conn:
        choice = bootstrap.AccountChoice({}, True, "login", SendMode.AUTO_SEND)
        bootstrap.ensure_required_accounts(conn, dict.fromkeys(Platform, choice))
        bootstrap.ensure_release_stage(conn, ReleaseStage.FULL, "tests", clock())
        sample_workspace.seed_replies(conn)
    connectors = MockConnectors(clock)
    pipeline = Pipeline(
        engine=database.engine,
        clock=clock,
        connectors=connectors,
        provider=HeuristicProvider(),
        policy=PipelinePolicy(default_send_mode=SendMode.AUTO_SEND),
        sleep=lambda _seconds: None,
        fraction=lambda: 0.0,
    )
    with dg.DagsterInstance.ephemeral() as instance:
        office = Office(pipeline, connectors, clock, instance)
        office.inbox().listings.extend(
            ListingRow(f"L{n}", "active", f"Room {n}", property_name="Cedar Court", unit_number=str(n))
            for n in (1, 2, 3)
        )
        sync_listings(pipeline, PLATFORM, None)
        with database.engine.begin() as conn:
            sample_workspace.seed_team(conn, clock())
        yield office
