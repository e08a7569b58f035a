"""How a planned decision looks in each table, in the audit log and to the quality gate."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any
from uuid import uuid5

from leasebot_pipeline.domain.handshake import READER_VERSION
from leasebot_pipeline.domain.handshake_plan import Move, answer_of
from leasebot_pipeline.domain.platforms import Platform
from leasebot_pipeline.domain.slots import Slot, label
from leasebot_pipeline.storage.audit import AuditEntry

if TYPE_CHECKING:
    from leasebot_pipeline.stages.decide import PlannedDecision

Row = dict[str, Any]


def slot_json(slot: Slot) -> dict[str, object]:
    """The slot object of the data model: camelCase, canonical UTC instants."""
    return {
        "startsAt": _instant(slot.starts_at),
        "endsAt": _instant(slot.ends_at),
        "timezone": slot.timezone,
        "agentId": str(slot.agent_id) if slot.agent_id else None,
        "agentName": slot.agent_name,
        "label": label(slot),
    }


def named_slots(item: PlannedDecision) -> tuple[Slot, ...]:
    """The slots the reply names: offered, held, confirmed or cancelled."""
    plan = item.outcome.handshake
    return plan.slots if plan is not None else item.outcome.slots_offered


def handshake_json(item: PlannedDecision) -> Row:
    """What was done about the lead's answer, for "why this reply?"."""
    plan = item.outcome.handshake
    assert plan is not None
    return {
        "move": plan.move.value,
        "text": plan.text.value,
        "position": plan.position,
        "strategy": plan.strategy,
        "movesShowing": plan.moves_showing,
        "reader": READER_VERSION,
        "read": [evidence.as_details() for evidence in answer_of(item.input).evidence],
    }


def check_row(item: PlannedDecision) -> Row:
    """What the quality gate judges a decision by."""
    return {
        "decision_id": str(item.id),
        "conversation_id": str(item.conversation.id),
        "dispatch_key": item.dispatch_key,
        "outcome": item.outcome.outcome,
        "reason": item.outcome.reason,
        "intent": item.verdict.intent.value,
        "workflow_outcome": item.verdict.workflow_outcome.value,
        "confidence": item.verdict.confidence,
        "risk_level": item.verdict.risk_level.value,
        "guardrails": list(item.verdict.guardrails) + list(item.outcome.guardrails_out),
        "reply_body": item.outcome.reply_body,
        "slot_count": len(named_slots(item)),
        "is_active": item.policy.is_active,
        "effective_send_mode": item.policy.effective_send_mode.value,
        "release_stage": item.policy.release_stage.value,
        "provider": item.verdict.provider,
        "listing_linked": item.conversation.listing_id is not None,
    }


def decision_row(item: PlannedDecision, platform: Platform, run_id: str | None) -> Row:
    """A row of ``"Decisions"``."""
    verdict, outcome = item.verdict, item.outcome
    return {
        "id": str(item.id),
        "conversation_id": str(item.conversation.id),
        "platform_account_id": str(item.conversation.platform_account_id),
        "platform": platform.value,
        "inbound_message_id": str(item.inbound_message_id),
        "through_seq": item.conversation.newest_seq,
        "provider": verdict.provider,
        "model": verdict.model,
        "rules_version": verdict.rules_version,
        "intent": verdict.intent.value,
        "effective_intent": verdict.effective_intent.value,
        "follow_up": verdict.follow_up,
        "workflow_outcome": verdict.workflow_outcome.value,
        "confidence": round(verdict.confidence, 3),
        "risk_level": verdict.risk_level.value,
        "outcome": outcome.outcome,
        "reason": outcome.reason,
        "reasons": list(outcome.reasons),
        "escalation_reason_code": outcome.escalation_reason_code,
        "guardrails": list(dict.fromkeys([*verdict.guardrails, *outcome.guardrails_out])),
        "slots": [slot_json(slot) for slot in named_slots(item)],
        "slot_source": item.slot_source,
        "selected_slot_index": verdict.selected_slot_index,
        "policy": item.policy.as_details(),
        "evidence": {
            "rules": [evidence.as_details() for evidence in verdict.evidence],
            "intents": [intent.value for intent in verdict.intents],
            "language": verdict.reply_language,
            "ambiguous": verdict.ambiguous,
            **({"handshake": handshake_json(item)} if outcome.handshake else {}),
            **({"outbound": slot_confirmation(item, item.decided_at)} if outcome.handshake else {}),
        },
        "provider_details": dict(verdict.provider_details),
        "template_id": str(outcome.template_id) if outcome.template_id else None,
        "reply_body": outcome.reply_body,
        "run_id": run_id,
        "record": item.record or None,
    }


