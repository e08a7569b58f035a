"""What the night takes away: rows nobody needs any more."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Connection, text

from leasebot_pipeline.storage import idempotency, rate_limits
from leasebot_pipeline.storage.rollups import tallies

_NO_LIMIT = text("SET LOCAL statement_timeout = '10min'")


def clean_up(conn: Connection, now: datetime) -> dict[str, int]:
    """Purge and mend, each a statement; how many rows of each, by what they were."""
    conn.execute(_NO_LIMIT)
    return {
        "rate_limits": rate_limits.purge(conn, now),
        "remembered_answers": idempotency.purge(conn, now),
        "mended_tallies": tallies.mend(conn, now),
    }
