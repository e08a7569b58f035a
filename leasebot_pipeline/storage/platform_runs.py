"""`"PlatformRuns"`: every visit to a platform, with counts, latency and the class of its failure."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from uuid import UUID

from sqlalchemy import Connection, text

from leasebot_pipeline.domain.failures import PlatformFailure
from leasebot_pipeline.domain.platforms import Platform

_BEGIN = text("""
    INSERT INTO "PlatformRuns" (platform_account_id, platform, action, triggered_by, run_id, started_at, outcome)
    VALUES (:account, :platform, :action, :triggered_by, :run_id, :now, 'running')
    RETURNING id
""")
_END = text("""
    UPDATE "PlatformRuns"
       SET ended_at = :now, outcome = :outcome, counts = CAST(:counts AS jsonb),
           latency_ms = (EXTRACT(EPOCH FROM CAST(:now AS timestamptz) - started_at) * 1000)::int,
           error_class = :error_class, error_code = :error_code, error_detail = :error_detail
     WHERE id = :id
""")


def begin(
    conn: Connection,
    *,
    account: UUID,
    platform: Platform,
    action: str,
    triggered_by: str,
    run_id: str | None,
    now: datetime,
) -> UUID:
    """Record that a visit begins. ``action``: ingest, thread_sync, send, listing_sync or reconcile."""
    run: UUID = conn.execute(
        _BEGIN,
        {
            "account": account,
            "platform": platform.value,
            "action": action,
            "triggered_by": triggered_by,
            "run_id": run_id,
            "now": now,
        },
    ).scalar_one()
    return run


def end(
    conn: Connection,
    run: UUID,
    now: datetime,
    counts: Mapping[str, int],
    failure: PlatformFailure | None = None,
) -> None:
    """Record how a visit ended; one that we called off ourselves was skipped."""
    conn.execute(
        _END,
        {
            "id": run,
            "now": now,
            "outcome": _outcome(failure),
            "counts": json.dumps(dict(counts)),
            "error_class": failure.failure_class.value if failure else None,
            "error_code": failure.code if failure else None,
            "error_detail": failure.detail[:500] if failure else None,
        },
    )


def _outcome(failure: PlatformFailure | None) -> str:
    if failure is None:
        return "succeeded"
    return "skipped" if failure.withdrawn else "failed"


_ABANDON = text("""
    UPDATE "PlatformRuns"
       SET outcome = 'failed', ended_at = :now, error_class = 'transient', error_code = 'ABANDONED',
           error_detail = 'the process ended during the visit'
     WHERE outcome = 'running' AND platform_account_id = :account AND started_at < :now
""")


def abandon_open(conn: Connection, account: UUID, now: datetime) -> int:
    """Close visits that a dead process left running. Call while holding the account's lease."""
    return conn.execute(_ABANDON, {"account": account, "now": now}).rowcount
