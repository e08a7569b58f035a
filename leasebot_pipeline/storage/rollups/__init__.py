"""Counts kept beside the logs, so that figures of a million rows are read from a few thousand.

Logs that only grow (audit, landed messages) are digested here, row by row of their ids; tables whose rows change
(messages, visits) are tallied by triggers in the transaction that changes them. Either way a row is counted in
exactly one place at any moment: by a tally, or live beyond its log's mark.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import Connection, Engine

from leasebot_pipeline.storage.crash_points import transaction
from leasebot_pipeline.storage.rollups import audit_digest, inbound_digest, marks, tallies
from leasebot_pipeline.storage.rollups.marks import Log, Mark
from leasebot_pipeline.storage.rollups.slices import KEPT, ROLLING, slice_start

__all__ = ["Progress", "advance"]

AT_ONCE: Final = 50_000
"""Rows counted in one transaction."""
_FORGET_EVERY: Final = timedelta(hours=1)

_DIGESTS: Final[tuple[tuple[Log, Callable[[Connection, Mark, int], None]], ...]] = (
    (audit_digest.LOG, audit_digest.count),
    (inbound_digest.LOG, inbound_digest.count),
)


@dataclass(frozen=True, slots=True)
class Progress:
    """What one call did. ``waiting``: logs left for later because a writer took long or somebody else counts."""

    counted: int
    merged: int
    waiting: tuple[str, ...]


def advance(engine: Engine, now: datetime, budget: timedelta = timedelta(seconds=20)) -> Progress:
    """Count what is new, in transactions of bounded size, until all is counted or ``budget`` is used up.

    May be called at any time, by any number of processes, and be killed anywhere: a chunk and its mark are one
    transaction, and one process at a time works on a log.
    """
    ends = time.monotonic() + budget.total_seconds()
    counted, waiting = 0, []
    for log, count in _DIGESTS:
        while True:
            step = _step(engine, log, count, now)
            if step is None:
                waiting.append(log.name)
                break
            counted += step
            if step == 0 or time.monotonic() > ends:
                break
    merged = 0
    while time.monotonic() < ends:
        with transaction(engine, "rollups.before_merge", "rollups.after_merge") as conn:
            step = tallies.merge(conn)
        merged += step
        if step == 0:
            break
    return Progress(counted, merged, tuple(waiting))


def _step(
    engine: Engine, log: Log, count: Callable[[Connection, Mark, int], None], now: datetime
) -> int | None:
    """Count one chunk; how many ids it spans, None when it must wait."""
    with transaction(engine, "rollups.before_commit", "rollups.after_commit") as conn:
        if not marks.lock(conn, log.name):
            return None
        mark = marks.find(conn, log.name) or marks.begin(conn, log, now)
        if mark is None:
            return None
        through = marks.complete_through(conn, log, mark, AT_ONCE)
        if through is None:
            return None
        if through > mark.through_id:
            count(conn, mark, through)
        floor, rolling = slice_start(now - KEPT), slice_start(now - ROLLING)
        reached = replace(mark, through_id=through, digested_at=now)
        if log is audit_digest.LOG and rolling > mark.rolling_from:
            audit_digest.roll(conn, mark, rolling)
            reached = replace(reached, rolling_from=rolling)
        if floor - mark.floor_at >= _FORGET_EVERY:
            reached = replace(reached, floor_at=floor)
            if log is audit_digest.LOG:
                audit_digest.forget(conn, reached)
                tallies.forget(conn, now)
            else:
                inbound_digest.forget(conn, reached)
        marks.put(conn, log.name, reached)
    return through - mark.through_id
