"""Audit rows of bookings: one per answered request, with the earlier system's actions and fields."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Final
from uuid import UUID

from sqlalchemy import Connection, text

from leasebot_pipeline.domain.booking import CONFLICT_REASONS, BookingReason
from leasebot_pipeline.storage.appointments import Booked
from leasebot_pipeline.storage.audit import AuditEntry, record
from leasebot_pipeline.storage.booking_values import BookingRequest, BookingResult
from leasebot_pipeline.storage.transitions import Actor

_CONFLICT_TYPES: Final = {BookingReason.AGENT_BUSY: "agent_time_overlap"}

_PLATFORMS = text('SELECT id, platform FROM "PlatformAccounts" WHERE id = ANY(:ids)')


def platforms(conn: Connection, accounts: Sequence[UUID]) -> dict[UUID, str]:
    """The platform of each account that exists."""
    if not accounts:
        return {}
    return {row.id: row.platform for row in conn.execute(_PLATFORMS, {"ids": list(set(accounts))})}


def record_requests(
    conn: Connection,
    answered: Sequence[tuple[BookingRequest, BookingResult]],
    alternatives: Sequence[int] | None = None,
) -> None:
    """One row per request to book or hold: created, held, replayed or refused.

    ``alternatives``: how many were offered instead, per request, where the caller knows.
    """
    platform = platforms(conn, [request.platform_account_id for request, _ in answered])
    counts = alternatives if alternatives is not None else [None] * len(answered)
    record(
        conn,
        [
            _request_entry(request, result, platform.get(request.platform_account_id), count)
            for (request, result), count in zip(answered, counts, strict=True)
        ],
    )


def _request_entry(
    request: BookingRequest, result: BookingResult, platform: str | None, alternatives: int | None
) -> AuditEntry:
    details: dict[str, object] = {
        "idempotencyKey": request.idempotency_key,
        "platformAccountId": str(request.platform_account_id),
        "conversationId": _text(request.conversation_id),
        "unitId": str(request.unit_id),
        "listingId": _text(request.listing_id),
        "agentId": str(request.agent_id),
        "startsAt": instant(request.starts_at),
        "endsAt": instant(request.ends_at),
        "timezone": request.timezone,
        "requestedStatus": request.status,
        "messageId": _text(request.message_id),
    }
    if result.appointment is not None:
        details["appointmentId"] = str(result.appointment.id)
        details["appointmentStatus"] = result.appointment.status
    if result.outcome == "replay":
        action = "showing_booking_replayed"
        details["idempotentReplay"] = True
    elif result.outcome == "booked":
        action = "showing_booking_created"
        details["idempotentReplay"] = False
        if request.hold_until is not None:
            action = "showing_slot_held"
            details["holdExpiresAt"] = instant(request.hold_until)
    else:
        action = refused_action(result, details)
        details |= {"reason": result.reason, "field": result.field, "rule": result.rule}
        if alternatives is not None:
            details["alternativesCount"] = alternatives
    return AuditEntry(
        actor_type=request.actor.actor_type,
        actor_id=actor_id(request.actor, request.agent_id),
        entity_type="showing_appointment",
        entity_id=str(result.appointment.id) if result.appointment else request.idempotency_key,
        action=action,
        details=details,
        platform=platform,
        platform_account_id=request.platform_account_id if platform else None,
        conversation_id=request.conversation_id,
        agent_id=str(request.agent_id),
        run_id=request.run_id,
    )


def refused_action(result: BookingResult, details: dict[str, object]) -> str:
    """The action of a refusal; adds what it says of its kind to ``details``."""
    reason = result.reason
    if reason is BookingReason.IDEMPOTENCY_CONFLICT:
        return "showing_booking_idempotency_conflict"
    if reason is BookingReason.SLOT_UNAVAILABLE:
        details["rejectionReason"] = "assignment_availability_conflict"
        return "showing_booking_slot_unavailable"
    if reason in CONFLICT_REASONS and reason is not None:
        details["conflictType"] = _CONFLICT_TYPES.get(reason, reason.value)
        return "showing_booking_conflict"
    return "showing_booking_refused"


def change_entry(
    action: str,
    appointment: Booked,
    platform: str | None,
    actor: Actor,
    run_id: str | None,
    **details: object,
) -> AuditEntry:
    """A row on a change of an appointment that exists."""
    return AuditEntry(
        actor_type=actor.actor_type,
        actor_id=actor_id(actor, appointment.agent_id),
        entity_type="showing_appointment",
        entity_id=str(appointment.id),
        action=action,
        details={
            "idempotencyKey": appointment.idempotency_key,
            "unitId": str(appointment.unit_id),
            "startsAt": instant(appointment.starts_at),
            "endsAt": instant(appointment.ends_at),
            "timezone": appointment.timezone,
            **details,
        },
        platform=platform,
        platform_account_id=appointment.platform_account_id,
        conversation_id=appointment.conversation_id,
        agent_id=str(appointment.agent_id),
        run_id=run_id,
    )


def actor_id(actor: Actor, agent: UUID) -> str | None:
    """The worker acts for the agent concerned; everybody else is named."""
    return str(agent) if actor.actor_type == "worker" and actor.actor_id is None else actor.actor_id


def instant(value: datetime) -> str:
    """As the API writes instants; what carries no offset is shown as it came."""
    known = value.astimezone(UTC) if value.tzinfo else value
    return known.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _text(value: object | None) -> str | None:
    return None if value is None else str(value)
