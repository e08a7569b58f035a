"""The gates run: every suite is run, what failed or was left out is no pass, and the gate reads it back."""

from __future__ import annotations

import shutil
import subprocess
import time
from datetime import UTC, datetime
from pathlib import Path

import pytest
from typer.testing import CliRunner

from leasebot_pipeline.cli import app
from leasebot_pipeline.domain.release_gate import REQUIRED_GATES
from leasebot_pipeline.processes.stack_file import started_ticks
from leasebot_pipeline.release import evidence
from leasebot_pipeline.release.commit import changes, commit_of, is_dirty
from leasebot_pipeline.release.gates import SUITES, run

ROOT = Path(__file__).parents[2]
NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
GOOD, BAD = ("-c", "print('fine')"), ("-c", "raise SystemExit('broken')")


def test_a_failed_suite_fails_its_gate_and_the_others_are_still_run(tmp_path: Path) -> None:
    suites = {"critical:one": BAD, "critical:two": GOOD, "smoke:all": GOOD}
    file, document = run(tmp_path, lambda: NOW, commit="4f2a9c1", run_id="7", ref="main", suites=suites)
    assert document["result"] == "fail"
    assert [one["status"] for one in document["checks"]] == ["fail", "pass", "pass"]
    logs = [(tmp_path / one["log"]).read_text() for one in document["checks"]]
    assert ("broken" in logs[0], "fine" in logs[1]) == (True, True)
    found = evidence.read(file)
    assert (found.commit, dict(found.gates), found.passed) == (
        "4f2a9c1",
        {"critical": False, "smoke": True},
        False,
    )
    assert evidence.newest(tmp_path, "4f2a9c1") == found


def test_each_suite_is_told_when_it_ends_a_failed_one_with_the_end_of_its_log(tmp_path: Path) -> None:
    told: list[str] = []
    suites = {"critical:one": BAD, "smoke:all": GOOD}
    run(tmp_path, lambda: NOW, commit="c", run_id="7", ref="main", suites=suites, tell=told.append)
    assert [line.split()[:2] for line in told] == [["FAIL", "critical:one"], ["PASS", "smoke:all"]]
    assert told[0].splitlines()[1].endswith("-critical-one.log")
    assert told[0].endswith("broken")


def test_a_suite_that_hangs_is_ended_with_what_it_started_and_failed(tmp_path: Path) -> None:
    program = f"""
import pathlib, subprocess, sys, time
child = subprocess.Popen([sys.executable, "-S", "-c", "import time; time.sleep(600)"])
pathlib.Path({str(tmp_path / "child")!r}).write_text(str(child.pid))
time.sleep(600)
"""
    suites = {"critical:one": ("-S", "-c", program), "smoke:all": GOOD}
    _, document = run(
        *(tmp_path, lambda: NOW), commit="c", run_id="7", ref="main", suites=suites, limit_s=3.0
    )
    assert [one["status"] for one in document["checks"]] == ["fail", "pass"]
    assert "ended after 3 s" in (tmp_path / document["checks"][0]["log"]).read_text()
    child = int((tmp_path / "child").read_text())
    ends = time.monotonic() + 20
    while started_ticks(child) is not None and time.monotonic() < ends:
        time.sleep(0.01)
    assert started_ticks(child) is None


def test_without_a_browser_nothing_is_run(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(ROOT)
    git = shutil.which("git")
    assert git is not None
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "git").symlink_to(git)
    for name, value in {
        "PATH": str(tmp_path / "bin"),
        "LEASE_BOT_DATA_DIR": str(tmp_path / "var"),
        "PLAYWRIGHT_BROWSERS_PATH": str(tmp_path / "none"),
        "LEASE_BOT_RPA_BROWSER_PATH": "",
    }.items():
        monkeypatch.setenv(name, value)
    result = CliRunner().invoke(app, ["gates", "--evidence", str(tmp_path / "evidence")])
    assert result.exit_code == 3
    assert "leasebot browser install" in result.stderr
    assert not (tmp_path / "evidence").exists()


def test_a_suite_left_out_is_no_pass(tmp_path: Path) -> None:
    suites = {"critical:one": GOOD, "smoke:all": GOOD}
    file, document = run(
        *(tmp_path, lambda: NOW), commit="c", run_id="7", ref="main", suites=suites, only={"smoke:all"}
    )
    assert document["result"] == "fail"
    assert dict(evidence.read(file).gates) == {"critical": False, "smoke": True}


def test_a_checkout_with_changes_says_so_in_the_name_of_its_evidence(tmp_path: Path) -> None:
    file, document = run(
        *(tmp_path, lambda: NOW),
        commit=f"{'a' * 40}-dirty",
        run_id="7",
        ref="main",
        suites={"smoke:all": GOOD},
    )
    assert file.name == "gates-aaaaaaaaaaaa-dirty-20261124T120000Z.json"
    assert document["commit"].endswith("-dirty")
    assert evidence.newest(tmp_path, "a" * 40) is None


def test_the_suites_are_the_gates_a_release_needs_and_their_tests_exist() -> None:
    assert {name.partition(":")[0] for name in SUITES} == set(REQUIRED_GATES)
    for arguments in SUITES.values():
        for one in arguments:
            if one.startswith("tests/"):
                assert (ROOT / one).exists(), one


def test_changes_are_noticed_evidence_apart(tmp_path: Path) -> None:
    def git(*arguments: str) -> None:
        who = ("-c", "user.name=t", "-c", "user.email=t@example.com")
        subprocess.run(("git", *who, *arguments), cwd=tmp_path, check=True, capture_output=True)

    git("init", "-q")
    (tmp_path / "code").write_text("1")
    git("add", "code")
    git("commit", "-qm", "one")
    assert len(commit_of(tmp_path) or "") == 40
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "log").write_text("evidence")
    assert not is_dirty(tmp_path, Path("docs"))
    assert changes(tmp_path, tmp_path.parent) == ["docs/"], (
        "evidence elsewhere hides nothing, and is no error"
    )
    (tmp_path / "code").write_text("2")
    assert changes(tmp_path, Path("docs")) == ["code"]
    assert is_dirty(tmp_path, Path("docs"))
    assert changes(tmp_path.parent, Path("docs")) is None
