"""Runs that nobody executes, told from runs that are only being launched. With processes: ``tests/e2e/test_code_server.py``."""

from __future__ import annotations

import time
from collections.abc import Iterator

import dagster as dg
import pytest

from leasebot_pipeline.processes.orphans import close_dead
from tests.e2e.tiny_definitions import quick


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.ephemeral() as instance:
        yield instance


def test_a_run_whose_code_server_died_over_its_launch_is_closed(instance: dg.DagsterInstance) -> None:
    """At two looks, and not before it had ten seconds to get a worker. One nobody launched yet is left alone."""
    launched = instance.create_run_for_job(quick, status=dg.DagsterRunStatus.STARTING).run_id
    waiting = instance.create_run_for_job(quick).run_id
    status = {launched: "STARTING", waiting: "NOT_STARTED"}

    def seen() -> dict[str, str]:
        return {run.run_id: run.status.value for run in instance.get_runs()}

    assert close_dead(instance, frozenset({launched})) == frozenset()
    assert seen() == status
    later = time.time() + 11
    suspected = close_dead(instance, frozenset(), lambda: later)
    assert (suspected, seen()) == ({launched}, status)
    assert close_dead(instance, suspected, lambda: later) == frozenset()
    assert seen() == status | {launched: "FAILURE"}
