"""Weeks of silence in a minute: real stages and a real browser over the sandbox's sites, with one clock for all.

Nothing waits: the clock of the sandbox and of the pipeline is the same one, and it is moved.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Lock

import dagster as dg
import pytest
from sqlalchemy import text

from assets.follow_up import LOOK_EVERY, follow_ups_asset
from leasebot_pipeline.domain.pacing import Pace
from leasebot_pipeline.domain.platforms import Platform
from leasebot_pipeline.platforms.registry import build_connectors
from leasebot_pipeline.processes.accounts import account_choices
from leasebot_pipeline.processes.database import prepare_database
from leasebot_pipeline.processes.sandbox_environment import sandbox_variables
from leasebot_pipeline.sandbox import LOGIN_PASSWORD, LOGIN_USER
from leasebot_pipeline.sandbox.testing import SandboxServer
from leasebot_pipeline.sandbox.world import Lead
from leasebot_pipeline.settings import load_settings
from leasebot_pipeline.stages import decide, dispatch, ingest, link, poll
from leasebot_pipeline.stages.pipeline import Pipeline
from leasebot_pipeline.storage import demo_figures, invariants
from leasebot_pipeline.wiring import build_pipeline, runtime_options
from tests.conftest import Database

PLATFORMS = (Platform.LEASEBREAK, Platform.SPAREROOM)
TOUR = "Hi! Could I come and see the apartment this week? Any time works."
NOON = datetime(2026, 11, 24, 17, tzinfo=UTC)
"""A Tuesday noon in New York."""


@dataclass
class MovedClock:
    """Stands still until it is moved; sandbox and pipeline read it from their own threads."""

    now: datetime = NOON
    lock: Lock = field(default_factory=Lock)

    def __call__(self) -> datetime:
        with self.lock:
            self.now += timedelta(microseconds=1)
            return self.now

    def move_to(self, instant: datetime) -> None:
        with self.lock:
            self.now = max(self.now, instant)


@dataclass
class Weeks:
    sandbox: SandboxServer
    pipeline: Pipeline
    clock: MovedClock
    instance: dg.DagsterInstance

    def cycle(self, platform: Platform) -> None:
        """What the ticks and runs of a platform do at one moment, the follow-up run under Dagster."""
        poll.poll(self.pipeline, platform, "test")
        ingest.ingest(self.pipeline, ingest.load(self.pipeline, platform), {}, "run")
        link.link(self.pipeline, platform, "run")
        decide.apply(self.pipeline, decide.plan(self.pipeline, platform, "run"), {}, "run")
        dispatch.dispatch(self.pipeline, platform, "run")
        self.follow_up(platform)
        dispatch.dispatch(self.pipeline, platform, "run")
        self.follow_up(platform)

    def follow_up(self, platform: Platform) -> None:
        done = dg.materialize(
            [follow_ups_asset(LOOK_EVERY)],
            instance=self.instance,
            partition_key=platform.value,
            resources={"pipeline": self.pipeline},
        )
        checks = done.get_asset_check_evaluations()
        assert [check.check_name for check in checks if not check.passed] == []

    def to_next_step(self) -> None:
        """Time passes until the next step of every lead is due."""
        (due,) = self.rows(
            """SELECT max(due_at) FROM "FollowUps" WHERE status = 'pending' AND handed_at IS NULL"""
        )[0]
        assert isinstance(due, datetime)
        self.clock.move_to(due)

    def rows(self, query: str) -> list[tuple[object, ...]]:
        with self.pipeline.engine.connect() as conn:
            return [tuple(row) for row in conn.execute(text(query))]

    def workflow(self) -> dict[str, tuple[object, ...]]:
        """State, outcome, stage of the conversation on each platform."""
        found = self.rows(
            """SELECT a.platform, c.workflow_state, c.workflow_outcome, c.follow_up_stage FROM "Conversations" c
                 JOIN "PlatformAccounts" a ON a.id = c.platform_account_id"""
        )
        return {str(row[0]): row[1:] for row in found}

    def all_are(self, *columns: object) -> bool:
        return set(self.workflow().values()) == {columns}


@pytest.fixture
def weeks(empty_database: Database, tmp_path: Path) -> Iterator[Weeks]:
    clock = MovedClock()
    with SandboxServer(clock=clock) as sandbox, dg.DagsterInstance.ephemeral() as instance:
        variables = sandbox_variables(
            {}, host="127.0.0.1", control_port=1, login=LOGIN_USER, password=LOGIN_PASSWORD
        )
        urls = {f"{platform.env_prefix}_BASE_URL": url for platform, url in sandbox.base_urls.items()}
        settings = load_settings(
            {**variables, **urls, "DATABASE_URL": empty_database.url, "LEASE_BOT_DATA_DIR": str(tmp_path)}
        )
        prepare_database(
            empty_database.url, choices=account_choices(settings, sandbox=True), sandbox=True, now=clock()
        )
        built = build_pipeline(settings, "tests")
        built.connectors.close()
        pipeline = replace(
            built,
            clock=clock,
            connectors=build_connectors(runtime_options(settings), clock, production=False),
            policy=replace(built.policy, paces={platform: Pace(0, 0) for platform in Platform}),
        )
        try:
            yield Weeks(sandbox, pipeline, clock, instance)
        finally:
            pipeline.connectors.close()
            pipeline.engine.dispose()


def received(lead: Lead) -> list[str]:
    return [message.body for message in lead.received]


@pytest.mark.timeout(240)
def test_silent_leads_come_to_no_reply_and_back_when_they_write_again(weeks: Weeks) -> None:
    leads = [
        weeks.sandbox.add_lead(platform, TOUR, name="Ana Lead", patience=80_000.0, max_turns=0)
        for platform in PLATFORMS
    ]
    for platform in PLATFORMS:
        weeks.cycle(platform)
    assert weeks.all_are("lead", None, "follow_up_1")
    assert [len(lead.received) for lead in leads] == [1, 1]

    for stage in ("follow_up_1", "follow_up_2"):
        weeks.to_next_step()
        for platform in PLATFORMS:
            weeks.cycle(platform)
        assert weeks.all_are(stage, None, stage)
    assert [len(set(received(lead))) for lead in leads] == [3, 3]

    weeks.to_next_step()
    for platform in PLATFORMS:
        weeks.cycle(platform)
    assert weeks.all_are("outcome", "no_reply", None)
    assert weeks.clock.now - NOON > timedelta(days=7)

    weeks.clock.move_to(weeks.clock.now + timedelta(days=2))
    for platform, lead in zip(PLATFORMS, leads, strict=True):
        weeks.sandbox.lead_writes(lead, "Sorry, I was away! Can I still come and see it?")
        poll.poll(weeks.pipeline, platform, "test")
        ingest.ingest(weeks.pipeline, ingest.load(weeks.pipeline, platform), {}, "run")
    assert {row[:2] for row in weeks.workflow().values()} == {("lead", None)}

    with weeks.pipeline.engine.connect() as conn:
        figures = demo_figures.follow_up_figures(conn, weeks.clock.now)
        broken = [r.name for r in invariants.check(conn, weeks.clock.now) if not r.holds]
    assert figures == {"due": 6, "sent": 4, "stopped": 0}
    assert [name for name in broken if name != "waiting_conversation_decided"] == []
