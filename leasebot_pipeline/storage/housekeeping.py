"""What the night takes away: rows nobody needs any more."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import Connection, text

from leasebot_pipeline.storage import decision_records, idempotency, rate_limits
from leasebot_pipeline.storage.rollups import tallies

_NO_LIMIT = text("SET LOCAL statement_timeout = '10min'")


def clean_up(conn: Connection, now: datetime, keep_decision_inputs: timedelta | None) -> dict[str, int]:
    """Purge and mend, each a statement; how many rows of each, by what they were.

    ``keep_decision_inputs`` is how long decisions stay replayable, None for ever.
    """
    conn.execute(_NO_LIMIT)
    old_parts = 0
    if keep_decision_inputs is not None:
        old_parts = decision_records.purge_parts(conn, now - keep_decision_inputs)
    return {
        "decision_parts": old_parts,
        "rate_limits": rate_limits.purge(conn, now),
        "remembered_answers": idempotency.purge(conn, now),
        "mended_tallies": tallies.mend(conn, now),
    }
