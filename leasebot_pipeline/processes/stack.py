"""Run the local stack until told to stop, and stop it from another terminal."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from types import FrameType
from typing import Final

from leasebot_pipeline.processes import stack_file, stack_parts
from leasebot_pipeline.processes.stack_file import PartReport, StackReport
from leasebot_pipeline.processes.stack_plan import StackChoice, StackPlan, plan, stack_data_dir
from leasebot_pipeline.processes.supervisor import Observer, Progress, Supervisor

_LEFTOVER_GRACE_S: Final = 15.0


@dataclass(slots=True)
class _Signals:
    """What a person or the system asked for: once to stop, twice to stop now."""

    count: int = 0

    def note(self, _signal: int, _frame: FrameType | None) -> None:
        self.count += 1

    def stop_asked(self) -> bool:
        return self.count > 0

    def hurry(self) -> bool:
        return self.count > 1


@dataclass(slots=True)
class _Reports:
    """Keeps the stack file in step with the supervisor."""

    plan: StackPlan
    started_at: datetime
    latest: StackReport | None = field(default=None, init=False)

    def write(self, progress: Sequence[Progress]) -> None:
        plan = self.plan
        report = StackReport(
            pid=os.getpid(),
            started_at=self.started_at,
            data_dir=plan.data_dir,
            sandbox=plan.choice.sandbox,
            # A given URL may hold a password; the embedded server's can't.
            database_url=plan.database_url if plan.embedded is not None else None,
            api_url=stack_parts.api_url(plan),
            dagster_url=stack_parts.dagster_url(plan),
            sandbox_url=stack_parts.sandbox_url(plan),
            browser=plan.browser,
            parts=tuple(_part_report(entry) for entry in progress),
        )
        if report != self.latest:
            stack_file.write(report)
            self.latest = report


def _part_report(entry: Progress) -> PartReport:
    pid = entry.part.service.pid
    return PartReport(
        name=entry.part.name,
        title=entry.part.title,
        state=entry.state.value,
        pid=pid,
        started_ticks=stack_file.started_ticks(pid) if pid is not None else None,
        address=entry.part.address,
        hint=entry.part.hint,
        restarts=entry.restarts,
        log=entry.part.service.log,
    )


def run_stack(
    choice: StackChoice,
    *,
    say: Callable[[str], None],
    on_ready: Callable[[StackReport], None],
    log_line: Callable[[str, str], None] | None = None,
) -> None:
    """Start everything, call ``on_ready``, serve until SIGINT, SIGTERM or SIGHUP, stop everything.

    Raises StackBusy when a stack runs on the data directory, what :func:`plan` raises, and StackFailed when
    a part does not come up; in all cases nothing is left running.
    """
    say = _to_whoever_listens(say)
    data_dir = stack_data_dir(choice)
    with stack_file.hold(data_dir), _signals() as signals:
        # Before the plan: what a killed stack left still sits on the ports.
        left = stack_file.clear_leftovers(data_dir, _LEFTOVER_GRACE_S)
        if left:
            say(f"a former stack was killed; ended what it left running: {', '.join(left)}")
        planned = plan(choice)
        for note in planned.notes:
            say(f"note: {note}")
        reports = _Reports(planned, datetime.now(UTC))
        observer = Observer(say=say, changed=reports.write, log_line=log_line)
        supervisor = Supervisor(stack_parts.parts(planned), observer)

        def ready() -> None:
            reports.write(supervisor.progress)
            assert reports.latest is not None
            on_ready(reports.latest)

        try:
            supervisor.run(stop_asked=signals.stop_asked, on_ready=ready)
            say("stopping")
        finally:
            supervisor.stop(signals.hurry)
        say("stopped")


@contextlib.contextmanager
def _signals() -> Iterator[_Signals]:
    noted = _Signals()
    kept = {
        number: signal.signal(number, noted.note) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    }
    try:
        yield noted
    finally:
        for number, handler in kept.items():
            signal.signal(number, handler)


def _to_whoever_listens(say: Callable[[str], None]) -> Callable[[str], None]:
    """``say`` for a terminal that may be closed at any moment: stopping in order must not fail on that."""

    def tell(line: str) -> None:
        with contextlib.suppress(OSError):
            say(line)

    return tell


def stop_stack(data_dir: Path, *, patience_s: float, now: bool = False) -> bool:
    """Ask the stack of ``data_dir`` to stop and wait; False when none runs.

    ``now`` asks twice, which kills what does not stop at once. Raises TimeoutError.
    """
    report = stack_file.running(data_dir)
    if report is None:
        return False
    for _ in range(2 if now else 1):
        with contextlib.suppress(ProcessLookupError):
            os.kill(report.pid, signal.SIGTERM)
        time.sleep(0.05)  # two signals at once would arrive as one
    deadline = time.monotonic() + patience_s
    while stack_file.is_held(data_dir):
        if time.monotonic() > deadline:
            raise TimeoutError(f"the stack (process {report.pid}) did not stop within {patience_s:.0f} s")
        time.sleep(0.05)
    return True


def table(report: StackReport) -> str:
    """The addresses of a running stack, for people."""
    rows = [(part.title, part.address, part.hint) for part in report.parts if part.address]
    width = max((len(title) for title, _, _ in rows), default=0)
    lines = []
    for title, address, hint in rows:
        lines.append(f"  {title:<{width}}  {address}")
        if hint:
            lines.append(f"  {'':<{width}}  {hint}")
    first = next(
        (part.log for part in report.parts if part.log is not None and part.name != "database"), None
    )
    if first is not None:
        lines.append(f"  {'Logs':<{width}}  {first.parent}")
    return "\n".join(lines)
