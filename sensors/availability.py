"""When calendars are written out: every night, and soon after a weekly rule changed."""

# No postponed annotations here: Dagster reads them.
from collections.abc import Callable
from typing import Final

import dagster as dg

from assets.jobs import AVAILABILITY_HORIZON
from leasebot_pipeline.stages.pipeline import Pipeline

AVAILABILITY_SCHEDULE: Final = dg.ScheduleDefinition(
    name="availability_horizon_schedule",
    job=AVAILABILITY_HORIZON,
    cron_schedule="41 2 * * *",
    default_status=dg.DefaultScheduleStatus.RUNNING,
    description="Every night: the horizon moves on by a day.",
)


def availability_sensor(fingerprint: Callable[[Pipeline], str]) -> dg.SensorDefinition:
    """Asks for a run when the rules are not those of the last one; ``fingerprint`` tells them apart."""

    @dg.sensor(
        name="availability_rules_changed",
        job=AVAILABILITY_HORIZON,
        minimum_interval_seconds=60,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Writes calendars out after weekly rules changed, also by hand in the database, and once when "
        "there are rules for the first time.",
    )
    def evaluate(
        context: dg.SensorEvaluationContext, pipeline: dg.ResourceParam[Pipeline]
    ) -> dg.SensorResult:
        seen = fingerprint(pipeline)
        if context.cursor == seen:
            return dg.SensorResult(skip_reason="no weekly rule changed")
        # The key keeps a tick that is evaluated twice from asking twice; rules may come back to a former state.
        return dg.SensorResult(run_requests=[dg.RunRequest(run_key=f"{context.cursor} > {seen}")], cursor=seen)

    return evaluate
