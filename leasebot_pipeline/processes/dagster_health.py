"""Whether Dagster's daemon lives and its sensors tick well, read from Dagster's own tables."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

import psycopg

TICKS: Final = timedelta(minutes=5)

# One row per sensor or schedule: how its newest finished tick ended. Times are UTC without a zone.
_TICKS: Final = """
    SELECT DISTINCT ON (t.selector_id) t.status, COALESCE(t.tick_body::json ->> 'job_name', t.tick_body::json ->> 'instigator_name') AS name
      FROM job_ticks t WHERE t.timestamp >= %s AND t.status <> 'STARTED'
     ORDER BY t.selector_id, t.timestamp DESC, t.id DESC
"""


@dataclass(frozen=True, slots=True)
class Health:
    """``heartbeat``: the sensor daemon's newest; ``failing``: names whose last tick failed."""

    heartbeat: datetime | None
    failing: tuple[str, ...]
    silent: bool


def read(libpq_url: str, now: datetime) -> Health | None:
    """None when the database can't be asked or has no tables of Dagster's."""
    try:
        with psycopg.connect(libpq_url, connect_timeout=3) as conn:
            beat = conn.execute(
                "SELECT max(timestamp) FROM daemon_heartbeats WHERE daemon_type = 'SENSOR'"
            ).fetchone()
            ticks = conn.execute(_TICKS, ((now - TICKS).astimezone(UTC).replace(tzinfo=None),)).fetchall()
    except psycopg.Error:
        return None
    newest = beat[0] if beat else None
    return Health(
        heartbeat=newest.replace(tzinfo=UTC) if newest is not None and newest.tzinfo is None else newest,
        failing=tuple(sorted(name or "unnamed" for status, name in ticks if status == "FAILURE")),
        silent=not ticks,
    )
