"""The observability snapshot: a fixed number of statements on one connection, whatever the rows."""

from __future__ import annotations

from sqlalchemy import Connection

from leasebot_pipeline.storage.observability import audits, pipeline
from leasebot_pipeline.storage.observability.values import Signals, Snapshot, SnapshotRequest

__all__ = ["Snapshot", "SnapshotRequest", "take_snapshot"]


def take_snapshot(conn: Connection, request: SnapshotRequest) -> Snapshot:
    """Read the snapshot: ten statements of the documented numbers, then seven of the pipeline's own.

    The numbers agree with each other only if the caller's transaction is REPEATABLE READ.
    """
    since, limit = request.since, request.signal_limit
    core = audits.core_metrics(conn, since)
    escalations = audits.escalation_reasons(conn, since)
    by_status, by_platform = audits.bookings(conn, since)
    failures = audits.platform_failures(conn, since)
    audit_by_platform = audits.audit_by_platform(conn, since, limit)
    audit_by_agent = audits.audit_by_agent(conn, since, limit)
    audit_by_conversation = audits.audit_by_conversation(conn, since, limit)
    errors = audits.recent_errors(conn, request.error_limit)
    newest = audits.recent_audit(conn, request.audit_limit)
    return Snapshot(
        window_hours=request.window_hours,
        core_metrics=core,
        signals=Signals(
            escalation_reasons=escalations,
            bookings_by_status=by_status,
            bookings_by_platform=by_platform,
            platform_failures=failures,
            audit_by_platform=audit_by_platform,
            audit_by_agent=audit_by_agent,
            audit_by_conversation=audit_by_conversation,
            workflow_transitions=pipeline.workflow_transitions(conn, since),
            human_required_queue=pipeline.human_required_queue(conn, request.now),
            slot_source=pipeline.slot_source(conn, since),
            ingest_linkage=pipeline.ingest_linkage(conn, since),
        ),
        ingest_latency=pipeline.ingest_latency(conn, since, request.ingest_p95_target_ms),
        platform_runs=pipeline.platform_runs(conn, since),
        dispatch=pipeline.dispatch(conn),
        recent_errors=errors,
        recent_audit=newest,
    )
