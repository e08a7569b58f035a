"""Yesterday's decisions made again from their records: nothing decides by chance, by the clock or by what changed since."""

# No postponed annotations here: Dagster reads them.
from typing import Final

import dagster as dg

from assets.common import OWNERS, UPKEEP_TAGS, Result
from leasebot_pipeline.stages import replay
from leasebot_pipeline.stages.pipeline import Pipeline

GROUP: Final = "operations"
IDENTICAL: Final = "replay_identical"
DAYS: Final = dg.DailyPartitionsDefinition(start_date="2026-01-01")


@dg.asset(
    partitions_def=DAYS,
    group_name=GROUP,
    owners=OWNERS,
    kinds={"python", "postgres"},
    check_specs=[
        dg.AssetCheckSpec(
            IDENTICAL,
            asset="decision_replays",
            description="Every decision made by the present versions of rules and code comes out the same, to the last "
            "bit. Decisions of other versions are compared and counted, and fail nothing.",
        )
    ],
    description="The decisions of a day (UTC), made again from their records without touching anything: how many come "
    "out the same, and what would change under the present rules.",
)
def decision_replays(context: dg.AssetExecutionContext, pipeline: dg.ResourceParam[Pipeline]) -> Result:
    since, until = context.partition_time_window
    report = replay.replay(pipeline.engine, since, until)
    share = report.identical / report.replayed if report.replayed else 1.0
    return dg.MaterializeResult(
        metadata={
            "decisions": report.decisions,
            "replayed": report.replayed,
            "identical": report.identical,
            "identical_share": share,
            "of_present_versions": report.same_versions,
            "dangerous": report.dangerous,
            "skipped": dict(report.skipped),
            "rules_version": report.rules_version,
            "changes": _table(report),
        },
        check_results=[
            dg.AssetCheckResult(
                asset_key="decision_replays",
                check_name=IDENTICAL,
                passed=report.faithful,
                severity=dg.AssetCheckSeverity.ERROR,
                metadata={
                    "of_present_versions": report.same_versions,
                    "identical": report.same_versions_identical,
                    "skipped": sum(report.skipped.values()),
                },
            )
        ],
    )


def _table(report: replay.ReplayReport) -> dg.MetadataValue:
    lines = [
        f"| {case.change.value} | {case.decision_id} | {case.before['outcome']} {case.before['reason']} "
        f"| {case.after['outcome']} {case.after['reason']} | {', '.join(case.columns)} |"
        for case in report.cases[:50]
    ]
    head = "| change | decision | was | would be | columns |\n| --- | --- | --- | --- | --- |"
    return dg.MetadataValue.md("\n".join([head, *lines]))


DECISION_REPLAY: Final = dg.define_asset_job(
    "decision_replay",
    selection=[decision_replays],
    partitions_def=DAYS,
    executor_def=dg.in_process_executor,
    run_tags={"dagster/max_runtime": "900", **UPKEEP_TAGS},
    description="Make a day's decisions again, and compare.",
)
