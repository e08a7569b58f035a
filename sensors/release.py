"""Watches a canary: asks the gate, and goes back to shadow by itself when the gate says so. Off unless asked for."""

# No postponed annotations here: Dagster reads them.
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

import dagster as dg

from leasebot_pipeline.stages.pipeline import Pipeline
from sensors.choices import tick_seconds


@dataclass(frozen=True, slots=True)
class GateLook:
    """What the gate said, and whether the release was taken back for it."""

    verdict: str
    taken_back: bool
    reason: str


def release_gate_sensor(
    watch: Callable[[Pipeline], GateLook | None], interval: timedelta, *, enabled: bool
) -> dg.SensorDefinition:
    """Calls ``watch`` every ``interval``; it asks for no run."""

    @dg.sensor(
        name="release_gate",
        # Dagster wants a target even of a sensor that asks for no run.
        asset_selection=dg.AssetSelection.keys("outbound_dispatches"),
        minimum_interval_seconds=tick_seconds(interval),
        default_status=dg.DefaultSensorStatus.RUNNING if enabled else dg.DefaultSensorStatus.STOPPED,
        description="In canary: asks the gate and goes back to shadow by itself when a rollback condition holds.",
    )
    def release_gate(pipeline: dg.ResourceParam[Pipeline]) -> dg.SkipReason:
        look = watch(pipeline)
        if look is None:
            return dg.SkipReason("no canary to watch")
        if look.taken_back:
            return dg.SkipReason(f"the release was taken back: {look.reason}")
        return dg.SkipReason(f"the gate says {look.verdict}")

    return release_gate
