"""How the pipeline itself stands: the human queue, slots, visits, dispatch."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Connection, text

from leasebot_pipeline.domain.platforms import REQUIRED_PLATFORMS
from leasebot_pipeline.storage.observability.values import (
    DispatchCounts,
    HumanRequiredQueue,
    PlatformCount,
    PlatformRunsHealth,
    SourceCount,
)

_HUMAN_REQUIRED = text("""
    SELECT a.platform, count(*) AS total, min(c.workflow_updated_at) AS oldest
      FROM "Conversations" c JOIN "PlatformAccounts" a ON a.id = c.platform_account_id
     WHERE c.workflow_outcome = 'human_required' AND c.status = 'open'
     GROUP BY a.platform
     ORDER BY total DESC, a.platform
""")
_SLOT_SOURCE = text("""
    SELECT slot_source AS source, count(*) AS total
      FROM "Decisions"
     WHERE decided_at >= :since AND slot_source IS NOT NULL
     GROUP BY slot_source
     ORDER BY total DESC, slot_source
""")
_RUNS = text("""
    SELECT a.platform, visits.succeeded, visits.failed, reached.ingest_at, reached.send_at,
           failure.ended_at AS failure_at, failure.action AS failure_action,
           failure.error_class, failure.error_code
      FROM (SELECT platform, array_agg(id) AS ids FROM "PlatformAccounts" GROUP BY platform) a
     CROSS JOIN LATERAL (
           SELECT max(last_success_ingest_at) AS ingest_at, max(last_success_send_at) AS send_at
             FROM "AccountRuntime" WHERE platform_account_id = ANY(a.ids)) reached
      LEFT JOIN (
           SELECT platform, count(*) FILTER (WHERE outcome = 'succeeded') AS succeeded,
                  count(*) FILTER (WHERE outcome = 'failed') AS failed,
                  max(started_at) FILTER (WHERE outcome = 'failed') AS failed_start
             FROM "PlatformRuns" WHERE started_at >= :since GROUP BY platform) visits ON visits.platform = a.platform
      LEFT JOIN LATERAL (
           SELECT ended_at, action, error_class, error_code FROM "PlatformRuns"
            WHERE started_at = visits.failed_start AND platform = a.platform AND outcome = 'failed'
            ORDER BY ended_at DESC NULLS LAST LIMIT 1) failure ON true
""")
_DISPATCH = text("""
    SELECT (SELECT count(*) FROM "OutboundDispatches" WHERE state IN ('queued', 'retry_scheduled')) AS queued,
           (SELECT count(*) FROM "OutboundDispatches" WHERE state IN ('claimed', 'sending')) AS in_flight,
           (SELECT count(*) FROM "OutboundDispatches" WHERE state = 'unknown') AS unknown,
           (SELECT count(*) FROM "OutboundDispatches" WHERE state = 'dead_letter') AS dead_letter
""")


def human_required_queue(conn: Connection, now: datetime) -> HumanRequiredQueue:
    rows = conn.execute(_HUMAN_REQUIRED).all()
    oldest = min((row.oldest for row in rows), default=None)
    return HumanRequiredQueue(
        open=sum(row.total for row in rows),
        oldest_waiting_seconds=None if oldest is None else max(0, int((now - oldest).total_seconds())),
        by_platform=tuple(PlatformCount(row.platform, row.total) for row in rows),
    )


def slot_source(conn: Connection, since: datetime) -> tuple[SourceCount, ...]:
    """Where offered slots came from, for decisions that looked for slots."""
    return tuple(SourceCount(row.source, row.total) for row in conn.execute(_SLOT_SOURCE, {"since": since}))


def platform_runs(conn: Connection, since: datetime) -> tuple[PlatformRunsHealth, ...]:
    """One entry for each of the five platforms, in their order."""
    found = {row.platform: row for row in conn.execute(_RUNS, {"since": since})}
    entries = []
    for platform in REQUIRED_PLATFORMS:
        row = found.get(platform.value)
        entries.append(
            PlatformRunsHealth(
                platform=platform.value,
                succeeded=(row.succeeded or 0) if row else 0,
                failed=(row.failed or 0) if row else 0,
                last_successful_ingest_at=row.ingest_at if row else None,
                last_successful_send_at=row.send_at if row else None,
                last_failure_at=row.failure_at if row else None,
                last_failure_action=row.failure_action if row else None,
                last_failure_class=row.error_class if row else None,
                last_failure_code=row.error_code if row else None,
            )
        )
    return tuple(entries)


def dispatch(conn: Connection) -> DispatchCounts:
    row = conn.execute(_DISPATCH).one()
    return DispatchCounts(
        queued=row.queued, in_flight=row.in_flight, unknown=row.unknown, dead_letter=row.dead_letter
    )
