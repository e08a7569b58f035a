"""What an operator does to replies: list, retry, discard, cancel, hold, mark sent. Typed results, audited."""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import Connection, Row, text

from leasebot_pipeline.domain.dispatching import OPERATOR_RULES, DispatchState, OperatorAction
from leasebot_pipeline.domain.platforms import Platform
from leasebot_pipeline.domain.readings import DeliveryReceipt
from leasebot_pipeline.storage import audit
from leasebot_pipeline.storage.outbox_receipts import receipt_json, write_message
from leasebot_pipeline.storage.outbox_sweeps import show_to_people
from leasebot_pipeline.storage.policies import CURRENT_STAGE, IN_SHADOW, Kept

MARKED: Final = "marked_sent"
"""``providerStatus`` of a receipt that is a person's word instead of a reading of the thread."""

AUDITED: Final = {
    OperatorAction.RETRY: "platform_dispatch_retried",
    OperatorAction.DISCARD: "platform_dispatch_discarded",
    OperatorAction.CANCEL: "platform_dispatch_cancelled",
    OperatorAction.HOLD: "platform_dispatch_held",
    OperatorAction.MARK_SENT: "platform_dispatch_marked_sent",
}


@dataclass(frozen=True, slots=True)
class Actor:
    """Who acts: ``type`` as in the audit log (admin, agent, user, system)."""

    type: str
    id: str


@dataclass(frozen=True, slots=True)
class OutboxItem:
    """A reply as operators see it."""

    id: UUID
    state: DispatchState
    purpose: str
    platform: str
    platform_account_id: UUID
    account_name: str
    conversation_id: UUID
    external_thread_id: str
    lead_name: str | None
    body: str
    attempts: int
    max_attempts: int
    next_attempt_at: datetime | None
    sending_at: datetime | None
    sent_at: datetime | None
    error_class: str | None
    error_code: str | None
    last_error: str | None
    created_at: datetime
    updated_at: datetime


_LIST = text("""
    SELECT d.id, d.state, d.purpose, d.platform, d.platform_account_id, a.account_name, d.conversation_id,
           d.external_thread_id, c.lead_name, d.body, d.attempts, d.max_attempts, d.next_attempt_at, d.sending_at,
           d.sent_at, d.error_class, d.error_code, d.last_error, d.created_at, d.updated_at
      FROM unnest(CAST(:states AS text[])) AS s(state)
     CROSS JOIN LATERAL (
           SELECT * FROM "OutboundDispatches" o
            WHERE o.state = s.state AND o.state NOT IN ('sent', 'cancelled')
              AND (CAST(:platform AS text) IS NULL OR o.platform = :platform)
              AND (CAST(:code AS text) IS NULL OR o.error_code = :code)
            ORDER BY o.updated_at DESC LIMIT :limit) d
      JOIN "PlatformAccounts" a ON a.id = d.platform_account_id
      JOIN "Conversations" c ON c.id = d.conversation_id
     ORDER BY d.updated_at DESC, d.id
     LIMIT :limit
""")
OPEN_STATES: Final = tuple(
    state for state in DispatchState if state not in (DispatchState.SENT, DispatchState.CANCELLED)
)


def list_replies(
    conn: Connection,
    *,
    states: Sequence[DispatchState] = OPEN_STATES,
    platform: Platform | None = None,
    code: str | None = None,
    limit: int = 100,
) -> list[OutboxItem]:
    """Open replies in the given states, last touched first; ``code`` narrows to one error code."""
    parameters = {
        "states": [state.value for state in states],
        "platform": platform.value if platform else None,
        "code": code,
        "limit": limit,
    }
    return [
        OutboxItem(**{**row._mapping, "state": DispatchState(row.state)})
        for row in conn.execute(_LIST, parameters)
    ]


_COUNTS = text("""
    SELECT state, count(*) AS total FROM "OutboundDispatches" WHERE state NOT IN ('sent', 'cancelled') GROUP BY state
""")


def open_counts(conn: Connection) -> dict[DispatchState, int]:
    """How many replies are in each open state."""
    return {DispatchState(row.state): row.total for row in conn.execute(_COUNTS)}


@dataclass(frozen=True, slots=True)
class OperatorResult:
    """What became of one reply. ``refused`` says why nothing did: ``not_found`` or ``invalid_transition``.

    ``kept`` says why one that would be queued again is not: nothing can be sent now.
    """

    id: UUID
    before: DispatchState | None
    after: DispatchState | None
    refused: str | None = None
    kept: Kept | None = None


