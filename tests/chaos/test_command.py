"""``leasebot chaos`` as a person runs it, small."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

from leasebot_pipeline.storage.crash_points import CRASH_POINTS

SMALL = ("--messages", "15", "--seed", "4", "--workers", "2")


@pytest.mark.timeout(170)
def test_a_small_play_ends_with_the_agreed_report() -> None:
    kept = {"PATH", "HOME", "LANG", "TMPDIR", "PYTHONPATH"}
    done = subprocess.run(
        [sys.executable, "-m", "leasebot_pipeline.cli", "chaos", *SMALL, "--no-browser", "--json"],
        env={name: value for name, value in os.environ.items() if name in kept},
        capture_output=True,
        text=True,
        timeout=160,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    report = json.loads(done.stdout)
    assert report["messages"] >= 15
    assert sum(report["faults"].values()) > 0
    assert set(report["crashPoints"]) == set(CRASH_POINTS)
    assert (report["doubled"], report["lost"], report["unknownOpen"]) == (0, 0, 0)
    assert "p95" in report["recoverySeconds"]
    assert {one["violations"] for one in report["invariants"]} == {0}
    assert "chaos with seed 4" in done.stderr, "progress goes to people, the report alone to whoever reads it"
