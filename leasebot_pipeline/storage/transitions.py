"""The one way a conversation's workflow changes: decisions, follow-ups, bookings and the API all call it.

Set-based: a batch locks its conversations in id order and takes a bounded number of statements. Each applied
change writes one audit row ``workflow_state_transitioned``; a refused one is a typed result, never an error.
A change of the showing state takes the conversation's current appointment along (G-27).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal
from uuid import UUID

from sqlalchemy import Connection, text

from leasebot_pipeline.domain.decisions import WorkflowOutcome
from leasebot_pipeline.domain.follow_up_states import FollowUpStage, FollowUpStatus
from leasebot_pipeline.domain.follow_ups import StopReason
from leasebot_pipeline.domain.showings import ShowingState, showing_transition_allowed
from leasebot_pipeline.domain.workflow import ConversationState, WorkflowState
from leasebot_pipeline.domain.workflow_changes import (
    KEEP,
    ChangeRefusal,
    WorkflowColumns,
    WorkflowPatch,
    plan_change,
)
from leasebot_pipeline.storage import appointments, follow_up_stops
from leasebot_pipeline.storage.audit import AuditEntry, record

RefusedBecause = Literal["not_found", "invalid_transition", "validation_error", "no_change", "stale"]


@dataclass(frozen=True, slots=True)
class Actor:
    """Who acts, as the audit log names them: ``worker`` with an agent's id, ``admin``, ``agent``, ``system``."""

    actor_type: str = "worker"
    actor_id: str | None = None


@dataclass(frozen=True, slots=True)
class TransitionRequest:
    """One change of one conversation. ``source`` and ``trigger`` go into the audit row.

    ``expected``: refuse as ``stale`` when the row no longer looks so. ``reopen``: the conversation may pass
    through ``outcome`` and ``lead`` (a newer inbound message, a booking); without it the tables hold as they
    are.
    """

    conversation_id: UUID
    patch: WorkflowPatch
    source: str
    trigger: str
    actor: Actor = field(default_factory=Actor)
    message_id: UUID | None = None
    run_id: str | None = None
    expected: ConversationState | None = None
    reopen: bool = False
    new_appointment_id: UUID | None = None
    """Only set by bookings: the appointment that begins a new showing."""


@dataclass(frozen=True, slots=True)
class TransitionResult:
    """What came of one request. ``kind``, ``current`` and ``target`` name the step of an invalid transition."""

    conversation_id: UUID
    applied: bool
    reason: RefusedBecause | None = None
    message: str | None = None
    kind: str | None = None
    current: str | None = None
    target: str | None = None
    previous: WorkflowColumns | None = None
    next: WorkflowColumns | None = None


@dataclass(frozen=True, slots=True)
class LockedConversation:
    """A conversation under its row lock, with what its audit rows need."""

    id: UUID
    platform_account_id: UUID
    platform: str
    unit_id: UUID | None
    assigned_agent_id: UUID | None
    columns: WorkflowColumns


_LOCK = text("""
    SELECT c.id, c.platform_account_id, a.platform, l.unit_id, c.assigned_agent_id, c.workflow_state, c.workflow_outcome,
           c.showing_state, c.follow_up_stage, c.follow_up_due_at, c.follow_up_owner_agent_id, c.follow_up_status
      FROM "Conversations" c
      JOIN "PlatformAccounts" a ON a.id = c.platform_account_id
      LEFT JOIN "Listings" l ON l.id = c.listing_id
     WHERE c.id = ANY(:ids)
     ORDER BY c.id
     FOR UPDATE OF c
""")


def lock_conversations(conn: Connection, ids: Iterable[UUID]) -> dict[UUID, LockedConversation]:
    """Lock conversations in id order and read their workflow; unknown ids are left out."""
    wanted = sorted(set(ids))
    if not wanted:
        return {}
    return {
        row.id: LockedConversation(
            row.id,
            row.platform_account_id,
            row.platform,
            row.unit_id,
            row.assigned_agent_id,
            WorkflowColumns(
                WorkflowState(row.workflow_state),
                WorkflowOutcome(row.workflow_outcome) if row.workflow_outcome else None,
                ShowingState(row.showing_state) if row.showing_state else None,
                FollowUpStage(row.follow_up_stage) if row.follow_up_stage else None,
                row.follow_up_due_at,
                row.follow_up_owner_agent_id,
                FollowUpStatus(row.follow_up_status),
            ),
        )
        for row in conn.execute(_LOCK, {"ids": wanted})
    }


def transition(
    conn: Connection, requests: Sequence[TransitionRequest], now: datetime
) -> list[TransitionResult]:
    """Apply the changes in the caller's transaction; one result per request, in their order.

    Two requests for one conversation are applied one after the other.
    """
    if not requests:
        return []
    return apply(conn, requests, lock_conversations(conn, (r.conversation_id for r in requests)), now)


