"""Platform time to landing: exact percentiles without sorting the window.

Slices count delays by steps (eight to the double). The counts tell in which step a percentile lies and how many
delays lie before it; only that step's delays are read and sorted. Without counts, or where an account's first visit
is not what it was when they were made, everything is sorted.
"""

from __future__ import annotations

import json
import math
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import Connection, text

from leasebot_pipeline.domain.platforms import REQUIRED_PLATFORMS
from leasebot_pipeline.storage.observability.audits import Window
from leasebot_pipeline.storage.observability.values import IngestLatency
from leasebot_pipeline.storage.rollups.inbound_digest import DELAY, DELAY_S, MEASURED, STEP, WATCHED

_P50: Final = 0.5
_P95: Final = 0.95

_LIVE: Final = f"""
    SELECT e.platform, {STEP} AS step FROM "InboundEvents" e JOIN watched w ON w.id = e.platform_account_id
     WHERE {MEASURED} AND e.sent_at >= w.since"""
_STEPS = text(f"""
    WITH watched AS MATERIALIZED ({WATCHED})
    SELECT platform, step, sum(total)::bigint AS total
      FROM (SELECT k1 AS platform, k2::float AS step, total FROM "Tallies" WHERE kind = '{DELAY}' AND slice >= :slices
            UNION ALL
            SELECT platform, step, 1 FROM ({_LIVE} AND e.id > :through AND e.landed_at >= :since) tail
            UNION ALL
            SELECT platform, step, 1 FROM (
              {_LIVE} AND e.landed_at >= :since AND e.landed_at < :whole AND e.id <= :through) head) every
     GROUP BY platform, step
     ORDER BY platform, step
""")
# Each step is sorted by itself, in memory; a step that does not hold what was counted gives nothing.
_WITHIN = text(f"""
    WITH watched AS MATERIALIZED ({WATCHED})
    SELECT k.platform, k.step, p.place, e.delays[p.place] AS delay_s
      FROM jsonb_to_recordset(CAST(:steps AS jsonb)) AS k(platform text, step float, total bigint, places integer[])
     CROSS JOIN LATERAL (
           SELECT array_agg(delay_s ORDER BY delay_s) AS delays
             FROM (SELECT {DELAY_S} AS delay_s FROM "InboundEvents" e JOIN watched w ON w.id = e.platform_account_id
                    WHERE e.platform = k.platform AND {STEP} = k.step AND e.landed_at >= :since AND {MEASURED}
                      AND e.sent_at >= w.since) within) e
     CROSS JOIN LATERAL unnest(k.places) AS p(place)
     WHERE cardinality(e.delays) = k.total
""")
_SORTED = text(f"""
    WITH watched AS MATERIALIZED ({WATCHED})
    SELECT e.platform, count(*) AS total, percentile_cont(ARRAY[{_P50}, {_P95}]) WITHIN GROUP (ORDER BY {DELAY_S}) AS delays
      FROM "InboundEvents" e JOIN watched w ON w.id = e.platform_account_id
     WHERE e.landed_at >= :since AND {MEASURED} AND e.sent_at >= w.since
     GROUP BY e.platform
""")


@dataclass(frozen=True, slots=True)
class Delays:
    """A platform's delays in seconds."""

    total: int
    p50_s: float
    p95_s: float


@dataclass(frozen=True, slots=True)
class Place:
    """The ``place``-th smallest delay (from 1) within a step that has ``total``."""

    step: float
    place: int
    total: int


def ingest_latency(conn: Connection, window: Window, target_ms: int) -> tuple[IngestLatency, ...]:
    """One entry for each of the five platforms, in their order."""
    measured = None if window.rolling_from is None else _by_steps(conn, window)
    if measured is None:
        measured = _all_sorted(conn, window.since)
    return tuple(
        _entry(platform.value, measured.get(platform.value), target_ms) for platform in REQUIRED_PLATFORMS
    )


def _entry(platform: str, delays: Delays | None, target_ms: int) -> IngestLatency:
    p95_ms = None if delays is None else delays.p95_s * 1000
    return IngestLatency(
        platform=platform,
        p50_ms=None if delays is None else round(delays.p50_s * 1000),
        p95_ms=None if p95_ms is None else round(p95_ms),
        count=0 if delays is None else delays.total,
        target_ms=target_ms,
        exceeded=p95_ms is not None and p95_ms > target_ms,
    )


def _all_sorted(conn: Connection, since: datetime) -> dict[str, Delays]:
    rows = conn.execute(_SORTED, {"since": since})
    return {row.platform: Delays(row.total, *row.delays) for row in rows}


def _by_steps(conn: Connection, window: Window) -> dict[str, Delays] | None:
    """None when a step holds other delays than were counted."""
    steps: defaultdict[str, dict[float, int]] = defaultdict(dict)
    for row in conn.execute(_STEPS, window.values()):
        steps[row.platform][row.step] = row.total
    wanted = {
        (platform, place)
        for platform, counts in steps.items()
        for share in (_P50, _P95)
        for place in _places(counts, share)
    }
    found = _values(conn, wanted, window.since)
    if len(found) < len(wanted):
        return None
    return {
        platform: Delays(
            sum(counts.values()),
            _between(platform, counts, _P50, found),
            _between(platform, counts, _P95, found),
        )
        for platform, counts in steps.items()
    }


def _places(counts: Mapping[float, int], share: float) -> Iterator[Place]:
    """Where the two delays lie between which a percentile is: as ``percentile_cont`` takes them."""
    rank = share * (sum(counts.values()) - 1)
    for wanted in (math.floor(rank), math.ceil(rank)):
        before = 0
        for step, total in sorted(counts.items()):
            if wanted < before + total:
                yield Place(step, wanted - before + 1, total)
                break
            before += total


def _between(
    platform: str, counts: Mapping[float, int], share: float, found: Mapping[tuple[str, Place], float]
) -> float:
    low, high = (found[platform, place] for place in _places(counts, share))
    rank = share * (sum(counts.values()) - 1)
    return low + (high - low) * (rank - math.floor(rank))


def _values(
    conn: Connection, wanted: set[tuple[str, Place]], since: datetime
) -> dict[tuple[str, Place], float]:
    """The delays at those places, by one statement; without those whose step does not hold what was counted."""
    if not wanted:
        return {}
    places: defaultdict[tuple[str, float, int], list[int]] = defaultdict(list)
    for platform, one in wanted:
        places[platform, one.step, one.total].append(one.place)
    steps = [
        {"platform": platform, "step": step, "total": total, "places": numbers}
        for (platform, step, total), numbers in places.items()
    ]
    totals = {(platform, one.step): one.total for platform, one in wanted}
    return {
        (row.platform, Place(row.step, row.place, totals[row.platform, row.step])): row.delay_s
        for row in conn.execute(_WITHIN, {"steps": json.dumps(steps), "since": since})
    }