_LOCK = text(f"""
    SELECT d.id, d.state, d.purpose, d.purpose_key, d.platform, d.platform_account_id, d.conversation_id, d.message_id,
           d.error_code, c.assigned_agent_id, COALESCE(s.stage, 'shadow') = 'shadow' AS in_shadow,
           (SELECT x.inbound_message_id FROM "Decisions" x WHERE x.id = d.decision_id) AS inbound_message_id
      FROM "OutboundDispatches" d JOIN "Conversations" c ON c.id = d.conversation_id
      {CURRENT_STAGE}
     WHERE d.id = ANY(:ids) AND (CAST(:conversation AS uuid) IS NULL OR d.conversation_id = :conversation)
     ORDER BY d.id FOR UPDATE OF d
""")
# A retried reply starts anew: its attempts, and its time in the queue. The fence grows with every move of
# an operator, so that a worker which still holds an old claim of it changes nothing any more.
_MOVE = text("""
    UPDATE "OutboundDispatches"
       SET state = :state, fence = fence + 1, claimed_by = NULL, lease_expires_at = NULL, attempt_deadline_at = NULL,
           attempts = CASE WHEN :retry THEN 0 ELSE attempts END,
           absences = CASE WHEN :retry THEN 0 ELSE absences END,
           lost_claims = CASE WHEN :retry THEN 0 ELSE lost_claims END,
           queued_at = CASE WHEN :retry THEN CAST(:now AS timestamptz) ELSE queued_at END,
           next_attempt_at = CASE WHEN :retry THEN CAST(:now AS timestamptz) END,
           error_code = CASE WHEN :retry THEN NULL ELSE :code END,
           error_class = CASE WHEN :retry THEN NULL ELSE error_class END,
           last_error = CASE WHEN :retry THEN NULL ELSE :reason END, updated_at = :now
     WHERE id = ANY(:ids)
""")
_MARK_SENT = text("""
    UPDATE "OutboundDispatches"
       SET state = 'sent', fence = fence + 1, sent_at = :now, receipt = CAST(:receipt AS jsonb),
           external_message_id = :external_id, next_attempt_at = NULL, claimed_by = NULL, lease_expires_at = NULL,
           attempt_deadline_at = NULL, error_class = NULL, error_code = NULL, last_error = NULL, updated_at = :now
     WHERE id = :id
""")
_DISCARDED_ROWS = text("""
    UPDATE "Messages" m SET metadata = m.metadata || '{"reviewStatus": "hold", "discarded": true}'::jsonb
      FROM "OutboundDispatches" d WHERE d.id = ANY(:ids) AND m.id = d.message_id
""")
_CODES: Final = {
    OperatorAction.DISCARD: "discarded",
    OperatorAction.CANCEL: "cancelled_by_operator",
    OperatorAction.HOLD: "held_by_operator",
}


def operate(
    conn: Connection,
    action: OperatorAction,
    ids: Sequence[UUID],
    *,
    actor: Actor,
    reason: str | None,
    now: datetime,
    external_message_id: str | None = None,
    conversation_id: UUID | None = None,
    among: Collection[DispatchState] = OPEN_STATES,
) -> list[OperatorResult]:
    """Do the action to each reply, in the caller's transaction; one result per id, in the given order.

    A reply the action does not fit is left as it is and named in its result, and so is one to be retried in shadow: the
    next sweep would take it out of the queue again. ``external_message_id`` is
    what the platform calls the message a person found (mark-sent); without it our own key stands in. Only replies of the
    conversation, if one is given, and in the states ``among``.
    """
    rule = OPERATOR_RULES[action]
    found = {row.id: row for row in conn.execute(_LOCK, {"ids": list(ids), "conversation": conversation_id})}
    sources = rule.sources.intersection(among)
    fitting = [row for row in found.values() if DispatchState(row.state) in sources]
    kept = {row.id for row in fitting if action is OperatorAction.RETRY and row.in_shadow}
    moving = [row for row in fitting if row.id not in kept]
    if action is OperatorAction.MARK_SENT:
        for row in moving:
            _mark_sent(conn, row, external_message_id, actor, now)
    elif moving:
        _move(conn, action, [row.id for row in moving], reason, now)
    audit.record(
        conn, [_entry(row, action, actor, reason, None if row.id in kept else rule.target) for row in fitting]
    )
    done = {row.id for row in moving}
    return [_result(one, found.get(one), one in done, one in kept, rule.target) for one in dict.fromkeys(ids)]


def _move(
    conn: Connection, action: OperatorAction, ids: list[UUID], reason: str | None, now: datetime
) -> None:
    target = OPERATOR_RULES[action].target
    conn.execute(
        _MOVE,
        {
            "ids": ids,
            "state": target.value,
            "retry": action is OperatorAction.RETRY,
            "code": _CODES.get(action),
            "reason": reason,
            "now": now,
        },
    )
    if target is DispatchState.HELD:
        show_to_people(conn, ids, now)
    if target is DispatchState.CANCELLED:
        conn.execute(_DISCARDED_ROWS, {"ids": ids})


def _mark_sent(conn: Connection, row: Row[Any], external_id: str | None, actor: Actor, now: datetime) -> None:
    receipt = DeliveryReceipt(external_id or row.purpose_key, "in_app", MARKED, now)
    told = {**json.loads(receipt_json(receipt)), "markedBy": actor.id}
    conn.execute(
        _MARK_SENT,
        {
            "id": row.id,
            "receipt": json.dumps(told),
            "external_id": receipt.external_message_id,
            "now": now,
        },
    )
    write_message(conn, row.id, receipt, now)


def _result(
    identity: UUID, row: Row[Any] | None, done: bool, kept: bool, target: DispatchState
) -> OperatorResult:
    if row is None:
        return OperatorResult(identity, None, None, "not_found")
    before = DispatchState(row.state)
    if kept:
        return OperatorResult(identity, before, before, kept=IN_SHADOW)
    if not done:
        return OperatorResult(identity, before, before, "invalid_transition")
    return OperatorResult(identity, before, target)


def _entry(
    row: Row[Any], action: OperatorAction, actor: Actor, reason: str | None, target: DispatchState | None
) -> audit.AuditEntry:
    """``target`` None: it was kept as it is."""
    return audit.AuditEntry(
        actor_type=actor.type,
        actor_id=actor.id,
        entity_type="message",
        entity_id=str(row.inbound_message_id or row.id),
        action=AUDITED[action],
        details={
            "dispatchId": str(row.id),
            "dispatchKey": row.purpose_key,
            "purpose": row.purpose,
            "previousState": row.state,
            "nextState": target.value if target else row.state,
            "errorCode": row.error_code,
            "reason": reason,
            **({} if target else {"keptBecause": IN_SHADOW}),
        },
        platform=row.platform,
        platform_account_id=row.platform_account_id,
        conversation_id=row.conversation_id,
        agent_id=str(row.assigned_agent_id) if row.assigned_agent_id else None,
    )
