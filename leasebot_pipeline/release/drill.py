"""Drills: the runbook's roll-out and rollback steps, run without impact, every line of them written down.

A step that could not be made is written as such and is never a pass. Nothing is changed unless ``execute`` is set:
`kubectl rollout undo` is asked as a dry run on the server, and the gate's look is not kept.
"""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Any, Final

from leasebot_pipeline.domain.clock import Clock

DEPLOYMENTS: Final = ("lease-bot-api", "lease-bot-worker")
_LONGEST: Final = 6_000
_REVISION: Final = re.compile(r"^\s*(\d+)\s", re.MULTILINE)
_NO_CLUSTER: Final = re.compile(
    r"connection to the server .* was refused|Unable to connect to the server|no configuration has been provided",
    re.IGNORECASE,
)
"""What kubectl says where no cluster answers: the step was not made, so it did not fail either."""
_REQUIRED_SLICES: Final = ("auditByPlatform", "auditByAgent", "auditByConversation")


class Kind(StrEnum):
    ROLLOUT = "rollout"
    ROLLBACK = "rollback"


class StepStatus(StrEnum):
    PASS = "pass"  # noqa: S105
    FAIL = "fail"
    NOT_RUN = "not run"


@dataclass(frozen=True, slots=True)
class Step:
    """One step as it went. ``exit_code`` is None where no command ended; ``output`` is bounded."""

    title: str
    command: str | None
    started_at: datetime
    ended_at: datetime
    status: StepStatus
    exit_code: int | None
    output: str


@dataclass(frozen=True, slots=True)
class Drill:
    """A finished drill."""

    kind: Kind
    operator: str
    environment: str
    commit: str
    owner: str
    execute: bool
    started_at: datetime
    ended_at: datetime
    steps: tuple[Step, ...]

    @property
    def status(self) -> StepStatus:
        """``fail`` before ``not run`` before ``pass``: a pass has every step made and passed."""
        seen = {step.status for step in self.steps}
        for status in (StepStatus.FAIL, StepStatus.NOT_RUN):
            if status in seen:
                return status
        return StepStatus.PASS if self.steps else StepStatus.NOT_RUN

    def as_json(self) -> dict[str, Any]:
        return {
            "kind": self.kind.value,
            "result": self.status.value,
            "operator": self.operator,
            "environment": self.environment,
            "commit": self.commit,
            "owner": self.owner,
            "execute": self.execute,
            "startedAt": self.started_at.isoformat(),
            "endedAt": self.ended_at.isoformat(),
            "steps": [
                {
                    "title": one.title,
                    "command": one.command,
                    "status": one.status.value,
                    "exitCode": one.exit_code,
                    "startedAt": one.started_at.isoformat(),
                    "endedAt": one.ended_at.isoformat(),
                }
                for one in self.steps
            ],
        }


@dataclass(frozen=True)
class Means:
    """What a drill works with. ``snapshot`` and ``gate`` return what to write down (and whether it is good), or None
    when they are not available; they raise nothing."""

    clock: Clock
    kubectl: str
    snapshot: Callable[[int], Mapping[str, Any] | None]
    gate: Callable[[], str | None]
    options: Sequence[str] = ()
    """Given to each kubectl call, e.g. ``("--namespace", "lease-bot")``."""
    timeout_s: float = 660.0


@dataclass
class _Recorder:
    means: Means
    steps: list[Step] = field(default_factory=list)

    def kubectl(self, title: str, *arguments: str) -> str | None:
        """Run kubectl; its output when it exits with 0."""
        command = (self.means.kubectl, *self.means.options, *arguments)
        started = self.means.clock()
        if shutil.which(self.means.kubectl) is None:
            self._add(
                title, command, started, StepStatus.NOT_RUN, None, f"{self.means.kubectl}: not installed"
            )
            return None
        try:
            done = subprocess.run(
                command, capture_output=True, text=True, timeout=self.means.timeout_s, check=False
            )
        except subprocess.TimeoutExpired:
            said = f"no end within {self.means.timeout_s:.0f} s"
            self._add(title, command, started, StepStatus.FAIL, None, said)
            return None
        except OSError as error:
            self._add(title, command, started, StepStatus.NOT_RUN, None, str(error.strerror))
            return None
        status = StepStatus.PASS if done.returncode == 0 else StepStatus.FAIL
        if status is StepStatus.FAIL and _NO_CLUSTER.search(done.stderr):
            status = StepStatus.NOT_RUN
        self._add(title, command, started, status, done.returncode, done.stdout + done.stderr)
        return done.stdout if done.returncode == 0 else None

    def note(self, title: str, status: StepStatus, output: str, command: str | None = None) -> None:
        at = self.means.clock()
        self.steps.append(Step(title, command, at, at, status, None, output))

    def _add(
        self,
        title: str,
        command: Sequence[str],
        started: datetime,
        status: StepStatus,
        code: int | None,
        output: str,
    ) -> None:
        ended, line = self.means.clock(), shlex.join(command)
        self.steps.append(Step(title, line, started, ended, status, code, output.strip()[:_LONGEST]))


