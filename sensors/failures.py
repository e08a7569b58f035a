"""A run that failed is written down where people look: in the audit log, with what failed in it."""

# No postponed annotations here: Dagster reads them.
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

import dagster as dg

from assets.common import PLATFORM_TAG
from leasebot_pipeline.domain.platforms import Platform
from leasebot_pipeline.stages.pipeline import Pipeline
from sensors.choices import tick_seconds

_LONGEST: Final = 300
EVERY: Final = timedelta(seconds=15)
"""Each tick costs CPU, also when no run failed."""


@dataclass(frozen=True, slots=True)
class RunFailure:
    """A failed run. ``error`` is the failure's type and first line; the rest may quote a lead."""

    run_id: str
    job: str
    platform: Platform | None
    step: str | None
    error: str


def run_failure_sensor(record: Callable[[Pipeline, RunFailure], None]) -> dg.SensorDefinition:
    """Hands every failed run of this code location to ``record``."""

    @dg.run_failure_sensor(
        name="run_failures",
        minimum_interval_seconds=tick_seconds(EVERY),
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Writes each failed run into the audit log.",
    )
    def run_failures(context: dg.RunFailureSensorContext, pipeline: dg.ResourceParam[Pipeline]) -> None:
        record(pipeline, failure_of(context))

    return run_failures


def failure_of(context: dg.RunFailureSensorContext) -> RunFailure:
    """What is known of a failed run, in plain values."""
    run = context.dagster_run
    platform = run.tags.get(PLATFORM_TAG) or run.tags.get("dagster/partition")
    steps = context.get_step_failure_events()
    step = steps[0] if steps else None
    return RunFailure(
        run_id=run.run_id,
        job=run.job_name,
        platform=Platform(platform) if platform in set(Platform) else None,
        step=step.step_key if step else None,
        error=_error(step) if step else _first_line(context.failure_event.message),
    )


def _error(step: dg.DagsterEvent) -> str:
    error = step.step_failure_data.error
    if error is None:
        return _first_line(step.message)
    # The outermost error only says that the step failed; the cause says why.
    while error.cause is not None:
        error = error.cause
    if error.cls_name == "DagsterAssetCheckFailedError":
        return " ".join(error.message.split())[:_LONGEST]  # which checks failed stands in the lines below
    return _first_line(error.message)


def _first_line(message: str | None) -> str:
    lines = (message or "").strip().splitlines()
    return lines[0][:_LONGEST] if lines else "no message"
