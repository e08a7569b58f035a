"""Workers with a real browser are killed one after the other, each at another crash point: nothing is lost or sent twice."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TextIO

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
    workers: subprocess.Popen[str]
    log: Path

    def worker(self) -> int:
        """One full cycle as a person starts it; its exit code."""
        done = subprocess.run(
            [sys.executable, "-m", "leasebot_pipeline.cli", "worker", "--once"],
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=120,
        )
        assert done.returncode in (0, 1), done.stderr[-3000:]
        return done.returncode

    def killed_worker(self, crash_at: str) -> int:
        """The same armed, as a fork of a process that has imported everything: starting is most of what one does."""
        workers = self.workers
        assert workers.stdin is not None
        assert workers.stdout is not None
        workers.stdin.write(f"{crash_at}:kill\n")
        workers.stdin.flush()
        answer = workers.stdout.readline()
        assert answer, self.said()
        return int(answer)

    def said(self) -> str:
        """The last words of the forked workers."""
        return self.log.read_text()[-3000:]

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


@contextmanager
def forked_workers(environment: dict[str, str], said: TextIO) -> Iterator[subprocess.Popen[str]]:
    """``forked_workers.py``, with what it and its workers say in a file."""
    command = [sys.executable, "-m", "tests.e2e.forked_workers"]
    pipe = subprocess.PIPE
    with subprocess.Popen(
        command, env=environment, stdin=pipe, stdout=pipe, stderr=said, text=True
    ) as workers:
        try:
            yield workers
        finally:
            workers.kill()


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
        log = tmp_path / "workers.log"
        with log.open("w") as said, forked_workers(environment, said) as workers:
            yield Stage(sandbox, empty_database, environment, workers, log)


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


@pytest.mark.timeout(600)
def test_processes_killed_there_one_after_the_other_lose_and_double_nothing(stage: Stage) -> None:
    """A new lead writes before each death: whoever dies next has more to do than to take up what the one before left."""
    leads = [stage.sandbox.add_lead(PLATFORM, TOUR, name="Ana")]

    for point in PASSED_IN_A_PLAIN_CYCLE:
        leads.append(stage.sandbox.add_lead(PLATFORM, TOUR, name=f"Ben at {point}"))
        assert stage.killed_worker(point) == -signal.SIGKILL, f"{point} was not passed: {stage.said()}"
        assert [lead.name for lead in leads if len(lead.received) > 1] == [], f"doubled, seen after {point}"
        assert stage.broken_invariants() == [], f"after a death at {point}"
        stage.some_time_passes()

    for _ in range(4):
        stage.worker()
        if not stage.open_work() and len(stage.received()) >= len(leads):
            break
        stage.some_time_passes()

    wrong = {lead.name: len(lead.received) for lead in leads if len(lead.received) != 1}
    assert wrong == {}, "each lead got exactly one reply"
    assert stage.open_work() == 0
    assert stage.broken_invariants() == []
