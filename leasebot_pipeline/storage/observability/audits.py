"""Counts and slices over `"AuditLogs"` and bookings: the ten documented queries, and their names of actions."""

from __future__ import annotations

from collections import Counter
from datetime import datetime
from typing import Final

from sqlalchemy import Connection, TextClause, text

from leasebot_pipeline.domain.redaction import redact_details
from leasebot_pipeline.storage.observability.values import (
    AgentCount,
    AuditItem,
    ConversationCount,
    CoreMetrics,
    FailureCount,
    PlatformCount,
    ReasonCount,
    StatusCount,
)

BOOKING_CONFLICT_ACTIONS: Final = (
    "showing_booking_conflict",
    "showing_booking_idempotency_conflict",
    "showing_booking_failed",
)
REVIEW_ACTIONS: Final = ("inbox_message_approved", "inbox_message_rejected")
FAILURE_ACTIONS: Final = (
    "platform_dispatch_error",
    "platform_dispatch_dlq",
    "ai_reply_error",
    "api_error",
    "showing_booking_failed",
)
ERROR_ACTIONS: Final = (
    "ai_reply_error",
    "api_error",
    "inbox_message_error",
    "inbox_draft_error",
    "platform_dispatch_error",
    "showing_booking_failed",
)
CRITICAL_ACTIONS: Final = (
    "ai_reply_decision",
    "ai_reply_created",
    "ai_reply_skipped",
    "ai_reply_escalated",
    "ai_reply_human_required_queued",
    "ai_reply_error",
    "platform_dispatch_sent",
    "platform_dispatch_error",
    "platform_dispatch_dlq",
    "showing_booking_created",
    "showing_booking_replayed",
    "showing_booking_conflict",
    "showing_booking_idempotency_conflict",
    "showing_booking_failed",
    "workflow_state_transitioned",
    "workflow_no_reply_recovered",
    "inbox_message_approved",
    "inbox_message_rejected",
    "inbox_message_error",
    "inbox_manual_reply_dispatched",
)

