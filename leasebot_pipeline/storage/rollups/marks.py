"""Marks: how far each log is counted. Everything here runs in the digest's own transaction."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import Connection, text

from leasebot_pipeline.storage.rollups.slices import KEPT, ROLLING, slice_start
from leasebot_pipeline.storage.rollups.watermark import wait_for_writers

AUDIT: Final = "audit"
INBOUND: Final = "inbound"


@dataclass(frozen=True, slots=True)
class Mark:
    """Rows with an id up to ``through_id``, created from ``floor_at`` on, are counted; no other row is.

    Counts that roll over a day hold the slices from ``rolling_from`` on.
    """

    through_id: int
    floor_at: datetime
    rolling_from: datetime
    digested_at: datetime


@dataclass(frozen=True, slots=True)
class Log:
    """A table of rows with growing ids, and its column of when a row was created."""

    name: str
    table: str
    created: str


_FIND = text('SELECT through_id, floor_at, rolling_from, digested_at FROM "DigestMarks" WHERE name = :name')
_PUT = text("""
    INSERT INTO "DigestMarks" (name, through_id, floor_at, rolling_from, digested_at)
    VALUES (:name, :through_id, :floor_at, :rolling_from, :digested_at)
    ON CONFLICT (name) DO UPDATE SET through_id = excluded.through_id, floor_at = excluded.floor_at,
                                     rolling_from = excluded.rolling_from, digested_at = excluded.digested_at
""")
_LOCK = text("SELECT pg_try_advisory_xact_lock(hashtextextended(:name, 0))")


def find(conn: Connection, name: str) -> Mark | None:
    row = conn.execute(_FIND, {"name": name}).one_or_none()
    return None if row is None else Mark(*row)


def put(conn: Connection, name: str, mark: Mark) -> None:
    conn.execute(_PUT, {"name": name} | asdict(mark))


def lock(conn: Connection, name: str) -> bool:
    """Be the only one who digests the log until the transaction ends; False when somebody else is."""
    return bool(conn.execute(_LOCK, {"name": f"digest:{name}"}).scalar_one())


def begin(conn: Connection, log: Log, now: datetime) -> Mark | None:
    """The mark of a log that was never counted: before its first row of the days that are kept.

    None when a writer takes too long; the next try begins anew.
    """
    floor = slice_start(now - KEPT)
    oldest = text(f"SELECT min(id) FROM {log.table} WHERE {log.created} >= :floor")
    first = conn.execute(oldest, {"floor": floor}).scalar_one()
    if not wait_for_writers(conn, log.table):
        return None
    seen = conn.execute(oldest, {"floor": floor}).scalar_one()
    # Nothing there at first: whatever appears, from wherever, comes after 0.
    after = 0 if first is None else min(first, seen or first) - 1
    return Mark(after, floor, slice_start(now - ROLLING), now)


def complete_through(conn: Connection, log: Log, mark: Mark, at_most: int) -> int | None:
    """The highest id, at most ``at_most`` beyond the mark, up to which all rows are there.

    None when a writer takes too long.
    """
    highest = conn.execute(text(f"SELECT max(id) FROM {log.table}")).scalar_one() or 0
    if highest <= mark.through_id:
        return mark.through_id
    if not wait_for_writers(conn, log.table):
        return None
    return min(int(highest), mark.through_id + at_most)
