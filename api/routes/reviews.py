"""Drafts and held replies in people's hands: approved, edited, rejected. Nothing is sent here: the outbox does that."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Annotated, Final, Literal, TypeVar
from uuid import UUID

from fastapi import Response
from pydantic import Field
from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError

from api.answers import Answer, iso_millis
from api.auth.access import Identity, Scope, ScopedIdentity
from api.edge.json_route import json_router
from api.errors import ApiError, conflict, not_found
from api.inputs import Input, PathId, Trimmed
from api.operator_audit import by_user
from api.preconditions import IfMatch, check_version
from api.routes.replies import MAX_BODY, actor_of, known_cents
from api.services import Services, ServicesDep
from leasebot_pipeline.domain.guardrails_outbound import check_outbound
from leasebot_pipeline.storage import audit, manual_replies
from leasebot_pipeline.storage.audit import AuditEntry
from leasebot_pipeline.storage.manual_replies import DraftRow
from leasebot_pipeline.storage.offered_times import GoneTime

router = json_router("/api/inbox", "inbox")

Done = TypeVar("Done")

_MESSAGES: Final = {
    "not_a_draft": "Only a draft or a held reply can be changed.",
    "already_approved": "This reply is on its way already.",
    "superseded": "The conversation moved on: the lead or somebody of us wrote meanwhile.",
    "account_inactive": "The account is switched off.",
    "slot_gone": "The time this reply confirms is no longer free.",
}


class EditBody(Input):
    body: Annotated[Trimmed, Field(min_length=1, max_length=MAX_BODY)]


class ReviewedAnswer(Answer):
    updated: Literal[True] = True
    id: UUID
    status: str
    dispatch_state: str | None
    dispatch_id: UUID | None
    kept_because: Literal["release_shadow"] | None = Field(
        None, description="why an approved draft is not queued: in shadow nothing is sent"
    )


@router.post(
    "/messages/{id}/approve",
    operation_id="approveMessage",
    summary="Let a draft go out",
    responses={
        409: {
            "description": "not_a_draft, already_approved, superseded, slot_gone, guardrails_blocked, "
            "offered_times_taken (with the `times`: label, startsAt, reason)"
        }
    },
)
async def approve(
    scope: ScopedIdentity, message_id: PathId, services: ServicesDep, if_match: IfMatch = None
) -> ReviewedAnswer:
    """Queued for the outbox; it is `sent` only once the thread shows it. A held time is confirmed with it, and
    times the text offers must still be free.

    In shadow nothing is sent: the draft stays as it is, and `keptBecause` says so.
    """
    now = services.clock()

    def work(conn: Connection) -> ReviewedAnswer:
        draft = _draft(conn, scope, message_id)
        check_version(if_match, draft.version)
        found = check_outbound(draft.body, draft.template_body, known_cents(draft))
        if found:
            raise conflict("guardrails_blocked", "The text may not go out like this.", guardrails=list(found))
        done = manual_replies.approve(conn, draft, actor_of(scope.identity), services.config.slots, now)
        if done.gone:
            raise _offered_in_vain(done.gone)
        if done.refused is not None:
            more = {"reason": done.booking.reason} if done.booking else {}
            raise conflict(done.refused, _MESSAGES[done.refused], **more)
        if done.kept is not None:
            details = {"reviewStatus": draft.review_status, "dispatchState": draft.dispatch_state}
            entry = _reviewed(
                scope.identity, draft, "inbox_message_approved", details | {"keptBecause": done.kept}
            )
            audit.record(conn, [entry])
            return ReviewedAnswer(
                id=message_id,
                status=draft.review_status,
                dispatch_state=draft.dispatch_state,
                dispatch_id=draft.dispatch_id,
                kept_because=done.kept,
            )
        details = {"reviewStatus": "sent", "dispatchId": str(done.dispatch_id), "dispatchState": "queued"}
        audit.record(conn, [_reviewed(scope.identity, draft, "inbox_message_approved", details)])
        return ReviewedAnswer(
            id=message_id, status="draft", dispatch_state="queued", dispatch_id=done.dispatch_id
        )

    return await _reviewing(services, scope, message_id, "approve", work)


@router.post(
    "/messages/{id}/reject",
    operation_id="rejectMessage",
    summary="Hold a draft back",
    responses={409: {"description": "not_a_draft, already_approved, superseded"}},
)
async def reject(
    scope: ScopedIdentity, message_id: PathId, services: ServicesDep, if_match: IfMatch = None
) -> ReviewedAnswer:
    """A time it held is free again."""

    def work(conn: Connection) -> ReviewedAnswer:
        draft = _draft(conn, scope, message_id)
        check_version(if_match, draft.version)
        refused = manual_replies.reject(conn, draft, actor_of(scope.identity), services.clock())
        if refused is not None:
            raise conflict(refused, _MESSAGES[refused])
        audit.record(
            conn, [_reviewed(scope.identity, draft, "inbox_message_rejected", {"reviewStatus": "hold"})]
        )
        return ReviewedAnswer(
            id=message_id, status="hold", dispatch_state="held", dispatch_id=draft.dispatch_id
        )

    return await _reviewing(services, scope, message_id, "reject", work)


@router.put("/messages/{id}", operation_id="editMessage", summary="Change the text of a draft")
async def edit(
    scope: ScopedIdentity,
    message_id: PathId,
    body: EditBody,
    response: Response,
    services: ServicesDep,
    if_match: IfMatch = None,
) -> ReviewedAnswer:
    """409 with the guardrails the text hits; 412 when somebody changed it meanwhile."""

    def work(conn: Connection) -> tuple[ReviewedAnswer, str]:
        draft = _draft(conn, scope, message_id)
        check_version(if_match, draft.version)
        found = check_outbound(body.body, draft.template_body, known_cents(draft))
        if found:
            raise conflict("guardrails_blocked", "The text may not go out like this.", guardrails=list(found))
        refused = manual_replies.edit(conn, draft, body.body, actor_of(scope.identity), services.clock())
        if refused is not None:
            raise conflict(refused, _MESSAGES[refused])
        details = {"reviewStatus": draft.review_status, "length": len(body.body)}
        audit.record(conn, [_reviewed(scope.identity, draft, "inbox_message_edited", details)])
        changed = manual_replies.lock_draft(conn, message_id)
        assert changed is not None
        answer = ReviewedAnswer(
            id=message_id,
            status=changed.review_status,
            dispatch_state=changed.dispatch_state,
            dispatch_id=changed.dispatch_id,
        )
        return answer, changed.version

    answer, version = await _reviewing(services, scope, message_id, "edit", work)
    response.headers["etag"] = version
    return answer


async def _reviewing(
    services: Services, scope: Scope, message_id: UUID, operation: str, work: Callable[[Connection], Done]
) -> Done:
    """Run a review; an error nobody foresaw is audited as ``inbox_message_error`` before it is answered."""
    try:
        return await services.database.run(work)
    except DBAPIError as error:
        details = {"operation": operation, "error": type(error).__name__}
        entry = by_user(scope.identity, "message", message_id, "inbox_message_error", details)
        await services.database.run(audit.record, [entry])
        raise


def _draft(conn: Connection, scope: Scope, message_id: UUID) -> DraftRow:
    draft = manual_replies.lock_draft(conn, message_id)
    if draft is None or (
        scope.agent_id is not None
        and scope.agent_id not in (draft.assigned_agent_id, draft.follow_up_owner_agent_id)
    ):
        raise not_found()
    return draft


def _offered_in_vain(gone: Sequence[GoneTime]) -> ApiError:
    named = "; ".join(time.label for time in gone)
    them = "it" if len(gone) == 1 else "them"
    times = [
        {"label": time.label, "startsAt": iso_millis(time.starts_at), "reason": time.reason.value}
        for time in gone
    ]
    message = f"No longer free: {named}. Take {them} out of the text, or offer other times."
    return conflict("offered_times_taken", message, times=times)


def _reviewed(identity: Identity, draft: DraftRow, action: str, details: Mapping[str, object]) -> AuditEntry:
    return by_user(
        identity,
        "message",
        draft.id,
        action,
        details,
        platform=draft.platform,
        platform_account_id=draft.platform_account_id,
        conversation_id=draft.conversation_id,
        agent_id=draft.assigned_agent_id,
    )
