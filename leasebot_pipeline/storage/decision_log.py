"""Decisions as people read them: why was this answered so?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, text


@dataclass(frozen=True, slots=True)
class LoggedDecision:
    """One decision with all its reasons, and what became of its reply."""

    id: UUID
    conversation_id: UUID
    platform_account_id: UUID
    platform: str
    inbound_message_id: UUID
    provider: str
    model: str | None
    rules_version: str
    intent: str
    effective_intent: str
    follow_up: bool
    workflow_outcome: str | None
    confidence: float
    risk_level: str
    outcome: str
    reason: str
    reasons: list[str]
    escalation_reason_code: str | None
    guardrails: list[str]
    slots: list[dict[str, Any]]
    slot_source: str | None
    selected_slot_index: int | None
    policy: dict[str, Any]
    evidence: dict[str, Any]
    provider_details: dict[str, Any]
    template_id: UUID | None
    reply_body: str | None
    run_id: str | None
    decided_at: datetime
    dispatch_id: UUID | None
    dispatch_state: str | None


_OWN = (
    "d.confidence::float8" if field.name == "confidence" else f"d.{field.name}"
    for field in fields(LoggedDecision)
    if not field.name.startswith("dispatch_")
)
_COLUMNS = f"{', '.join(_OWN)}, o.id AS dispatch_id, o.state AS dispatch_state"
_FROM = """"Decisions" d
  JOIN "Conversations" c ON c.id = d.conversation_id
  LEFT JOIN LATERAL (SELECT x.id, x.state FROM "OutboundDispatches" x
                      WHERE x.conversation_id = d.conversation_id AND x.decision_id = d.id
                      ORDER BY x.created_at DESC LIMIT 1) o ON true"""
_SEEN_BY = """(CAST(:agent AS uuid) IS NULL OR c.assigned_agent_id = :agent OR c.follow_up_owner_agent_id = :agent)"""
_FIND = text(f"SELECT {_COLUMNS} FROM {_FROM} WHERE d.id = :id AND {_SEEN_BY}")


def find_decision(conn: Connection, decision_id: UUID, agent_id: UUID | None) -> LoggedDecision | None:
    """The decision, if the agent (when one is given) has to do with its conversation."""
    row = conn.execute(_FIND, {"id": decision_id, "agent": agent_id}).one_or_none()
    return None if row is None else LoggedDecision(*row)


def decisions(
    conn: Connection,
    limit: int,
    after: Sequence[object] | None = None,
    *,
    agent_id: UUID | None = None,
    conversation_id: UUID | None = None,
    platform: str | None = None,
    outcome: str | None = None,
    reason: str | None = None,
) -> list[LoggedDecision]:
    """Newest first, those after the key (decided_at as ISO text, id)."""
    given = {"conversation_id": conversation_id, "platform": platform, "outcome": outcome, "reason": reason}
    parameters: dict[str, object] = {name: value for name, value in given.items() if value is not None}
    conditions = [f"d.{name} = :{name}" for name in parameters] + [_SEEN_BY]
    if after is not None:
        conditions.append("(d.decided_at, d.id) < (CAST(:after_at AS timestamptz), CAST(:after_id AS uuid))")
        parameters["after_at"], parameters["after_id"] = after
    statement = text(
        f"SELECT {_COLUMNS} FROM {_FROM} WHERE {' AND '.join(conditions)}"
        " ORDER BY d.decided_at DESC, d.id DESC LIMIT :limit"
    )
    rows = conn.execute(statement, {**parameters, "limit": limit, "agent": agent_id})
    return [LoggedDecision(*row) for row in rows]
