"""Runs whose worker is gone, found and closed when the daemon starts and while it works.

Dagster notices a worker's death only while the code server that started it lives, and only while the database takes
the note. Runs orphaned otherwise would stay "started" for an hour and hold their platform's place in the queue.
"""

from __future__ import annotations

import json
import logging
import os
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from dagster import DagsterInstance, DagsterRun

_log = logging.getLogger(__name__)
_WATCH_S: Final = 5.0
_LAUNCH_S: Final = 10.0
"""How long a run may be on its way to a worker before nobody is thought to have it."""
_START_SLACK_S: Final = 120.0


@dataclass(frozen=True, slots=True)
class Worker:
    """The process that said it executes a run: its pid, and when it said so (seconds since the epoch)."""

    pid: int
    reported_at: float

    def lives(self) -> bool:
        """True when that very process still runs on this machine.

        A pid that was given to another process since is told by its later start; so is a pid of another
        machine or container.
        """
        started = _started_at(self.pid)
        return started is not None and -_START_SLACK_S <= started - self.reported_at <= 2.0


@dataclass(frozen=True, slots=True)
class Reconciled:
    """``failed`` runs had no worker; ``alive`` ones still have one, of a code server that is gone."""

    failed: tuple[str, ...]
    alive: tuple[str, ...]


def reconcile(instance: DagsterInstance) -> Reconciled:
    """Fail every run that started but has neither a code server that knows it nor a living worker.

    Queued runs are left alone: the queue starts them. Call it when the daemon does not run.
    """
    from dagster import DagsterRunStatus, RunsFilter

    statuses = [DagsterRunStatus.STARTING, DagsterRunStatus.STARTED, DagsterRunStatus.CANCELING]
    failed: list[str] = []
    alive: list[str] = []
    for run in instance.get_runs(filters=RunsFilter(statuses=statuses)):
        if _served(run):
            continue
        worker = _worker(instance, run.run_id)
        if worker is not None and worker.lives():
            alive.append(run.run_id)
            continue
        instance.report_run_failed(
            run, "The process that executed this run is gone; closed when the stack started."
        )
        failed.append(run.run_id)
    return Reconciled(tuple(failed), tuple(alive))


def reconcile_and_watch(instance: DagsterInstance) -> Reconciled:
    """Reconcile now, and from then on close whatever loses its worker, in the background."""
    found = reconcile(instance)
    threading.Thread(target=_watch, args=(instance,), name="orphans", daemon=True).start()
    return found


def _watch(instance: DagsterInstance) -> None:
    suspected: frozenset[str] = frozenset()
    while True:
        time.sleep(_WATCH_S)
        try:
            suspected = close_dead(instance, suspected)
        except (
            Exception
        ) as error:  # the database is away, as it was for the worker that could not say how it ended
            _log.warning("runs were not looked at: %s", type(error).__name__)


def close_dead(
    instance: DagsterInstance, suspected: frozenset[str], now: Callable[[], float] = time.time
) -> frozenset[str]:
    """Fail the runs among ``suspected`` that still have no worker; returns those that have none now.

    A run that just ended has none for a moment either: only one found so at two looks is closed. Neither has one that
    is being launched: it is looked at after ten seconds, when its code server must have died over it.
    """
    from dagster import DagsterRunStatus, RunsFilter

    statuses = [DagsterRunStatus.STARTING, DagsterRunStatus.STARTED, DagsterRunStatus.CANCELING]
    dead: set[str] = set()
    for record in instance.get_run_records(filters=RunsFilter(statuses=statuses)):
        run = record.dagster_run
        if _served(run):
            continue
        worker = _worker(instance, run.run_id)
        if worker is None and now() - record.update_timestamp.timestamp() < _LAUNCH_S:
            continue
        if worker is not None and worker.lives():
            continue
        if run.run_id not in suspected:
            dead.add(run.run_id)
            continue
        current = instance.get_run_by_id(run.run_id)
        if current is not None and current.status in statuses:
            instance.report_run_failed(current, "The process that executed this run is gone.")
            _log.warning("run %s: its worker is gone, run closed", run.run_id)
    return frozenset(dead)


def _served(run: DagsterRun) -> bool:
    """True when the code server that started the run still executes it."""
    from dagster._core.errors import DagsterUserCodeUnreachableError
    from dagster._core.storage.tags import GRPC_INFO_TAG
    from dagster._grpc.client import DagsterGrpcClient
    from dagster._grpc.types import CanCancelExecutionRequest, CanCancelExecutionResult
    from dagster._serdes import deserialize_value

    stored = run.tags.get(GRPC_INFO_TAG)
    if stored is None:
        return False
    address = json.loads(stored)
    client = DagsterGrpcClient(
        host=address.get("host"), port=address.get("port"), socket=address.get("socket"), use_ssl=False
    )
    try:
        answer = client.can_cancel_execution(CanCancelExecutionRequest(run_id=run.run_id), timeout=5)
    except DagsterUserCodeUnreachableError:
        return False
    return deserialize_value(answer, CanCancelExecutionResult).can_cancel


def _worker(instance: DagsterInstance, run_id: str) -> Worker | None:
    from dagster import DagsterEventType

    for entry in instance.all_logs(run_id, of_type=DagsterEventType.ENGINE_EVENT):
        event = entry.dagster_event
        if event is None:
            continue
        stored = event.engine_event_data.metadata.get("pid")
        value = getattr(stored, "value", None)
        if value is not None and str(value).isdigit():
            return Worker(int(str(value)), entry.timestamp)
    return None


def _started_at(pid: int) -> float | None:
    """When a process started, in seconds since the epoch; None when there is none."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="ascii", errors="replace")
        boot = next(
            line
            for line in Path("/proc/stat").read_text(encoding="ascii").splitlines()
            if line.startswith("btime")
        )
    except (FileNotFoundError, ProcessLookupError, PermissionError):
        return None
    fields = stat.rpartition(")")[2].split()
    if fields[0] in "ZX":
        return None
    return int(boot.split()[1]) + int(fields[19]) / os.sysconf("SC_CLK_TCK")