# A message whose platform shows no time counts at the moment we stored it.
_MESSAGES = text("""
    SELECT count(*) FILTER (WHERE direction = 'inbound') AS inbound,
           count(*) FILTER (WHERE direction = 'outbound') AS outbound,
           count(*) FILTER (WHERE direction = 'outbound' AND review = 'sent') AS sent,
           count(*) FILTER (WHERE direction = 'outbound' AND review = 'draft') AS draft,
           count(*) FILTER (WHERE direction = 'outbound' AND review = 'hold') AS hold,
           (SELECT count(*) FROM "Messages"
             WHERE direction = 'outbound' AND metadata ->> 'reviewStatus' IN ('draft', 'hold')) AS pending
      FROM (SELECT direction, COALESCE(metadata ->> 'reviewStatus', 'sent') AS review
              FROM "Messages"
             WHERE sent_at >= :since OR (sent_at IS NULL AND created_at >= :since)) recent
""")
_ACTIONS = text("""
    SELECT action, count(*) AS total FROM "AuditLogs" WHERE created_at >= :since GROUP BY action
""")
# Up to three rows tell of one decision (decided, escalated, skipped): one row per message is kept,
# the decision's own where it exists (fault G-34: the earlier system counted each of them).
_ESCALATIONS = text("""
    SELECT reason_code, count(*) AS total
      FROM (SELECT DISTINCT ON (entity_type, entity_id) COALESCE(reason, 'unknown') AS reason_code
              FROM (SELECT entity_type, entity_id, action, created_at, details ->> 'outcome' AS outcome,
                           COALESCE(details ->> 'escalationReasonCode', details #>> '{decision,reason}') AS reason
                      FROM "AuditLogs"
                     WHERE action IN ('ai_reply_decision', 'ai_reply_escalated', 'ai_reply_skipped')
                       AND created_at >= :since) told
             WHERE reason LIKE 'escalate\\_%' OR outcome = 'escalate'
             ORDER BY entity_type, entity_id,
                      array_position(ARRAY['ai_reply_decision', 'ai_reply_escalated'], action) NULLS LAST,
                      created_at DESC) decided
     GROUP BY reason_code
     ORDER BY total DESC, reason_code
""")
_BOOKINGS = text("""
    SELECT s.status, a.platform, count(*) AS total
      FROM "ShowingAppointments" s JOIN "PlatformAccounts" a ON a.id = s.platform_account_id
     WHERE s.created_at >= :since
     GROUP BY s.status, a.platform
""")
_FAILURES = text("""
    SELECT COALESCE(platform, details ->> 'platform', 'unknown') AS platform,
           COALESCE(details ->> 'stage', 'unknown') AS stage, action, count(*) AS total
      FROM "AuditLogs"
     WHERE action = ANY(:actions) AND created_at >= :since
     GROUP BY 1, 2, 3
     ORDER BY total DESC, 1, 2, 3
""")
_BY_PLATFORM = text("""
    SELECT COALESCE(platform, details ->> 'platform', 'unknown') AS platform, count(*) AS total
      FROM "AuditLogs"
     WHERE action = ANY(:actions) AND created_at >= :since
     GROUP BY 1
     ORDER BY total DESC, 1
     LIMIT :limit
""")
# A person acts for himself; automation acts on behalf of the conversation's agent.
_BY_AGENT = text("""
    SELECT COALESCE(CASE WHEN actor_type IN ('worker', 'system') THEN agent_id END, actor_id, agent_id, 'unknown')
             AS agent_id,
           actor_type, count(*) AS total
      FROM "AuditLogs"
     WHERE action = ANY(:actions) AND created_at >= :since
     GROUP BY 1, actor_type
     ORDER BY total DESC, 1, actor_type
     LIMIT :limit
""")
_BY_CONVERSATION = text("""
    SELECT COALESCE(conversation_id::text, details ->> 'conversationId', details #>> '{conversation,id}',
                    CASE WHEN entity_type = 'conversation' THEN entity_id END, 'unknown') AS conversation_id,
           count(*) AS total
      FROM "AuditLogs"
     WHERE action = ANY(:actions) AND created_at >= :since
     GROUP BY 1
     ORDER BY total DESC, 1
     LIMIT :limit
""")
# One short index walk per action: rare errors never cost a walk over everything else.
_ERRORS = text("""
    SELECT newest.*
      FROM unnest(CAST(:actions AS text[])) AS wanted(action)
     CROSS JOIN LATERAL (
           SELECT id, actor_type, actor_id, entity_type, entity_id, action, details, created_at
             FROM "AuditLogs" l
            WHERE l.action = wanted.action
            ORDER BY created_at DESC, id DESC
            LIMIT :limit) newest
     ORDER BY created_at DESC, id DESC
     LIMIT :limit
""")
_AUDIT = text("""
    SELECT id, actor_type, actor_id, entity_type, entity_id, action, details, created_at
      FROM "AuditLogs"
     ORDER BY created_at DESC, id DESC
     LIMIT :limit
""")


def core_metrics(conn: Connection, since: datetime) -> CoreMetrics:
    """The eighteen counters, by two statements."""
    messages = conn.execute(_MESSAGES, {"since": since}).one()
    by_action = Counter({row.action: row.total for row in conn.execute(_ACTIONS, {"since": since})})

    def audits(*actions: str) -> int:
        return sum(by_action[action] for action in actions)

    return CoreMetrics(
        inbound_messages=messages.inbound,
        outbound_messages=messages.outbound,
        outbound_sent=messages.sent,
        outbound_draft=messages.draft,
        outbound_hold=messages.hold,
        outbound_pending_review=messages.pending,
        ai_decisions=audits("ai_reply_decision"),
        ai_replies_created=audits("ai_reply_created"),
        ai_replies_skipped=audits("ai_reply_skipped"),
        ai_escalations=audits("ai_reply_escalated"),
        ai_reply_errors=audits("ai_reply_error"),
        platform_dispatch_errors=audits("platform_dispatch_error"),
        platform_dispatch_dlq=audits("platform_dispatch_dlq"),
        booking_created=audits("showing_booking_created"),
        booking_replayed=audits("showing_booking_replayed"),
        booking_conflicts=audits(*BOOKING_CONFLICT_ACTIONS),
        admin_review_decisions=audits(*REVIEW_ACTIONS),
        audit_events=by_action.total(),
    )


