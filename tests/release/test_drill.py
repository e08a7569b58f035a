"""Drills against a kubectl that logs, against one that fails, and without any."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text
from typer.testing import CliRunner

from leasebot_pipeline.cli import app
from leasebot_pipeline.release.drill import previous_revision
from tests.release.conftest import World

STAND_IN = Path(__file__).parent / "kubectl_stand_in.py"
COOKIE = "lease-bot.session_token=secret-of-an-admin"


@pytest.fixture
def api() -> Iterator[str]:
    """An API that answers the snapshot to the administrator's cookie only."""

    class Answer(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            known = self.headers.get("cookie") == COOKIE
            slices = {"auditByPlatform": [], "auditByAgent": [], "auditByConversation": []}
            body = {"windowHours": 2, "coreMetrics": {"inboundMessages": 12}, "signals": slices}
            self.send_response(200 if known else 401)
            self.end_headers()
            self.wfile.write(json.dumps(body if known else {}).encode())

        def log_message(self, *_: object) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Answer)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def calls(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, api: str) -> Path:
    monkeypatch.setenv("KUBECTL_LOG", str(tmp_path / "calls"))
    monkeypatch.setenv("API_BASE_URL", api)
    monkeypatch.setenv("ADMIN_OBSERVABILITY_COOKIE", COOKIE)
    return tmp_path / "calls"


def drill(kind: str, folder: Path, *options: str, code: int = 0) -> tuple[dict[str, Any], str]:
    """The command's answer and the evidence it wrote."""
    arguments = ("--operator", "Ana Ops", "--environment", "staging", "--commit", "4f2a9c1")
    result = CliRunner().invoke(
        app, ["drill", kind, *arguments, "--evidence", str(folder), *options, "--json"]
    )
    assert result.exit_code == code, result.output
    answer = json.loads(result.stdout)
    return answer, Path(answer["evidence"]).read_text(encoding="utf-8")


def test_a_rollout_drill_leaves_complete_evidence(world: World, calls: Path, tmp_path: Path) -> None:
    answer, evidence = drill(
        *("rollout", tmp_path / "evidence", "--kubectl", str(STAND_IN), "--database-url", world.database.url)
    )
    assert answer["result"] == "pass"
    assert calls.read_text().splitlines() == [
        f"--namespace lease-bot rollout status deployment/{name} --timeout 10m"
        for name in ("lease-bot-api", "lease-bot-worker")
    ]
    for part in (
        "Ana Ops",
        "staging",
        "4f2a9c1",
        "exit code 0",
        "inboundMessages: 12",
        "auditByAgent",
        "PASS",
    ):
        assert part in evidence
    assert "secret-of-an-admin" not in evidence + json.dumps(answer)
    with world.database.engine.connect() as conn:
        assert conn.execute(text('SELECT count(*) FROM "GateChecks"')).scalar_one() == 0


def test_a_rollback_drill_changes_nothing_unless_told_to(calls: Path, tmp_path: Path) -> None:
    _, evidence = drill("rollback", tmp_path, "--kubectl", str(STAND_IN))
    undone = [line for line in calls.read_text().splitlines() if " undo " in line]
    assert len(undone) == 2
    assert all(line.endswith("--to-revision=4 --dry-run=server") for line in undone)
    assert "none: changes were dry runs" in evidence
    calls.unlink()
    drill("rollback", tmp_path, "--kubectl", str(STAND_IN), "--execute", "--to-revision", "3")
    undone = [line for line in calls.read_text().splitlines() if " undo " in line]
    assert all(line.endswith("--to-revision=3") for line in undone)
    assert len(list(tmp_path.glob("rollback-drill-*.md"))) == 2


def test_a_failed_step_fails_the_drill_and_the_rest_is_still_run(
    calls: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KUBECTL_FAILS", "status deployment/lease-bot-api")
    answer, evidence = drill("rollback", tmp_path, "--kubectl", str(STAND_IN), "--owner", "Bo", code=1)
    assert answer["result"] == "fail"
    assert "exceeded its progress deadline" in evidence
    assert "Follow-up owner: Bo" in evidence
    assert "deployment/lease-bot-worker" in calls.read_text()


@pytest.mark.parametrize("kind", ["rollout", "rollback"])
def test_without_kubectl_it_is_no_pass(kind: str, tmp_path: Path) -> None:
    answer, evidence = drill(kind, tmp_path, "--kubectl", "kubectl-that-is-not-here", code=3)
    assert answer["result"] == "not run"
    assert "not installed" in evidence
    assert "PASS" not in evidence


@pytest.mark.parametrize("kind", ["rollout", "rollback"])
def test_without_a_cluster_it_is_no_pass_and_no_failure(
    kind: str, calls: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KUBECTL_ALONE", "1")
    answer, evidence = drill(kind, tmp_path, "--kubectl", str(STAND_IN), code=3)
    assert answer["result"] == "not run"
    assert {step["status"] for step in answer["steps"] if "rollout" in (step["command"] or "")} == {"not run"}
    assert "was refused" in evidence


def test_a_wrong_cookie_is_no_snapshot(calls: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ADMIN_OBSERVABILITY_COOKIE", "of=nobody")
    answer, _ = drill("rollback", tmp_path, "--kubectl", str(STAND_IN), code=3)
    assert answer["steps"][-1]["status"] == "not run"


@pytest.mark.parametrize(
    ("history", "revision"), [("", None), ("REVISION\n1  a\n", None), ("9 a\n10 b\n", 9)]
)
def test_the_revision_before_the_newest(history: str, revision: int | None) -> None:
    assert previous_revision(history) == revision
