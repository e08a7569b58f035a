"""Replies given up or in doubt, settled by those in charge of their conversation."""

from __future__ import annotations

from typing import Annotated, Final
from uuid import UUID

from fastapi import Depends
from sqlalchemy import Connection

from api.auth.access import ScopedIdentity
from api.edge.json_route import json_router
from api.errors import not_found
from api.inputs import PathId, one_of, path_id
from api.routes.inbox import in_charge
from api.routes.operations import OperateBody, OperatedAnswer, operated
from api.services import ServicesDep
from leasebot_pipeline.domain.dispatching import DispatchState, OperatorAction
from leasebot_pipeline.storage import inbox, outbox_operations
from leasebot_pipeline.storage.outbox_operations import Actor

router = json_router("/api/inbox", "inbox")

ReplyId = Annotated[UUID, Depends(path_id("replyId"))]
_ACTIONS: Final = (OperatorAction.RETRY, OperatorAction.DISCARD, OperatorAction.MARK_SENT)
_UNSETTLED: Final = frozenset({DispatchState.DEAD_LETTER, DispatchState.UNKNOWN})


@router.post(
    "/{id}/replies/{replyId}/{action}",
    operation_id="settleReply",
    summary="retry, discard or mark-sent",
    responses={
        409: {"description": "invalid_transition: it is neither given up nor in doubt, or can't be retried"}
    },
)
async def settle(
    scope: ScopedIdentity,
    conversation_id: PathId,
    reply_id: ReplyId,
    action: str,
    body: OperateBody,
    services: ServicesDep,
) -> OperatedAnswer:
    """Whoever answers the lead looks at the thread and says what became of the reply. One in doubt is never clicked
    again: mark it sent or discard it."""
    chosen = one_of("action", action, [each.value for each in _ACTIONS])
    if chosen is None:
        raise not_found()

    def work(conn: Connection) -> outbox_operations.OperatorResult:
        conversation = inbox.find_conversation(conn, conversation_id)
        if conversation is None or not in_charge(conversation, scope.agent_id):
            raise not_found()
        [result] = outbox_operations.operate(
            conn,
            OperatorAction(chosen),
            [reply_id],
            actor=Actor(scope.role, scope.user_id),
            reason=body.reason,
            now=services.clock(),
            external_message_id=body.external_message_id,
            conversation_id=conversation_id,
            among=_UNSETTLED,
        )
        return result

    return operated(await services.database.run(work), action)
