"""`leasebot up` as a person lives with it: it starts, serves, heals, refuses, stops, and leaves nothing."""

from __future__ import annotations

import json
import os
import signal
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
import typer.main
from typer.testing import CliRunner

from leasebot_pipeline.cli import app
from leasebot_pipeline.processes.stack_file import started_ticks
from tests.e2e.conftest import DEADLINE_S, Stack, until


def _pids(stack: Stack) -> list[int]:
    return [part.pid for part in stack.report().parts if part.pid is not None]


def _gone(pids: list[int]) -> bool:
    return all(started_ticks(pid) is None for pid in pids)


@pytest.mark.timeout(900)
def test_starts_serves_heals_stops_and_a_killed_one_leaves_nothing_in_the_way_of_the_next(
    stack: Stack,
) -> None:
    process = stack.up()
    shown = stack.leasebot("status", "--data-dir", str(stack.data_dir), "--json")
    assert shown.returncode == 0, shown.stdout + shown.stderr
    report = json.loads(shown.stdout)
    assert report["running"]
    assert report["ready"]
    with urllib.request.urlopen(report["apiUrl"] + "/ready", timeout=10) as answer:
        assert answer.status == 200
    with urllib.request.urlopen(report["dagsterUrl"] + "/server_info", timeout=10) as answer:
        assert "dagster_version" in json.load(answer)
    with psycopg.connect(report["databaseUrl"]) as conn:
        assert conn.execute('SELECT count(*) FROM "PlatformAccounts"').fetchone() == (5,)

    second = stack.leasebot("up", "--data-dir", str(stack.data_dir), LEASE_BOT_RPA_RUNTIME="mock")
    assert second.returncode == 3
    assert f"already (process {process.pid})" in second.stderr

    (stack.folder / "ask-quick-1").touch()
    until("a run through the whole stack", lambda: any(stack.folder.glob("parent-*")))

    server, daemon = stack.part("code-server").pid, stack.part("daemon").pid
    assert server is not None
    os.kill(server, signal.SIGKILL)
    until("code server again", lambda: stack.part("code-server").pid not in (None, server))
    until("all ready again", lambda: stack.report().ready)
    assert stack.part("daemon").pid == daemon  # it goes on with the next one
    assert "code-server ended (signal 9); starting it again in 1 s" in stack.said
    (stack.folder / "ask-quick-2").touch()
    until("a run after that", lambda: len(list(stack.folder.glob("parent-*"))) == 2)

    database = stack.part("database").pid
    assert database is not None
    os.kill(database, signal.SIGKILL)
    until("database again", lambda: stack.part("database").pid not in (None, database))
    (stack.folder / "ask-quick-3").touch()
    until("a run after that", lambda: len(list(stack.folder.glob("parent-*"))) == 3)

    # Killed itself, it leaves nothing in the way of the next.
    first = stack.report()
    pids = _pids(stack)
    process.kill()
    process.wait()
    again = stack.up()
    assert _gone(pids)
    assert stack.report().api_url == first.api_url
    assert stack.report().database_url == first.database_url
    pids = _pids(stack)
    again.send_signal(signal.SIGINT)
    assert again.wait(DEADLINE_S) == 0
    assert stack.said.rstrip().endswith("stopped")
    assert _gone(pids)
    assert stack.leasebot("status", "--data-dir", str(stack.data_dir)).returncode == 3


def test_three_faulty_variables_are_named_at_once(stack: Stack) -> None:
    done = stack.leasebot("up", API_PORT="many", WORKER_POLL_INTERVAL_MS="often", LEASE_BOT_RPA_RUNTIME="x")
    assert done.returncode == 2
    assert "3 settings are faulty" in done.stderr
    for name in ("API_PORT", "WORKER_POLL_INTERVAL_MS", "LEASE_BOT_RPA_RUNTIME"):
        assert name in done.stderr
    assert "Traceback" not in done.stderr


def test_production_with_the_mock_runtime_refuses(stack: Stack) -> None:
    done = stack.leasebot("up", LEASE_BOT_ENV="production", LEASE_BOT_RPA_RUNTIME="mock")
    assert done.returncode == 2
    assert "MOCK_RUNTIME_FORBIDDEN" in done.stderr


def test_the_sandbox_refuses_production(stack: Stack) -> None:
    variables = {
        "LEASE_BOT_ENV": "production",
        "LEASE_BOT_RPA_RUNTIME": "playwright",
        "DATABASE_URL": "postgresql://localhost/x",
        "BETTER_AUTH_SECRET": "x" * 40,
    }
    for command in (("up", "--sandbox"), ("sandbox",)):
        done = stack.leasebot(*command, **variables)
        assert done.returncode == 2
        assert "refused in production" in done.stderr


def test_migrate_without_a_database_says_what_to_set(stack: Stack) -> None:
    done = stack.leasebot("migrate", LEASE_BOT_DATA_DIR=str(stack.data_dir))
    assert done.returncode == 2
    assert "DATABASE_URL is not set" in done.stderr


def test_nothing_to_stop_is_no_error(stack: Stack) -> None:
    done = stack.leasebot("down", "--json", LEASE_BOT_DATA_DIR=str(stack.data_dir))
    assert done.returncode == 0
    assert json.loads(done.stdout) == {"stopped": []}


def test_browser_path_is_the_configured_one(stack: Stack, tmp_path: Path) -> None:
    mine = tmp_path / "mine"
    mine.write_text("#!/bin/sh\n")
    missing = stack.leasebot("browser", "path", LEASE_BOT_RPA_BROWSER_PATH=str(mine))
    assert missing.returncode == 3
    assert "not an executable file" in missing.stderr
    mine.chmod(0o755)
    found = stack.leasebot("browser", "path", LEASE_BOT_RPA_BROWSER_PATH=str(mine))
    assert (found.returncode, found.stdout.strip()) == (0, str(mine))


def _below(command: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    yield path
    for name, one in getattr(command, "commands", {}).items():
        yield from _below(one, (*path, name))


def test_each_command_explains_itself() -> None:
    """Every one there is; in this process, for each start of a process would cost two seconds."""
    commands = list(_below(typer.main.get_command(app)))
    assert {("up",), ("code-server",), ("browser", "install")} <= set(commands)
    for command in commands:
        done = CliRunner().invoke(app, [*command, "--help"])
        assert (done.exit_code, "Usage" in done.output) == (0, True), command
