"""When our adverts are read: once at start, then at the configured interval."""

# No postponed annotations here: Dagster reads them.
from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Final
from uuid import uuid4

import dagster as dg

from assets.jobs import LISTING_SYNC
from leasebot_pipeline.domain.platforms import Platform
from leasebot_pipeline.stages.pipeline import Pipeline
from sensors.choices import cron_every, tick_seconds

THIS_START: Final = uuid4().hex
"""Sensors live in the code server for as long as it runs: a new value means that it started anew."""

LOOK_EVERY: Final = timedelta(seconds=15)
"""How soon a person's wish for listings is seen; each tick costs CPU, also when nobody asked."""
_EVERY_DAY: Final = timedelta(days=1)


def listing_schedule(interval: timedelta, *, enabled: bool) -> dg.ScheduleDefinition:
    """Listing sync about every ``interval``; an interval of zero switches it off."""
    running = enabled and interval > timedelta()
    return dg.ScheduleDefinition(
        name="listing_sync_schedule",
        job=LISTING_SYNC,
        cron_schedule=cron_every(interval if interval > timedelta() else _EVERY_DAY),
        default_status=dg.DefaultScheduleStatus.RUNNING if running else dg.DefaultScheduleStatus.STOPPED,
        description="Reads our own adverts on the platforms.",
    )


def listings_at_start(*, enabled: bool) -> dg.SensorDefinition:
    """Listing sync once after each start of the code server."""

    @dg.sensor(
        name="listings_at_start",
        job=LISTING_SYNC,
        minimum_interval_seconds=30,
        default_status=dg.DefaultSensorStatus.RUNNING if enabled else dg.DefaultSensorStatus.STOPPED,
        description="Reads our own adverts once after each start, so that the first inquiries find their listing.",
    )
    def evaluate(context: dg.SensorEvaluationContext) -> dg.SensorResult:
        if context.cursor == THIS_START:
            return dg.SensorResult(skip_reason="done since this start; the schedule goes on")
        # The key keeps a tick that is evaluated twice from asking twice.
        return dg.SensorResult(run_requests=[dg.RunRequest(run_key=THIS_START)], cursor=THIS_START)

    return evaluate


UNDER_WAY: Final = [
    dg.DagsterRunStatus.QUEUED,
    dg.DagsterRunStatus.NOT_STARTED,
    dg.DagsterRunStatus.STARTING,
    dg.DagsterRunStatus.STARTED,
]


def listing_requests(waiting: Callable[[Pipeline], Sequence[Platform]]) -> dg.SensorDefinition:
    """Listing sync of the platforms somebody asked for over the API; ``waiting`` tells which."""

    @dg.sensor(
        name="listing_requests",
        job=LISTING_SYNC,
        minimum_interval_seconds=tick_seconds(LOOK_EVERY),
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Reads our adverts when somebody asked for it over the API.",
    )
    def evaluate(
        context: dg.SensorEvaluationContext, pipeline: dg.ResourceParam[Pipeline]
    ) -> dg.SensorResult:
        platforms = waiting(pipeline)
        if not platforms:
            return dg.SensorResult(skip_reason="nobody asked for listings")
        filters = dg.RunsFilter(job_name=LISTING_SYNC.name, statuses=UNDER_WAY)
        if context.instance.get_runs(filters=filters, limit=1):
            return dg.SensorResult(skip_reason="a listing sync is under way")
        names = [platform.value for platform in platforms]
        config = {"ops": {"listings": {"config": {"platforms": names}}}}
        return dg.SensorResult(run_requests=[dg.RunRequest(run_config=config)])

    return evaluate
