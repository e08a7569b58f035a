"""Keeps the counts beside the logs up to date."""

# No postponed annotations here: Dagster reads them.
from collections.abc import Callable
from datetime import timedelta
from typing import Final

import dagster as dg

from leasebot_pipeline.stages.pipeline import Pipeline
from sensors.choices import tick_seconds

EVERY: Final = timedelta(minutes=1)


def rollups_sensor(advance: Callable[[Pipeline], str]) -> dg.SensorDefinition:
    """Calls ``advance`` and shows its sentence; asks for no run, whose start would cost more than the work."""

    @dg.sensor(
        name="rollups",
        # Dagster wants a target even of a sensor that asks for no run.
        asset_selection=dg.AssetSelection.keys("outbound_dispatches"),
        minimum_interval_seconds=tick_seconds(EVERY),
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Counts new audit rows and landed messages for the observability page and the metrics; asks for no run.",
    )
    def rollups(pipeline: dg.ResourceParam[Pipeline]) -> dg.SkipReason:
        return dg.SkipReason(advance(pipeline))

    return rollups
