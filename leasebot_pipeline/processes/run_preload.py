"""Imported last by the fork server of the runs: what each run would build first is built once, before it forks.

Nothing here may fail: the fork server would die of it, and a run without this is only slower. Nothing here may start a
thread or open a connection (so no Great Expectations, whose first validation starts one): a fork would not have it.
"""

from __future__ import annotations

import gc
import sys


def warm() -> None:
    """The definitions with their jobs, and the rules' patterns and phrase indexes that are made at first use."""
    from leasebot_pipeline import definitions
    from leasebot_pipeline.decisions.heuristic import HeuristicProvider
    from leasebot_pipeline.domain import guardrails

    definitions.keep().get_repository_def().get_all_jobs()
    HeuristicProvider()
    guardrails.check_inbound(["Hello"], earlier=["Hello"])


def freeze() -> None:
    """Take what is loaded by now out of the garbage collector's sight.

    A run shares the memory of half a million objects. Its collector would look at each of them, for a third of a
    second of CPU, and make the kernel copy the pages they lie on.
    """
    gc.collect()
    gc.freeze()


try:
    warm()
except Exception as error:  # e.g. faulty settings: the code server says so itself
    sys.stderr.write(f"runs start cold: {type(error).__name__}\n")
freeze()
