"""A local stack as a person runs it: another process, looked at from outside."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from leasebot_pipeline.processes import stack_file
from leasebot_pipeline.processes.stack_file import PartReport, StackReport

DEADLINE_S = 150.0
"""For one step. Nothing waits for it: a machine that does much else needs ten times what an idle one does."""

_UP = """
import sys
from pathlib import Path
from leasebot_pipeline.processes.stack import run_stack
from leasebot_pipeline.processes.stack_plan import StackChoice

choice = StackChoice(definitions="tests.e2e.tiny_definitions", data_dir=Path(sys.argv[1]))
run_stack(choice, say=lambda line: print(line, flush=True), on_ready=lambda report: print("READY", flush=True))
"""


def until(what: str, reached: Callable[[], bool]) -> None:
    """Wait for ``reached``; fail after the deadline."""
    deadline = time.monotonic() + DEADLINE_S
    while not reached():
        assert time.monotonic() < deadline, f"not reached in time: {what}"
        time.sleep(0.05)


@dataclass
class Stack:
    """A data directory and the means to run a stack on it, with the tiny code location."""

    folder: Path
    environment: dict[str, str]

    @property
    def data_dir(self) -> Path:
        return self.folder / "data"

    @property
    def said(self) -> str:
        return (self.folder / "said").read_text()

    def up(self) -> subprocess.Popen[bytes]:
        """Start a stack and wait until it is ready."""
        with (self.folder / "said").open("wb") as said:
            process = subprocess.Popen(
                [sys.executable, "-c", _UP, str(self.data_dir)],
                env=self.environment,
                stdout=said,
                stderr=subprocess.STDOUT,
            )
        until("stack ready", lambda: "READY" in self.said or process.poll() is not None)
        assert process.poll() is None, self.said
        return process

    def leasebot(self, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
        """Run the command; it may take a minute."""
        return subprocess.run(
            [sys.executable, "-m", "leasebot_pipeline.cli", *arguments],
            env=self.environment | variables,
            capture_output=True,
            text=True,
            timeout=DEADLINE_S,
        )

    def report(self) -> StackReport:
        """What `leasebot status` shows. To look often, without the two seconds that a command costs."""
        report = stack_file.running(self.data_dir)
        assert report is not None, self.said
        return report

    def part(self, name: str) -> PartReport:
        return next(part for part in self.report().parts if part.name == name)


@pytest.fixture
def stack(tmp_path: Path) -> Iterator[Stack]:
    kept = {"PATH", "HOME", "LANG", "TMPDIR", "PLAYWRIGHT_BROWSERS_PATH"}
    environment = {name: text for name, text in os.environ.items() if name in kept}
    for folder in (tmp_path, *tmp_path.parents):
        if folder.owner() == "root" and folder.is_relative_to("/tmp") and folder != Path("/tmp"):
            folder.chmod(folder.stat().st_mode | 0o011)  # PostgreSQL's user must get there
    place = Stack(tmp_path, environment | {"TINY_FOLDER": str(tmp_path)})
    yield place
    if stack_file.is_held(place.data_dir):
        place.leasebot("down", "--data-dir", str(place.data_dir), "--now")
