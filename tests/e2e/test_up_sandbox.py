"""`leasebot up --sandbox`, all of it: a lead writes on a site, a browser reads it, the answer stands on the site."""

from __future__ import annotations

import json
import subprocess
import sys
import urllib.request
from pathlib import Path
from typing import Any

import pytest

from leasebot_pipeline.processes import stack_file
from leasebot_pipeline.processes.browser_lookup import find_browser
from tests.e2e.conftest import DEADLINE_S, Stack, until


def _call(url: str, body: object = None) -> Any:
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data, {"content-type": "application/json"})
    with urllib.request.urlopen(request, timeout=10) as answer:
        return json.load(answer)


@pytest.mark.skipif(find_browser(Path("var")) is None, reason="no browser on this machine")
@pytest.mark.timeout(600)
def test_a_lead_is_answered_once_on_the_site(stack: Stack) -> None:
    command = [sys.executable, "-m", "leasebot_pipeline.cli", "up", "--sandbox", "--inquiries", "none"]
    command += ["--no-webserver", "--json", "--data-dir", str(stack.data_dir)]
    environment = stack.environment | {"WORKER_POLL_INTERVAL_MS": "5000"}
    with (stack.folder / "said").open("wb") as said:
        process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=said, text=True)
    try:
        until("ready", lambda: process.poll() is not None or _ready(stack))
        assert process.poll() is None, stack.said
        sandbox, database = stack.report().sandbox_url, stack.report().database_url
        assert sandbox is not None
        assert database is not None
        lead = {
            "id": "ana",
            "name": "Ana",
            "platform": "renthop",
            "messages": ["Hi! Could I come and see the apartment this week? Any time works."],
            "max_turns": 0,
        }
        _call(f"{sandbox}/leads", lead)
        until("an answer on the site", lambda: _call(f"{sandbox}/received")["total"] > 0)
        assert _call(f"{sandbox}/received")["total"] == 1
        checked = stack.leasebot("check", "--database-url", database, "--json")
        assert checked.returncode == 0, checked.stdout
        # Beside it, a session is looked at with the site's login: the environment has none.
        (stack.folder / "var").mkdir()
        (stack.folder / "var" / "sandbox").symlink_to(stack.data_dir)
        session = stack.leasebot(
            "session", "check", "renthop", "--json", LEASE_BOT_DATA_DIR=str(stack.folder / "var")
        )
        assert session.returncode == 0, session.stderr
        assert json.loads(session.stdout)["ok"] is True
        # Preflight finds the stack without being told where its database is.
        ready = stack.leasebot(
            *("preflight", "--only", "schema", "--only", "dagster_daemon", "--json"),
            LEASE_BOT_DATA_DIR=str(stack.folder / "var"),
        )
        assert json.loads(ready.stdout)["ok"] is True, ready.stdout
        stopped = stack.leasebot("down", "--data-dir", str(stack.data_dir), "--json")
        assert json.loads(stopped.stdout) == {"stopped": [str(stack.data_dir)]}
        assert process.wait(DEADLINE_S) == 0
        assert process.stdout is not None
        assert json.loads(process.stdout.read())["sandboxUrl"] == sandbox
    finally:
        process.kill()
        process.wait()
        if process.stdout is not None:
            process.stdout.close()


def _ready(stack: Stack) -> bool:
    report = stack_file.running(stack.data_dir)
    return report is not None and report.ready
