"""Starts ``leasebot worker --once`` again and again without importing everything again: each is a fork of this process.

Run as a module of its own. Every line it reads is the crash point to arm (or empty); for each it writes the exit code.
"""

from __future__ import annotations

import os
import sys
import traceback


def _work(armed: str) -> None:
    """The command as a person runs it, in a child; does not return."""
    from leasebot_pipeline.cli.__main__ import main

    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.dup2(2, 1)  # standard output belongs to the exit codes
    if armed:
        os.environ["LEASE_BOT_CRASH_POINT"] = armed
    sys.argv = ["leasebot", "worker", "--once"]
    code = 99
    try:
        main()
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else int(end.code is not None)
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def _serve() -> None:
    import great_expectations  # noqa: F401 - what a cycle imports late
    import pandas  # noqa: F401
    import playwright.async_api  # noqa: F401

    import leasebot_pipeline.definitions
    import leasebot_pipeline.processes.worker
    import leasebot_pipeline.wiring  # noqa: F401

    for line in sys.stdin:
        child = os.fork()
        if child == 0:
            _work(line.strip())
        _, status = os.waitpid(child, 0)
        sys.stdout.write(f"{os.waitstatus_to_exitcode(status)}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    _serve()
