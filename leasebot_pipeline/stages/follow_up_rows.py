"""How a step looks in each table, in the audit log and to the quality gate."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid5

from leasebot_pipeline.domain.platforms import Platform
from leasebot_pipeline.storage.audit import AuditEntry
from leasebot_pipeline.storage.follow_up_plans import PlannedStep

if TYPE_CHECKING:
    from leasebot_pipeline.stages.follow_up import DueStep

Row = dict[str, Any]

_STATES = {"queued": "queued", "drafted": "draft", "held": "held"}


def check_row(step: DueStep) -> Row:
    """What the quality gate judges a text by."""
    assert step.text is not None
    return {
        "follow_up_id": str(step.row.id),
        "conversation_id": str(step.row.conversation_id),
        "dispatch_key": step.dispatch_key,
        "stage": step.row.stage,
        "state": _STATES[step.what],
        "body": step.text.body,
        "guardrails": list(step.text.broken),
        "is_active": step.policy.is_active,
        "effective_send_mode": step.policy.effective_send_mode.value,
        "release_stage": step.policy.release_stage.value,
        "opted_out": step.row.opted_out,
        "obstacle": step.row.obstacle,
    }


def dispatch_row(step: DueStep, platform: Platform, run_id: str | None) -> Row:
    """The outbox row of a text: queued to be sent, a draft for a person, or held because of what it says."""
    assert step.text is not None
    row, queued = step.row, step.what == "queued"
    return {
        "id": str(_dispatch_id(row.id)),
        "purpose": step.purpose,
        "purpose_key": step.dispatch_key,
        "conversation_id": str(row.conversation_id),
        "platform_account_id": str(row.platform_account_id),
        "platform": platform.value,
        "external_thread_id": row.external_thread_id,
        "message_id": None if queued else str(_draft_id(row.id)),
        "body": step.text.body,
        "state": _STATES[step.what],
        "error_code": step.text.broken[0] if step.text.broken else None,
        "not_after": step.not_after,
        "run_id": run_id,
    }


def draft_row(step: DueStep, now: datetime) -> Row:
    """The outbound ``"Messages"`` row of a draft; a text that is sent gets its row with the receipt."""
    assert step.text is not None
    return {
        "id": str(_draft_id(step.row.id)),
        "conversation_id": str(step.row.conversation_id),
        "sender_agent_id": _text(step.row.owner_agent_id),
        "external_message_id": step.dispatch_key,
        "body": step.text.body,
        "metadata": {
            "reviewStatus": "hold" if step.what == "held" else "draft",
            "templateId": _text(step.text.template_id),
            "intent": None,
            "effectiveIntent": None,
            "followUp": step.purpose == "follow_up",
            "followUpStage": step.row.stage,
            "workerGeneratedAt": now.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "guardrails": list(step.text.broken),
            "escalationReasonCode": f"escalate_{step.text.broken[0]}" if step.text.broken else None,
            "platformPolicy": step.policy.as_details(),
            "selectedSlotIndex": None,
            "slotCandidates": [],
            "slotConfirmationState": None,
            "dispatchKey": step.dispatch_key,
            "delivery": None,
        },
    }


def handed_row(step: DueStep) -> Row:
    """The step after it did what it does: a text is on its way, ``no_reply`` is final, a prompt waits for its answer."""
    return {
        "id": str(step.row.id),
        "dispatch_id": str(_dispatch_id(step.row.id)) if step.text is not None else None,
        "done": step.what == "no_reply",
    }


def planned_entry(
    step: PlannedStep, account: UUID, after: UUID | None, *, platform: Platform, run_id: str | None
) -> AuditEntry:
    """A step that was planned, after the reply with that outbox id if it follows one."""
    agent = _text(step.owner_agent_id)
    return AuditEntry(
        actor_type="worker",
        actor_id=agent,
        entity_type="conversation",
        entity_id=str(step.conversation_id),
        action="follow_up_planned",
        details={
            "followUpId": str(step.id),
            "stage": step.stage,
            "dueAt": step.due_at.isoformat(),
            "plannedBy": step.planned_by,
            "afterDispatchId": _text(after),
        },
        platform=platform.value,
        platform_account_id=account,
        conversation_id=step.conversation_id,
        agent_id=agent,
        run_id=run_id,
    )


def done_entry(step: DueStep, platform: Platform, run_id: str | None) -> AuditEntry | None:
    """A step that did something; one that was called off or moved has its own audit, or needs none."""
    actions = {
        "queued": "created",
        "drafted": "created",
        "held": "held",
    }
    row = step.row
    details: Row = {"followUpId": str(row.id), "stage": row.stage, "dueAt": row.due_at.isoformat()}
    if row.appointment_id is not None:
        details["appointmentId"] = str(row.appointment_id)
    if step.what == "prompted":
        action = "showing_outcome_prompted"
        details["endedAt"] = row.showing_ends_at.isoformat() if row.showing_ends_at else None
    elif step.what == "no_reply":
        action = "follow_up_no_reply"
    elif step.text is not None:
        subject = "follow_up" if step.purpose == "follow_up" else "showing_reminder"
        action = f"{subject}_{actions[step.what]}"
        details |= {
            "dispatchKey": step.dispatch_key,
            "reviewStatus": {"queued": "queued", "drafted": "draft", "held": "hold"}[step.what],
            "templateId": _text(step.text.template_id),
            "guardrails": list(step.text.broken),
            "platformPolicy": step.policy.as_details(),
        }
    else:
        return None
    agent = _text(row.owner_agent_id)
    return AuditEntry(
        actor_type="worker",
        actor_id=agent,
        entity_type="conversation" if row.appointment_id is None else "showing_appointment",
        entity_id=str(row.conversation_id if row.appointment_id is None else row.appointment_id),
        action=action,
        details=details,
        platform=platform.value,
        platform_account_id=row.platform_account_id,
        conversation_id=row.conversation_id,
        agent_id=agent,
        run_id=run_id,
    )


def _dispatch_id(step: UUID) -> UUID:
    return uuid5(step, "dispatch")


def _draft_id(step: UUID) -> UUID:
    return uuid5(step, "draft")


def _text(value: object | None) -> str | None:
    return None if value is None else str(value)
