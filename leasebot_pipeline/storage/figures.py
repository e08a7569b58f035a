"""How the system stands in numbers, for scrapers: totals from the tallies, what waits from its own small indexes.

Nothing here reads a log or a table from end to end; a scrape costs the same after a year.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection, Row, TextClause, text

from leasebot_pipeline.storage.rollups import audit_facts, inbound_digest, tallies

_KINDS: Final = (
    tallies.VISIT,
    tallies.VISIT_MS,
    inbound_digest.BUCKET,
    inbound_digest.SUM_MS,
    audit_facts.TOTAL_ACTION,
    audit_facts.TOTAL_DECISION,
)


@dataclass(frozen=True, slots=True)
class Total:
    """A count of all time. Which keys mean what: the kinds' own modules say."""

    kind: str
    k1: str
    k2: str
    k3: str
    total: int


@dataclass(frozen=True, slots=True)
class Depth:
    """How many wait and since when the oldest does."""

    queue: str
    platform: str
    waiting: int
    oldest: datetime | None


@dataclass(frozen=True, slots=True)
class PlatformStand:
    """The accounts of a platform: how many there are, work, are stopped or kept back, and when each last happened."""

    platform: str
    accounts: int
    active: int
    stopped: int
    circuit_open: int
    circuit_half_open: int
    stop_codes: tuple[str, ...]
    last_polled_at: datetime | None
    last_ingest_at: datetime | None
    last_send_at: datetime | None


@dataclass(frozen=True, slots=True)
class Replies:
    """Replies that are neither sent nor cancelled, by platform and state."""

    platform: str
    state: str
    total: int


@dataclass(frozen=True, slots=True)
class Digest:
    """How far a log is counted: rows beyond the mark (ids, so at most) and when it was last looked at."""

    log: str
    behind: int
    digested_at: datetime


@dataclass(frozen=True, slots=True)
class Figures:
    totals: tuple[Total, ...]
    depths: tuple[Depth, ...]
    platforms: tuple[PlatformStand, ...]
    replies: tuple[Replies, ...]
    digests: tuple[Digest, ...]
    kill_switches: tuple[tuple[str, int], ...]
    incidents: tuple[tuple[str, str, int], ...]


_TOTALS = text("""
    SELECT kind, k1, k2, k3, sum(total)::bigint AS total FROM "Tallies"
     WHERE kind = ANY(:kinds) AND slice = '-infinity'
     GROUP BY kind, k1, k2, k3 ORDER BY kind, k1, k2, k3
""")
# Each queue by the partial index of what waits in it. Age counts from when a reply was due, a message landed, a lead wrote.
_DEPTHS = text("""
    SELECT 'inbound' AS queue, platform, count(*) AS waiting, min(landed_at) AS oldest
      FROM "InboundEvents" WHERE ingested_at IS NULL AND quarantined_at IS NULL GROUP BY platform
    UNION ALL
    SELECT 'decide', a.platform, count(*), min(c.last_message_at)
      FROM "Conversations" c JOIN "PlatformAccounts" a ON a.id = c.platform_account_id
     WHERE c.status = 'open' AND c.newest_inbound_seq > c.handled_through_seq AND a.is_active GROUP BY a.platform
    UNION ALL
    SELECT 'dispatch', platform, count(*), min(next_attempt_at)
      FROM "OutboundDispatches" WHERE state IN ('queued', 'retry_scheduled') AND next_attempt_at <= :now GROUP BY platform
    UNION ALL
    SELECT 'human_required', a.platform, count(*), min(c.workflow_updated_at)
      FROM "Conversations" c JOIN "PlatformAccounts" a ON a.id = c.platform_account_id
     WHERE c.workflow_outcome = 'human_required' AND c.status = 'open' GROUP BY a.platform
""")
_PLATFORMS = text("""
    SELECT a.platform, count(*) AS accounts, count(*) FILTER (WHERE a.is_active) AS active,
           count(*) FILTER (WHERE r.stopped_at IS NOT NULL) AS stopped,
           count(*) FILTER (WHERE r.circuit_state = 'open') AS circuit_open,
           count(*) FILTER (WHERE r.circuit_state = 'half_open') AS circuit_half_open,
           COALESCE(array_agg(DISTINCT r.stop_code) FILTER (WHERE r.stopped_at IS NOT NULL AND r.stop_code IS NOT NULL), '{}') AS stop_codes,
           max(r.last_polled_at) AS last_polled_at, max(r.last_success_ingest_at) AS last_ingest_at,
           max(r.last_success_send_at) AS last_send_at
      FROM "PlatformAccounts" a LEFT JOIN "AccountRuntime" r ON r.platform_account_id = a.id
     GROUP BY a.platform ORDER BY a.platform
""")
_REPLIES = text("""
    SELECT platform, state, count(*) AS total FROM "OutboundDispatches"
     WHERE state NOT IN ('sent', 'cancelled') GROUP BY platform, state ORDER BY platform, state
""")
_DIGESTS = text("""
    SELECT m.name, GREATEST(0, l.highest - m.through_id) AS behind, m.digested_at
      FROM (VALUES ('audit', (SELECT max(id) FROM "AuditLogs")), ('inbound', (SELECT max(id) FROM "InboundEvents")))
           l(name, highest)
      JOIN "DigestMarks" m ON m.name = l.name
""")
_KILL_SWITCHES = text(
    'SELECT scope, count(*) AS total FROM "KillSwitches" WHERE lifted_at IS NULL GROUP BY scope'
)
_INCIDENTS = text("""
    SELECT type, platform, count(*) AS total FROM "AlertIncidents" WHERE closed_at IS NULL GROUP BY type, platform
""")


def depths(conn: Connection, now: datetime) -> tuple[Depth, ...]:
    """What waits in each queue of each platform; queues with nothing in them are left out."""
    return tuple(
        Depth(row.queue, row.platform, row.waiting, row.oldest) for row in conn.execute(_DEPTHS, {"now": now})
    )


def platform_stands(conn: Connection) -> tuple[PlatformStand, ...]:
    """How each platform's accounts stand."""
    return tuple(
        PlatformStand(**{**row._mapping, "stop_codes": tuple(row.stop_codes)})
        for row in conn.execute(_PLATFORMS)
    )


def figures(conn: Connection, now: datetime) -> Figures:
    """Everything for one scrape: seven statements."""
    return Figures(
        totals=tuple(Total(*row) for row in conn.execute(_TOTALS, {"kinds": list(_KINDS)})),
        depths=depths(conn, now),
        platforms=platform_stands(conn),
        replies=tuple(Replies(*row) for row in conn.execute(_REPLIES)),
        digests=tuple(Digest(*row) for row in conn.execute(_DIGESTS)),
        kill_switches=tuple((row.scope, row.total) for row in _rows(conn, _KILL_SWITCHES)),
        incidents=tuple((row.type, row.platform, row.total) for row in _rows(conn, _INCIDENTS)),
    )


def _rows(conn: Connection, statement: TextClause) -> Sequence[Row[Any]]:
    return conn.execute(statement).all()
