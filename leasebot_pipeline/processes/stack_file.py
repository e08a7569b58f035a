"""The file that says which stack runs on a data directory, and the lock that keeps a second one out."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import signal
import time
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Final

from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic.alias_generators import to_camel

_LOCK: Final = "stack.lock"
_FILE: Final = "stack.json"


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, alias_generator=to_camel, populate_by_name=True)


class PartReport(_Model):
    """A part of the stack; ``state`` is a PartState, ``started_ticks`` tells two processes of one pid apart."""

    name: str
    title: str
    state: str
    pid: int | None = None
    started_ticks: int | None = None
    address: str | None = None
    hint: str | None = None
    restarts: int = 0
    log: Path | None = None


class StackReport(_Model):
    """A stack: who runs it and where its parts are. ``database_url`` only for the embedded server."""

    pid: int
    started_at: datetime
    data_dir: Path
    sandbox: bool
    database_url: str | None = None
    api_url: str | None = None
    dagster_url: str | None = None
    sandbox_url: str | None = None
    browser: Path | None = None
    parts: tuple[PartReport, ...] = ()

    @property
    def ready(self) -> bool:
        return bool(self.parts) and all(part.state in ("ready", "done") for part in self.parts)


class StackBusy(RuntimeError):
    """Another stack runs on the data directory."""


@contextlib.contextmanager
def hold(data_dir: Path) -> Iterator[None]:
    """Own the data directory. Raises StackBusy. The lock dies with the process, however it ends."""
    data_dir.mkdir(parents=True, exist_ok=True)
    with (data_dir / _LOCK).open("a+") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            report = read(data_dir)
            who = f" (process {report.pid})" if report else ""
            raise StackBusy(
                f"a stack runs on {data_dir} already{who}: `leasebot status` shows it, `leasebot down` stops it"
            ) from None
        yield


def is_held(data_dir: Path) -> bool:
    """True while a stack runs on the data directory."""
    try:
        with (data_dir / _LOCK).open("r+") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return True
    except FileNotFoundError:
        return False
    return False


def write(report: StackReport) -> None:
    """Replace the file at once: a reader sees the old or the new one."""
    target = report.data_dir / _FILE
    fresh = target.with_suffix(".new")
    fresh.write_text(report.model_dump_json(by_alias=True, indent=1), encoding="utf-8")
    fresh.chmod(0o600)
    fresh.replace(target)


def read(data_dir: Path) -> StackReport | None:
    """What the last stack wrote, running or not; None when there is nothing readable."""
    try:
        return StackReport.model_validate_json((data_dir / _FILE).read_text(encoding="utf-8"))
    except (FileNotFoundError, ValidationError, json.JSONDecodeError):
        return None


def running(data_dir: Path) -> StackReport | None:
    """The stack that runs on the data directory now, or None."""
    return read(data_dir) if is_held(data_dir) else None


def started_ticks(pid: int) -> int | None:
    """When a process started, in kernel ticks since boot; None when there is none (or only a zombie)."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="ascii", errors="replace")
    except (FileNotFoundError, ProcessLookupError, PermissionError):
        return None
    fields = stat.rpartition(")")[2].split()
    return None if fields[0] in "ZX" else int(fields[19])


def clear_leftovers(data_dir: Path, grace_s: float) -> list[str]:
    """End what a killed stack left running; call it while holding the lock. Returns the parts' names.

    They got a signal when their parent died and are stopping; this waits for them, then kills.
    """
    report = read(data_dir)
    if report is None:
        return []
    left = [part for part in report.parts if _alive(part)]
    names = [part.name for part in left]
    deadline = time.monotonic() + grace_s
    while left and time.monotonic() < deadline:
        time.sleep(0.05)
        left = [part for part in left if _alive(part)]
    for part in left:
        assert part.pid is not None
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(part.pid, signal.SIGKILL)
    return names


def _alive(part: PartReport) -> bool:
    if part.pid is None or part.started_ticks is None:
        return False
    return started_ticks(part.pid) == part.started_ticks
