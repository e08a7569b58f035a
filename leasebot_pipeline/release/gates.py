"""The release gates: named suites, each with its log, and one metadata file that says how they went.

Runs in a checkout with the development environment. A suite that was left out is `skip`, and a skipped suite is no
pass of its gate.
"""

from __future__ import annotations

import contextlib
import json
import os
import shlex
import signal
import subprocess
import sys
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from leasebot_pipeline.domain.clock import Clock

_SHOWN_LINES: Final = 12
_PYTEST: Final = ("-m", "pytest", "-q", "-p", "no:cacheprovider")


def _tests(*paths: str) -> tuple[str, ...]:
    return (*_PYTEST, *paths)


SUITES: Final[Mapping[str, tuple[str, ...]]] = {
    "critical:platform_contract": _tests(
        "tests/pages", "tests/browser/test_actions.py", "tests/api/test_platforms.py"
    ),
    "critical:human_handoff": _tests("tests/stages/test_decide.py", "tests/api/test_workflow.py"),
    "critical:showing_lifecycle": _tests(
        "tests/storage/test_booking.py",
        "tests/storage/test_state_guards.py",
        "tests/storage/test_transitions.py",
        "tests/api/test_showings.py",
    ),
    "critical:dispatch": _tests("tests/storage/test_outbox.py", "tests/stages/test_dispatch.py"),
    "critical:observability": _tests("tests/api/test_observability.py", "tests/release"),
    "quality:suites": _tests("tests/unit/quality", "tests/dagster/test_runs.py"),
    "quality:demo_run": ("-m", "leasebot_pipeline.cli", "demo", "--json"),
    "smoke:stack": _tests("tests/e2e/test_up_sandbox.py", "tests/api/test_process.py"),
}
"""What each suite runs, by ``gate:suite``. The demo run plays leads through every stage with its Great Expectations
checks and ends with every invariant."""


LIMIT_S: Final = 2700.0
"""A suite that has not ended by then hangs: it failed. The longest, the demo run, ends itself after 1200 s."""


@dataclass(frozen=True, slots=True)
class SuiteResult:
    name: str
    status: str
    command: str
    exit_code: int | None
    seconds: float
    log: str | None

    def as_json(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "status": self.status,
            "command": self.command,
            "exitCode": self.exit_code,
            "seconds": self.seconds,
            "log": self.log,
        }


def run(
    folder: Path,
    clock: Clock,
    *,
    commit: str,
    run_id: str,
    ref: str,
    url: str | None = None,
    only: Collection[str] = (),
    suites: Mapping[str, Sequence[str]] = SUITES,
    tell: Callable[[str], None] = lambda _line: None,
    limit_s: float = LIMIT_S,
) -> tuple[Path, dict[str, Any]]:
    """Run the suites, all of them, one after the other; the metadata file and what stands in it.

    ``tell`` hears how each one went when it ends: all of them take a quarter of an hour.
    """
    folder.mkdir(parents=True, exist_ok=True)
    started = clock()
    sha, _, dirty = commit.partition("-")
    stem = "-".join(filter(None, ("gates", sha[:12], dirty, f"{started:%Y%m%dT%H%M%SZ}")))
    results = []
    for name, arguments in suites.items():
        if only and name not in only:
            results.append(SuiteResult(name, "skip", _line(arguments), None, 0.0, None))
            continue
        one = _suite(name, arguments, folder / f"{stem}-{name.replace(':', '-')}.log", clock, limit_s)
        tell(f"{one.status.upper():<5} {name} ({one.seconds} s)" + _end(one, folder))
        results.append(one)
    passed = all(one.status == "pass" for one in results)
    document = {
        "run": run_id,
        "url": url,
        "ref": ref,
        "commit": commit,
        "startedAt": started.isoformat(),
        "finishedAt": clock().isoformat(),
        "result": "pass" if passed else "fail",
        "checks": [one.as_json() for one in results],
    }
    file = folder / f"{stem}.json"
    file.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
    return file, document


def _suite(name: str, arguments: Sequence[str], log: Path, clock: Clock, limit_s: float) -> SuiteResult:
    started = clock()
    with (
        log.open("w", encoding="utf-8") as out,
        # A session of its own: what hangs is ended with everything it started.
        subprocess.Popen(
            (sys.executable, *arguments), stdout=out, stderr=subprocess.STDOUT, start_new_session=True
        ) as process,
    ):
        try:
            code = process.wait(limit_s)
        except BaseException as error:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            if not isinstance(error, subprocess.TimeoutExpired):
                raise
            code = process.wait()
            out.write(f"\nended after {limit_s:.0f} s: it did not end by itself\n")
    seconds = round((clock() - started).total_seconds(), 1)
    status = "pass" if code == 0 else "fail"
    return SuiteResult(name, status, _line(arguments), code, seconds, log.name)


def _end(one: SuiteResult, folder: Path) -> str:
    """Of a failed suite: where its log is, and how it ends."""
    if one.status == "pass" or one.log is None:
        return ""
    log = folder / one.log
    lines = log.read_text(encoding="utf-8", errors="replace").splitlines()[-_SHOWN_LINES:]
    return "".join(f"\n      {line}" for line in (str(log), *lines))


def _line(arguments: Sequence[str]) -> str:
    return shlex.join(("python", *arguments))
