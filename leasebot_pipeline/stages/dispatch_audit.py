"""Audit rows and alerts of dispatch, with the earlier system's actions and details."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Final
from uuid import UUID

from leasebot_pipeline.domain.alerts import DEAD_LETTER, AlertEvent
from leasebot_pipeline.domain.dispatching import AfterFailure, DispatchState
from leasebot_pipeline.domain.failures import FailureClass, PlatformFailure
from leasebot_pipeline.domain.platforms import Platform
from leasebot_pipeline.domain.readings import DeliveryReceipt
from leasebot_pipeline.storage.accounts_runtime import AccountRow
from leasebot_pipeline.storage.audit import AuditEntry
from leasebot_pipeline.storage.outbox import ClaimedDispatch
from leasebot_pipeline.storage.outbox_sql import Moved

STAGE: Final = "dispatch_outbound_message"

_WITHDRAWN: Final = {
    DispatchState.CANCELLED: "platform_dispatch_superseded",
    DispatchState.DRAFT: "platform_dispatch_demoted",
    DispatchState.HELD: "platform_dispatch_demoted",
    DispatchState.UNKNOWN: "platform_dispatch_unknown",
}
_MOVED: Final = {
    DispatchState.QUEUED: "platform_dispatch_requeued",
    DispatchState.DEAD_LETTER: "platform_dispatch_dlq",
    **_WITHDRAWN,
}


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
    """A failed attempt; a dead letter is queued and escalated besides. One that we called off is no error."""
    details: dict[str, object] = {
        "stage": STAGE,
        "dispatchKey": claim.purpose_key,
        "error": str(failure),
        "errorCode": failure.code,
        "errorClass": failure.failure_class.value,
        "phase": failure.phase.value,
        "nextState": outcome.state.value,
        "retry": {
            "attempts": claim.attempts,
            "retryable": failure.failure_class is FailureClass.TRANSIENT,
            "retryExhausted": outcome.exhausted,
        },
    }
    if failure.withdrawn:
        action = _WITHDRAWN.get(outcome.state, "platform_dispatch_withdrawn")
        return [_entry(platform, claim, action, details, run_id)]
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


def left_to_person_entry(
    platform: Platform, claim: ClaimedDispatch, failure: PlatformFailure, run_id: str | None
) -> AuditEntry:
    """A reply in doubt that reading can't settle: a person has to look."""
    details: dict[str, object] = {
        "stage": STAGE,
        "dispatchKey": claim.purpose_key,
        "error": str(failure),
        "errorCode": failure.code,
        "sendingAt": claim.sending_at.isoformat() if claim.sending_at else None,
    }
    return _entry(platform, claim, "platform_dispatch_left_to_person", details, run_id)


def moved_entries(moved: Sequence[Moved], run_id: str | None) -> list[AuditEntry]:
    """Replies that were moved without an attempt: claims taken back, replies overtaken or no longer allowed."""
    return [
        AuditEntry(
            actor_type="worker",
            actor_id=str(one.assigned_agent_id) if one.assigned_agent_id else None,
            entity_type="message",
            entity_id=str(one.inbound_message_id or one.id),
            action=_MOVED[one.state],
            details={
                "stage": STAGE,
                "dispatchKey": one.purpose_key,
                "purpose": one.purpose,
                "errorCode": one.error_code,
                "nextState": one.state.value,
                "retry": {"attempts": one.attempts},
            },
            platform=one.platform,
            platform_account_id=one.platform_account_id,
            conversation_id=one.conversation_id,
            agent_id=str(one.assigned_agent_id) if one.assigned_agent_id else None,
            run_id=run_id,
        )
        for one in moved
    ]


def cap_entry(account: AccountRow, until: datetime, run_id: str | None) -> AuditEntry:
    """An account has sent its share of the day."""
    return AuditEntry(
        actor_type="system",
        entity_type="platform_account",
        entity_id=str(account.state.id),
        action="platform_send_cap_reached",
        details={"until": until.isoformat()},
        platform=account.platform.value,
        platform_account_id=account.state.id,
        run_id=run_id,
    )


def dead_letter_event(
    account: UUID,
    names: Mapping[UUID, str],
    platform: Platform,
    code: str,
    at: datetime,
    error: str | None = None,
) -> AlertEvent:
    """What people are told when replies of an account are given up for one cause."""
    return AlertEvent(
        type=DEAD_LETTER,
        platform=platform,
        account_id=account,
        account_name=names.get(account, str(account)),
        action="send",
        at=at,
        source="worker",
        reason=code,
        error=error,
    )


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
