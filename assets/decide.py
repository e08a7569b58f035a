"""One decision per conversation that waits, judged by the quality gate before it has any effect."""

# No postponed annotations here: Dagster reads them.
from dataclasses import asdict
from typing import Final

import dagster as dg

from assets.availability import availability_horizon
from assets.common import OWNERS, PLATFORMS, Result, platform_of
from assets.ingest import conversation_linkage
from leasebot_pipeline.quality import checks
from leasebot_pipeline.quality.decisions import check_decisions, check_share_held
from leasebot_pipeline.quality.validation import Validation, combine
from leasebot_pipeline.stages import decide
from leasebot_pipeline.stages.pipeline import Pipeline

GROUP: Final = "decide"
MAX_BATCHES: Final = 100
"""A run takes this many batches at most; what is left makes the next poll ask for another run."""


@dg.asset(
    partitions_def=PLATFORMS,
    deps=[conversation_linkage, availability_horizon],
    group_name=GROUP,
    owners=OWNERS,
    kinds={"python", "postgres"},
    tags={"leasebot/stage": "decide"},
    check_specs=[check.spec("reply_decisions") for check in checks.DECISIONS],
    description="What is done about each conversation that waits, and why. A decision the quality gate refuses is "
    "held for a person; a plan that can't be used as a whole has no effect and fails the run.",
)
def reply_decisions(context: dg.AssetExecutionContext, pipeline: dg.ResourceParam[Pipeline]) -> Result:
    platform = platform_of(context)
    found: list[Validation] = []
    done: list[decide.DecideResult] = []
    for _ in range(MAX_BATCHES):
        plan = decide.plan(pipeline, platform, context.run_id)
        if not plan.planned:
            break
        found.append(check_decisions(plan.rows))
        if not found[-1].usable:
            break
        done.append(decide.apply(pipeline, plan, found[-1].refused, context.run_id))
        # Nothing decided means that all of them changed meanwhile: they come again, in a later run.
        if len(plan.planned) < pipeline.policy.decision_batch_size or not done[-1].decided:
            break
    counts = _sum(done)
    found.append(check_share_held(counts["decided"], counts["held"]))
    return dg.MaterializeResult(
        metadata={"batches": len(done), **counts, "outcomes": _outcomes(counts)},
        check_results=checks.results("reply_decisions", checks.DECISIONS, combine(found)),
    )


def _sum(done: list[decide.DecideResult]) -> dict[str, int]:
    return {name: sum(int(asdict(result)[name]) for result in done) for name in asdict(decide.DecideResult())}


def _outcomes(counts: dict[str, int]) -> dg.MetadataValue:
    shown = {
        "queued to be sent": counts["queued"],
        "drafted": counts["drafted"],
        "held for a person": counts["held"],
        "skipped": counts["skipped"],
        "blocked": counts["blocked"],
    }
    lines = [f"| {name} | {count} |" for name, count in shown.items()]
    return dg.MetadataValue.md("\n".join(["| outcome | conversations |", "| --- | --- |", *lines]))
