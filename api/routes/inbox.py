"""The inbox: conversations with what waits in them, and one conversation with its messages."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Final, Literal
from uuid import UUID

from fastapi import Query, Response
from pydantic import Field
from sqlalchemy import Connection

from api.answers import Answer, Instant
from api.auth.access import ScopedIdentity
from api.edge.json_route import json_router
from api.errors import not_found, validation_error
from api.inputs import PathId, moment, one_of, plain_uuid
from api.local_times import local_span
from api.paging import PageQuery, encode
from api.preconditions import set_etag
from api.services import ServicesDep
from leasebot_pipeline.domain.availability import Owner, OwnerKind
from leasebot_pipeline.domain.platforms import Platform
from leasebot_pipeline.domain.replies import greeting_name
from leasebot_pipeline.storage import availability, inbox, templates
from leasebot_pipeline.storage.inbox import ConversationRow, InboxFilter, InboxRow, MessageRow
from leasebot_pipeline.storage.tables.conversations import OUTCOME_VALUES

router = json_router("/api/inbox", "inbox")

STATUSES: Final = ("new", "draft", "sent", "hold")
STATES: Final = ("lead", "showing", "follow_up_1", "follow_up_2", "outcome")
MESSAGES: Final = 500
"""How many messages of a conversation are shown at most, the newest."""
_SLOTS: Final = 3


class CountsAnswer(Answer):
    new_count: int
    draft_count: int
    hold_count: int
    sent_count: int


class InboxItem(Answer):
    id: UUID
    platform_account_id: UUID
    platform: str
    listing_id: UUID | None
    assigned_agent_id: UUID | None
    external_thread_id: str
    lead_name: str | None
    lead_contact: dict[str, Any]
    conversation_status: str
    workflow_state: str
    workflow_outcome: str | None
    showing_state: str | None
    follow_up_stage: str | None
    follow_up_due_at: Instant | None
    follow_up_owner_agent_id: UUID | None
    follow_up_status: str
    workflow_updated_at: Instant
    message_status: str
    counts: CountsAnswer
    unit: str | None
    thread_label: str | None
    thread_message_count: int | None
    inbox_sort_rank: int | None
    latest_message: str | None
    latest_direction: str | None
    latest_status: str | None
    latest_sent_at_text: str | None
    last_message_at: Instant | None
    updated_at: Instant

    @classmethod
    def of(cls, row: InboxRow) -> InboxItem:
        names = set(cls.model_fields) - {"counts"}
        return cls(**{name: getattr(row, name) for name in names}, counts=CountsAnswer.model_validate(row))


class InboxAnswer(Answer):
    items: list[InboxItem]
    next_cursor: str | None


class ConversationAnswer(Answer):
    id: UUID
    platform_account_id: UUID
    platform: str
    listing_id: UUID | None
    assigned_agent_id: UUID | None
    external_thread_id: str
    lead_name: str | None
    lead_contact: dict[str, Any]
    status: str
    workflow_state: str
    workflow_outcome: str | None
    showing_state: str | None
    follow_up_stage: str | None
    follow_up_due_at: Instant | None
    follow_up_owner_agent_id: UUID | None
    follow_up_status: str
    workflow_updated_at: Instant
    unit: str | None
    thread_label: str | None
    thread_message_count: int | None
    inbox_sort_rank: int | None
    linkage_strategy: str | None
    last_message_at: Instant | None
    updated_at: Instant


class MessageAnswer(Answer):
    id: UUID
    conversation_id: UUID
    external_message_id: str | None
    sender_type: str
    sender_agent_id: UUID | None
    direction: str
    body: str
    metadata: dict[str, Any]
    status: str
    sent_at: Instant | None
    created_at: Instant
    dispatch_id: UUID | None
    dispatch_state: str | None = Field(
        description="of a reply: queued, sending, sent, unknown, dead_letter, ..."
    )
    receipt: dict[str, Any] | None
    version: str | None = Field(description="of a draft: for If-Match")


class TemplateOfConversation(Answer):
    id: UUID
    platform_account_id: UUID | None
    name: str
    locale: str
    body: str
    variables: list[str]
    is_active: bool
    updated_at: Instant


class DetailAnswer(Answer):
    conversation: ConversationAnswer
    messages: list[MessageAnswer] = Field(description=f"oldest first, the newest {MESSAGES}")
    templates: list[TemplateOfConversation]
    template_context: dict[str, str]


@router.get("", operation_id="listInbox", summary="Open conversations, newest message first")
async def list_inbox(
    scope: ScopedIdentity,
    page: PageQuery,
    services: ServicesDep,
    status: Annotated[str | None, Query(description=", ".join(STATUSES))] = None,
    platform: Annotated[str | None, Query()] = None,
    workflow_state: Annotated[str | None, Query(alias="workflowState", description=", ".join(STATES))] = None,
    workflow_outcome: Annotated[
        str | None, Query(alias="workflowOutcome", description="human_required is the queue for people")
    ] = None,
    q: Annotated[
        str | None,
        Query(max_length=100, description="a part of the lead's name, the advert's title or the unit"),
    ] = None,
    assigned_to: Annotated[
        str | None, Query(alias="assignedTo", description="an agent's id, or nobody")
    ] = None,
    for_person: Annotated[
        str | None,
        Query(
            alias="forPerson", description="true: a reply waits for a review, or the bot asked for a person"
        ),
    ] = None,
    since: Annotated[
        str | None, Query(description="newest message at or after: ISO 8601 with offset")
    ] = None,
    until: Annotated[str | None, Query(description="newest message before: ISO 8601 with offset")] = None,
) -> InboxAnswer:
    """An agent sees the conversations it is in charge of (G-31)."""
    if q and "\x00" in q:
        raise validation_error(["q: must not contain a NUL character"])
    agent = _assigned_to(assigned_to)
    if isinstance(agent, UUID):
        scope.own(agent)
    wanted = InboxFilter(
        agent_id=scope.agent_id,
        status=one_of("status", status, STATUSES),
        platform=one_of("platform", platform, [p.value for p in Platform]),
        workflow_state=one_of("workflowState", workflow_state, STATES),
        workflow_outcome=one_of("workflowOutcome", workflow_outcome, OUTCOME_VALUES),
        search=q or None,
        assigned_to=agent,
        for_person=one_of("forPerson", for_person, ("true", "false")) == "true",
        since=moment("since", since),
        until=moment("until", until),
    )
    after = page.key(datetime, int, UUID)
    found = await services.database.read(inbox.list_inbox, wanted, page.limit, after)
    last = found[-1] if len(found) == page.limit else None
    cursor = None
    if last is not None:
        rank = inbox.UNRANKED if last.inbox_sort_rank is None else last.inbox_sort_rank
        cursor = encode((last.at.isoformat(), rank, str(last.id)))
    return InboxAnswer(items=[InboxItem.of(row) for row in found], next_cursor=cursor)


def _assigned_to(text: str | None) -> UUID | Literal["nobody"] | None:
    if not text:
        return None
    if text == "nobody":
        return "nobody"
    try:
        return plain_uuid(text)
    except ValueError:
        raise validation_error(["assignedTo: must be an agent's id or nobody"]) from None


@router.get("/{id}", operation_id="getConversation", summary="One conversation with its messages")
async def get_conversation(
    scope: ScopedIdentity, conversation_id: PathId, response: Response, services: ServicesDep
) -> DetailAnswer:
    """Only reads: a look at the platform is asked for with `POST /api/inbox/{id}/sync` (G-70)."""
    detail, updated_at = await services.database.read(
        load_detail, conversation_id, scope.agent_id, services.clock()
    )
    set_etag(response, updated_at)
    return detail


def load_detail(
    conn: Connection, conversation_id: UUID, agent_id: UUID | None, now: datetime
) -> tuple[DetailAnswer, datetime]:
    """The detail and when the conversation changed last. Raises 404 for what is not there or not the agent's."""
    conversation = inbox.find_conversation(conn, conversation_id)
    if conversation is None or not in_charge(conversation, agent_id):
        raise not_found()
    messages = inbox.messages(conn, conversation_id, MESSAGES)
    stored = templates.list_templates(conn, conversation.platform_account_id)
    return (
        DetailAnswer(
            conversation=ConversationAnswer.model_validate(conversation),
            messages=[message_answer(message) for message in messages],
            templates=[TemplateOfConversation.model_validate(template) for template in stored],
            template_context=template_context(conn, conversation, now),
        ),
        conversation.updated_at,
    )


