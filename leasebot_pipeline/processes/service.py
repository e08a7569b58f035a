"""The parts a stack is made of: child processes, the embedded database, and steps done in between.

Children are started by the supervisor's main thread only: the parent-death signal of Linux is tied to the
thread that forked.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, Protocol

from leasebot_pipeline.processes import logs
from leasebot_pipeline.storage.server import EmbeddedServer, ServerError

_PR_SET_PDEATHSIG: Final = 1
_LIBC: Final = ctypes.CDLL(None, use_errno=True) if sys.platform == "linux" else None

Probe = Callable[[], bool]


class StartFailed(RuntimeError):
    """A part of the stack could not be started; the message says why."""


class Service(Protocol):
    """What the supervisor needs of a part."""

    @property
    def log(self) -> Path | None: ...

    @property
    def pid(self) -> int | None: ...

    def start(self) -> None:
        """Start it. Raises StartFailed."""

    def poll(self) -> int | None:
        """Exit code once it ended, else None."""

    def ready(self) -> bool:
        """True once others may rely on it."""

    def request_stop(self) -> None:
        """Ask it to end; poll() tells when it did."""

    def kill(self) -> None:
        """End it and everything it started, now."""


@dataclass(frozen=True, slots=True)
class Part:
    """A service with its place in the stack. Times are seconds."""

    name: str
    title: str
    service: Service
    needs: tuple[str, ...] = ()
    """Parts that must be ready before this one starts."""
    stop_rank: int = 3
    """Parts of a higher rank are stopped, and gone, before those of a lower one are asked."""
    start_deadline_s: float = 60.0
    stop_grace_s: float = 5.0
    once: bool = False
    """True for a step that ends by itself; it counts as ready when it ended well."""
    address: str | None = None
    hint: str | None = None


class ChildProcess:
    """A process of its own session, with its output in a log file; it never outlives us for long."""

    def __init__(
        self,
        command: tuple[str, ...],
        *,
        environment: Mapping[str, str],
        log: Path,
        probe: Probe,
        cwd: Path | None = None,
    ) -> None:
        self._command = command
        self._environment = dict(environment)
        self._log = log
        self._probe = probe
        self._cwd = cwd
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def log(self) -> Path:
        return self._log

    @property
    def pid(self) -> int | None:
        return self._process.pid if self._process and self._process.poll() is None else None

    def start(self) -> None:
        self._log.parent.mkdir(parents=True, exist_ok=True)
        logs.cap(self._log)
        parent = os.getpid()
        try:
            with self._log.open("ab") as out:
                out.write(f"--- {datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ} {' '.join(self._command)}\n".encode())
                out.flush()
                self._process = subprocess.Popen(
                    self._command,
                    stdin=subprocess.DEVNULL,
                    stdout=out,
                    stderr=out,
                    env=self._environment,
                    cwd=self._cwd,
                    # Ctrl-C in the terminal reaches only us: we stop the children in order.
                    start_new_session=True,
                    preexec_fn=lambda: _end_with_parent(parent),
                )
        except OSError as error:
            raise StartFailed(f"{self._command[0]}: {error.strerror}") from None

    def poll(self) -> int | None:
        return self._process.poll() if self._process else 0

    def ready(self) -> bool:
        return self._probe()

    def request_stop(self) -> None:
        if self.pid is not None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, signal.SIGTERM)

    def kill(self) -> None:
        if self._process is None:
            return
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()


class EmbeddedDatabase:
    """The embedded PostgreSQL server as a part of the stack."""

    def __init__(self, server: EmbeddedServer) -> None:
        self._server = server

    @property
    def log(self) -> Path:
        return self._server.log

    @property
    def pid(self) -> int | None:
        return self._server.pid

    def start(self) -> None:
        try:
            self._server.start()
        except ServerError as error:
            raise StartFailed(str(error)) from None

    def poll(self) -> int | None:
        return self._server.poll()

    def ready(self) -> bool:
        return self._server.pid is not None

    def request_stop(self) -> None:
        self._server.stop()

    def kill(self) -> None:
        self._server.stop()


@dataclass(slots=True)
class Step:
    """Work done by the supervisor itself between two starts, e.g. the migrations."""

    run: Callable[[], None]
    _code: int | None = field(default=None, init=False)
    log: Path | None = field(default=None, init=False)
    pid: int | None = field(default=None, init=False)

    def start(self) -> None:
        self.run()
        self._code = 0

    def poll(self) -> int | None:
        return self._code

    def ready(self) -> bool:
        return self._code == 0

    def request_stop(self) -> None:
        """Nothing is left to stop."""

    def kill(self) -> None:
        """Nothing is left to kill."""


def hear_stops() -> None:
    """Let requests to stop reach the program that this process becomes.

    What a process ignores or blocks its children ignore and block too, also across exec; a shell starts what runs in
    its background with Ctrl-C ignored, and Dagster's processes take SIGTERM as they found Ctrl-C. They could not be
    asked to stop, and a code server that is killed instead takes its runs with it.
    """
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT, signal.SIGTERM})


def _end_with_parent(parent: int) -> None:
    """In the child, before its program starts: be told to stop when ``parent`` dies, and hear it."""
    hear_stops()
    if _LIBC is None:
        return
    if _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "no signal on the death of the parent")
    if os.getppid() != parent:  # the parent died before the signal was armed
        os._exit(1)
