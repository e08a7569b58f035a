"""Today: what waits for the person who looks, each a tap away from where it is done."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, Final

from fastapi import Request, Response
from sqlalchemy import Connection

from api.auth.access import Scope
from api.console import showing_views as views
from api.console.access import Administrator, Viewer
from api.console.render import page
from api.console.routes import page_router
from api.console.stops import stop_text
from api.console.times import zone_of
from api.services import Services, ServicesDep
from leasebot_pipeline.domain.showings import LIVE_SHOWING_STATES
from leasebot_pipeline.storage import kill_switches, showings, today, unit_assignments
from leasebot_pipeline.storage.showings import Showing, ShowingFilter
from leasebot_pipeline.storage.waiting_for_people import Counted, by_kind

router = page_router()

ROWS: Final = 15
"""Of each list; the counters tell how many there are."""
SHOWINGS: Final = 30
"""Of today's: one agent's day fits, a house with many agents has a list of its own."""
_NAMED: Final = 5
"""Units without an agent that are named; how many there are is told."""
_MOST: Final = 200
_DAY: Final = timedelta(days=1)


@router.get("/admin/today")
async def of_all(request: Request, viewer: Administrator, services: ServicesDep) -> Response:
    return await _today(request, viewer, services, "/admin")


@router.get("/agent/today")
async def of_agent(request: Request, viewer: Viewer, services: ServicesDep) -> Response:
    """An agent's own day; an administrator sees everybody's here, too."""
    return await _today(request, viewer, services, "/agent")


async def _today(request: Request, viewer: Scope, services: Services, area: str) -> Response:
    now, agent = services.clock(), viewer.agent_id

    def read(conn: Connection) -> dict[str, Any]:
        waiting = by_kind(conn, now, ROWS, agent_id=agent)
        live = tuple(state.value for state in LIVE_SHOWING_STATES)
        # Those that are over do not count against the bound.
        wanted = ShowingFilter(
            statuses=live,
            agent_id=agent,
            begin=now,
            first_day=now.date() - _DAY,
            last_day=now.date() + _DAY,
            standing_at=now,
        )
        untold = ShowingFilter(
            statuses=live, agent_id=agent, begin=now - today.OUTCOME_ASKED_FOR, over_by=now
        )
        ahead = showings.list_showings(conn, wanted, _MOST)
        return {
            "person": waiting["person"],
            "drafts": waiting["draft"],
            "doubt": waiting["in_doubt"],
            "shown": [s for s in ahead if _is_today(s, services)],
            "untold": showings.list_showings(conn, untold, _MOST),
            "due": today.follow_ups_due(conn, agent, now, ROWS),
            "nobody": unit_assignments.with_nobody(conn, _NAMED) if agent is None else ([], 0),
            "without_units": agent is not None and not unit_assignments.has_units(conn, agent),
            "stops": kill_switches.stops(conn, agent),
            "problems": today.problems(conn, ROWS) if agent is None else Counted((), 0),
        }

    context = await services.database.read(read)
    return page(
        request,
        "today.html",
        rows=ROWS,
        showings_shown=SHOWINGS,
        inbox=f"{area}/inbox",
        showings_at="/admin/showings" if area == "/admin" else "/agent/appointments",
        here=f"{area}/today",
        steps_of=views.steps_of,
        stop_text=stop_text,
        **context,
    )


def _is_today(showing: Showing, services: Services) -> bool:
    """Where it is: zones lie up to a day apart."""
    return views.local_day(showing) == services.clock().astimezone(zone_of(showing.timezone)).date()
