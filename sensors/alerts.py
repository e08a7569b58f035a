"""Tells people what is still to be told: incidents nobody heard of yet, and those that are over."""

# No postponed annotations here: Dagster reads them.
from datetime import timedelta
from typing import Final

import dagster as dg

from leasebot_pipeline.stages import alerts
from leasebot_pipeline.stages.pipeline import Pipeline
from sensors.choices import tick_seconds

EVERY: Final = timedelta(seconds=30)


@dg.sensor(
    name="alerts",
    # Dagster wants a target even of a sensor that asks for no run.
    asset_selection=dg.AssetSelection.keys("outbound_dispatches"),
    minimum_interval_seconds=tick_seconds(EVERY),
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Closes incidents whose cause is gone and delivers alerts that did not get through; asks for no run.",
)
def alerts_sensor(pipeline: dg.ResourceParam[Pipeline]) -> dg.SkipReason:
    """One sweep. A receiver that does not answer is tried again later and never fails the tick."""
    accepted = alerts.sweep(pipeline.engine, pipeline.alerts, pipeline.clock)
    return dg.SkipReason(f"{accepted} messages delivered" if accepted else "nothing to tell")