def escalation_reasons(conn: Connection, since: datetime) -> tuple[ReasonCount, ...]:
    """Why decisions were handed to a person; each decision once; most frequent first."""
    rows = conn.execute(_ESCALATIONS, {"since": since})
    return tuple(ReasonCount(row.reason_code, row.total) for row in rows)


def bookings(conn: Connection, since: datetime) -> tuple[tuple[StatusCount, ...], tuple[PlatformCount, ...]]:
    """Appointments created in the window, by status and by platform; count descending, then name."""
    by_status: Counter[str] = Counter()
    by_platform: Counter[str] = Counter()
    for row in conn.execute(_BOOKINGS, {"since": since}):
        by_status[row.status] += row.total
        by_platform[row.platform] += row.total
    return (
        tuple(StatusCount(name, count) for name, count in _ranked(by_status)),
        tuple(PlatformCount(name, count) for name, count in _ranked(by_platform)),
    )


def _ranked(counts: Counter[str]) -> list[tuple[str, int]]:
    return sorted(counts.items(), key=lambda item: (-item[1], item[0]))


def platform_failures(conn: Connection, since: datetime) -> tuple[FailureCount, ...]:
    """Failures by platform, stage and action."""
    rows = conn.execute(_FAILURES, {"since": since, "actions": list(FAILURE_ACTIONS)})
    return tuple(FailureCount(row.platform, row.stage, row.action, row.total) for row in rows)


def audit_by_platform(conn: Connection, since: datetime, limit: int) -> tuple[PlatformCount, ...]:
    rows = conn.execute(_BY_PLATFORM, _critical(since, limit))
    return tuple(PlatformCount(row.platform, row.total) for row in rows)


def audit_by_agent(conn: Connection, since: datetime, limit: int) -> tuple[AgentCount, ...]:
    rows = conn.execute(_BY_AGENT, _critical(since, limit))
    return tuple(AgentCount(row.agent_id, row.actor_type, row.total) for row in rows)


def audit_by_conversation(conn: Connection, since: datetime, limit: int) -> tuple[ConversationCount, ...]:
    rows = conn.execute(_BY_CONVERSATION, _critical(since, limit))
    return tuple(ConversationCount(row.conversation_id, row.total) for row in rows)


def _critical(since: datetime, limit: int) -> dict[str, object]:
    return {"since": since, "actions": list(CRITICAL_ACTIONS), "limit": limit}


def recent_errors(conn: Connection, limit: int) -> tuple[AuditItem, ...]:
    """The newest errors of all time."""
    return _items(conn, _ERRORS, {"actions": list(ERROR_ACTIONS), "limit": limit})


def recent_audit(conn: Connection, limit: int) -> tuple[AuditItem, ...]:
    """The newest audit rows of all time."""
    return _items(conn, _AUDIT, {"limit": limit})


def _items(conn: Connection, statement: TextClause, parameters: dict[str, object]) -> tuple[AuditItem, ...]:
    return tuple(
        AuditItem(
            id=str(row.id),
            actor_type=row.actor_type,
            actor_id=row.actor_id,
            entity_type=row.entity_type,
            entity_id=row.entity_id,
            action=row.action,
            details=_shown(row.details),
            created_at=row.created_at,
        )
        for row in conn.execute(statement, parameters)
    )


def _shown(details: object) -> dict[str, object]:
    """Details as shown: rows taken over from the earlier system were written without redaction."""
    shown = redact_details(details)
    return shown if isinstance(shown, dict) else {"value": shown}
