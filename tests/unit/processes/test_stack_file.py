"""One stack a data directory; what a killed stack left behind is found and ended."""

from __future__ import annotations

import os
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest

from leasebot_pipeline.processes import stack_file
from leasebot_pipeline.processes.stack_file import PartReport, StackBusy, StackReport


def _report(folder: Path, *parts: PartReport) -> StackReport:
    return StackReport(
        pid=os.getpid(),
        started_at=datetime(2026, 11, 24, tzinfo=UTC),
        data_dir=folder,
        sandbox=True,
        parts=parts,
    )


def test_a_second_stack_on_the_same_directory_is_refused(tmp_path: Path) -> None:
    with stack_file.hold(tmp_path):
        stack_file.write(_report(tmp_path))
        assert stack_file.is_held(tmp_path)
        with (
            pytest.raises(StackBusy, match=rf"already \(process {os.getpid()}\).*leasebot down"),
            stack_file.hold(tmp_path),
        ):
            pass
    assert not stack_file.is_held(tmp_path)
    assert stack_file.running(tmp_path) is None


def test_the_report_survives_writing_and_reading(tmp_path: Path) -> None:
    part = PartReport(name="api", title="API", state="ready", pid=1, log=tmp_path / "api.log")
    report = _report(tmp_path, part)
    stack_file.write(report)
    assert stack_file.read(tmp_path) == report
    assert report.ready
    assert not _report(tmp_path, part.model_copy(update={"state": "backing_off"})).ready


def test_a_damaged_report_is_no_report(tmp_path: Path) -> None:
    (tmp_path / "stack.json").write_text("{")
    assert stack_file.read(tmp_path) is None


def test_leftovers_are_ended_but_a_reused_pid_is_left_alone(tmp_path: Path) -> None:
    program = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(60)"
    with subprocess.Popen([sys.executable, "-S", "-c", program], start_new_session=True) as left:
        ticks = stack_file.started_ticks(left.pid)
        assert ticks is not None
        mine = PartReport(name="api", title="API", state="ready", pid=left.pid, started_ticks=ticks)
        other = PartReport(name="old", title="Old", state="ready", pid=os.getpid(), started_ticks=1)
        stack_file.write(_report(tmp_path, mine, other))
        assert stack_file.clear_leftovers(tmp_path, grace_s=0.1) == ["api"]
        assert left.wait(5) == -9
