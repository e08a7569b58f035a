"""A conversation's workflow as people change it: state, outcome, showing, follow-up."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from sqlalchemy import Connection

from api.answers import Answer, Instant
from api.auth.access import ScopedIdentity
from api.edge.json_route import json_router
from api.errors import conflict, forbidden_scope, not_found, validation_error
from api.inputs import Id, Input, MomentText, PathId
from api.preconditions import IfMatch, check_match
from api.routes.inbox import in_charge
from api.services import ServicesDep
from leasebot_pipeline.domain.decisions import WorkflowOutcome
from leasebot_pipeline.domain.follow_up_states import FollowUpStage, FollowUpStatus
from leasebot_pipeline.domain.showings import ShowingState
from leasebot_pipeline.domain.workflow import WorkflowState
from leasebot_pipeline.domain.workflow_changes import WorkflowPatch
from leasebot_pipeline.storage import inbox
from leasebot_pipeline.storage.transitions import Actor, TransitionRequest, TransitionResult, transition

router = json_router("/api/conversations", "inbox")


class WorkflowBody(Input):
    """A field that is present replaces, also with null; one that is absent keeps."""

    workflow_state: WorkflowState | None = None
    workflow_outcome: WorkflowOutcome | None = None
    showing_state: ShowingState | None = None
    follow_up_stage: FollowUpStage | None = None
    follow_up_due_at: MomentText | None = None
    follow_up_owner_agent_id: Id | None = None
    follow_up_status: FollowUpStatus | None = None

    def patch(self) -> WorkflowPatch:
        """What was given; state and status have no null, so a null one keeps."""
        given: dict[str, Any] = self.given()
        for name in ("workflow_state", "follow_up_status"):
            if given.get(name, ...) is None:
                del given[name]
        return WorkflowPatch(**given)


class WorkflowItem(Answer):
    id: UUID
    assigned_agent_id: UUID | None
    workflow_state: str
    workflow_outcome: str | None
    showing_state: str | None
    follow_up_stage: str | None
    follow_up_due_at: Instant | None
    follow_up_owner_agent_id: UUID | None
    follow_up_status: str
    workflow_updated_at: Instant
    updated_at: Instant


class WorkflowAnswer(Answer):
    item: WorkflowItem


@router.post(
    "/{id}/workflow-state",
    operation_id="changeWorkflow",
    summary="Change a conversation's workflow",
    responses={409: {"description": "invalid_transition; the message names both states"}},
)
async def change_workflow(
    scope: ScopedIdentity,
    conversation_id: PathId,
    body: WorkflowBody,
    services: ServicesDep,
    if_match: IfMatch = None,
) -> WorkflowAnswer:
    """What follows from a change is filled in; the showing's appointment goes along (G-18, G-27)."""

    def work(conn: Connection) -> tuple[TransitionResult, inbox.ConversationRow | None]:
        before = inbox.lock_conversation(conn, conversation_id)
        if before is None:
            raise not_found()
        if not in_charge(before, scope.agent_id):
            raise forbidden_scope("Agents change the conversations they are in charge of.")
        check_match(if_match, before.updated_at)
        request = TransitionRequest(
            conversation_id=conversation_id,
            patch=body.patch(),
            source="operator",
            trigger="api",
            actor=Actor(scope.role, scope.user_id),
        )
        [result] = transition(conn, [request], services.clock())
        return result, inbox.find_conversation(conn, conversation_id)

    result, conversation = await services.database.run(work)
    if result.reason == "invalid_transition":
        raise conflict("invalid_transition", result.message or "This step is not allowed.")
    if result.reason == "validation_error":
        raise validation_error([result.message or "invalid"])
    if conversation is None or result.reason == "not_found":
        raise not_found()
    return WorkflowAnswer(item=WorkflowItem.model_validate(conversation))