def slot_confirmation_state(item: PlannedDecision) -> Row | None:
    """``slotConfirmationState`` of the data model: what is pending or confirmed, and how it came to that."""
    plan = item.outcome.handshake
    if plan is None or plan.slot is None:
        return None
    confirmed = plan.move is Move.BOOK
    return {
        "status": "confirmed" if confirmed else "pending",
        "strategy": plan.strategy,
        "slotCandidate": slot_json(plan.slot),
    }


def slot_confirmation(item: PlannedDecision, now: datetime) -> Row:
    """What the outbound message says of the handshake: its state, and the slot that is pending or resolved."""
    state, plan = slot_confirmation_state(item), item.outcome.handshake
    if state is None or plan is None:
        return {}
    source = {"sourceMessageId": str(item.inbound_message_id)}
    if plan.move is Move.BOOK:
        resolved = {**state["slotCandidate"], "resolvedAt": _instant(now), **source}
        return {"slotConfirmationState": state, "slotConfirmationResolved": resolved}
    pending = {**state["slotCandidate"], "createdAt": _instant(now), **source}
    return {"slotConfirmationState": state, "slotConfirmationPending": pending}


def draft_row(item: PlannedDecision, now: datetime) -> Row:
    """The outbound ``"Messages"`` row of a draft; a reply that is sent gets its row with the receipt."""
    return {
        "id": str(_draft_id(item)),
        "conversation_id": str(item.conversation.id),
        "sender_agent_id": _text(item.conversation.assigned_agent_id),
        "external_message_id": item.dispatch_key,
        "body": item.outcome.reply_body,
        "metadata": {
            "reviewStatus": "draft",
            "templateId": _text(item.outcome.template_id),
            "intent": item.verdict.intent.value,
            "effectiveIntent": item.verdict.effective_intent.value,
            "followUp": item.verdict.follow_up,
            "workerGeneratedAt": _instant(now),
            "guardrails": list(item.outcome.guardrails_out),
            "escalationReasonCode": item.outcome.escalation_reason_code,
            "platformPolicy": item.policy.as_details(),
            "selectedSlotIndex": item.verdict.selected_slot_index,
            "slotCandidates": [slot_json(slot) for slot in named_slots(item)],
            "slotConfirmationState": None,
            "dispatchKey": item.dispatch_key,
            "delivery": None,
            **slot_confirmation(item, now),
        },
    }


def dispatch_row(item: PlannedDecision, platform: Platform, run_id: str | None) -> Row:
    """The outbox row of a reply: queued to be sent, or a draft for a person."""
    draft = item.outcome.outcome == "draft"
    return {
        "id": str(uuid5(item.id, "dispatch")),
        "purpose_key": item.dispatch_key,
        "decision_id": str(item.id),
        "conversation_id": str(item.conversation.id),
        "platform_account_id": str(item.conversation.platform_account_id),
        "platform": platform.value,
        "external_thread_id": item.conversation.external_thread_id,
        "message_id": str(_draft_id(item)) if draft else None,
        "body": item.outcome.reply_body,
        "state": "draft" if draft else "queued",
        "run_id": run_id,
    }


