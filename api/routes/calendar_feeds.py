"""Calendar files: an agent's showings for a calendar that subscribes, and one showing as an invite.

Calendars can't sign in: the secret stands in the query, which no log of ours keeps, and can be revoked.
"""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query, Response
from pydantic import Field
from sqlalchemy import Connection

from api.answers import Answer, Instant
from api.auth.access import Scope, ScopedIdentity
from api.errors import not_found
from api.inputs import PathId
from api.services import ServicesDep
from leasebot_pipeline import calendars
from leasebot_pipeline.storage import calendar_feeds, showings
from leasebot_pipeline.storage.availability_audit import CalendarActor

router = APIRouter(prefix="/api", tags=["calendars"])


class FeedAnswer(Answer):
    agent_id: UUID
    feed_id: UUID
    created_at: Instant
    last_read_at: Instant | None


class NewFeedAnswer(Answer):
    agent_id: UUID
    feed_id: UUID
    url: str = Field(description="the secret address; it is shown only now")
    rotated: bool = Field(description="true: an earlier address stopped working")


class RevokedFeedAnswer(Answer):
    revoked: bool


class CalendarFile(Response):
    media_type = "text/calendar"


@router.get("/agents/{id}/calendar-feed", operation_id="getCalendarFeedState", summary="Is there a feed?")
async def feed_state(scope: ScopedIdentity, agent_id: PathId, services: ServicesDep) -> FeedAnswer:
    """Without its secret; 404 when the agent has none."""
    scope.own(agent_id)
    found = await services.database.read(calendar_feeds.live_feed, agent_id)
    if found is None:
        raise not_found()
    return FeedAnswer(
        agent_id=agent_id, feed_id=found.id, created_at=found.created_at, last_read_at=found.last_read_at
    )


@router.post(
    "/agents/{id}/calendar-feed",
    operation_id="createCalendarFeed",
    summary="A new secret address for an agent's showings",
    status_code=201,
)
async def create_feed(scope: ScopedIdentity, agent_id: PathId, services: ServicesDep) -> NewFeedAnswer:
    """The address before stops working."""
    scope.own(agent_id)
    made = await services.database.run(calendar_feeds.create_feed, agent_id, _actor(scope), services.clock())
    if made is None:
        raise not_found()
    url = f"{services.config.base_url}/api/calendar-feeds/{made.id}.ics?token={made.token}"
    return NewFeedAnswer(agent_id=agent_id, feed_id=made.id, url=url, rotated=made.rotated)


@router.delete("/agents/{id}/calendar-feed", operation_id="revokeCalendarFeed", summary="End an agent's feed")
async def revoke_feed(scope: ScopedIdentity, agent_id: PathId, services: ServicesDep) -> RevokedFeedAnswer:
    """404 when there is none."""
    scope.own(agent_id)
    if not await services.database.run(calendar_feeds.revoke_feed, agent_id, _actor(scope), services.clock()):
        raise not_found()
    return RevokedFeedAnswer(revoked=True)


@router.get(
    "/showing-appointments/{id}/invite.ics",
    operation_id="getShowingInvite",
    summary="One showing as a calendar invite",
    response_class=CalendarFile,
)
async def invite(scope: ScopedIdentity, showing_id: PathId, services: ServicesDep) -> CalendarFile:
    """A request while the showing stands, a cancellation afterwards; the same id each time."""

    def read(conn: Connection) -> calendars.Invite:
        showing = showings.find_showing(conn, showing_id)
        if showing is None or scope.agent_id not in (None, showing.agent_id):
            raise not_found()
        found = calendar_feeds.load_invite(conn, showing_id)
        if found is None:
            raise not_found()
        return calendars.invite(*found)

    made = await services.database.read(read)
    headers = {"content-disposition": f'attachment; filename="showing-{showing_id}.ics"'}
    return CalendarFile(made.body, media_type=made.content_type, headers=headers)


def _actor(scope: Scope) -> CalendarActor:
    return CalendarActor(scope.role, scope.user_id)


@router.get(
    "/calendar-feeds/{feed_id}.ics",
    operation_id="getCalendarFeed",
    summary="An agent's showings as a calendar file",
    response_class=CalendarFile,
    responses={404: {}},
)
async def calendar_feed(
    services: ServicesDep,
    feed_id: str,
    token: Annotated[str, Query(description="The feed's secret", max_length=200)] = "",
) -> CalendarFile:
    """404 for an address that is wrong or was revoked: it does not tell which."""
    try:
        known = UUID(feed_id)
    except ValueError:
        raise not_found() from None
    content = await services.database.run(calendar_feeds.read_feed, known, token, services.clock())
    if content is None:
        raise not_found()
    return CalendarFile(calendars.feed(content.agent_name, content.entries))