def in_charge(conversation: ConversationRow, agent_id: UUID | None) -> bool:
    """Whether a caller may see the conversation; an administrator (no agent) may."""
    return agent_id is None or agent_id in (
        conversation.assigned_agent_id,
        conversation.follow_up_owner_agent_id,
    )


def message_answer(message: MessageRow) -> MessageAnswer:
    return MessageAnswer.model_validate(message)


def template_context(conn: Connection, conversation: ConversationRow, now: datetime) -> dict[str, str]:
    """Values of the known placeholders; the slots are the next times the unit is open."""
    slots: list[str] = []
    if conversation.unit_id is not None:
        owner = Owner(OwnerKind.UNIT, conversation.unit_id)
        found = availability.list_slots(conn, owner, now)
        slots = [_slot_text(s) for s in found if s.status == "open" and s.starts_at >= now][:_SLOTS]
    return {
        "unit": conversation.unit or "",
        "unit_number": conversation.unit_number or "",
        "lead_name": greeting_name(conversation.lead_name) or "",
        "slot": slots[0] if slots else "",
        "slot_options_list": "\n".join(f"- {slot}" for slot in slots),
        "slot_options_inline": ", ".join(slots),
        "slot_options": "\n".join(f"- {slot}" for slot in slots),
    }


def _slot_text(slot: availability.CalendarSlot) -> str:
    local = local_span(slot.starts_at, slot.ends_at, slot.timezone)
    return f"{local['local_start']} - {local['local_end']} {slot.timezone}"
