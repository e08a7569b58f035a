"""Telling open pages that something they show has changed. The stream carries no data: the page is read again."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from datetime import timedelta
from typing import Annotated, Final
from uuid import UUID

from fastapi import Depends, Query
from fastapi.sse import EventSourceResponse, ServerSentEvent
from sqlalchemy import Connection, text

from api.console.access import Viewer
from api.console.routes import page_router
from api.errors import not_found
from api.services import ServicesDep

router = page_router()

LOOK_EVERY_S: Final = 1.0
_LASTS: Final = timedelta(minutes=5)
"""Then the browser asks again, with the session it has by then."""

Fingerprint = Callable[[Connection, UUID | None, UUID | None], str]
"""Of what a page shows, for an agent (None: everything) and a subject (None: the whole list)."""

_CONVERSATION: Final = text(
    """
    SELECT concat_ws('|', extract(epoch FROM c.updated_at),
      (SELECT max(m.seq) FROM "Messages" m WHERE m.conversation_id = c.id),
      (SELECT max(a.created_at) FROM "AuditLogs" a WHERE a.conversation_id = c.id),
      (SELECT string_agg(d.state, ',' ORDER BY d.id) FROM "OutboundDispatches" d WHERE d.conversation_id = c.id))
      FROM "Conversations" c
     WHERE c.id = :subject
       AND (CAST(:agent AS uuid) IS NULL OR CAST(:agent AS uuid) IN (c.assigned_agent_id, c.follow_up_owner_agent_id))
    """
)


def _conversation(conn: Connection, agent_id: UUID | None, subject: UUID | None) -> str:
    return str(conn.execute(_CONVERSATION, {"subject": subject, "agent": agent_id}).scalar())


_ANYTHING: Final = text('SELECT max(id) FROM "AuditLogs"')


def _anything(conn: Connection, _agent_id: UUID | None, _subject: UUID | None) -> str:
    """Every step writes an audit row, so its newest tells whether a list may have changed."""
    return str(conn.execute(_ANYTHING).scalar())


TOPICS: Final[dict[str, Fingerprint]] = {"anything": _anything, "conversation": _conversation}


def _look(topic: Annotated[str, Query()]) -> Fingerprint:
    if topic not in TOPICS:
        raise not_found()
    return TOPICS[topic]


@router.get("/console/live", response_class=EventSourceResponse)
async def live(
    viewer: Viewer,
    services: ServicesDep,
    look: Annotated[Fingerprint, Depends(_look)],
    subject: Annotated[UUID | None, Query()] = None,
) -> AsyncIterator[ServerSentEvent]:
    """`changed` whenever the fingerprint of the topic does, looked at once a second."""
    ends_at = asyncio.get_running_loop().time() + _LASTS.total_seconds()
    known = await services.database.read(look, viewer.agent_id, subject)
    yield ServerSentEvent(event="ready", raw_data="", retry=2000)
    while not services.stopping.is_set() and asyncio.get_running_loop().time() < ends_at:
        await asyncio.sleep(LOOK_EVERY_S)
        found = await services.database.read(look, viewer.agent_id, subject)
        if found != known:
            known = found
            yield ServerSentEvent(event="changed", raw_data="")
