"""A sign of life from a thread of its own, while the worker itself waits for a browser."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import structlog

_log: structlog.stdlib.BoundLogger = structlog.get_logger("leasebot.heartbeats")


@contextmanager
def beating(beat: Callable[[], bool], every_s: float, name: str) -> Iterator[None]:
    """Call ``beat`` every so often during the block, until it says False (what it kept alive is lost).

    A beat that fails (the database is away) is tried again with the next: what it keeps alive runs out by
    itself when none comes through. The thread ends with the block and never outlives the process.
    """
    over = threading.Event()

    def run() -> None:
        while not over.wait(every_s):
            try:
                if not beat():
                    return
            except Exception as error:
                _log.warning("heartbeat_failed", name=name, error=type(error).__name__)

    thread = threading.Thread(target=run, name=f"heartbeat {name}", daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
