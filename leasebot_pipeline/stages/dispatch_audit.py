"""Audit rows of dispatch, with the earlier system's actions and details."""

from __future__ import annotations

from leasebot_pipeline.domain.dispatching import AfterFailure, DispatchState
from leasebot_pipeline.domain.failures import FailureClass, PlatformFailure
from leasebot_pipeline.domain.platforms import Platform
from leasebot_pipeline.domain.readings import DeliveryReceipt
from leasebot_pipeline.storage.audit import AuditEntry
from leasebot_pipeline.storage.outbox import ClaimedDispatch

STAGE = "dispatch_outbound_message"


def sent_entries(
    platform: Platform, claim: ClaimedDispatch, receipt: DeliveryReceipt, run_id: str | None
) -> list[AuditEntry]:
    """A proven send: the platform's side of it, and for our own decisions the reply's."""
    delivery = {
        "externalMessageId": receipt.external_message_id,
        "channel": receipt.channel,
        "providerStatus": receipt.provider_status,
    }
    details: dict[str, object] = {
        "stage": STAGE,
        "dispatchKey": claim.purpose_key,
        "purpose": claim.purpose,
        "attempts": claim.attempts,
        "delivery": delivery,
        "reviewStatus": "sent",
    }
    actions = ["platform_dispatch_sent"]
    if claim.purpose == "decision":
        actions = ["ai_reply_send_attempted", "platform_dispatch_sent", "ai_reply_created"]
    return [_entry(platform, claim, action, details, run_id) for action in actions]


def failure_entries(
    platform: Platform,
    claim: ClaimedDispatch,
    failure: PlatformFailure,
    outcome: AfterFailure,
    run_id: str | None,
) -> list[AuditEntry]:
    """A failed attempt; a dead letter is queued and escalated besides."""
    details: dict[str, object] = {
        "stage": STAGE,
        "dispatchKey": claim.purpose_key,
        "error": str(failure),
        "errorCode": failure.code,
        "errorClass": failure.failure_class.value,
        "phase": failure.phase.value,
        "retry": {
            "attempts": claim.attempts,
            "retryable": failure.failure_class is FailureClass.TRANSIENT,
            "retryExhausted": outcome.exhausted,
        },
    }
    if outcome.state is DispatchState.UNKNOWN:
        return [_entry(platform, claim, "platform_dispatch_unknown", details, run_id)]
    entries = [
        _entry(platform, claim, "ai_reply_error", details, run_id),
        _entry(platform, claim, "platform_dispatch_error", details, run_id),
    ]
    if outcome.state is DispatchState.DEAD_LETTER:
        escalation = {**details, "reason": "escalate_dispatch_retry_exhausted"}
        entries.append(_entry(platform, claim, "platform_dispatch_dlq", details, run_id))
        entries.append(_entry(platform, claim, "ai_reply_dispatch_escalated", escalation, run_id))
    return entries


def _entry(
    platform: Platform, claim: ClaimedDispatch, action: str, details: dict[str, object], run_id: str | None
) -> AuditEntry:
    return AuditEntry(
        actor_type="worker",
        actor_id=str(claim.assigned_agent_id) if claim.assigned_agent_id else None,
        entity_type="message",
        entity_id=str(claim.inbound_message_id or claim.id),
        action=action,
        details=details,
        platform=platform.value,
        platform_account_id=claim.platform_account_id,
        conversation_id=claim.conversation_id,
        agent_id=str(claim.assigned_agent_id) if claim.assigned_agent_id else None,
        run_id=run_id,
    )
