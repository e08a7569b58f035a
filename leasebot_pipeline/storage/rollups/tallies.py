"""Upkeep of the tallies that triggers write: many rows of a key become one, differences are found and mended."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from sqlalchemy import Connection, text

from leasebot_pipeline.storage.rollups.slices import KEPT, slice_sql, slice_start

MESSAGE: Final = "message"
VISIT: Final = "visit"
VISIT_MS: Final = "visit_ms"
OF_ALL_TIME: Final = "-infinity"

REVIEW: Final = (
    """CASE direction WHEN 'outbound' THEN COALESCE(metadata ->> 'reviewStatus', 'sent') ELSE '' END"""
)
COUNTED_AT: Final = "COALESCE(sent_at, created_at)"

# Skips what a second merger has taken.
_MERGE = text("""
    WITH taken AS (
           DELETE FROM "Tallies" WHERE ctid = ANY(ARRAY(
             SELECT ctid FROM "Tallies" WHERE NOT merged LIMIT :at_most FOR UPDATE SKIP LOCKED))
           RETURNING kind, slice, k1, k2, k3, total)
    INSERT INTO "Tallies" AS t (kind, slice, k1, k2, k3, total, merged)
    SELECT kind, slice, k1, k2, k3, sum(total), true FROM taken
     GROUP BY kind, slice, k1, k2, k3
     ORDER BY kind, slice, k1, k2, k3
    ON CONFLICT (kind, slice, k1, k2, k3) WHERE merged DO UPDATE SET total = t.total + excluded.total
    RETURNING 1
""")
_UNMERGED = text('SELECT count(*) FROM (SELECT FROM "Tallies" WHERE NOT merged LIMIT :at_most) AS unmerged')
# What waits for a review counts forever; the rest only while a window can reach it.
_FORGET = text(f"""
    DELETE FROM "Tallies"
     WHERE kind = '{MESSAGE}' AND merged AND slice < :floor AND (total = 0 OR k1 <> 'outbound' OR k2 NOT IN ('draft', 'hold'))
""")
_REACHED: Final = "({at} >= :floor OR ({direction} = 'outbound' AND {review} IN ('draft', 'hold')))"
# One statement, one view of both sides: what is being written meanwhile is on neither.
_MEND = text(f"""
    INSERT INTO "Tallies" (kind, slice, k1, k2, total)
    SELECT '{MESSAGE}', slice, k1, k2, sum(n)
      FROM (SELECT {slice_sql(COUNTED_AT)} AS slice, direction AS k1, {REVIEW} AS k2, count(*) AS n
              FROM "Messages"
             WHERE {COUNTED_AT} >= :floor
                OR (direction = 'outbound' AND metadata ->> 'reviewStatus' IN ('draft', 'hold'))
             GROUP BY 1, 2, 3
            UNION ALL
            SELECT slice, k1, k2, -total FROM "Tallies"
             WHERE kind = '{MESSAGE}' AND {_REACHED.format(at="slice", direction="k1", review="k2")}) compared
     GROUP BY slice, k1, k2
    HAVING sum(n) <> 0
""")


def merge(conn: Connection, at_most: int = 20_000) -> int:
    """Merge rows that writers added; how many were left when it began, at most ``at_most``."""
    waiting = int(conn.execute(_UNMERGED, {"at_most": at_most}).scalar_one())
    if waiting:
        conn.execute(_MERGE, {"at_most": at_most})
    return waiting


def forget(conn: Connection, now: datetime) -> int:
    """Delete message slices that no window reaches; how many."""
    return conn.execute(_FORGET, {"floor": slice_start(now - KEPT)}).rowcount


def mend(conn: Connection, now: datetime) -> int:
    """Compare the tallies of messages with the messages and add what differs; how many counts differed.

    They differ after rows were loaded with triggers switched off, and never otherwise. Reads all messages of the days
    that are kept and all that wait for a review.
    """
    return conn.execute(_MEND, {"floor": slice_start(now - KEPT)}).rowcount
