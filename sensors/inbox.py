"""One sensor per platform: polls its inbox, lands what is new, asks for a run only when there is work."""

# No postponed annotations here: Dagster reads them.
import json
from dataclasses import replace
from datetime import datetime, timedelta

import dagster as dg

from assets.common import PLATFORM_TAG
from assets.jobs import INBOX_PIPELINE
from assets.platforms import inbox_key
from leasebot_pipeline.domain.platforms import Platform
from leasebot_pipeline.domain.shards import WHOLE, Shard
from leasebot_pipeline.stages.pipeline import Pipeline
from leasebot_pipeline.stages.poll import PollResult, poll
from sensors.choices import Run, choose_inbox, state_of, tick_seconds, worth_observing
from sensors.runs import latest_runs


def inbox_sensor(
    platform: Platform, interval: timedelta, *, enabled: bool, shard: Shard = WHOLE
) -> dg.SensorDefinition:
    """The sensor of one platform's accounts, or of a shard of them, about every ``interval``.

    A failed poll is a skip that says what failed.
    """
    name = f"inbox_{platform.value}" if shard == WHOLE else f"inbox_{platform.value}_{shard.label}"
    part = "" if shard == WHOLE else f" (shard {shard.number} of {shard.of})"

    @dg.sensor(
        name=name,
        job=INBOX_PIPELINE,
        minimum_interval_seconds=tick_seconds(interval / 3),  # asks for what waits also between two looks
        default_status=dg.DefaultSensorStatus.RUNNING if enabled else dg.DefaultSensorStatus.STOPPED,
        tags={PLATFORM_TAG: platform.value},
        description=f"Reads the inbox of our accounts on {platform.value}{part} and asks for one run when messages, "
        "conversations or replies wait.",
    )
    def evaluate(
        context: dg.SensorEvaluationContext, pipeline: dg.ResourceParam[Pipeline]
    ) -> dg.SensorResult:
        result = poll(pipeline, platform, f"sensor:{name}", when_due=True, shard=shard)
        if shard != WHOLE:  # replies that are due have runs of their own, by shard
            result = replace(result, due_dispatches=0)
        now = pipeline.clock()
        runs = latest_runs(context.instance, platform) if result.has_work else []
        choice = choose_inbox(result, runs, INBOX_PIPELINE.name, now)
        observations, cursor = _observe(platform, result, context.cursor, now)
        if isinstance(choice, Run):
            request = dg.RunRequest(partition_key=platform.value, tags={PLATFORM_TAG: platform.value})
            context.log.info(choice.reason)
            return dg.SensorResult(run_requests=[request], asset_events=observations, cursor=cursor)
        return dg.SensorResult(skip_reason=choice.reason, asset_events=observations, cursor=cursor)

    return evaluate


def _observe(
    platform: Platform, result: PollResult, cursor: str | None, now: datetime
) -> tuple[list[dg.AssetObservation], str | None]:
    """The observation to store, if this poll is worth one, and the cursor that remembers it."""
    last = json.loads(cursor) if cursor else {}
    last_at = datetime.fromisoformat(last["at"]) if last else None
    if not worth_observing(result, last.get("state"), last_at, now):
        return [], cursor
    accounts = result.accounts
    metadata: dict[str, int | float | str | dg.MetadataValue] = {
        "rows_seen": sum(account.rows for account in accounts),
        "threads_changed": sum(account.changed for account in accounts),
        "threads_read": sum(account.threads_read for account in accounts),
        "messages_landed": result.landed,
        "rows_without_identity": sum(account.rows_without_identity for account in accounts),
        "latency_s": round(sum(account.latency_s for account in accounts), 3),
        "accounts": dg.MetadataValue.md("\n".join(f"- {account.summary}" for account in accounts)),
    }
    failures = sorted({account.code for account in accounts if account.code is not None})
    if failures:
        metadata["failure"] = ", ".join(failures)
    observation = dg.AssetObservation(asset_key=inbox_key(platform), metadata=metadata)
    return [observation], json.dumps({"at": now.isoformat(), "state": state_of(result, last.get("state"))})