def rehearse(
    kind: Kind,
    means: Means,
    *,
    operator: str,
    environment: str,
    commit: str,
    owner: str,
    execute: bool = False,
    to_revision: int | None = None,
) -> Drill:
    """Run the drill's steps, all of them, and return what happened."""
    started = means.clock()
    recorder = _Recorder(means)
    if kind is Kind.ROLLOUT:
        _rollout(recorder)
    else:
        _rollback(recorder, execute, to_revision)
    return Drill(
        kind, operator, environment, commit, owner, execute, started, means.clock(), tuple(recorder.steps)
    )


def _rollout(recorder: _Recorder) -> None:
    for name in DEPLOYMENTS:
        recorder.kubectl(
            f"{name} is rolled out", "rollout", "status", f"deployment/{name}", "--timeout", "10m"
        )
    _snapshot(recorder)
    said = recorder.means.gate()
    if said is None:
        recorder.note("The gate", StepStatus.NOT_RUN, "no database or no release stage", "leasebot gate")
    else:
        # A drill rehearses the look; whether the release may go on is not the drill's result.
        recorder.note("The gate (its look is not kept)", StepStatus.PASS, said, "leasebot gate")


def _rollback(recorder: _Recorder, execute: bool, to_revision: int | None) -> None:
    for name in DEPLOYMENTS:
        target = f"deployment/{name}"
        history = recorder.kubectl(f"Revisions of {name}", "rollout", "history", target)
        revision = to_revision if to_revision is not None else previous_revision(history or "")
        if revision is None:
            recorder.note(
                f"{name} goes back", StepStatus.NOT_RUN, "there is no earlier revision, or none could be read"
            )
            continue
        dry = () if execute else ("--dry-run=server",)
        recorder.kubectl(
            f"{name} goes back to revision {revision}" + ("" if execute else " (dry run)"),
            *("rollout", "undo", target, f"--to-revision={revision}", *dry),
        )
        recorder.kubectl(f"{name} is rolled out", "rollout", "status", target, "--timeout", "10m")
    _snapshot(recorder)


def _snapshot(recorder: _Recorder) -> None:
    title, command = "Observability snapshot", "GET /api/admin/observability?windowHours=2&signalLimit=5"
    found = recorder.means.snapshot(2)
    if found is None:
        said = "not taken: API_BASE_URL and ADMIN_OBSERVABILITY_COOKIE are needed, and an API that answers"
        recorder.note(title, StepStatus.NOT_RUN, said, command)
        return
    signals = found.get("signals", {})
    missing = [name for name in _REQUIRED_SLICES if name not in signals]
    lines = [f"windowHours: {found.get('windowHours')}"]
    lines += [f"{name}: {value}" for name, value in found.get("coreMetrics", {}).items()]
    lines += [
        f"signals.{name}: {signals[name]}"
        for name in (*_REQUIRED_SLICES, "platformFailures")
        if name in signals
    ]
    lines += [f"missing: signals.{name}" for name in missing]
    recorder.note(
        title, StepStatus.FAIL if missing else StepStatus.PASS, "\n".join(lines)[:_LONGEST], command
    )


def previous_revision(history: str) -> int | None:
    """The revision before the newest of `kubectl rollout history`; None without one."""
    revisions = sorted(int(found) for found in _REVISION.findall(history))
    return revisions[-2] if len(revisions) > 1 else None


def write(drill: Drill, folder: Path) -> Path:
    """Write the evidence as ``<kind>-drill-<date>.md``; a later one of the same day gets a number."""
    folder.mkdir(parents=True, exist_ok=True)
    stem = f"{drill.kind}-drill-{drill.started_at:%Y-%m-%d}"
    file = folder / f"{stem}.md"
    number = 1
    while True:
        try:
            with file.open("x", encoding="utf-8") as out:
                out.write(as_markdown(drill))
            return file
        except FileExistsError:
            number += 1
            file = folder / f"{stem}-{number}.md"


_MEANING: Final = {
    StepStatus.PASS: "PASS: every step was made and passed",
    StepStatus.FAIL: "FAIL: a step failed",
    StepStatus.NOT_RUN: "NOT RUN: a step could not be made; this is no pass",
}


def as_markdown(drill: Drill) -> str:
    """The evidence file."""
    lines = [
        f"# {drill.kind.capitalize()} drill, {drill.started_at:%Y-%m-%d}",
        "",
        f"- Result: **{_MEANING[drill.status]}**",
        f"- Candidate: `{drill.commit}`",
        f"- Operator: {drill.operator}",
        f"- Environment: {drill.environment}",
        f"- Started: {drill.started_at:%Y-%m-%dT%H:%M:%SZ}, ended: {drill.ended_at:%Y-%m-%dT%H:%M:%SZ}",
        f"- Impact: {'commands were executed' if drill.execute else 'none: changes were dry runs'}",
        f"- Follow-up owner: {drill.owner}",
        "",
    ]
    for number, step in enumerate(drill.steps, 1):
        code = "none" if step.exit_code is None else step.exit_code
        lines += [f"## {number}. {step.title}: {step.status}", ""]
        if step.command:
            lines += [f"    $ {step.command}", ""]
        lines += [
            f"Started {step.started_at:%H:%M:%SZ}, ended {step.ended_at:%H:%M:%SZ}, exit code {code}.",
            "",
        ]
        if step.output:
            lines += [*("    " + line for line in step.output.splitlines()), ""]
    return "\n".join(lines)
