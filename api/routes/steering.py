"""Who steers a conversation: taken over by a person or left to the bot, assigned, put aside, noted on, seen."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Annotated, Final
from uuid import UUID

from fastapi import Depends, Query
from pydantic import Field
from sqlalchemy import Connection

from api.answers import Answer, Instant
from api.auth.access import ADMIN, AdminIdentity, Scope, ScopedIdentity
from api.edge.json_route import json_router
from api.errors import conflict, not_found, validation_error
from api.inputs import Id, Input, MomentText, PathId, Trimmed, one_of, path_id
from api.operator_audit import by_user
from api.paging import PageQuery, encode
from api.routes.replies import IdempotencyKey
from api.services import Services, ServicesDep
from leasebot_pipeline.domain.platforms import Platform
from leasebot_pipeline.storage import (
    agents,
    audit,
    conversation_notes,
    idempotency,
    steering,
    waiting_for_people,
)
from leasebot_pipeline.storage.booking import Actor
from leasebot_pipeline.storage.steering import Steering

router = json_router("/api/conversations", "inbox")

LONGEST_SNOOZE: Final = timedelta(days=90)
MAX_NOTE: Final = 4000
NoteId = Annotated[UUID, Depends(path_id("noteId"))]
Change = Callable[[Connection, Steering, Actor, datetime], object]


class AssignBody(Input):
    """`agentId` null: nobody's; linkage gives it to its unit's agent again."""

    agent_id: Id | None


class SnoozeBody(Input):
    until: MomentText


class NoteBody(Input):
    body: Annotated[Trimmed, Field(min_length=1, max_length=MAX_NOTE)]


class NoteAnswer(Answer):
    id: UUID
    author_id: str | None
    author_name: str | None
    body: str
    created_at: Instant


class SteeringAnswer(Answer):
    id: UUID
    platform: str
    assigned_agent_id: UUID | None
    assigned_agent_name: str | None
    taken_over_at: Instant | None = Field(description="a person answers since then; the bot does not")
    taken_over_by: str | None
    taken_over_by_name: str | None
    snoozed: bool = Field(description="false once its time has come or the lead wrote")
    snoozed_until: Instant | None
    snoozed_by_name: str | None
    notes: list[NoteAnswer] = Field(description="newest first; the lead never sees them")
    updated_at: Instant


class SeenAnswer(Answer):
    changed: bool


class NotedAnswer(Answer):
    id: UUID


class RemovedAnswer(Answer):
    removed: bool


class WaitingItem(Answer):
    id: UUID
    platform: str
    lead_name: str | None
    unit: str | None
    thread_label: str | None
    thread_message_count: int | None
    assigned_agent_id: UUID | None
    workflow_state: str
    workflow_outcome: str | None
    message_status: str = Field(description="draft, hold, or in_doubt: unproven or given up")
    latest_message: str | None
    latest_direction: str | None
    last_message_at: Instant | None
    since: Instant


class WaitingAnswer(Answer):
    items: list[WaitingItem]
    total: int
    next_cursor: str | None


@router.get("/waiting", operation_id="listWaiting", summary="What waits for a person, longest waiting first")
async def list_waiting(
    scope: ScopedIdentity,
    page: PageQuery,
    services: ServicesDep,
    platform: Annotated[str | None, Query()] = None,
    q: Annotated[str | None, Query(max_length=100, description="in lead, advert and unit")] = None,
) -> WaitingAnswer:
    """Drafts to review, held or `human_required` and not answered, replies in doubt; without what was put aside."""
    if q and "\x00" in q:
        raise validation_error(["q: must not contain a NUL character"])
    found = await services.database.read(
        waiting_for_people.waiting_for_people,
        services.clock(),
        page.limit,
        page.key(datetime, UUID),
        agent_id=scope.agent_id,
        platform=one_of("platform", platform, [p.value for p in Platform]),
        search=q or None,
    )
    last = found.items[-1] if len(found.items) == page.limit else None
    return WaitingAnswer(
        items=[WaitingItem.model_validate(row) for row in found.items],
        total=found.total,
        next_cursor=encode((last.since.isoformat(), str(last.id))) if last else None,
    )


@router.get("/{id}/steering", operation_id="getSteering", summary="Who is in charge, and the team's notes")
async def get_steering(
    scope: ScopedIdentity, conversation_id: PathId, services: ServicesDep
) -> SteeringAnswer:
    now = services.clock()

    def read(conn: Connection) -> SteeringAnswer:
        return _answer(conn, _own(steering.find(conn, conversation_id, now), scope))

    return await services.database.read(read)


@router.post("/{id}/take-over", operation_id="takeOver", summary="Answer this lead oneself from now on")
async def take_over(scope: ScopedIdentity, conversation_id: PathId, services: ServicesDep) -> SteeringAnswer:
    """The bot decides nothing here any more (`escalate_taken_over_by_person`); what it had queued is held, its
    follow-ups and reminders are called off. Another person may take it over in turn."""
    return await _change(services, scope, conversation_id, steering.take_over)


@router.post("/{id}/hand-back", operation_id="handBack", summary="Let the bot answer again")
async def hand_back(scope: ScopedIdentity, conversation_id: PathId, services: ServicesDep) -> SteeringAnswer:
    """From the lead's next message on; what was held stays with people."""
    return await _change(services, scope, conversation_id, steering.hand_back)


