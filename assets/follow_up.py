"""Silent leads are followed up, confirmed showings reminded of, agents asked how a showing went."""

# No postponed annotations here: Dagster reads them.
from dataclasses import asdict
from datetime import timedelta
from typing import Final

import dagster as dg

from assets.common import OWNERS, PLATFORMS, Result, platform_of
from assets.decide import reply_decisions
from leasebot_pipeline.quality import checks
from leasebot_pipeline.quality.follow_ups import check_steps, check_texts
from leasebot_pipeline.quality.validation import Validation, combine
from leasebot_pipeline.stages import follow_up
from leasebot_pipeline.stages.pipeline import Pipeline

GROUP: Final = "follow_up"
MAX_BATCHES: Final = 100
LOOK_EVERY: Final = timedelta(seconds=30)
"""How often the sensor looks for due steps, unless inboxes are read more rarely."""
SETTLED: Final = timedelta(days=1)


def follow_ups_asset(look_every: timedelta) -> dg.AssetsDefinition:
    """The steps of all silences and showings; one that is due for more than two looks is late."""

    @dg.asset(
        partitions_def=PLATFORMS,
        deps=[reply_decisions],
        group_name=GROUP,
        owners=OWNERS,
        kinds={"python", "postgres"},
        tags={"leasebot/stage": "follow_up"},
        check_specs=[check.spec("follow_ups") for check in checks.FOLLOW_UPS],
        description="What is due by time: two follow-ups of a silent lead and then `no_reply`, reminders before a "
        "confirmed showing, the question to the agent after it. Any reply, opt-out or booking stops it.",
    )
    def follow_ups(context: dg.AssetExecutionContext, pipeline: dg.ResourceParam[Pipeline]) -> Result:
        platform = platform_of(context)
        plans: list[follow_up.PlanResult] = []
        done: list[follow_up.FollowUpResult] = []
        found: list[Validation] = []
        for _ in range(MAX_BATCHES):
            plans.append(follow_up.plan_steps(pipeline, platform, context.run_id))
            if plans[-1].looked_at < follow_up.BATCH:
                break
        for _ in range(MAX_BATCHES):
            plan = follow_up.due(pipeline, platform)
            if not plan.steps:
                break
            found.append(check_texts(plan.rows))
            if not found[-1].usable:
                break
            done.append(follow_up.apply(pipeline, plan, found[-1].refused, context.run_id))
            if len(plan.steps) < follow_up.BATCH or done[-1].raced == len(plan.steps):
                break
        rows = follow_up.stored_steps(
            pipeline, platform, overdue_after=2 * look_every, settled_within=SETTLED
        )
        found.append(check_steps(rows))
        return dg.MaterializeResult(
            metadata=_metadata(plans, done),
            check_results=checks.results("follow_ups", checks.FOLLOW_UPS, combine(found)),
        )

    return follow_ups


def _metadata(
    plans: list[follow_up.PlanResult], done: list[follow_up.FollowUpResult]
) -> dict[str, int | dg.MetadataValue]:
    metadata: dict[str, int | dg.MetadataValue] = {
        "replies_looked_at": sum(plan.looked_at for plan in plans),
        "planned": sum(plan.planned for plan in plans),
        "proven_sent": sum(plan.completed for plan in plans),
        "showing_steps_planned": sum(plan.showing_steps for plan in plans),
        "called_off": sum(plan.stopped for plan in plans),
    }
    counts = [asdict(result) for result in done]
    for name in asdict(follow_up.FollowUpResult()):
        metadata[name] = sum(count[name] for count in counts)
    reasons: dict[str, int] = {}
    for plan in plans:
        for reason, count in plan.not_followed.items():
            reasons[reason] = reasons.get(reason, 0) + count
    if reasons:
        lines = [f"| {reason} | {count} |" for reason, count in sorted(reasons.items())]
        metadata["not_followed"] = dg.MetadataValue.md(
            "\n".join(["| why no step follows | replies |", "| --- | --- |", *lines])
        )
    return metadata
