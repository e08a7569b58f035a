"""`leasebot preflight` as an operator runs it, in a good environment and in a broken one: what it prints, and its exit code.

``WRITE_EVIDENCE=1`` keeps both outputs below ``docs/qa/evidence``, as practice.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from dagster._core.scheduler.instigation import TickStatus
from sqlalchemy import text

from leasebot_pipeline.domain.platforms import Platform, ReleaseStage, SendMode
from leasebot_pipeline.domain.release_gate import REQUIRED_GATES
from leasebot_pipeline.release.preflight import CHECKS
from leasebot_pipeline.storage import bootstrap
from tests.conftest import Database
from tests.release import dagster_rows
from tests.release.spoilt import spoil

ROOT = Path(__file__).parents[2]
COMMIT = "4f2a9c1d0000000000000000000000000000beef"
SENSORS = tuple(f"inbox_{platform.value}" for platform in Platform)
SECRETS = ("3dWwq0-nobody-may-see-this-session-secret-1", "nobody-may-see-this-password")
"""What no output may hold."""


@dataclass
class Operator:
    """Whoever runs the command: variables, a folder of evidence, nothing of the tests' own environment."""

    folder: Path
    variables: dict[str, str]
    printed: list[str] = field(default_factory=list)

    def preflight(self, *arguments: str, **changed: str) -> tuple[int, str]:
        command = ("preflight", *arguments, "--commit", COMMIT, "--evidence", "evidence")
        kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
        done = subprocess.run(
            (sys.executable, "-m", "leasebot_pipeline.cli", *command),
            cwd=self.folder,
            env={**kept, "PYTHONPATH": str(ROOT), **self.variables, **changed},
            capture_output=True,
            text=True,
            check=False,
        )
        assert "Traceback" not in done.stderr, done.stderr
        self.printed.append(f"$ leasebot {' '.join(command)}\n{done.stdout}exit code {done.returncode}\n")
        return done.returncode, done.stdout


@pytest.fixture
def operator(database: Database, empty_database: Database, tmp_path: Path) -> Operator:
    now = datetime.now(UTC)
    credentials = {"usernameRef": "env:SITE_USERNAME", "passwordRef": "env:SITE_PASSWORD"}
    with database.engine.begin() as conn:
        choice = bootstrap.AccountChoice(credentials, True, "login", SendMode.AUTO_SEND)
        bootstrap.ensure_required_accounts(conn, dict.fromkeys(Platform, choice))
        bootstrap.ensure_release_stage(conn, ReleaseStage.SHADOW, "the release of the week", now)
        conn.execute(text('UPDATE "AccountRuntime" SET last_success_ingest_at = :at'), {"at": now})
        conn.execute(
            text("""INSERT INTO "AuditLogs" (actor_type, entity_type, entity_id, action, details)
                    VALUES ('worker', 'conversation', 'c', 'ingest_conversation_linkage_resolved',
                            '{"linkage": {"appliedListingId": "l-1"}}')""")
        )
    dagster_rows.write(empty_database.url, now, dict.fromkeys(SENSORS, TickStatus.SKIPPED))
    place = Operator(
        tmp_path,
        {
            "LEASE_BOT_ENV": "production",
            "LEASE_BOT_RPA_RUNTIME": "playwright",
            "LEASE_BOT_DAGSTER_DATABASE_URL": empty_database.url,
            "LEASE_BOT_DATA_DIR": str(tmp_path / "var"),
            "DATABASE_URL": database.url,
            "API_HOST": "0.0.0.0",
            "API_PORT": "3001",
            "API_LOG_LEVEL": "info",
            "API_BASE_URL": "https://api.example.com",
            "WEB_BASE_URL": "https://www.example.com",
            "BETTER_AUTH_SECRET": SECRETS[0],
            "BETTER_AUTH_URL": "https://api.example.com",
            "BETTER_AUTH_TRUSTED_ORIGINS": "https://www.example.com",
            "WORKER_POLL_INTERVAL_MS": "30000",
            "WORKER_QUEUE_BATCH_SIZE": "100",
            "WORKER_TASK": "all",
            "WORKER_RUN_ONCE": "0",
            "AI_DECISION_PROVIDER": "heuristic",
            "SITE_USERNAME": "grace@example.com",
            "SITE_PASSWORD": SECRETS[1],
        },
    )
    gates(place, dict.fromkeys(REQUIRED_GATES, "pass"))
    return place


