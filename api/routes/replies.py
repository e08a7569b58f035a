"""Replies people write. Nothing is sent here: the outbox does that."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Final, Literal
from uuid import UUID

from fastapi import Header
from pydantic import Field
from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError

from api.answers import Answer, Instant
from api.auth.access import Identity, Scope, ScopedIdentity
from api.edge.json_route import json_router
from api.errors import conflict, not_found, validation_error
from api.inputs import Document, Id, Input, PathId, Text
from api.operator_audit import by_user
from api.routes.inbox import DetailAnswer, in_charge, load_detail, template_context
from api.routes.reply_offers import OfferedSlot, chosen_slots
from api.services import Services, ServicesDep
from leasebot_pipeline.domain.guardrails_outbound import check_outbound
from leasebot_pipeline.domain.platforms import SendMode
from leasebot_pipeline.domain.replies import TemplateInvalid, render
from leasebot_pipeline.storage import (
    audit,
    idempotency,
    inbox,
    manual_offers,
    manual_replies,
    platform_accounts,
    sync_requests,
    templates,
)
from leasebot_pipeline.storage.audit import AuditEntry
from leasebot_pipeline.storage.booking import Actor
from leasebot_pipeline.storage.inbox import ConversationRow
from leasebot_pipeline.storage.manual_replies import DraftRow
from leasebot_pipeline.storage.policies import IN_SHADOW

router = json_router("/api/inbox", "inbox")

MAX_BODY: Final = 5000
_Body = Annotated[Text, Field(max_length=MAX_BODY)]
IdempotencyKey = Annotated[
    str | None,
    Header(
        alias="Idempotency-Key",
        min_length=6,
        max_length=200,
        description="a repeated request with the same key gets the first answer",
    ),
]


class ReplyBody(Input):
    """`variables` fill the placeholders of the template before its own values do.

    `offeredSlots` are free times that the text offers; those it names are open to the lead's answer once it is sent.
    """

    body: _Body | None = None
    template_id: Id | None = None
    variables: Document = Field(default_factory=dict)
    metadata: Document = Field(default_factory=dict)
    dispatch_now: Any = True
    offered_slots: Annotated[list[OfferedSlot], Field(max_length=10)] = Field(default_factory=list)


class CheckBody(Input):
    body: _Body
    template_id: Id | None = None


class ReplyAnswer(Answer):
    id: UUID
    status: Literal["draft"] = Field(description="`sent` only once its receipt is there")
    dispatched: bool = Field(description="false: it is queued, and sent when its turn comes")
    queued: bool
    delivery: dict[str, Any] | None
    auto_send_enabled: bool
    effective_send_mode: str
    requires_admin_review: bool
    guardrail_review_reasons: list[str]
    kept_because: Literal["release_shadow"] | None = Field(
        None, description="why a reply nothing speaks against is a draft: in shadow nothing is sent"
    )


class CheckAnswer(Answer):
    guardrails: list[str]
    rendered: str


class SyncResult(Answer):
    synced: bool
    reason: str = Field(description="queued: the next look at the inbox reads it; not_in_inbox")
    last_read_at: Instant | None


class ThreadSyncAnswer(DetailAnswer):
    sync: SyncResult


@router.post(
    "/{id}/draft",
    operation_id="replyToLead",
    summary="Answer a lead oneself",
    status_code=201,
    responses={
        409: {
            "description": "platform_inactive, platform_thread_missing, slot_unavailable, idempotency_conflict"
        },
    },
)
async def reply(
    scope: ScopedIdentity,
    conversation_id: PathId,
    body: ReplyBody,
    services: ServicesDep,
    idempotency_key: IdempotencyKey = None,
) -> ReplyAnswer:
    """Queued for the outbox unless `dispatchNow` is false, something asks for a review or nothing can be sent; then a draft.

    The text passes the outbound guardrails here: what they find makes it a draft for review.
    """

    def work(conn: Connection) -> ReplyAnswer:
        user = scope.user_id
        wanted = idempotency.request_hash("reply", conversation_id, body.model_dump(mode="json"))
        if idempotency_key is not None:
            earlier = idempotency.recall(conn, user, idempotency_key, wanted)
            if earlier is not None:
                return ReplyAnswer.model_validate(earlier.answer)
        answer = _reply(conn, services, scope, conversation_id, body)
        if idempotency_key is not None:
            shown = answer.model_dump(mode="json", by_alias=True)
            idempotency.remember(conn, user, idempotency_key, wanted, 201, shown, services.clock())
        return answer

    try:
        return await services.database.run(work)
    except idempotency.KeyUsedOtherwise:
        raise conflict("idempotency_conflict", "This Idempotency-Key was used for another request.") from None
    except DBAPIError as error:
        entry = by_user(
            scope.identity,
            "conversation",
            conversation_id,
            "inbox_draft_error",
            {"error": type(error).__name__},
            conversation_id=conversation_id,
        )
        await services.database.run(audit.record, [entry])
        raise


def _reply(
    conn: Connection, services: Services, scope: Scope, conversation_id: UUID, body: ReplyBody
) -> ReplyAnswer:
    now = services.clock()
    conversation = inbox.lock_conversation(conn, conversation_id)
    if conversation is None or not in_charge(conversation, scope.agent_id):
        raise not_found()
    if not conversation.account_is_active:
        raise conflict("platform_inactive", "The account of this conversation is switched off.")
    if not conversation.external_thread_id:
        raise conflict("platform_thread_missing", "This conversation has no thread on its platform.")
    account = platform_accounts.find_account(
        conn, conversation.platform_account_id, services.config.default_send_mode
    )
    assert account is not None  # the conversation's foreign key
    template = _template(conn, conversation, body.template_id)
    text = _text(conn, services, conversation, template, body)
    slots = chosen_slots(conn, services, conversation, scope.agent_id, body.offered_slots)
    reasons = review_reasons(body.metadata)
    found = list(check_outbound(text, template.body if template else None, known_cents(conversation)))
    reasons += [reason for reason in ["guardrails_blocked"] if found and reason not in reasons]
    mode = account.policy.effective_send_mode
    wanted = body.dispatch_now is not False or mode is SendMode.AUTO_SEND
    ready = wanted and not reasons
    send = ready and account.policy.may_send("manual_reply")
    kept = IN_SHADOW if ready and not send else None  # an account that is off was refused above
    metadata: dict[str, object] = {
        **body.metadata,
        "reviewRequired": bool(reasons),
        "dispatchRequested": wanted,
        **({"guardrailReviewReasons": reasons} if reasons else {}),
        **({"guardrails": found} if found else {}),
        **({"templateId": str(template.id)} if template else {}),
        manual_offers.OFFERED: manual_offers.as_metadata(slots),
    }
    message_id = manual_replies.write(
        conn,
        conversation_id,
        text,
        metadata,
        agent_id=scope.agent_id or conversation.assigned_agent_id,
        send=send,
        actor=actor_of(scope.identity),
        now=now,
    )
    details = {
        "conversationId": str(conversation_id),
        "templateId": str(template.id) if template else None,
        "autoSendEnabled": mode is SendMode.AUTO_SEND,
        "manualDispatchRequested": wanted,
        "platformPolicy": account.policy.as_details(),
        "requiresAdminReview": bool(reasons),
        "guardrailReviewReasons": reasons,
        "guardrails": found,
        "reviewStatus": "draft",
        "externalThreadId": conversation.external_thread_id,
        "delivery": None,
        **({"keptBecause": kept} if kept else {}),
    }
    action = "inbox_manual_reply_dispatched" if send else "inbox_draft_saved"
    audit.record(conn, [_audited(scope.identity, message_id, action, details, conversation)])
    return ReplyAnswer(
        id=message_id,
        status="draft",
        dispatched=False,
        queued=send,
        delivery=None,
        auto_send_enabled=mode is SendMode.AUTO_SEND,
        effective_send_mode=mode.value,
        requires_admin_review=bool(reasons),
        guardrail_review_reasons=reasons,
        kept_because=kept,
    )


def known_cents(about: ConversationRow | DraftRow) -> tuple[int, ...]:
    """Amounts a person may name to this lead: the rent of the listing."""
    return () if about.rent_cents is None else (about.rent_cents,)


def review_reasons(metadata: dict[str, Any]) -> list[str]:
    """Why a reply must be looked at before it goes out, from what the client says of it."""
    reasons = []
    if metadata.get("requiresAdminReview") is True or metadata.get("forceAdminReview") is True:
        reasons.append("explicit_admin_review")
    if isinstance(metadata.get("guardrails"), list) and metadata["guardrails"]:
        reasons.append("guardrails_blocked")
    if metadata.get("riskLevel") in ("high", "critical"):
        reasons.append(f"risk_{metadata['riskLevel']}")
    return reasons


@router.post("/{id}/check", operation_id="checkReply", summary="What the guardrails say of a text")
async def check(
    scope: ScopedIdentity, conversation_id: PathId, body: CheckBody, services: ServicesDep
) -> CheckAnswer:
    """While somebody types; nothing is stored."""

    def work(conn: Connection) -> CheckAnswer:
        conversation = inbox.find_conversation(conn, conversation_id)
        if conversation is None or not in_charge(conversation, scope.agent_id):
            raise not_found()
        template = _template(conn, conversation, body.template_id)
        return CheckAnswer(
            guardrails=list(
                check_outbound(body.body, template.body if template else None, known_cents(conversation))
            ),
            rendered=body.body,
        )

    return await services.database.read(work)


@router.post("/{id}/sync", operation_id="syncConversation", summary="Ask for the thread to be read again")
async def sync(scope: ScopedIdentity, conversation_id: PathId, services: ServicesDep) -> ThreadSyncAnswer:
    """The next poll does it: the API opens no browser (G-70)."""

    def work(conn: Connection) -> ThreadSyncAnswer:
        detail, _ = load_detail(conn, conversation_id, scope.agent_id, services.clock())
        asked = sync_requests.ask_thread(conn, conversation_id)
        result = SyncResult(
            synced=False,
            reason="queued" if asked and asked.listed else "not_in_inbox",
            last_read_at=asked.read_at if asked else None,
        )
        return ThreadSyncAnswer(**dict(detail), sync=result)

    return await services.database.run(work)


def _template(
    conn: Connection, conversation: ConversationRow, template_id: UUID | None
) -> templates.StoredTemplate | None:
    if template_id is None:
        return None
    for stored in templates.list_templates(conn, conversation.platform_account_id):
        if stored.id == template_id:
            return stored
    raise validation_error(["templateId: must be a template of the conversation's account, or a global one"])


def _text(
    conn: Connection,
    services: Services,
    conversation: ConversationRow,
    template: templates.StoredTemplate | None,
    body: ReplyBody,
) -> str:
    given = (body.body or "").strip()
    if template is None:
        if not given:
            raise validation_error(["body: must not be empty without a template"])
        return given
    values = template_context(conn, conversation, services.clock())
    context = {name: value for name, value in values.items() if value}
    context |= {name: str(value) for name, value in body.variables.items()}
    try:
        text = render(given or template.body, context)
    except TemplateInvalid as error:
        raise validation_error([f"variables.{name}: has no value" for name in error.placeholders]) from None
    if not text:
        raise validation_error(["body: must not be empty"])
    if len(text) > MAX_BODY:
        raise validation_error([f"body: must have at most {MAX_BODY} characters when filled"])
    return text


def _audited(
    identity: Identity,
    message_id: UUID,
    action: str,
    details: Mapping[str, object],
    conversation: ConversationRow,
) -> AuditEntry:
    return by_user(
        identity,
        "message",
        message_id,
        action,
        details,
        platform=conversation.platform,
        platform_account_id=conversation.platform_account_id,
        conversation_id=conversation.id,
        agent_id=conversation.assigned_agent_id,
    )


def actor_of(identity: Identity) -> Actor:
    return Actor(identity.role, identity.user.id)
