"""Replies that are due without a new message: retries, approved drafts, replies of people, follow-ups."""

# No postponed annotations here: Dagster reads them.
from collections.abc import Callable, Mapping, Sequence
from itertools import product
from uuid import UUID

import dagster as dg

from assets.common import run_tags
from assets.jobs import OUTBOX_DISPATCH
from leasebot_pipeline.domain.platforms import Platform
from leasebot_pipeline.domain.shards import WHOLE, Shard
from leasebot_pipeline.stages.pipeline import Pipeline
from sensors.choices import SHORTEST_TICK, Run, choose_outbox, tick_seconds
from sensors.runs import latest_runs


def outbox_sensor(
    due: Callable[[Pipeline], Mapping[Platform, Mapping[UUID, int]]], shards: Sequence[Shard] = (WHOLE,)
) -> dg.SensorDefinition:
    """One sensor for all platforms; ``due`` counts the replies that may go out now. Each shard has a run of its own."""

    @dg.sensor(
        name="outbox",
        job=OUTBOX_DISPATCH,
        minimum_interval_seconds=tick_seconds(SHORTEST_TICK),
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Asks for a run of a platform whose replies are due and that has no run under way.",
    )
    def outbox(context: dg.SensorEvaluationContext, pipeline: dg.ResourceParam[Pipeline]) -> dg.SensorResult:
        requests: list[dg.RunRequest] = []
        skipped: list[str] = []
        for (platform, by_account), shard in product(due(pipeline).items(), shards):
            count = sum(total for account, total in by_account.items() if shard.holds(account))
            if not count:
                continue
            runs = latest_runs(context.instance, platform, shard)
            choice = choose_outbox(count, runs, OUTBOX_DISPATCH.name, pipeline.clock())
            if isinstance(choice, Run):
                tags = run_tags(platform, shard)
                requests.append(dg.RunRequest(partition_key=platform.value, tags=tags))
            else:
                skipped.append(f"{platform.value}: {choice.reason}")
        if requests:
            return dg.SensorResult(run_requests=requests)
        return dg.SensorResult(skip_reason="; ".join(skipped) or "no reply is due")

    return outbox
