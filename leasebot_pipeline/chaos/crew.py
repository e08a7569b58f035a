"""Worker processes of a play: started quickly, killed, frozen and woken, and started again."""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from itertools import count
from multiprocessing import connection, get_context
from multiprocessing.connection import Connection as Pipe
from multiprocessing.context import ForkServerContext, ForkServerProcess
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from leasebot_pipeline.chaos.tasks import Place, Report, Task
from leasebot_pipeline.chaos.worker import serve

HOSTS: Final = ("play-a", "play-b")
"""Machines the workers say they run on: the second one is a deployment that was started twice."""


@dataclass(slots=True)
class Worker:
    """A process and what it is at. ``frozen`` ones answer nothing until they are woken."""

    number: int
    host: str
    process: ForkServerProcess
    pipe: Pipe
    task: Task | None = None
    frozen: bool = False
    killed: bool = False
    """Killed by the play, wherever it was."""

    @property
    def idle(self) -> bool:
        return self.task is None

    @property
    def may_freeze(self) -> bool:
        """Whether its task has it freeze at some point."""
        return self.task is not None and ":stall" in (self.task.armed or "") and not self.frozen

    @property
    def pid(self) -> int:
        assert self.process.pid is not None
        return self.process.pid


@dataclass(frozen=True, slots=True)
class Ended:
    """A task's end: its report, or None when the worker died over it."""

    worker: Worker
    task: Task
    report: Report | None


@dataclass(slots=True)
class Crew:
    """All workers. A context manager: nobody survives the block."""

    place: Place
    size: int
    workers: list[Worker] = field(default_factory=list, init=False)
    _context: ForkServerContext = field(default_factory=lambda: get_context("forkserver"), init=False)
    _numbers: Iterator[int] = field(default_factory=lambda: count(1), init=False)

    def __enter__(self) -> Self:
        # Forked from a process that has imported everything: a death costs milliseconds.
        self._context.set_forkserver_preload(["leasebot_pipeline.chaos.worker"])
        for number in range(self.size):
            self.workers.append(
                self.start(HOSTS[0] if number < self.size - 1 or self.size == 1 else HOSTS[1])
            )
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for worker in self.workers:
            self._end(worker)

    def start(self, host: str) -> Worker:
        """A new process on that host."""
        number = next(self._numbers)
        ours, theirs = self._context.Pipe()
        place = replace(self.place, host=host, seed=self.place.seed + number)
        process = self._context.Process(target=serve, args=(theirs, place), daemon=True)
        process.start()
        theirs.close()
        return Worker(number, host, process, ours)

    def give(self, worker: Worker, task: Task) -> None:
        """Hand a task over. A worker that died meanwhile is found by ``ended``."""
        worker.task = task
        with contextlib.suppress(BrokenPipeError, OSError):
            worker.pipe.send(task)

    def kill(self, worker: Worker) -> None:
        """kill -9."""
        worker.killed = True
        with contextlib.suppress(ProcessLookupError):
            os.kill(worker.pid, signal.SIGKILL)

    def wake(self, worker: Worker) -> None:
        """Let a frozen worker go on."""
        worker.frozen = False
        with contextlib.suppress(ProcessLookupError):
            os.kill(worker.pid, signal.SIGCONT)

    def ended(self, timeout_s: float) -> list[Ended]:
        """Tasks that ended, by report or by death; waits for the first one at most that long.

        A dead worker is replaced by a new one on the same host.
        """
        busy = {
            worker.pipe: worker for worker in self.workers if worker.task is not None and not worker.frozen
        }
        found: list[Ended] = []
        for ready in connection.wait(list(busy), timeout_s):
            worker = busy[ready]  # type: ignore[index]
            assert worker.task is not None
            task, report = worker.task, self._report(worker)
            worker.task = None
            found.append(Ended(worker, task, report))
            if report is None:
                worker.process.join(10)
                worker.pipe.close()
                self.workers[self.workers.index(worker)] = self.start(worker.host)
        return found

    def notice_frozen(self) -> list[Worker]:
        """Workers that froze at their armed point since the last look."""
        found = []
        for worker in self.workers:
            if worker.may_freeze and _stopped(worker.pid):
                worker.frozen = True
                found.append(worker)
        return found

    @staticmethod
    def _report(worker: Worker) -> Report | None:
        try:
            report: Report = worker.pipe.recv()
        except (EOFError, OSError):
            return None
        return report

    def _end(self, worker: Worker) -> None:
        with contextlib.suppress(ProcessLookupError, ValueError):
            worker.process.kill()
            worker.process.join(10)
        worker.pipe.close()


def _stopped(pid: int) -> bool:
    """Whether the process is stopped by a signal (Linux)."""
    try:
        return Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()[0] == b"T"
    except OSError:
        return False


def kill_browser(worker: int) -> int:
    """kill -9 of every browser below a worker; how many there were."""
    children: dict[int, list[int]] = {}
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError, ValueError, IndexError):
            parent = int((folder / "stat").read_bytes().rpartition(b")")[2].split()[1])
            children.setdefault(parent, []).append(int(folder.name))
    killed, waiting = 0, list(children.get(worker, ()))
    while waiting:
        pid = waiting.pop()
        waiting += children.get(pid, ())
        with contextlib.suppress(OSError):
            line = Path(f"/proc/{pid}/cmdline").read_bytes()
            if b"--headless" in line and b"--type=" not in line:
                os.kill(pid, signal.SIGKILL)
                killed += 1
    return killed
