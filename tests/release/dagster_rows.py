"""Dagster's own tables with a living daemon and last ticks, as its daemon writes them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from dagster._core.definitions.run_request import InstigatorType
from dagster._core.scheduler.instigation import TickData, TickStatus
from dagster._daemon.types import DaemonHeartbeat
from dagster_postgres.run_storage import PostgresRunStorage
from dagster_postgres.schedule_storage import PostgresScheduleStorage
from dagster_shared.error import SerializableErrorInfo


def write(url: str, beat: datetime, ticks: Mapping[str, TickStatus]) -> None:
    """Create the tables in an empty database; ``ticks`` are a second older than the daemon's last beat."""
    address = url.replace("postgresql:", "postgresql+psycopg2:")
    runs = PostgresRunStorage.create_clean_storage(address)
    schedules = PostgresScheduleStorage.create_clean_storage(address)
    runs.add_daemon_heartbeat(DaemonHeartbeat(beat.timestamp(), "SENSOR", "d", []))
    for name, status in ticks.items():
        schedules.create_tick(
            TickData(
                *(name, name, InstigatorType.SENSOR, status, beat.timestamp() - 1),
                selector_id=name,
                error=SerializableErrorInfo("x", [], None) if status is TickStatus.FAILURE else None,
            )
        )
    runs._engine.dispose()
    schedules._engine.dispose()
