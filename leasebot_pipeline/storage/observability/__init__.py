"""The observability snapshot: a fixed number of statements on one connection, whatever the rows."""

from __future__ import annotations

from sqlalchemy import Connection

from leasebot_pipeline.storage.observability import audits, latency, pipeline
from leasebot_pipeline.storage.observability.values import Signals, Snapshot, SnapshotRequest
from leasebot_pipeline.storage.rollups import marks

__all__ = ["Snapshot", "SnapshotRequest", "take_snapshot"]


def take_snapshot(conn: Connection, request: SnapshotRequest) -> Snapshot:
    """Read the snapshot in at most sixteen statements.

    The numbers agree with each other only if the caller's transaction is REPEATABLE READ.
    """
    since, limit = request.since, request.signal_limit
    window = audits.window(conn, since)
    counts = audits.audit_counts(conn, window)
    by_status, by_platform = audits.bookings(conn, since)
    return Snapshot(
        window_hours=request.window_hours,
        core_metrics=audits.core_metrics(conn, since, counts),
        signals=Signals(
            escalation_reasons=audits.escalation_reasons(conn, window),
            bookings_by_status=by_status,
            bookings_by_platform=by_platform,
            platform_failures=counts.platform_failures(),
            audit_by_platform=counts.by_platform(limit),
            audit_by_agent=counts.by_agent(limit),
            audit_by_conversation=audits.audit_by_conversation(conn, window, limit),
            workflow_transitions=counts.transitions(),
            human_required_queue=pipeline.human_required_queue(conn, request.now),
            slot_source=pipeline.slot_source(conn, since),
            ingest_linkage=audits.ingest_linkage(conn, window),
        ),
        ingest_latency=latency.ingest_latency(
            conn, audits.window(conn, since, marks.INBOUND), request.ingest_p95_target_ms
        ),
        platform_runs=pipeline.platform_runs(conn, since),
        dispatch=pipeline.dispatch(conn),
        recent_errors=audits.recent_errors(conn, request.error_limit),
        recent_audit=audits.recent_audit(conn, request.audit_limit),
    )
