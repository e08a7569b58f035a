"""Messages over time: the window cut into equal steps, for charts. The same rows the snapshot's counters count."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from sqlalchemy import Connection, text

from leasebot_pipeline.storage.rollups import tallies
from leasebot_pipeline.storage.rollups.slices import SLICE, first_whole_slice

STEPS: Final = ((1, SLICE), (24, timedelta(hours=1)), (168, timedelta(hours=6)))
"""Steps by the longest window (hours) they are for."""
_MIDNIGHT: Final = datetime(2000, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Volume:
    """What came in and went out (sent or not) from ``starts_at`` until the next step."""

    starts_at: datetime
    inbound: int
    outbound: int


# Whole slices from the tallies that triggers keep, the partial slice at the window's beginning from the rows.
_VOLUMES = text(f"""
    SELECT date_bin(CAST(:step AS interval), at, :origin) AS starts_at,
           COALESCE(sum(total) FILTER (WHERE direction = 'inbound'), 0)::bigint AS inbound,
           COALESCE(sum(total) FILTER (WHERE direction = 'outbound'), 0)::bigint AS outbound
      FROM (SELECT slice AS at, k1 AS direction, total FROM "Tallies"
             WHERE kind = '{tallies.MESSAGE}' AND slice >= :whole
            UNION ALL
            SELECT {tallies.COUNTED_AT}, direction, 1 FROM "Messages"
             WHERE {tallies.COUNTED_AT} >= :since AND {tallies.COUNTED_AT} < :whole) counted
     GROUP BY 1
""")


def step_of(window_hours: int) -> timedelta:
    """How long a step of a window is."""
    return next(step for longest, step in STEPS if window_hours <= longest)


def volumes(conn: Connection, now: datetime, window_hours: int) -> list[Volume]:
    """Every step of the window, oldest first, empty ones too; the first is cut where the window begins."""
    since, step = now - timedelta(hours=window_hours), step_of(window_hours)
    ends = now - (now - _MIDNIGHT) % step + step
    origin = ends - step * (timedelta(hours=window_hours) // step + 1)
    parameters = {"step": step, "origin": origin, "since": since, "whole": first_whole_slice(since)}
    found = {row.starts_at: (row.inbound, row.outbound) for row in conn.execute(_VOLUMES, parameters)}
    # A platform's clock may run ahead of ours: such messages belong to the last step, as they do to the counters.
    steps = [at for n in range((ends - origin) // step) if (at := origin + n * step) + step > since]
    late = [counts for at, counts in found.items() if at > steps[-1]]
    result = [Volume(at, *found.get(at, (0, 0))) for at in steps]
    if late:
        last = result[-1]
        result[-1] = Volume(
            last.starts_at,
            last.inbound + sum(inbound for inbound, _ in late),
            last.outbound + sum(outbound for _, outbound in late),
        )
    return result