def gates(place: Operator, found: Mapping[str, str]) -> None:
    """What `make gates` leaves for the commit."""
    folder = place.folder / "evidence"
    folder.mkdir(exist_ok=True)
    checks = [{"name": f"{gate}:suite", "status": status} for gate, status in found.items()]
    document = {"commit": COMMIT, "finishedAt": datetime.now(UTC).isoformat(), "checks": checks}
    (folder / "gates.json").write_text(json.dumps(document), encoding="utf-8")


def break_both(database: Database, dagster: Database) -> None:
    spoil(database)
    with dagster.engine.begin() as conn:
        conn.execute(
            text("UPDATE daemon_heartbeats SET timestamp = timestamp - CAST(:age AS interval)"),
            {"age": timedelta(hours=1)},
        )
        conn.execute(text("UPDATE job_ticks SET status = 'FAILURE' WHERE selector_id = 'inbox_roomies'"))


BROKEN = {
    "AI_DECISON_PROVIDER": "gemini",
    "API_PORT": "many",
    "BETTER_AUTH_SECRET": "change-me",
    "LEASE_BOT_RPA_RUNTIME": "mock",
    "SITE_PASSWORD": "",
    "WORKER_TASK": "",
}


def statuses(output: str) -> dict[str, str]:
    return {name: status.lower() for status, name in re.findall(r"^(PASS|FAIL|SKIP) +(\w+):", output, re.M)}


def test_it_passes_a_good_environment_and_tells_a_broken_one_everything(
    operator: Operator, database: Database, empty_database: Database
) -> None:
    code, output = operator.preflight("--provider", "heuristic")
    assert (code, statuses(output)) == (0, dict.fromkeys(CHECKS, "pass")), output
    assert output.endswith("ready\n")

    break_both(database, empty_database)
    gates(operator, {"critical": "fail", "quality": "skip"})
    code, output = operator.preflight("--provider", "gemini", **BROKEN)
    found = statuses(output)
    passed = {name for name, status in found.items() if status == "pass"}
    assert (code, passed) == (1, {"production", "database", "ci_evidence"}), output
    assert set(found) == set(CHECKS)
    assert "AI_DECISON_PROVIDER is no setting of leasebot; did you mean AI_DECISION_PROVIDER?" in output
    assert output.count("\n      fix: ") == len(CHECKS) - len(passed)
    assert f"not ready: {len(CHECKS) - len(passed)} checks failed" in output

    kept = "\n".join(operator.printed)
    assert not [secret for secret in (*SECRETS, BROKEN["BETTER_AUTH_SECRET"]) if secret in kept]
    assert str(operator.folder) not in kept
    if os.environ.get("WRITE_EVIDENCE"):
        today = datetime.now(UTC).date().isoformat()
        file = ROOT / "docs" / "qa" / "evidence" / f"preflight-{today}.md"
        file.write_text(_evidence(today, operator.printed), encoding="utf-8")


def _evidence(today: str, printed: list[str]) -> str:
    good, broken = printed
    spoiled = ", ".join(f"`{name}={value}`" for name, value in BROKEN.items())
    return f"""# Preflight, {today}: practice

Written by `WRITE_EVIDENCE=1 pytest tests/release/test_preflight_command.py`: the command in a process of its own, its output and exit code
unchanged. No site and no daemon runs: databases, variables and the gates' metadata are laid out by the test, and the commit is made up. It shows
what an operator sees, not that any environment was ready.

## A good environment

A migrated PostgreSQL with the five accounts, whose inboxes were read just now; Dagster's tables with a living daemon and sensors that ticked; every
variable of production; evidence that all gates of the commit passed.

```
{good}```

## A broken one: everything at once

The same, after these faults: {spoiled}; an account deleted,
all sessions expired, no release begun, linkage audits without their reasons, an old schema, the daemon silent for an hour, a sensor that fails,
a failed and a skipped gate, and the roll-out meant for Gemini.

```
{broken}```
"""
