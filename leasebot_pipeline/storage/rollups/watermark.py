"""How far a log of rows with growing ids is complete: no row with a lower id can still appear.

A row's created_at is the beginning of its transaction, so no clock tells when a slice of time is complete. Ids do:
an insert locks its table before it takes its id and until it commits. Whoever could still bring an id below one that
is visible now therefore holds that lock now, or is already visible. So: see the highest id, then see who holds the
lock, wait until those are gone, and everything up to that id is there. The sequence hands out ids one by one (its
cache is 1), so they grow in the order they are taken.
"""

from __future__ import annotations

import time
from datetime import timedelta
from typing import Final

from sqlalchemy import Connection, text

PATIENCE: Final = timedelta(seconds=2)
_LOOK_AGAIN_S: Final = 0.02

# Writers of the table: pg_locks shows everybody's locks to everybody, prepared transactions included.
_WRITERS = text("""
    SELECT DISTINCT virtualtransaction FROM pg_locks
     WHERE locktype = 'relation' AND granted AND relation = CAST(:table AS regclass)
       AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
       AND mode IN ('RowExclusiveLock', 'ShareRowExclusiveLock', 'ExclusiveLock', 'AccessExclusiveLock')
       AND pid IS DISTINCT FROM pg_backend_pid()
""")


def writers(conn: Connection, table: str) -> frozenset[str]:
    """Transactions that may have inserted into ``table`` (a quoted name) without being visible yet."""
    return frozenset(conn.scalars(_WRITERS, {"table": table}))


def wait_for_writers(conn: Connection, table: str, patience: timedelta = PATIENCE) -> bool:
    """Wait until everybody who writes to ``table`` now has finished; False when one takes longer.

    The connection must be READ COMMITTED: what they wrote is visible to its next statement. The connection's own
    transaction must not have written to the table.
    """
    before = writers(conn, table)
    ends = time.monotonic() + patience.total_seconds()
    while before:
        if time.monotonic() > ends:
            return False
        time.sleep(_LOOK_AGAIN_S)
        before &= writers(conn, table)
    return True
