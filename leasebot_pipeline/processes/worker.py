"""One full cycle in this process: calendars written out, every platform polled, and where something waits the pipeline's run executed.

The same assets and checks as under the daemon, in the Dagster instance of DAGSTER_HOME when it is set, else in
a throw-away one: for cron, for a first try, for chaos tests.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator, Sequence
from datetime import timedelta
from typing import Any

import dagster as dg

from assets.jobs import FOLLOW_UP, INBOX_PIPELINE
from leasebot_pipeline.domain.platforms import Platform
from leasebot_pipeline.settings import Settings
from leasebot_pipeline.stages import follow_up, poll
from leasebot_pipeline.stages.availability import extend_horizon
from leasebot_pipeline.stages.pipeline import Pipeline


def run_cycle(settings: Settings, say: Callable[[str], None]) -> dict[str, Any]:
    """Poll each platform and run what waits; ``failed`` lists platforms whose run or poll failed.

    One platform that fails never keeps the others from their turn.
    """
    from leasebot_pipeline.definitions import build_definitions
    from leasebot_pipeline.wiring import build_pipeline

    pipeline = build_pipeline(settings, "leasebot worker")
    definitions = build_definitions(settings)
    jobs = [definitions.resolve_job_def(name) for name in (INBOX_PIPELINE.name, FOLLOW_UP.name)]
    platforms: dict[str, dict[str, Any]] = {}
    try:
        extend_horizon(pipeline, None)
        with _instance() as instance:
            for platform in settings.worker.ingest_platforms:
                platforms[platform.value] = _platform(pipeline, jobs, instance, platform)
                say(
                    f"{platform.value}: {platforms[platform.value]['seen']}; {platforms[platform.value]['result']}"
                )
    finally:
        pipeline.connectors.close()
        pipeline.engine.dispose()
    failed = [name for name, report in platforms.items() if report["result"] == "failed" or report["code"]]
    return {"task": settings.worker.task, "platforms": platforms, "failed": failed}


def _platform(
    pipeline: Pipeline, jobs: Sequence[dg.JobDefinition], instance: dg.DagsterInstance, platform: Platform
) -> dict[str, Any]:
    inbox, following = jobs
    polled = poll.poll(pipeline, platform, "worker")
    seen = "; ".join(account.summary for account in polled.accounts) or "no account"
    report: dict[str, Any] = {
        "seen": seen,
        "landed": polled.landed,
        "code": next((account.code for account in polled.accounts if account.code), None),
        "result": "nothing to do",
        "runId": None,
    }
    if polled.has_work:
        _execute(inbox, pipeline, instance, platform, report)
    waiting = follow_up.pending_work(pipeline, platform, plan_after=timedelta(0))
    if waiting.due or waiting.to_plan:
        _execute(following, pipeline, instance, platform, report)
    return report


def _execute(
    job: dg.JobDefinition,
    pipeline: Pipeline,
    instance: dg.DagsterInstance,
    platform: Platform,
    report: dict[str, Any],
) -> None:
    """Run a job for one platform; a report that says failed keeps saying so."""
    done = job.execute_in_process(
        partition_key=platform.value,
        instance=instance,
        resources={"pipeline": pipeline},
        raise_on_error=False,
        tags={"leasebot/platform": platform.value},
    )
    report["result"] = "done" if done.success and report["result"] != "failed" else "failed"
    report["runId"] = done.run_id


@contextlib.contextmanager
def _instance() -> Iterator[dg.DagsterInstance]:
    if os.environ.get("DAGSTER_HOME"):
        with dg.DagsterInstance.get() as instance:
            yield instance
    else:
        with dg.DagsterInstance.ephemeral() as instance:
            yield instance
