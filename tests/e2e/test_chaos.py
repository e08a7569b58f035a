"""The process is killed at every crash point and started again: nothing is lost, nothing is sent twice."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import text

from leasebot_pipeline.domain.platforms import Platform
from leasebot_pipeline.processes.accounts import account_choices
from leasebot_pipeline.processes.database import prepare_database
from leasebot_pipeline.processes.sandbox_environment import sandbox_variables
from leasebot_pipeline.sandbox import LOGIN_PASSWORD, LOGIN_USER
from leasebot_pipeline.sandbox.testing import SandboxServer
from leasebot_pipeline.settings import load_settings
from leasebot_pipeline.storage import demo_figures, invariants
from tests.conftest import Database

PLATFORM = Platform.LEASEBREAK
TOUR = "Hi! Could I come and see the apartment this week? Any time works."


@dataclass
class Stage:
    """A sandbox, a database and the environment of a worker over both."""

    sandbox: SandboxServer
    database: Database
    environment: dict[str, str]

    def worker(self, crash_at: str | None = None) -> int:
        """One full cycle in a process of its own; its exit code."""
        armed = {"LEASE_BOT_CRASH_POINT": f"{crash_at}:kill"} if crash_at else {}
        done = subprocess.run(
            [sys.executable, "-m", "leasebot_pipeline.cli", "worker", "--once"],
            env={**self.environment, **armed},
            capture_output=True,
            text=True,
            timeout=120,
        )
        assert done.returncode in (0, 1, -signal.SIGKILL), done.stderr[-3000:]
        return done.returncode

    def received(self) -> list[str]:
        """Every reply any lead got."""
        return self.sandbox.received()

    def open_work(self) -> int:
        with self.database.engine.connect() as conn:
            return demo_figures.open_work(conn)

    def some_time_passes(self) -> None:
        """As if minutes went by for replies in doubt or waiting for their next attempt."""
        with self.database.engine.begin() as conn:
            conn.execute(
                text(
                    """UPDATE "OutboundDispatches" SET in_doubt_since = in_doubt_since - interval '2 minutes',
                           next_attempt_at = next_attempt_at - interval '2 minutes'
                        WHERE state IN ('unknown', 'retry_scheduled')"""
                )
            )

    def broken_invariants(self) -> list[str]:
        with self.database.engine.connect() as conn:
            return [f"{r.name}: {r.sample}" for r in invariants.check(conn) if not r.holds]


@pytest.fixture
def stage(empty_database: Database, tmp_path: Path) -> Iterator[Stage]:
    with SandboxServer() as sandbox:
        variables = sandbox_variables(
            {}, host="127.0.0.1", control_port=1, login=LOGIN_USER, password=LOGIN_PASSWORD
        )
        urls = {f"{platform.env_prefix}_BASE_URL": url for platform, url in sandbox.base_urls.items()}
        environment = {
            **{name: value for name, value in os.environ.items() if name in ("PATH", "HOME", "LANG")},
            **variables,
            **urls,
            "DATABASE_URL": empty_database.url,
            "LEASE_BOT_DATA_DIR": str(tmp_path),
            "WORKER_INGEST_PLATFORMS": PLATFORM.value,
        }
        settings = load_settings(environment)
        prepare_database(
            empty_database.url,
            choices=account_choices(settings, sandbox=True),
            sandbox=True,
            now=datetime.now(UTC),
        )
        yield Stage(sandbox, empty_database, environment)


PASSED_IN_A_PLAIN_CYCLE = (
    "poll.after_landing",
    "ingest.before_commit",
    "ingest.after_commit",
    "link.before_commit",
    "decide.before_commit",
    "decide.after_commit",
    "lease.after_acquire",
    "dispatch.after_claim",
    "dispatch.after_intent",
    "dispatch.before_click",
    "dispatch.after_click",
    "dispatch.after_receipt",
)
"""One of each kind, through a real worker and a real browser; ``leasebot chaos`` goes through all of them."""


@pytest.mark.parametrize("point", PASSED_IN_A_PLAIN_CYCLE)
@pytest.mark.timeout(240)
def test_a_process_killed_there_loses_and_doubles_nothing(stage: Stage, point: str) -> None:
    for name in ("Ana", "Ben"):
        stage.sandbox.add_lead(PLATFORM, TOUR, name=name)

    assert stage.worker(crash_at=point) == -signal.SIGKILL, "the armed point was passed"

    for _ in range(4):
        stage.worker()
        if len(stage.received()) == 2 and not stage.open_work():
            break
        stage.some_time_passes()

    assert len(stage.received()) == 2, "each lead got exactly one reply"
    assert stage.open_work() == 0
    assert stage.broken_invariants() == []
