"""Ingest: a batch of landed events becomes conversations and messages; refused rows are quarantined."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from leasebot_pipeline.domain.platforms import Platform
from leasebot_pipeline.stages.pipeline import Pipeline
from leasebot_pipeline.storage import audit
from leasebot_pipeline.storage import ingest as statements
from leasebot_pipeline.storage.crash_points import transaction


@dataclass(frozen=True, slots=True)
class InboundBatch:
    """Landed events of one platform, as rows for the quality gate and for ingest."""

    platform: Platform
    rows: list[dict[str, Any]]


@dataclass(frozen=True, slots=True)
class IngestResult:
    """Counts of a batch. ``read = ingested + quarantined`` unless another run took some of it."""

    read: int
    ingested: int
    new_messages: int
    quarantined: int
    conversations: int
    latency_p50_s: float | None
    latency_p95_s: float | None


def load(pipeline: Pipeline, platform: Platform) -> InboundBatch:
    """The next batch of landed events, oldest first."""
    with pipeline.engine.connect() as conn:
        return InboundBatch(
            platform, statements.load_pending(conn, platform, pipeline.policy.ingest_batch_size)
        )


def ingest(
    pipeline: Pipeline, batch: InboundBatch, refused: Mapping[int, str], run_id: str | None
) -> IngestResult:
    """Write the batch in one transaction; ``refused`` maps event ids to the reason of their quarantine."""
    now = pipeline.clock()
    by_id = {int(row["id"]): row for row in batch.rows}
    with transaction(pipeline.engine, "ingest.before_commit", "ingest.after_commit") as conn:
        quarantined = statements.quarantine(conn, refused, now)
        ingested = statements.ingest_events(
            conn,
            batch.platform,
            [event for event in by_id if event not in refused],
            now - pipeline.policy.history_bound,
            now,
            run_id,
        )
        audit.record(
            conn,
            [
                audit.AuditEntry(
                    actor_type="system",
                    entity_type="inbound_event",
                    entity_id=str(event),
                    action="ingest_event_quarantined",
                    details={
                        "reason": reason,
                        "externalThreadId": by_id[event]["external_thread_id"],
                        "externalMessageId": by_id[event]["external_message_id"],
                    },
                    platform=batch.platform.value,
                    platform_account_id=by_id[event]["platform_account_id"],
                    run_id=run_id,
                )
                for event, reason in refused.items()
                if event in by_id
            ],
        )
    return IngestResult(
        read=len(by_id),
        ingested=ingested.events,
        new_messages=ingested.new_messages,
        quarantined=quarantined,
        conversations=len(ingested.conversations),
        latency_p50_s=ingested.latency_p50_s,
        latency_p95_s=ingested.latency_p95_s,
    )
