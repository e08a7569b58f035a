"""Crash points do nothing until a test arms one."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from leasebot_pipeline.storage import crash_points
from leasebot_pipeline.storage.crash_points import VARIABLE, CrashPointReached, crash_point

ROOT = Path(__file__).parents[2]
_PASS_THREE_TIMES = """
from leasebot_pipeline.storage.crash_points import crash_point
for n in range(3):
    crash_point("dispatch.after_click")
    print(n, flush=True)
"""


def run(armed: str | None, **environ: str) -> subprocess.CompletedProcess[str]:
    extra = {VARIABLE: armed} if armed else {}
    return subprocess.run(
        [sys.executable, "-c", _PASS_THREE_TIMES],
        cwd=ROOT,
        env={**extra, **environ},
        capture_output=True,
        text=True,
        check=False,
    )


def test_an_armed_kill_ends_the_process_at_once_the_nth_time() -> None:
    killed = run("dispatch.after_click:kill:2")
    assert (killed.returncode, killed.stdout) == (-signal.SIGKILL, "0\n")


@pytest.mark.parametrize(
    ("armed", "environ"),
    [
        (None, {}),
        ("dispatch.before_click:kill", {}),
        ("dispatch.after_click:kill", {"LEASE_BOT_ENV": "production"}),
    ],
    ids=["unarmed", "another point", "production"],
)
def test_otherwise_nothing_happens(armed: str | None, environ: dict[str, str]) -> None:
    passed = run(armed, **environ)
    assert (passed.returncode, passed.stdout) == (0, "0\n1\n2\n")


def test_an_armed_raise_raises_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, "ingest.before_commit:raise")
    monkeypatch.setattr(crash_points, "_passed", type(crash_points._passed)())
    with pytest.raises(CrashPointReached, match=r"ingest\.before_commit"):
        crash_point("ingest.before_commit")
    crash_point("ingest.before_commit")


@pytest.mark.parametrize(
    "armed", ["nowhere:kill", "ingest.before_commit:explode", "ingest.before_commit:kill:x"]
)
def test_a_mistyped_arming_is_an_error(armed: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, armed)
    with pytest.raises(ValueError, match=VARIABLE):
        crash_point("dispatch.after_claim")


def test_an_undeclared_point_is_an_error() -> None:
    with pytest.raises(KeyError):
        crash_point("nowhere")
