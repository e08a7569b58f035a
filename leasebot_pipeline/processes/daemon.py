"""Dagster's daemon (sensors, schedules, queue), after closing the runs nobody works on any more.

Run as ``python -m leasebot_pipeline.processes.daemon`` with DAGSTER_HOME, DAGSTER_PG_URL and the code
server's address set. The code server must be up.
"""

from __future__ import annotations

import logging
import sys
from threading import Event
from typing import TYPE_CHECKING, Any

from leasebot_pipeline.processes.dagster_home import WORKSPACE_FILE, configuration_file
from leasebot_pipeline.processes.orphans import reconcile_and_watch

if TYPE_CHECKING:
    from dagster._core.workspace.context import IWorkspaceProcessContext
    from dagster._daemon.daemon import DaemonIterator

_log = logging.getLogger("dagster.daemon")


def let_ticks_end() -> None:
    """When asked to stop, end the ticks that are under way before the daemon forgets its code server.

    Dagster forgets it first and waits for its pool of ticks afterwards: those under way could no longer ask for their
    runs, those that waited for a place began even then, and all of them were noted as failed. It leans on two names,
    ``core_loop`` and ``_threadpool_executor``; a test stops a daemon in the middle of a tick.
    """
    from dagster._daemon.daemon import SensorDaemon

    loop = SensorDaemon.core_loop

    def ending(
        self: SensorDaemon, workspace_process_context: IWorkspaceProcessContext[Any], shutdown_event: Event
    ) -> DaemonIterator:
        try:
            yield from loop(self, workspace_process_context, shutdown_event)
        finally:
            if shutdown_event.is_set() and self._threadpool_executor is not None:
                _log.info("Sensors that are being evaluated may end, no other one begins.")
                self._threadpool_executor.shutdown(cancel_futures=True)

    SensorDaemon.core_loop = ending  # type: ignore[method-assign]


def main() -> None:
    """Reconcile, then run the daemon until a signal."""
    from dagster import DagsterInstance, DefaultRunLauncher
    from dagster._daemon.cli import main as run_dagster_daemon

    with DagsterInstance.get() as instance:
        # Other launchers (one pod per run) have health checks of their own; their runs outlive a code server.
        if isinstance(instance.run_launcher, DefaultRunLauncher):
            found = reconcile_and_watch(instance)
            if found.failed or found.alive:
                counts = f"closed {len(found.failed)}, still working {len(found.alive)}"
                sys.stderr.write(f"orphaned runs: {counts}\n")
        let_ticks_end()
        sys.argv = ["dagster-daemon", "run", "--workspace", str(configuration_file(WORKSPACE_FILE))]
        run_dagster_daemon()


if __name__ == "__main__":
    main()
