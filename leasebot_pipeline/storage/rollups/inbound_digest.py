"""Counts landed messages by their delay: slices for exact percentiles, a histogram of all time for the counters."""

from __future__ import annotations

from typing import Final

from sqlalchemy import Connection, text

from leasebot_pipeline.storage.rollups.audit_digest import ADD
from leasebot_pipeline.storage.rollups.marks import INBOUND, Log, Mark
from leasebot_pipeline.storage.rollups.slices import slice_sql

LOG: Final = Log(INBOUND, '"InboundEvents"', "landed_at")
DELAY: Final = "delay"
BUCKET: Final = "total_delay"
SUM_MS: Final = "total_delay_ms"
BOUNDS_S: Final = (5, 10, 20, 30, 45, 60, 90, 120, 180, 300, 600, 1800, 3600)
"""Upper bounds of the histogram's buckets; what is slower is in the last one, without a bound."""

DELAY_S: Final = "GREATEST(0, date_part('epoch', e.landed_at - e.sent_at))"
STEP: Final = f"floor(11.5415603 * ln(1 + {DELAY_S}))"
"""The step of a delay: eight to the double. The index has the same expression."""
MEASURED: Final = "e.direction = 'inbound' AND e.sent_at_has_time"

# What was sent before an account's first visit is history, not delay.
WATCHED: Final = """
    SELECT a.id, a.platform, COALESCE((SELECT min(r.started_at) FROM "PlatformRuns" r
                                        WHERE r.platform_account_id = a.id AND r.action = 'ingest'), '-infinity') AS since
      FROM "PlatformAccounts" a
"""
_COUNT = text(f"""
    WITH watched AS MATERIALIZED ({WATCHED}),
         delays AS MATERIALIZED (
           SELECT e.platform, {DELAY_S} AS delay_s, {STEP} AS step, {slice_sql("e.landed_at")} AS slice
             FROM "InboundEvents" e JOIN watched w ON w.id = e.platform_account_id
            WHERE e.id > :after AND e.id <= :through AND e.landed_at >= :floor AND {MEASURED}
              AND e.sent_at >= w.since)
    INSERT INTO "Tallies" AS t (kind, slice, k1, k2, total, merged)
    SELECT kind, slice, platform, bound, sum(n), true
      FROM (SELECT '{BUCKET}' AS kind, CAST('-infinity' AS timestamptz) AS slice, platform,
                   COALESCE((SELECT min(b) FROM unnest(CAST(:bounds AS integer[])) b WHERE delay_s <= b)::text, '+Inf') AS bound,
                   1 AS n
              FROM delays
            UNION ALL
            SELECT '{SUM_MS}', '-infinity', platform, '', round(delay_s * 1000)::bigint FROM delays
            UNION ALL
            SELECT '{DELAY}', slice, platform, step::text, 1 FROM delays) counted
     GROUP BY kind, slice, platform, bound
    {ADD}
""")
_FORGET = text(f"DELETE FROM \"Tallies\" WHERE kind = '{DELAY}' AND slice < :floor")


def forget(conn: Connection, mark: Mark) -> None:
    """Delete the slices before the mark's floor."""
    conn.execute(_FORGET, {"floor": mark.floor_at})


def count(conn: Connection, mark: Mark, through_id: int) -> None:
    """Count the rows after the mark up to ``through_id``."""
    chunk = {
        "after": mark.through_id,
        "through": through_id,
        "floor": mark.floor_at,
        "bounds": list(BOUNDS_S),
    }
    conn.execute(_COUNT, chunk)