@router.put("/{id}/assignment", operation_id="assignConversation", summary="Give a conversation to an agent")
async def assign(
    identity: AdminIdentity, conversation_id: PathId, body: AssignBody, services: ServicesDep
) -> SteeringAnswer:
    def change(conn: Connection, seen: Steering, actor: Actor, now: datetime) -> object:
        if body.agent_id is not None and agents.find_agent(conn, body.agent_id) is None:
            raise validation_error(["agentId: must be an agent"])
        return steering.assign(conn, seen, body.agent_id, actor, now)

    return await _change(services, Scope(identity, None), conversation_id, change)


@router.post(
    "/{id}/snooze", operation_id="snoozeConversation", summary="Put a conversation aside until an instant"
)
async def snooze(
    scope: ScopedIdentity, conversation_id: PathId, body: SnoozeBody, services: ServicesDep
) -> SteeringAnswer:
    """It comes back by itself at that instant, or when the lead writes."""
    now = services.clock()
    if not now < body.until <= now + LONGEST_SNOOZE:
        raise validation_error([f"until: must lie within the next {LONGEST_SNOOZE.days} days"])

    def change(conn: Connection, seen: Steering, actor: Actor, at: datetime) -> None:
        steering.snooze(conn, seen, body.until, actor, at)

    return await _change(services, scope, conversation_id, change)


@router.delete("/{id}/snooze", operation_id="wakeConversation", summary="Back among what waits")
async def wake(scope: ScopedIdentity, conversation_id: PathId, services: ServicesDep) -> SteeringAnswer:
    return await _change(services, scope, conversation_id, steering.wake)


@router.post("/{id}/seen", operation_id="markSeen", summary="The caller has read it as it stands")
async def seen(scope: ScopedIdentity, conversation_id: PathId, services: ServicesDep) -> SeenAnswer:
    now = services.clock()

    def work(conn: Connection) -> bool:
        _own(steering.find(conn, conversation_id, now), scope)
        return conversation_notes.mark_seen(conn, conversation_id, scope.user_id, now)

    return SeenAnswer(changed=await services.database.run(work))


@router.post(
    "/{id}/notes",
    operation_id="addNote",
    summary="Write a note to the team",
    status_code=201,
    responses={409: {"description": "idempotency_conflict"}},
)
async def add_note(
    scope: ScopedIdentity,
    conversation_id: PathId,
    body: NoteBody,
    services: ServicesDep,
    idempotency_key: IdempotencyKey = None,
) -> NotedAnswer:
    """Never sent anywhere."""
    now, user = services.clock(), scope.user_id
    wanted = idempotency.request_hash("note", conversation_id, body.body)

    def work(conn: Connection) -> NotedAnswer:
        if idempotency_key is not None:
            earlier = idempotency.recall(conn, user, idempotency_key, wanted)
            if earlier is not None:
                return NotedAnswer.model_validate(earlier.answer)
        found = _own(steering.lock(conn, conversation_id, now), scope)
        note_id = conversation_notes.add(conn, conversation_id, user, body.body, now)
        details: dict[str, object] = {"noteId": str(note_id), "length": len(body.body)}
        audit.record(conn, [_entry(scope, found, "conversation_note_added", details)])
        answer = NotedAnswer(id=note_id)
        if idempotency_key is not None:
            shown = answer.model_dump(mode="json", by_alias=True)
            idempotency.remember(conn, user, idempotency_key, wanted, 201, shown, now)
        return answer

    try:
        return await services.database.run(work)
    except idempotency.KeyUsedOtherwise:
        raise conflict("idempotency_conflict", "This Idempotency-Key was used for another request.") from None


@router.delete("/{id}/notes/{noteId}", operation_id="removeNote", summary="Remove a note of one's own")
async def remove_note(
    scope: ScopedIdentity, conversation_id: PathId, note_id: NoteId, services: ServicesDep
) -> RemovedAnswer:
    """An administrator removes anybody's."""
    now = services.clock()

    def work(conn: Connection) -> None:
        found = _own(steering.lock(conn, conversation_id, now), scope)
        anybodys = scope.role == ADMIN
        if not conversation_notes.remove(
            conn, conversation_id, note_id, scope.user_id, now, anybodys=anybodys
        ):
            raise not_found()
        audit.record(conn, [_entry(scope, found, "conversation_note_removed", {"noteId": str(note_id)})])

    await services.database.run(work)
    return RemovedAnswer(removed=True)


async def _change(services: Services, scope: Scope, conversation_id: UUID, change: Change) -> SteeringAnswer:
    now = services.clock()

    def work(conn: Connection) -> SteeringAnswer:
        found = _own(steering.lock(conn, conversation_id, now), scope)
        change(conn, found, Actor(scope.role, scope.user_id), now)
        after = steering.find(conn, conversation_id, now)
        assert after is not None  # its row is locked
        return _answer(conn, after)

    return await services.database.run(work)


def _own(found: Steering | None, scope: Scope) -> Steering:
    """Raises 404 for what is not there or not the agent's."""
    if found is None or not found.in_charge(scope.agent_id):
        raise not_found()
    return found


def _answer(conn: Connection, found: Steering) -> SteeringAnswer:
    names = set(SteeringAnswer.model_fields) - {"notes"}
    return SteeringAnswer(
        **{name: getattr(found, name) for name in names},
        notes=[NoteAnswer.model_validate(note) for note in conversation_notes.notes(conn, found.id)],
    )


def _entry(scope: Scope, found: Steering, action: str, details: dict[str, object]) -> audit.AuditEntry:
    return by_user(
        scope.identity,
        "conversation",
        found.id,
        action,
        details,
        platform=found.platform,
        platform_account_id=found.platform_account_id,
        conversation_id=found.id,
        agent_id=found.assigned_agent_id,
    )
