"""The latest runs of a platform, as the choices take them."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final

import dagster as dg

from assets.common import run_tags
from leasebot_pipeline.domain.platforms import Platform
from leasebot_pipeline.domain.shards import WHOLE, Shard
from sensors.choices import RunSeen

_LOOK_BACK: Final = 12


def latest_runs(instance: dg.DagsterInstance, platform: Platform, shard: Shard = WHOLE) -> list[RunSeen]:
    """Runs that act on the platform, or on that shard of it alone, newest first: enough of them to see one at work and
    failures in a row.
    """
    records = instance.get_run_records(
        filters=dg.RunsFilter(tags=run_tags(platform, shard)), limit=_LOOK_BACK
    )
    return [_seen(record) for record in records]


def _seen(record: dg.RunRecord) -> RunSeen:
    run = record.dagster_run
    ended = datetime.fromtimestamp(record.end_time, UTC) if record.end_time is not None else None
    if not run.is_finished:
        return RunSeen(run.run_id, run.job_name, "active", None)
    return RunSeen(run.run_id, run.job_name, "failed" if run.is_failure else "succeeded", ended)
