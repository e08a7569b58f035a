"""The API as a process of its own, spoken to with the commands of the runbook."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import Database

ROOT = Path(__file__).resolve().parents[2]
DEADLINE_S = 60


def start(environ: dict[str, str], folder: Path) -> subprocess.Popen[str]:
    inherited = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
    return subprocess.Popen(
        [sys.executable, "-m", "api"],
        env={**inherited, "PYTHONPATH": str(ROOT), **environ},
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@pytest.fixture
def base_url(database: Database, tmp_path: Path) -> Iterator[str]:
    port = free_port()
    process = start(
        {
            "DATABASE_URL": database.url,
            "API_HOST": "127.0.0.1",
            "API_PORT": str(port),
            "BETTER_AUTH_SECRET": "a-secret-of-the-tests-that-is-long-enough",
            "LEASE_BOT_DATA_DIR": str(tmp_path),
            "LEASE_BOT_DEV_BOOTSTRAP_ADMIN": "1",
            "LEASE_BOT_DEV_ADMIN_EMAIL": "admin@example.com",
            "LEASE_BOT_DEV_ADMIN_PASSWORD": "a development password",
        },
        tmp_path,
    )
    try:
        wait_until_ready(process, f"http://127.0.0.1:{port}/ready")
        yield f"http://127.0.0.1:{port}"
    finally:
        process.send_signal(signal.SIGTERM)
        output, _ = process.communicate(timeout=DEADLINE_S)
    assert process.returncode in (0, -signal.SIGTERM), output
    lines = [json.loads(line) for line in output.splitlines()]
    assert any(line["event"] == "request" and line["status"] == 200 for line in lines)
    assert "a development password" not in output


def wait_until_ready(process: subprocess.Popen[str], url: str) -> None:
    deadline = time.monotonic() + DEADLINE_S
    while time.monotonic() < deadline:
        assert process.poll() is None, process.communicate()[0]
        try:
            with urllib.request.urlopen(url, timeout=5):
                return
        except (urllib.error.URLError, ConnectionError):
            time.sleep(0.05)
    pytest.fail(f"{url} is not ready after {DEADLINE_S} s")


def shell(command: str, environ: dict[str, str]) -> str:
    finished = subprocess.run(
        ["bash", "-c", command], env={**os.environ, **environ}, capture_output=True, text=True, check=True
    )
    return finished.stdout.strip()


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")
def test_the_runbook_s_snapshot_command_works_with_a_captured_cookie(base_url: str) -> None:
    cookie = shell(
        """curl -sS -D - -o /dev/null -H 'content-type: application/json' \
             -d '{"email":"admin@example.com","password":"a development password"}' \
             "${API_BASE_URL}/api/auth/sign-in/email" | sed -n 's/^set-cookie: \\([^;]*\\).*/\\1/ip'""",
        {"API_BASE_URL": base_url},
    )
    assert cookie.startswith("better-auth.session_token=")
    snapshot = shell(
        """curl -sS \
             -H "Cookie: ${ADMIN_OBSERVABILITY_COOKIE}" \
             "${API_BASE_URL}/api/admin/observability?windowHours=24&auditLimit=50&errorLimit=25&signalLimit=25" """,
        {"API_BASE_URL": base_url, "ADMIN_OBSERVABILITY_COOKIE": cookie},
    )
    body = json.loads(snapshot)
    assert body["windowHours"] == 24
    for signal_name in ("auditByPlatform", "auditByAgent", "auditByConversation", "platformFailures"):
        assert signal_name in body["signals"]


def test_faulty_settings_end_the_start_with_their_names(tmp_path: Path) -> None:
    process = start({"API_PORT": "many", "LEASE_BOT_DATA_DIR": str(tmp_path)}, tmp_path)
    output, _ = process.communicate(timeout=DEADLINE_S)
    assert process.returncode == 2
    assert "API_PORT" in output
    assert "Traceback" not in output


def test_a_start_without_a_database_names_the_variable(tmp_path: Path) -> None:
    process = start({"LEASE_BOT_DATA_DIR": str(tmp_path)}, tmp_path)
    output, _ = process.communicate(timeout=DEADLINE_S)
    assert process.returncode == 2
    assert output.startswith("DATABASE_URL is not set")
