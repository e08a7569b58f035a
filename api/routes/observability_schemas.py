"""The observability answer; field for field what the storage snapshot holds."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from api.answers import Answer, Instant


class CoreMetricsAnswer(Answer):
    inbound_messages: int
    outbound_messages: int
    outbound_sent: int
    outbound_draft: int
    outbound_hold: int
    outbound_pending_review: int = Field(description="drafts and held replies of all time")
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


class ReasonCountAnswer(Answer):
    reason_code: str = Field(examples=["escalate_low_confidence"])
    count: int


class StatusCountAnswer(Answer):
    status: str
    count: int


class PlatformCountAnswer(Answer):
    platform: str = Field(examples=["spareroom"])
    count: int


class FailureCountAnswer(Answer):
    platform: str
    stage: str
    action: str
    count: int


class AgentCountAnswer(Answer):
    agent_id: str
    actor_type: str
    count: int


class ConversationCountAnswer(Answer):
    conversation_id: str
    count: int


class TransitionCountAnswer(Answer):
    from_state: str = Field(alias="from", examples=["lead"])
    to_state: str = Field(alias="to", examples=["showing"])
    count: int


class SourceCountAnswer(Answer):
    source: str
    count: int


class StrategyCountAnswer(Answer):
    strategy: str = Field(examples=["listing_external_id"])
    count: int


class HumanRequiredQueueAnswer(Answer):
    open: int
    oldest_waiting_seconds: int | None
    by_platform: list[PlatformCountAnswer]


class IngestLinkageAnswer(Answer):
    resolved: int
    unresolved: int
    by_strategy: list[StrategyCountAnswer]
    coverage: float | None = Field(description="resolved share, 0..1; null when nothing was tried")


class SignalsAnswer(Answer):
    escalation_reasons: list[ReasonCountAnswer]
    bookings_by_status: list[StatusCountAnswer]
    bookings_by_platform: list[PlatformCountAnswer]
    platform_failures: list[FailureCountAnswer]
    audit_by_platform: list[PlatformCountAnswer]
    audit_by_agent: list[AgentCountAnswer]
    audit_by_conversation: list[ConversationCountAnswer]
    workflow_transitions: list[TransitionCountAnswer]
    human_required_queue: HumanRequiredQueueAnswer
    slot_source: list[SourceCountAnswer]
    ingest_linkage: IngestLinkageAnswer


class IngestLatencyAnswer(Answer):
    platform: str
    p50_ms: int | None
    p95_ms: int | None
    count: int
    target_ms: int
    exceeded: bool


class PlatformRunsAnswer(Answer):
    platform: str
    succeeded: int
    failed: int
    last_successful_ingest_at: Instant | None
    last_successful_send_at: Instant | None
    last_failure_at: Instant | None
    last_failure_action: str | None
    last_failure_class: str | None
    last_failure_code: str | None


class DispatchAnswer(Answer):
    queued: int
    in_flight: int
    unknown: int
    dead_letter: int


class AuditItemAnswer(Answer):
    id: str
    actor_type: str
    actor_id: str | None
    entity_type: str
    entity_id: str
    action: str
    details: dict[str, Any]
    created_at: Instant


class ObservabilityAnswer(Answer):
    window_hours: int
    core_metrics: CoreMetricsAnswer
    signals: SignalsAnswer
    ingest_latency: list[IngestLatencyAnswer]
    platform_runs: list[PlatformRunsAnswer]
    dispatch: DispatchAnswer
    recent_errors: list[AuditItemAnswer]
    recent_audit: list[AuditItemAnswer]
