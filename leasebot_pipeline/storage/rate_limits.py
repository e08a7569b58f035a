"""Counters in the database, so that a limit holds over all processes and restarts."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection, text

KEPT: timedelta = timedelta(days=1)
"""How long a counter is kept after its window ended."""


@dataclass(frozen=True, slots=True)
class Bucket:
    """At most ``limit`` hits of ``key`` in a window that begins with the first of them."""

    key: str
    limit: int
    window: timedelta

    @property
    def stored_key(self) -> str:
        """A hash: the table holds no address, e-mail or user."""
        return hashlib.sha256(self.key.encode()).hexdigest()


# The counter stops one above its limit: a flood does not prolong anything. Rows are locked in key order.
_TAKE = text("""
    INSERT INTO "RateLimits" AS r (key, hits, window_ends_at)
    SELECT b.key, 1, b.ends_at
      FROM jsonb_to_recordset(CAST(:buckets AS jsonb)) AS b(key text, "limit" integer, ends_at timestamptz)
     ORDER BY b.key
    ON CONFLICT (key) DO UPDATE
       SET hits = CASE WHEN r.window_ends_at <= :now THEN 1 ELSE LEAST(r.hits, :highest) + 1 END,
           window_ends_at = CASE WHEN r.window_ends_at <= :now THEN excluded.window_ends_at ELSE r.window_ends_at END
    RETURNING r.key, r.hits, r.window_ends_at
""")
_FORGET = text('DELETE FROM "RateLimits" WHERE key = ANY(:keys)')
_GIVE_BACK = text('UPDATE "RateLimits" SET hits = GREATEST(hits - 1, 0) WHERE key = ANY(:keys)')
_PURGE = text('DELETE FROM "RateLimits" WHERE window_ends_at < :before')


def take(conn: Connection, buckets: Sequence[Bucket], now: datetime) -> int | None:
    """Count one hit in each bucket; the seconds to wait when one of them was full, else None.

    Counted before the work it guards, so that parallel attempts can't slip through together.
    """
    by_key = {bucket.stored_key: bucket for bucket in buckets}
    rows = [
        {"key": key, "limit": bucket.limit, "ends_at": (now + bucket.window).isoformat()}
        for key, bucket in by_key.items()
    ]
    highest = max(bucket.limit for bucket in buckets)
    taken = conn.execute(_TAKE, {"buckets": json.dumps(rows), "now": now, "highest": highest})
    waits = [row.window_ends_at - now for row in taken if row.hits > by_key[row.key].limit]
    return max(1, math.ceil(max(waits).total_seconds())) if waits else None


def forget(conn: Connection, buckets: Sequence[Bucket]) -> None:
    """Start these counters anew."""
    conn.execute(_FORGET, {"keys": [bucket.stored_key for bucket in buckets]})


def give_back(conn: Connection, buckets: Sequence[Bucket]) -> None:
    """Take one hit back: it turned out not to count."""
    conn.execute(_GIVE_BACK, {"keys": [bucket.stored_key for bucket in buckets]})


def purge(conn: Connection, now: datetime) -> int:
    """Delete counters whose window ended long ago; how many."""
    return conn.execute(_PURGE, {"before": now - KEPT}).rowcount
