"""The night's cleaning: what nobody needs any more, and what may be kept for a time only."""

# No postponed annotations here: Dagster reads them.
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Final

import dagster as dg
from dagster._core.scheduler.instigation import TickStatus

from assets.common import OWNERS, UPKEEP_TAGS, Result
from leasebot_pipeline.stages.pipeline import Pipeline

GROUP: Final = "operations"
COMPLETE: Final = "retention_complete"
PURGE_FOR: Final = timedelta(minutes=5)
_AT_ONCE: Final = 500

FINISHED: Final = [dg.DagsterRunStatus.SUCCESS, dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.CANCELED]

Figures = Mapping[str, int | str]
Step = Callable[[Pipeline], Figures]


def purge_runs(instance: dg.DagsterInstance, before: datetime, budget: timedelta = PURGE_FOR) -> int:
    """Delete finished runs created before a moment, with their events, for at most ``budget``; how many.

    Open-source Dagster forgets no run. What happened stays in our own tables; a run is only how it was done.
    """
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


def purge_ticks(instance: dg.DagsterInstance) -> int:
    """Delete ticks older than the instance's own settings say, also of sensors and schedules that no longer exist; how
    many sensors and schedules were looked at.

    The daemon does the same at each tick of one that runs; what was switched off or renamed it never looks at again.
    """
    if instance.schedule_storage is None:  # an instance in memory
        return 0
    states = instance.all_instigator_state()
    for state in states:
        kept = instance.get_tick_retention_settings(state.instigator_type)
        by_days: dict[int, list[TickStatus]] = {}
        for status, days in kept.items():
            if days >= 0:  # -1: for ever
                by_days.setdefault(days, []).append(status)
        for days, statuses in by_days.items():
            before = (datetime.now(UTC) - timedelta(days=days)).timestamp()
            instance.purge_ticks(state.instigator_origin_id, state.selector_id, before, statuses)
    return len(states)


def retention_asset(keep_runs: timedelta, steps: Mapping[str, Step]) -> dg.AssetsDefinition:
    """Runs and ticks here, the rest by ``steps``, each by itself: one that fails does not keep the others."""

    @dg.asset(
        name="retention",
        group_name=GROUP,
        owners=OWNERS,
        kinds={"postgres"},
        check_specs=[
            dg.AssetCheckSpec(
                COMPLETE, asset="retention", description="Every kind of data was looked at.", blocking=True
            )
        ],
        description="Takes away what is kept for a time only: finished runs, ticks, evidence of pages, audit rows (a "
        "file is written first), leads' personal data, and what has run out in our own database.",
    )
    def retention(context: dg.AssetExecutionContext, pipeline: dg.ResourceParam[Pipeline]) -> Result:
        instance = context.instance
        work: dict[str, Callable[[], Figures]] = {
            "runs": lambda: {
                "deleted": purge_runs(instance, datetime.now(UTC) - keep_runs),
                "kept_days": keep_runs.days,
            },
            "ticks": lambda: {"purged_for": purge_ticks(instance)},
            **{name: _bound(step, pipeline) for name, step in steps.items()},
        }
        metadata: dict[str, int | str] = {}
        failed: dict[str, str] = {}
        for name, step in work.items():
            try:
                metadata |= {f"{name}/{figure}": value for figure, value in step().items()}
            except Exception as error:
                context.log.exception("%s: not cleaned", name)
                failed[name] = type(error).__name__
        return dg.MaterializeResult(
            metadata=metadata,
            check_results=[
                dg.AssetCheckResult(
                    asset_key="retention",
                    check_name=COMPLETE,
                    passed=not failed,
                    severity=dg.AssetCheckSeverity.ERROR,
                    description="; ".join(f"{name}: {error}" for name, error in failed.items()) or None,
                    metadata={"failed": len(failed)},
                )
            ],
        )

    return retention


def _bound(step: Step, pipeline: Pipeline) -> Callable[[], Figures]:
    return lambda: step(pipeline)


MAINTENANCE: Final = dg.define_asset_job(
    "maintenance",
    selection=dg.AssetSelection.assets("retention"),
    executor_def=dg.in_process_executor,
    run_tags={"dagster/max_runtime": "1800", **UPKEEP_TAGS},
    description="Keeps tables small and what is personal no longer than needed.",
)
