"""Dagster's code server with runs that start in 0.4 s instead of 1.5-4.5 s.

Stock, ``dagster api grpc`` starts each run by multiprocessing's ``spawn``: a fresh interpreter that imports
everything again. Here runs fork from a forkserver that has imported it once. Run launching, crash detection
and termination stay Dagster's own. ``LEASE_BOT_DAGSTER_RUN_LAUNCH=stock`` goes back to ``spawn``.

Run as ``python -m leasebot_pipeline.processes.code_server``. On SIGTERM the server takes no new runs, lets
running ones finish (a reply being sent is sent, and its receipt stored) and ends. What else is under way then, as a
sensor that reads an inbox, gets some seconds more: cut off, it is what a crash would leave, and done again.

This leans on two private details: that the server asks for its context by ``get_context("spawn")``, and the name of its
look at the runs. Tests start real runs through it, look whose child a run is, and take the database away.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import sys
import threading
import time
from collections.abc import Sequence
from multiprocessing import forkserver
from multiprocessing.context import BaseContext
from typing import Final, Literal

DEFINITIONS: Final = "leasebot_pipeline.definitions"
LOCATION: Final = "leasebot"
LAUNCH_VARIABLE: Final = "LEASE_BOT_DAGSTER_RUN_LAUNCH"
GRACE_VARIABLE: Final = "DAGSTER_GRPC_SHUTDOWN_GRACE_PERIOD"
"""Dagster's own: seconds that calls under way get once the last run has ended. It gives them a minute."""
_GRACE_S: Final = 20

RunLaunch = Literal["forkserver", "stock"]

_PRELOAD: Final = (
    "dagster",
    "leasebot_pipeline.processes.dagster_storage",
    "dagster._grpc.server",
    "dagster._cli.api",
    "dagster._core.execution.api",
    "pandas",
    "great_expectations",
    "upath",  # what makes an instance imports it late
    "psycopg2.extras",
)
"""Imported once in the forkserver. They start no threads, open no sockets and hold no pool at import."""
_PRELOAD_LAST: Final = "leasebot_pipeline.processes.run_preload"


def use_forkserver(definitions: str) -> None:
    """Make every later ``get_context("spawn")`` a forkserver that has ``definitions`` imported.

    Starts the forkserver at once, so that the first run doesn't wait for the imports.
    """
    real = multiprocessing.get_context

    def get_context(method: str | None = None) -> BaseContext:
        return real("forkserver") if method == "spawn" else real(method)

    multiprocessing.get_context = get_context  # type: ignore[assignment]
    last = (_PRELOAD_LAST,) if definitions == DEFINITIONS else ()
    multiprocessing.set_forkserver_preload([*_PRELOAD, definitions, *last])
    forkserver.ensure_running()


def look_again_after_trouble() -> None:
    """Keep Dagster's look at its runs going when one look fails, e.g. while the database is away.

    It is one thread that looks twice a second; the first error would end it, without a word. From then on no run that
    ended would be cleared, and a server asked to stop would wait for them until it is killed.
    """
    from dagster._grpc.server import DagsterApiServer

    look = DagsterApiServer._check_for_orphaned_runs

    def guarded(self: DagsterApiServer) -> None:
        try:
            look(self)
        except Exception:
            self._logger.exception("a look at the running runs failed; looking again")

    DagsterApiServer._check_for_orphaned_runs = guarded  # type: ignore[method-assign]


def end_within(seconds: float, code: object) -> None:
    """End this process ``seconds`` from now if it has not ended by itself.

    A call whose caller is gone holds no stop of the server, but its thread holds the end of the process, for as long as
    it takes.
    """

    def end() -> None:
        time.sleep(seconds)
        sys.stderr.write(
            f"a call was still under way {seconds:.0f} s after the server stopped: ended without it\n"
        )
        os._exit(code if isinstance(code, int) else 1)

    threading.Thread(target=end, name="end-within", daemon=True).start()


def serve(host: str, port: int, launch: RunLaunch, definitions: str = DEFINITIONS) -> None:
    """Serve ``definitions`` on ``host``:``port`` until a signal; does not return normally (SystemExit)."""
    if launch == "forkserver":
        use_forkserver(definitions)
    from dagster._cli import main  # after the fork server started: its imports run beside ours

    look_again_after_trouble()
    grace_s = int(os.environ.setdefault(GRACE_VARIABLE, str(_GRACE_S)))

    sys.argv = ["dagster", "api", "grpc", "--host", host, "--port", str(port)]
    sys.argv += ["--module-name", definitions, "--location-name", LOCATION]
    try:
        main()  # type: ignore[no-untyped-call]
    except SystemExit as ended:
        end_within(grace_s, ended.code or 0)
        raise


def command(host: str, port: int, launch: str, definitions: str = DEFINITIONS) -> tuple[str, ...]:
    """The command line that runs this module: a process of its own whose main module is small to import."""
    module = "leasebot_pipeline.processes.code_server"
    options = ("--host", host, "--port", str(port), "--launch", launch, "--definitions", definitions)
    return (sys.executable, "-m", module, *options)


def _main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="leasebot code-server")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument(
        "--launch",
        choices=("forkserver", "stock"),
        default=os.environ.get(LAUNCH_VARIABLE) or "forkserver",
    )
    parser.add_argument("--definitions", default=DEFINITIONS)
    options = parser.parse_args(arguments)
    serve(options.host, options.port, options.launch, options.definitions)


if __name__ == "__main__":
    _main()