def apply(
    conn: Connection,
    requests: Sequence[TransitionRequest],
    locked: Mapping[UUID, LockedConversation],
    now: datetime,
) -> list[TransitionResult]:
    """``transition`` on conversations that are locked already; ``locked`` is how they were before all changes."""
    columns = {identity: conversation.columns for identity, conversation in locked.items()}
    results: dict[int, TransitionResult] = {}
    for turn in _turns(requests):
        steps: list[list[dict[str, object]]] = []
        applied: list[tuple[TransitionRequest, TransitionResult]] = []
        showings = _showings(conn, [requests[n] for n in turn])
        for n in turn:
            request = requests[n]
            planned = _plan(request, columns.get(request.conversation_id), showings)
            if isinstance(planned, TransitionResult):
                results[n] = planned
                continue
            for level, step in enumerate(planned):
                if level == len(steps):
                    steps.append([])
                steps[level].append(_row(request.conversation_id, step))
            results[n] = TransitionResult(
                request.conversation_id,
                True,
                previous=columns[request.conversation_id],
                next=planned[-1],
            )
            columns[request.conversation_id] = planned[-1]
            applied.append((request, results[n]))
        synced = _follow_with_appointments(conn, applied, locked, now)
        for rows in steps:
            conn.execute(_WRITE, {"rows": appointments.dumps(rows), "now": now})
        record(conn, [_audit(q, r, locked[q.conversation_id]) for q, r in applied] + synced)
        _end_silences(conn, applied, now)
    return [results[n] for n in range(len(requests))]


def _end_silences(
    conn: Connection, applied: Sequence[tuple[TransitionRequest, TransitionResult]], now: datetime
) -> None:
    """A conversation that came to an outcome or a showing is followed up no more; the sequence ends its own."""
    ended: dict[tuple[StopReason, str | None, str], list[UUID]] = {}
    for request, result in applied:
        assert result.next is not None
        state = result.next.workflow_state
        if request.source != "follow_up" and state in (WorkflowState.SHOWING, WorkflowState.OUTCOME):
            booked = state is WorkflowState.SHOWING
            reason = StopReason.SHOWING_BOOKED if booked else StopReason.OUTCOME_REACHED
            key = (reason, request.run_id, request.actor.actor_type)
            ended.setdefault(key, []).append(request.conversation_id)
    for (reason, run_id, actor_type), conversations in ended.items():
        follow_up_stops.stop(conn, conversations, reason, now, run_id=run_id, actor_type=actor_type)


def _turns(requests: Sequence[TransitionRequest]) -> list[list[int]]:
    """Positions of the requests, each conversation once a turn: one turn unless one is asked for twice."""
    turns: list[list[int]] = []
    seen: dict[UUID, int] = {}
    for n, request in enumerate(requests):
        turn = seen.get(request.conversation_id, 0)
        seen[request.conversation_id] = turn + 1
        if turn == len(turns):
            turns.append([])
        turns[turn].append(n)
    return turns


def _showings(conn: Connection, requests: Sequence[TransitionRequest]) -> dict[UUID, ShowingState]:
    """Status of the current appointment of each conversation whose showing state is to change."""
    asked = [r.conversation_id for r in requests if r.patch.showing_state not in (KEEP, None)]
    return {identity: one.status for identity, one in appointments.current(conn, asked).items()}


def _plan(
    request: TransitionRequest, before: WorkflowColumns | None, showings: Mapping[UUID, ShowingState]
) -> tuple[WorkflowColumns, ...] | TransitionResult:
    identity = request.conversation_id
    if before is None:
        return TransitionResult(identity, False, "not_found", "there is no such conversation")
    seen = ConversationState(before.workflow_state, before.workflow_outcome, before.showing_state)
    if request.expected is not None and request.expected != seen:
        message = "the conversation changed since it was read"
        return TransitionResult(identity, False, "stale", message, previous=before)
    planned = plan_change(
        before, request.patch, reopen=request.reopen, new_showing=request.new_appointment_id is not None
    )
    if not isinstance(planned, ChangeRefusal):
        # An appointment of the earlier system may say something else than its conversation.
        planned = _appointment_refusal(showings.get(identity), planned[-1].showing_state) or planned
    if isinstance(planned, ChangeRefusal):
        return TransitionResult(
            identity,
            False,
            planned.reason,
            planned.message,
            planned.kind,
            planned.current,
            planned.target,
            previous=before,
        )
    return planned


def _appointment_refusal(current: ShowingState | None, target: ShowingState | None) -> ChangeRefusal | None:
    if current is None or showing_transition_allowed(current, target):
        return None
    message = f"appointment transition from {current} to {target} is not allowed"
    return ChangeRefusal("invalid_transition", message, "showing_state", current, target)


