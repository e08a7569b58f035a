"""`GET /api/calendar-feeds/<id>.ics`: an agent's showings for a calendar that subscribes.

Calendars can't sign in: the secret stands in the query, which no log of ours keeps, and can be revoked.
"""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query, Response

from api.errors import not_found
from api.services import ServicesDep
from leasebot_pipeline import calendars
from leasebot_pipeline.storage import calendar_feeds

router = APIRouter(prefix="/api/calendar-feeds", tags=["calendars"])


class CalendarFile(Response):
    media_type = "text/calendar"


@router.get(
    "/{feed_id}.ics",
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
