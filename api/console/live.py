"""Telling open pages that something they show has changed. The stream carries no data: the page is read again."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from datetime import timedelta
from hashlib import sha256
from typing import Annotated, Any, Final
from uuid import UUID

from fastapi import Depends, Query
from fastapi.sse import EventSourceResponse, ServerSentEvent
from sqlalchemy import Connection, Row, text

from api.console.access import Viewer
from api.console.routes import page_router
from api.errors import not_found, validation_error
from api.inputs import plain_uuid
from api.services import ServicesDep

router = page_router()

LOOK_EVERY_S: Final = 1.0
MOST: Final = 30
"""Topics of one stream: as many windows of a browser share it."""
_LASTS: Final = timedelta(minutes=5)
"""Then the browser asks again, with the session it has by then."""
_COME_BACK_MS: Final = 2000


@dataclass(frozen=True, slots=True)
class State:
    """What a page shows, as far as a change of it is told by."""

    fingerprint: str
    age_ms: int | None
    """Since the newest step began; None without any."""

    @property
    def name(self) -> str:
        return sha256(self.fingerprint.encode()).hexdigest()[:16]


Look = Callable[[Connection, UUID | None, UUID | None], State]
"""At what a page shows, for an agent (None: everything) and a subject (None: the whole list)."""

_CONVERSATION: Final = text(
    """
    SELECT concat_ws('|', extract(epoch FROM c.updated_at),
      (SELECT max(m.seq) FROM "Messages" m WHERE m.conversation_id = c.id),
      step.at,
      (SELECT string_agg(d.state, ',' ORDER BY d.id) FROM "OutboundDispatches" d WHERE d.conversation_id = c.id),
      (SELECT string_agg(CAST(k.id AS text), ',' ORDER BY k.id) FROM "KillSwitches" k WHERE k.lifted_at IS NULL))
        AS fingerprint,
      extract(epoch FROM clock_timestamp() - step.at) * 1000 AS age_ms
      FROM "Conversations" c,
           LATERAL (SELECT max(a.created_at) AS at FROM "AuditLogs" a WHERE a.conversation_id = c.id) step
     WHERE c.id = :subject
       AND (CAST(:agent AS uuid) IS NULL OR CAST(:agent AS uuid) IN (c.assigned_agent_id, c.follow_up_owner_agent_id))
    """
)


def _conversation(conn: Connection, agent_id: UUID | None, subject: UUID | None) -> State:
    row = conn.execute(_CONVERSATION, {"subject": subject, "agent": agent_id}).one_or_none()
    return State("", None) if row is None else _state(row)


# Not the newest alone: of two steps under way at once the one that took its number first may be there last.
_ANYTHING: Final = text(
    """
    SELECT string_agg(CAST(id AS text), ',' ORDER BY id) AS fingerprint,
           extract(epoch FROM clock_timestamp() - max(created_at)) * 1000 AS age_ms
      FROM (SELECT id, created_at FROM "AuditLogs" ORDER BY id DESC LIMIT 50) newest
    """
)


def _anything(conn: Connection, _agent_id: UUID | None, _subject: UUID | None) -> State:
    """Every step writes an audit row, so the newest tell whether a list may have changed."""
    return _state(conn.execute(_ANYTHING).one())


def _state(row: Row[Any]) -> State:
    return State(str(row.fingerprint), None if row.age_ms is None else int(row.age_ms))


KINDS: Final[dict[str, Look]] = {"anything": _anything, "conversation": _conversation}


@dataclass(frozen=True, slots=True)
class Topic:
    """What a page wants to hear of: `anything`, or `conversation.` and its id."""

    name: str
    look: Look
    subject: UUID | None


async def _topics(topic: Annotated[list[str], Query(max_length=MOST)]) -> list[Topic]:
    return [_topic(name) for name in dict.fromkeys(topic)]


def _topic(name: str) -> Topic:
    kind, dot, subject = name.partition(".")
    if kind not in KINDS:
        raise not_found()
    try:
        return Topic(name, KINDS[kind], plain_uuid(subject) if dot else None)
    except ValueError as error:
        raise validation_error([f"topic: {error}"]) from None


@router.get("/console/live", response_class=EventSourceResponse)
async def live(
    viewer: Viewer, services: ServicesDep, topics: Annotated[list[Topic], Depends(_topics)]
) -> AsyncIterator[ServerSentEvent]:
    """Of each topic `ready`, then `changed` whenever its state does, looked at once a second. Each event has the state's
    name as its id, so that a page which comes back knows whether it missed something, and says how many milliseconds ago
    the newest step began, for a page that has not listened before."""

    def look(conn: Connection) -> list[State]:
        return [one.look(conn, viewer.agent_id, one.subject) for one in topics]

    ends_at = asyncio.get_running_loop().time() + _LASTS.total_seconds()
    known = await services.database.read(look)
    for topic, state in zip(topics, known, strict=True):
        yield _event("ready", topic, state)
    while not services.stopping.is_set() and asyncio.get_running_loop().time() < ends_at:
        await asyncio.sleep(LOOK_EVERY_S)
        found = await services.database.read(look)
        for topic, before, state in zip(topics, known, found, strict=True):
            if state.name != before.name:
                yield _event("changed", topic, state)
        known = found


def _event(kind: str, topic: Topic, state: State) -> ServerSentEvent:
    told = {"topic": topic.name, "age": state.age_ms}
    return ServerSentEvent(event=kind, data=told, id=state.name, retry=_COME_BACK_MS)
