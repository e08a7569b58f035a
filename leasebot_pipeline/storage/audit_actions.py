"""Actions of `"AuditLogs"` by what the figures make of them. Names are the contract's."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

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
ESCALATION_ACTIONS: Final = ("ai_reply_decision", "ai_reply_escalated", "ai_reply_skipped")
"""In the order in which they are believed about the reason."""
TRANSITION_ACTIONS: Final = ("workflow_state_transitioned", "workflow_no_reply_recovered")
LINKAGE_ACTIONS: Final = ("ingest_conversation_linkage_resolved", "ingest_conversation_linkage_unresolved")


def listed(actions: Sequence[str]) -> str:
    """The names as the inside of an SQL ``IN ( )``."""
    return ", ".join(f"'{action}'" for action in actions)
