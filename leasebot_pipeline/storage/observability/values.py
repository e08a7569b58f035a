"""What an observability snapshot holds; names match the JSON answer (there in camelCase)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta


@dataclass(frozen=True, slots=True)
class SnapshotRequest:
    """What to look at: the window ends now; limits are row counts, already within their ranges."""

    now: datetime
    window_hours: int
    audit_limit: int
    error_limit: int
    signal_limit: int
    ingest_p95_target_ms: int

    @property
    def since(self) -> datetime:
        """The instant the window begins."""
        return self.now - timedelta(hours=self.window_hours)


@dataclass(frozen=True, slots=True)
class CoreMetrics:
    """Counts inside the window, except ``outbound_pending_review``, which counts all time."""

    inbound_messages: int
    outbound_messages: int
    outbound_sent: int
    outbound_draft: int
    outbound_hold: int
    outbound_pending_review: int
    ai_decisions: int
    ai_replies_created: int
    ai_replies_skipped: int
    ai_escalations: int
    ai_reply_errors: int
    platform_dispatch_errors: int
    platform_dispatch_dlq: int
    booking_created: int
    booking_replayed: int
    booking_conflicts: int
    admin_review_decisions: int
    audit_events: int


@dataclass(frozen=True, slots=True)
class ReasonCount:
    reason_code: str
    count: int


@dataclass(frozen=True, slots=True)
class StatusCount:
    status: str
    count: int


@dataclass(frozen=True, slots=True)
class PlatformCount:
    platform: str
    count: int


@dataclass(frozen=True, slots=True)
class FailureCount:
    platform: str
    stage: str
    action: str
    count: int


@dataclass(frozen=True, slots=True)
class AgentCount:
    agent_id: str
    actor_type: str
    count: int


@dataclass(frozen=True, slots=True)
class ConversationCount:
    conversation_id: str
    count: int


@dataclass(frozen=True, slots=True)
class TransitionCount:
    from_state: str
    to_state: str
    count: int


@dataclass(frozen=True, slots=True)
class SourceCount:
    source: str
    count: int


@dataclass(frozen=True, slots=True)
class StrategyCount:
    strategy: str
    count: int


@dataclass(frozen=True, slots=True)
class HumanRequiredQueue:
    """Open conversations that wait for a person, now. The age counts from the last workflow change."""

    open: int
    oldest_waiting_seconds: int | None
    by_platform: tuple[PlatformCount, ...]


@dataclass(frozen=True, slots=True)
class IngestLinkage:
    """Conversations tried in the window, each by its newest attempt. ``coverage`` is 0..1, None without any."""

    resolved: int
    unresolved: int
    by_strategy: tuple[StrategyCount, ...]
    coverage: float | None


@dataclass(frozen=True, slots=True)
class Signals:
    escalation_reasons: tuple[ReasonCount, ...]
    bookings_by_status: tuple[StatusCount, ...]
    bookings_by_platform: tuple[PlatformCount, ...]
    platform_failures: tuple[FailureCount, ...]
    audit_by_platform: tuple[PlatformCount, ...]
    audit_by_agent: tuple[AgentCount, ...]
    audit_by_conversation: tuple[ConversationCount, ...]
    workflow_transitions: tuple[TransitionCount, ...]
    human_required_queue: HumanRequiredQueue
    slot_source: tuple[SourceCount, ...]
    ingest_linkage: IngestLinkage


@dataclass(frozen=True, slots=True)
class IngestLatency:
    """Platform time to landing, for messages whose platform shows a time of day. Milliseconds."""

    platform: str
    p50_ms: int | None
    p95_ms: int | None
    count: int
    target_ms: int
    exceeded: bool


@dataclass(frozen=True, slots=True)
class PlatformRunsHealth:
    """Visits to a platform: counts and the newest failure in the window, newest successes of all time."""

    platform: str
    succeeded: int
    failed: int
    last_successful_ingest_at: datetime | None
    last_successful_send_at: datetime | None
    last_failure_at: datetime | None
    last_failure_action: str | None
    last_failure_class: str | None
    last_failure_code: str | None


@dataclass(frozen=True, slots=True)
class DispatchCounts:
    """Replies by where they stand, now. ``queued`` includes retries that are due later."""

    queued: int
    in_flight: int
    unknown: int
    dead_letter: int


@dataclass(frozen=True, slots=True)
class AuditItem:
    id: str
    actor_type: str
    actor_id: str | None
    entity_type: str
    entity_id: str
    action: str
    details: Mapping[str, object]
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Snapshot:
    window_hours: int
    core_metrics: CoreMetrics
    signals: Signals
    ingest_latency: tuple[IngestLatency, ...]
    platform_runs: tuple[PlatformRunsHealth, ...]
    dispatch: DispatchCounts
    recent_errors: tuple[AuditItem, ...]
    recent_audit: tuple[AuditItem, ...]
