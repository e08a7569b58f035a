"""Dagster's daemon (sensors, schedules, queue), after closing the runs nobody works on any more.

Run as ``python -m leasebot_pipeline.processes.daemon`` with DAGSTER_HOME, DAGSTER_PG_URL and the code
server's address set. The code server must be up.
"""

from __future__ import annotations

import sys

from leasebot_pipeline.processes.dagster_home import WORKSPACE_FILE, configuration_file
from leasebot_pipeline.processes.orphans import reconcile_and_watch


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
        sys.argv = ["dagster-daemon", "run", "--workspace", str(configuration_file(WORKSPACE_FILE))]
        run_dagster_daemon()


if __name__ == "__main__":
    main()
