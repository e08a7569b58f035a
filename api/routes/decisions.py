"""Why this reply? Decisions with their evidence and all their reasons."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Final
from uuid import UUID

from fastapi import Query

from api.answers import Answer, Instant
from api.auth.access import ScopedIdentity
from api.edge.json_route import json_router
from api.errors import not_found, validation_error
from api.inputs import PathId, one_of, query_id
from api.paging import PageQuery, encode
from api.services import ServicesDep
from leasebot_pipeline.domain.platforms import Platform
from leasebot_pipeline.storage import decision_log

router = json_router("/api/decisions", "decisions")

OUTCOMES: Final = ("send", "draft", "skip", "escalate", "blocked")


class DecisionAnswer(Answer):
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
    decided_at: Instant
    dispatch_id: UUID | None
    dispatch_state: str | None


class DecisionsAnswer(Answer):
    items: list[DecisionAnswer]
    next_cursor: str | None


@router.get("", operation_id="listDecisions", summary="Decisions, newest first")
async def list_decisions(
    scope: ScopedIdentity,
    page: PageQuery,
    services: ServicesDep,
    conversation_id: Annotated[UUID | None, query_id("conversationId")],
    platform: Annotated[str | None, Query()] = None,
    outcome: Annotated[str | None, Query(description=", ".join(OUTCOMES))] = None,
    reason: Annotated[
        str | None, Query(description="a reason code, e.g. escalate_no_slot_candidates")
    ] = None,
) -> DecisionsAnswer:
    """An agent sees those of its conversations."""
    after = page.key(datetime, UUID)
    if reason and "\x00" in reason:
        raise validation_error(["reason: must not contain a NUL character"])
    found = await services.database.read(
        decision_log.decisions,
        page.limit,
        after,
        agent_id=scope.agent_id,
        conversation_id=conversation_id,
        platform=one_of("platform", platform, [p.value for p in Platform]),
        outcome=one_of("outcome", outcome, OUTCOMES),
        reason=reason or None,
    )
    last = found[-1] if len(found) == page.limit else None
    return DecisionsAnswer(
        items=[DecisionAnswer.model_validate(decision) for decision in found],
        next_cursor=encode((last.decided_at.isoformat(), str(last.id))) if last else None,
    )


@router.get("/{id}", operation_id="getDecision", summary="One decision")
async def get_decision(scope: ScopedIdentity, decision_id: PathId, services: ServicesDep) -> DecisionAnswer:
    found = await services.database.read(decision_log.find_decision, decision_id, scope.agent_id)
    if found is None:
        raise not_found()
    return DecisionAnswer.model_validate(found)
