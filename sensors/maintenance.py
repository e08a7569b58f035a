"""Housekeeping: old runs and what has run out go, the invariants are looked at, the day's decisions are made again."""

# No postponed annotations here: Dagster reads them.
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Final

import dagster as dg

from assets.jobs import INVARIANT_CHECK
from assets.replay import DECISION_REPLAY
from leasebot_pipeline.stages.pipeline import Pipeline

KEEP_RUNS: Final = timedelta(days=14)
"""Open-source Dagster forgets no run. What happened stays in our own tables; a run is only how it was done."""
PURGE_FOR: Final = timedelta(minutes=5)
_AT_ONCE: Final = 500

FINISHED: Final = [dg.DagsterRunStatus.SUCCESS, dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.CANCELED]


def purge_runs(instance: dg.DagsterInstance, before: datetime, budget: timedelta = PURGE_FOR) -> int:
    """Delete finished runs created before a moment, with their events, for at most ``budget``; how many."""
    ends = time.monotonic() + budget.total_seconds()
    deleted = 0
    while True:
        old = instance.get_runs(
            filters=dg.RunsFilter(statuses=FINISHED, created_before=before), limit=_AT_ONCE, ascending=True
        )
        for run in old:
            if time.monotonic() > ends:
                return deleted
            instance.delete_run(run.run_id)
            deleted += 1
        if len(old) < _AT_ONCE:
            return deleted


@dg.op(description=f"Deletes finished runs older than {KEEP_RUNS.days} days.")
def purge_old_runs(context: dg.OpExecutionContext) -> None:
    deleted = purge_runs(context.instance, datetime.now(UTC) - KEEP_RUNS)
    context.add_output_metadata({"deleted": deleted})


def maintenance_job(clean_up: Callable[[Pipeline], Mapping[str, int]]) -> dg.JobDefinition:
    """The nightly job; ``clean_up`` tidies our own database and says how many rows of what it touched."""

    @dg.op(
        description="Deletes what has run out in our own database (rate limits, remembered answers, inputs of old "
        "decisions) and mends the tallies."
    )
    def clean_up_database(context: dg.OpExecutionContext, pipeline: dg.ResourceParam[Pipeline]) -> None:
        context.add_output_metadata(dict(clean_up(pipeline)))

    @dg.job(
        name="maintenance",
        executor_def=dg.in_process_executor,
        tags={"dagster/max_runtime": "900"},
        description=f"Keeps tables small: finished runs go after {KEEP_RUNS.days} days, what has run out goes at once.",
    )
    def maintenance() -> None:
        purge_old_runs()
        clean_up_database()

    return maintenance


def maintenance_schedule(job: dg.JobDefinition) -> dg.ScheduleDefinition:
    return dg.ScheduleDefinition(
        name="maintenance_schedule",
        job=job,
        cron_schedule="17 3 * * *",
        default_status=dg.DefaultScheduleStatus.RUNNING,
        description="Every night.",
    )


INVARIANTS_SCHEDULE: Final = dg.ScheduleDefinition(
    name="invariants_schedule",
    job=INVARIANT_CHECK,
    cron_schedule="5 * * * *",
    default_status=dg.DefaultScheduleStatus.RUNNING,
    description="Every hour; idle platforms cost no other runs.",
)
REPLAY_SCHEDULE: Final = dg.build_schedule_from_partitioned_job(
    DECISION_REPLAY,
    name="decision_replay_schedule",
    hour_of_day=4,
    minute_of_hour=11,
    default_status=dg.DefaultScheduleStatus.RUNNING,
    description="Every night, the day before.",
)