def mark_rows(item: PlannedDecision, now: datetime) -> list[Row]:
    """Marks on the inbound rows this decision answers: the newest carries the decision, all are processed."""
    verdict, outcome = item.verdict, item.outcome
    decided: dict[str, object] = {
        "aiProcessedAt": _instant(now),
        "decisionId": str(item.id),
        "intent": verdict.intent.value,
        "effectiveIntent": verdict.effective_intent.value,
        "followUp": verdict.follow_up,
        "provider": verdict.provider,
        "workflowOutcome": verdict.workflow_outcome.value,
        "confidence": round(verdict.confidence, 3),
        "riskLevel": verdict.risk_level.value,
        "selectedSlotIndex": verdict.selected_slot_index,
        "replyEligible": outcome.outcome in ("send", "draft"),
        "replyDecisionReason": outcome.reason,
        "outcome": outcome.outcome,
        "escalationReasonCode": outcome.escalation_reason_code,
        "slotConfirmationState": slot_confirmation_state(item),
        "platformPolicy": item.policy.as_details(),
        "guardrails": list(verdict.guardrails),
    }
    if outcome.human_action_required:
        decided |= {"reviewStatus": "hold", "actionQueue": "agent_action"}
    earlier = {
        "aiProcessedAt": _instant(now),
        "decisionId": str(item.id),
        "replyDecisionReason": "answered_with_burst",
    }
    new = [
        message.id
        for message in item.conversation.messages
        if message.direction.value == "inbound"
        and message.seq > item.conversation.handled_seq
        and not message.processed
    ]
    return [
        {"id": str(message), "patch": decided if message == item.inbound_message_id else earlier}
        for message in new
    ]


def audit_entries(item: PlannedDecision, platform: Platform, run_id: str | None) -> list[AuditEntry]:
    """The audit rows of a decision, with the earlier system's actions and details."""
    outcome, verdict = item.outcome, item.verdict
    policy = item.policy.as_details()
    details: Row = {
        "decisionId": str(item.id),
        "messageId": str(item.inbound_message_id),
        "intent": verdict.intent.value,
        "effectiveIntent": verdict.effective_intent.value,
        "followUp": verdict.follow_up,
        "provider": verdict.provider,
        "outcome": outcome.outcome,
        "workflowOutcome": verdict.workflow_outcome.value,
        "confidence": round(verdict.confidence, 3),
        "riskLevel": verdict.risk_level.value,
        "selectedSlotIndex": verdict.selected_slot_index,
        "decision": {
            "eligible": outcome.outcome in ("send", "draft"),
            "reason": outcome.reason,
            "outcome": outcome.outcome,
            "reasons": list(outcome.reasons),
        },
        "escalationReasonCode": outcome.escalation_reason_code,
        "slotConfirmationState": slot_confirmation_state(item),
        "slotSource": item.slot_source,
        "platformPolicy": policy,
        "guardrails": list(verdict.guardrails),
        "evidence": [evidence.as_details() for evidence in verdict.evidence],
    }

    def entry(action: str, extra: Row) -> AuditEntry:
        agent = _text(item.conversation.assigned_agent_id)
        return AuditEntry(
            actor_type="worker",
            actor_id=agent,
            entity_type="message",
            entity_id=str(item.inbound_message_id),
            action=action,
            details=extra,
            platform=platform.value,
            platform_account_id=item.conversation.platform_account_id,
            conversation_id=item.conversation.id,
            agent_id=agent,
            run_id=run_id,
        )

    if outcome.outcome == "blocked":
        gate = "policy" if outcome.reason == "policy_platform_inactive" else "test_allowlist"
        blocked = {
            "reason": outcome.reason,
            "platformPolicy": policy,
            "messageId": str(item.inbound_message_id),
        }
        return [entry(f"ai_reply_{gate}_blocked", blocked)]
    entries = [entry("ai_reply_decision", details)]
    if outcome.outcome == "escalate":
        entries.append(entry("ai_reply_escalated", details))
    if outcome.human_action_required:
        queued = {
            "reason": outcome.reason,
            "workflowOutcome": verdict.workflow_outcome.value,
            "confidence": round(verdict.confidence, 3),
            "riskLevel": verdict.risk_level.value,
            "queue": "agent_action",
        }
        entries.append(entry("ai_reply_human_required_queued", queued))
    if outcome.outcome == "draft":
        draft = {**details, "reviewStatus": "draft", "dispatchKey": item.dispatch_key, "delivery": None}
        entries += [entry("ai_reply_draft_created", draft), entry("ai_reply_created", details)]
    elif outcome.outcome in ("escalate", "skip"):
        entries.append(entry("ai_reply_skipped", details))
    return entries


def _draft_id(item: PlannedDecision) -> Any:
    return uuid5(item.id, "draft")


def _instant(value: datetime) -> str:
    return value.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _text(value: object | None) -> str | None:
    return None if value is None else str(value)
