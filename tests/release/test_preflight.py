"""Preflight on a good and on a broken environment: all problems at once, each with what to do."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from dagster._core.scheduler.instigation import TickStatus
from sqlalchemy import text
from typer.testing import CliRunner

from leasebot_pipeline.cli import app
from leasebot_pipeline.domain.platforms import Platform, ReleaseStage, SendMode
from leasebot_pipeline.processes import dagster_health
from leasebot_pipeline.release import evidence
from leasebot_pipeline.release.preflight import (
    API_VARIABLES,
    CHECKS,
    WORKER_VARIABLES,
    DagsterHealth,
    Preflight,
    run,
)
from leasebot_pipeline.settings import is_placeholder
from leasebot_pipeline.storage import bootstrap, release_gate
from leasebot_pipeline.storage.outbox_operations import Actor
from tests.conftest import Database
from tests.release import dagster_rows
from tests.release.spoilt import spoil

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
COMMIT = "4f2a9c1d"
ENVIRON = {
    **dict.fromkeys((*API_VARIABLES, *WORKER_VARIABLES), "set"),
    "LEASE_BOT_RPA_RUNTIME": "playwright",
    "AI_DECISION_PROVIDER": "heuristic",
}


def metadata(folder: Path, **status: str) -> None:
    checks = [{"name": f"{gate}:suite", "status": one} for gate, one in status.items()]
    document = {"commit": COMMIT, "finishedAt": NOW.isoformat(), "checks": checks}
    (folder / "gates.json").write_text(json.dumps(document), encoding="utf-8")


@pytest.fixture
def good(database: Database, tmp_path: Path) -> Preflight:
    with database.engine.begin() as conn:
        choice = bootstrap.AccountChoice({"sessionRef": "env:S"}, True, "session", SendMode.AUTO_SEND)
        bootstrap.ensure_required_accounts(conn, dict.fromkeys(Platform, choice))
        bootstrap.ensure_release_stage(conn, ReleaseStage.SHADOW, "tests", NOW)
        conn.execute(text('UPDATE "AccountRuntime" SET last_success_ingest_at = :at'), {"at": NOW})
        conn.execute(
            text("""INSERT INTO "AuditLogs" (actor_type, entity_type, entity_id, action, details)
                    VALUES ('worker', 'conversation', 'c', 'ingest_conversation_linkage_resolved',
                            '{"linkage": {"appliedListingId": "l-1"}}')""")
        )
    metadata(tmp_path, critical="pass", quality="pass", smoke="pass")
    return Preflight(
        environ=ENVIRON,
        now=NOW,
        is_placeholder=is_placeholder,
        faults=(),
        unknown={},
        intent="heuristic",
        roles=("api", "worker"),
        production=True,
        commit=COMMIT,
        evidence_dir=tmp_path,
        engine=database.engine,
        problem_of=lambda _account: None,
        dagster=lambda: DagsterHealth(NOW),
    )


def failed(given: Preflight) -> Mapping[str, str]:
    return {one.name: one.reason for one in run(given).checks if one.status == "fail"}


def test_a_good_environment_passes_every_check(good: Preflight) -> None:
    report = run(good)
    assert {one.name: (one.status, one.reason) for one in report.checks if one.status != "pass"} == {}
    assert report.ok
    assert [one.name for one in report.checks] == list(CHECKS)


def test_a_broken_environment_says_everything_at_once(good: Preflight, database: Database) -> None:
    spoil(database)
    metadata(good.evidence_dir, critical="fail", quality="skip")
    secret = "change-me"
    broken = replace(
        good,
        environ={**ENVIRON, "BETTER_AUTH_SECRET": secret, "LEASE_BOT_RPA_RUNTIME": "mock", "WORKER_TASK": ""},
        intent="gemini",
        faults=("API_PORT: must be a port",),
        problem_of=lambda account: f"CREDENTIAL_MISSING: {account.platform}",
        dagster=lambda: DagsterHealth(NOW - timedelta(hours=1), ("inbox_roomies",)),
    )
    found = failed(broken)
    assert set(found) == set(CHECKS) - {"production", "database", "ci_evidence"}
    assert "MOCK_RUNTIME_FORBIDDEN" in found["runtime"]
    assert (found["variables_api"], found["variables_worker"]) == (
        "missing or a placeholder: BETTER_AUTH_SECRET",
        "missing or a placeholder: WORKER_TASK",
    )
    assert found["platform_parity"] == "missingPlatforms: renthop"
    assert secret not in json.dumps(run(broken).as_json())
    assert all(one.fix for one in run(broken).checks if one.status == "fail")


def test_a_misspelt_variable_is_told_with_the_name_that_is_meant(good: Preflight) -> None:
    environ = {name: text for name, text in ENVIRON.items() if name != "AI_DECISION_PROVIDER"}
    unknown = {"AI_DECISON_PROVIDER": "AI_DECISION_PROVIDER", "LEASE_BOT_XYZZY": None}
    given = replace(good, environ=environ, unknown=unknown)
    reasons = {one.name: one.reason for one in run(given).checks}
    assert reasons["variables_worker"] == (
        "missing or a placeholder: AI_DECISION_PROVIDER (set is AI_DECISON_PROVIDER: misspelt?)"
    )
    assert (
        "AI_DECISON_PROVIDER is no setting of leasebot; did you mean AI_DECISION_PROVIDER?"
        in reasons["settings"]
    )
    assert reasons["settings"].endswith("LEASE_BOT_XYZZY is no setting of leasebot")
    assert "did you mean" in failed(replace(given, faults=("API_PORT: must be a port",)))["settings"]


def test_without_a_database_the_other_checks_are_still_made(good: Preflight) -> None:
    report = run(replace(good, engine=None))
    status = {one.name: one.status.value for one in report.checks}
    assert (status["database"], status["variables_api"], status["gate_smoke"]) == ("fail", "pass", "pass")


def test_gemini_asks_for_its_key(good: Preflight) -> None:
    given = replace(good, environ={**ENVIRON, "AI_DECISION_PROVIDER": "gemini"}, intent="gemini")
    assert failed(given) == {
        "variables_worker": "missing or a placeholder: AI_GEMINI_MODEL, GOOGLE_GENERATIVE_AI_API_KEY"
    }


def test_evidence_of_another_commit_is_none(good: Preflight) -> None:
    found = failed(replace(good, commit="0000000"))
    assert set(found) == {"ci_evidence", "gate_critical", "gate_quality", "gate_smoke"}


def test_evidence_that_was_handed_in_counts_where_there_is_no_checkout(
    good: Preflight, database: Database, tmp_path: Path
) -> None:
    target = replace(good, evidence_dir=tmp_path / "nowhere")
    assert set(failed(target)) == {"ci_evidence", "gate_critical", "gate_quality", "gate_smoke"}
    found = evidence.read(good.evidence_dir / "gates.json")
    with database.engine.begin() as conn:
        evidence.keep(conn, found, Actor("admin", "ci"), NOW)
    assert failed(target) == {}


def test_the_command_judges_the_process_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("LEASE_BOT_ENV", "production")
    monkeypatch.delenv("DATABASE_URL", raising=False)
    monkeypatch.setenv("BETTER_AUTH_SECRET", "a-secret-nobody-may-see-anywhere")
    result = CliRunner().invoke(app, ["preflight", "--json"])
    assert result.exit_code == 1
    report = json.loads(result.stdout)
    status = {one["name"]: one["status"] for one in report["checks"]}
    assert (report["ok"], status["settings"], status["runtime"], status["database"], status["provider"]) == (
        False,
        "fail",
        "fail",
        "fail",
        "skip",
    )
    assert "nobody-may-see" not in result.stdout
    assert CliRunner().invoke(app, ["preflight", "--only", "nonsense"]).exit_code == 2


def test_a_worker_refused_for_its_runtime_leaves_a_trace_for_the_gate(
    database: Database, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("LEASE_BOT_ENV", "production")
    monkeypatch.setenv("DATABASE_URL", database.url)
    monkeypatch.setenv("LEASE_BOT_RPA_RUNTIME", "mock")
    result = CliRunner().invoke(app, ["code-server"])
    assert result.exit_code == 2
    assert "MOCK_RUNTIME_FORBIDDEN" in result.output
    now = datetime.now(UTC)
    with database.engine.connect() as conn:
        assert release_gate.forbidden_runtime(conn, now - timedelta(minutes=5), now) == 1


def test_dagsters_own_tables_tell_its_health(empty_database: Database) -> None:
    now = datetime.now(UTC)
    address = empty_database.url
    assert dagster_health.read(address, now) is None
    dagster_rows.write(address, now, {"inbox_roomies": TickStatus.FAILURE, "alerts": TickStatus.SKIPPED})
    found = dagster_health.read(address, now)
    assert found is not None
    assert (found.failing, found.silent) == (("inbox_roomies",), False)
    assert found.heartbeat is not None
    assert abs(found.heartbeat - now) < timedelta(seconds=5)
    later = dagster_health.read(address, now + timedelta(hours=1))
    assert later is not None
    assert later.silent