_WRITE = text("""
    UPDATE "Conversations" c
       SET workflow_state = r.workflow_state, workflow_outcome = r.workflow_outcome, showing_state = r.showing_state,
           follow_up_stage = r.follow_up_stage, follow_up_due_at = r.follow_up_due_at,
           follow_up_owner_agent_id = r.follow_up_owner_agent_id, follow_up_status = r.follow_up_status,
           workflow_updated_at = :now, updated_at = :now
      FROM jsonb_to_recordset(CAST(:rows AS jsonb)) AS r(
             id uuid, workflow_state text, workflow_outcome text, showing_state text, follow_up_stage text,
             follow_up_due_at timestamptz, follow_up_owner_agent_id uuid, follow_up_status text)
     WHERE c.id = r.id
""")


def _row(conversation_id: UUID, columns: WorkflowColumns) -> dict[str, object]:
    return {
        "id": conversation_id,
        "workflow_state": columns.workflow_state,
        "workflow_outcome": columns.workflow_outcome,
        "showing_state": columns.showing_state,
        "follow_up_stage": columns.follow_up_stage,
        "follow_up_due_at": columns.follow_up_due_at,
        "follow_up_owner_agent_id": columns.follow_up_owner_agent_id,
        "follow_up_status": columns.follow_up_status,
    }


def _follow_with_appointments(
    conn: Connection,
    applied: Sequence[tuple[TransitionRequest, TransitionResult]],
    locked: Mapping[UUID, LockedConversation],
    now: datetime,
) -> list[AuditEntry]:
    """Take each conversation's current appointment to the showing state it was given; the audit rows of that."""
    wanted: dict[UUID, ShowingState] = {}
    asked: dict[UUID, tuple[TransitionRequest, TransitionResult]] = {}
    for request, result in applied:
        assert result.previous is not None
        assert result.next is not None
        showing = result.next.showing_state
        if showing is not None and showing is not result.previous.showing_state:
            wanted[request.conversation_id] = showing
            asked[request.conversation_id] = (request, result)
    return [
        _synced(*asked[change.conversation_id], change, locked[change.conversation_id])
        for change in appointments.set_current_status(conn, wanted, now)
    ]


def _audit(
    request: TransitionRequest, result: TransitionResult, conversation: LockedConversation
) -> AuditEntry:
    assert result.previous is not None
    assert result.next is not None
    details: dict[str, object] = {
        "source": request.source,
        "trigger": request.trigger,
        "messageId": _text(request.message_id),
        "previous": columns_json(result.previous),
        "next": columns_json(result.next),
    }
    if request.new_appointment_id is not None:
        details["newAppointmentId"] = str(request.new_appointment_id)
    return _entry(
        request, conversation, "conversation", str(conversation.id), "workflow_state_transitioned", details
    )


def _synced(
    request: TransitionRequest,
    result: TransitionResult,
    change: appointments.StatusChanged,
    conversation: LockedConversation,
) -> AuditEntry:
    details: dict[str, object] = {
        "workflowOutcome": result.next.workflow_outcome if result.next else None,
        "previousStatus": change.previous,
        "nextStatus": change.next,
        "source": request.source,
        "messageId": _text(request.message_id),
        "autoCreated": False,
    }
    return _entry(
        request,
        conversation,
        "showing_appointment",
        str(change.appointment_id),
        "showing_workflow_outcome_synced",
        details,
    )


def _entry(
    request: TransitionRequest,
    conversation: LockedConversation,
    entity: str,
    entity_id: str,
    action: str,
    details: dict[str, object],
) -> AuditEntry:
    agent = _text(conversation.assigned_agent_id)
    actor_id = request.actor.actor_id
    return AuditEntry(
        actor_type=request.actor.actor_type,
        actor_id=agent if actor_id is None and request.actor.actor_type == "worker" else actor_id,
        entity_type=entity,
        entity_id=entity_id,
        action=action,
        details=details,
        platform=conversation.platform,
        platform_account_id=conversation.platform_account_id,
        conversation_id=conversation.id,
        agent_id=agent,
        run_id=request.run_id,
    )


def columns_json(columns: WorkflowColumns) -> dict[str, object]:
    """The seven fields as the audit log and the API name them."""
    due = columns.follow_up_due_at
    return {
        "workflowState": columns.workflow_state,
        "workflowOutcome": columns.workflow_outcome,
        "showingState": columns.showing_state,
        "followUpStage": columns.follow_up_stage,
        "followUpDueAt": due.isoformat() if due else None,
        "followUpOwnerAgentId": _text(columns.follow_up_owner_agent_id),
        "followUpStatus": columns.follow_up_status,
    }


def _text(value: object | None) -> str | None:
    return None if value is None else str(value)
