"""Showings: the list, a week, a month, one showing with what can be done; for administrators and for agents."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, Final
from uuid import UUID, uuid4

from fastapi import Request, Response
from sqlalchemy import Connection

from api.auth.access import Scope
from api.console import conversation_outcomes as ends
from api.console import showing_views as views
from api.console.access import Administrator, Viewer
from api.console.forms import Form, FormData, attempt, parse
from api.console.not_free import Chosen, why_refused
from api.console.render import go, page
from api.console.routes import page_router
from api.console.showing_filters import UNTOLD, Filters, Paged, day_of
from api.console.times import Clock, locale_of, zone_of
from api.console.wording import words
from api.errors import ApiError, not_found
from api.inputs import PathId
from api.preconditions import etag
from api.routes import showings as api
from api.routes.availability import slots
from api.services import Services, ServicesDep
from leasebot_pipeline.domain.local_time import NonexistentLocalTime, instant_after_gap, instant_of
from leasebot_pipeline.domain.showings import LIVE_SHOWING_STATES, ShowingState
from leasebot_pipeline.storage import agents, calendars, showing_news, showings, unit_calendars, units
from leasebot_pipeline.storage.calendars import Candidate
from leasebot_pipeline.storage.showing_news import News
from leasebot_pipeline.storage.showings import Showing, ShowingFilter

router = page_router()

ROWS: Final = 20
CARDS: Final = 12
"""Rows of a page: showings, and calendars of units."""
_MOST: Final = 500
_CHOICES: Final = 36
"""Free times to choose from at most."""
_DONE: Final = {
    "pending": "The showing waits to be confirmed.",
    "confirmed": "The showing is confirmed.",
    "reschedule_requested": "Noted: the lead wants another time.",
    "cancelled": "The showing is cancelled.",
    "completed": "Noted: the showing took place.",
    "no_show": "Noted: nobody came.",
}


def _list(
    conn: Connection, filters: Filters, wanted: ShowingFilter, zone: str, now: datetime
) -> dict[str, Any]:
    """A page of the list: today first, whatever of it is over, then the days ahead, then those before."""
    if filters.problem is not None:
        return {"days": [], "paged": Paged(filters.number, 0, ROWS)}
    today = instant_after_gap(now.astimezone(zone_of(zone)).date(), time(), zone_of(zone))
    offset = (filters.number - 1) * ROWS
    found, total = showings.showings_around(conn, wanted, today, ROWS, offset)
    return {"days": views.by_day(found, today), "paged": Paged(filters.number, total, ROWS)}


def statuses() -> list[tuple[str, str]]:
    """Options of a filter by status."""
    told = ((status, words(status)) for status in api.STATUSES)
    return [("", "Any status"), *told, (UNTOLD, "Over, outcome not noted")]


@router.get("/agent/appointments")
async def appointments(request: Request, viewer: Viewer, services: ServicesDep) -> Response:
    """An agent's own showings; an administrator sees all, or those of one agent."""
    filters = Filters.of(request.query_params)
    now = services.clock()

    def read(conn: Connection) -> dict[str, Any]:
        wanted = filters.wanted(viewer, now)
        zone = unit_calendars.zone_of_calendar(conn, filters.unit, wanted.agent_id)
        return {
            **_list(conn, filters, wanted, zone, now),
            "units": showings.units_shown(conn, viewer.agent_id, _MOST),
            "agents": [] if viewer.agent_id else agents.list_agents(conn, _MOST),
        }

    context = await services.database.read(read)
    return page(
        request,
        "appointments.html",
        filters=filters,
        statuses=statuses(),
        steps_of=views.steps_of,
        can_move=views.can_move,
        etag=etag,
        base="/agent/appointments",
        here=filters.address("/agent/appointments"),
        **context,
    )


@router.get("/admin/showings")
async def all_showings(request: Request, viewer: Administrator, services: ServicesDep) -> Response:
    filters = Filters.of(request.query_params)
    now = services.clock()

    def read(conn: Connection) -> dict[str, Any]:
        wanted = filters.wanted(viewer, now)
        zone = unit_calendars.zone_of_calendar(conn, filters.unit, wanted.agent_id)
        shown = filters.day or now.astimezone(zone_of(zone)).date()
        first = views.first_of_week(shown)
        in_week = filters.view == "week"
        span = (first, first + timedelta(days=6)) if in_week else views.month_span(shown)
        listed = (
            _list(conn, filters, wanted, zone, now)
            if filters.view == "list"
            else {"days": [], "paged": Paged(1, 0, ROWS)}
        )
        weeks: list[list[views.Day]] = []
        if filters.view != "list":
            each = views.A_DAY_OF_A_WEEK if in_week else views.A_DAY_OF_A_MONTH
            weeks = views.weeks(*span, showings.showings_of_days(conn, wanted, *span, each))
        rules, rules_total = unit_calendars.rules_of_units(
            conn, filters.unit, CARDS, (filters.rules_number - 1) * CARDS
        )
        times, times_total = unit_calendars.times_of_units(
            conn,
            filters.unit,
            now,
            CARDS,
            (filters.times_number - 1) * CARDS,
            exceptions=filters.exceptions,
        )
        return {
            **listed,
            "weeks": weeks,
            "zone": zone,
            "shown": shown,
            "span": span,
            "units": units.names(conn, _MOST),
            "agents": agents.list_agents(conn, _MOST),
            "free": _free_days(conn, services, filters, span) if filters.view == "month" else {},
            "rules": rules,
            "rules_paged": Paged(filters.rules_number, rules_total, CARDS),
            "times": times,
            "times_paged": Paged(filters.times_number, times_total, CARDS),
        }

    context = await services.database.read(read)
    return page(
        request,
        "showings.html",
        filters=filters,
        statuses=statuses(),
        steps_of=views.steps_of,
        can_move=views.can_move,
        etag=etag,
        base="/admin/showings",
        here=filters.address("/admin/showings"),
        week=timedelta(days=7),
        earlier_month=(context["shown"].replace(day=1) - timedelta(days=1)).replace(day=1),
        later_month=views.next_month(context["shown"]),
        **context,
    )


def _free_days(
    conn: Connection, services: Services, filters: Filters, span: tuple[date, date]
) -> Counter[date]:
    """How many times of the chosen unit are free on each day, with the chosen agent or anybody."""
    if filters.unit is None:
        return Counter()
    now, last = services.clock(), datetime.combine(span[1] + timedelta(days=2), time(), UTC)
    free = calendars.unit_candidates(
        conn, filters.unit, services.config.slots, now, now, last, include_passive=True
    )
    starts = {
        c.slot.starts_at.astimezone(zone_of(c.slot.timezone))
        for c in free
        if filters.agent in (None, c.slot.agent_id)
    }
    return Counter(start.date() for start in starts)


@router.get("/admin/showings/{id}")
async def one_for_administrators(
    request: Request, viewer: Administrator, services: ServicesDep, showing_id: PathId
) -> Response:
    return await _showing_page(request, viewer, services, showing_id, "/admin/showings")


@router.get("/agent/appointments/{id}")
async def one(request: Request, viewer: Viewer, services: ServicesDep, showing_id: PathId) -> Response:
    return await _showing_page(request, viewer, services, showing_id, "/agent/appointments")


@router.post("/admin/showings/{id}")
async def change_for_administrators(
    request: Request, viewer: Administrator, services: ServicesDep, showing_id: PathId, form: FormData
) -> Response:
    return await _change(request, viewer, services, showing_id, "/admin/showings", form)


@router.post("/agent/appointments/{id}")
async def change(
    request: Request, viewer: Viewer, services: ServicesDep, showing_id: PathId, form: FormData
) -> Response:
    return await _change(request, viewer, services, showing_id, "/agent/appointments", form)


async def _change(
    request: Request, viewer: Scope, services: Services, showing_id: UUID, base: str, form: Form
) -> Response:
    """Another status, or another time; what is refused is told on the showing's own page."""
    back = form.text("back")
    target = back if back == base or back.startswith((f"{base}?", f"{base}/")) else f"{base}/{showing_id}"
    version = form.text("version") or None
    if form.text("status"):
        body = parse(api.StatusBody, {"status": form.text("status")})
        problem = await _set_status(request, viewer, services, showing_id, body, version)
        done = _DONE[body.status]
    else:
        starts_at, _, rest = form.text("slot").partition("|")
        ends_at, _, agent = rest.partition("|")
        if not agent:
            problem = "Choose one of the free times first."
            return await _showing_page(
                request, viewer, services, showing_id, base, problem=problem, move=True
            )
        values = {
            "idempotencyKey": form.text("key") or str(uuid4()),
            "startsAt": starts_at,
            "endsAt": ends_at,
            "agentId": agent,
        }
        wish = parse(api.RescheduleBody, values)
        done, problem = await _move(request, viewer, services, showing_id, wish, version)
    if problem is None:
        news = await services.database.read(showing_news.untold, showing_id)
        if news is None:
            return go(request, target, done)
        then = ("Tell the lead", views.telling(viewer, news))
        return go(request, target, f"{done} The lead does not know yet.", then=then)
    return await _showing_page(
        request, viewer, services, showing_id, base, problem=problem, move=not form.text("status")
    )


async def _move(
    request: Request,
    viewer: Scope,
    services: Services,
    showing_id: UUID,
    wish: api.RescheduleBody,
    version: str | None,
) -> tuple[str, str | None]:
    """What was done, and why it was not: the time itself is named."""
    clock = Clock(services.clock(), locale_of(request.headers.get("accept-language", "")))
    try:
        moved = await api.reschedule(viewer, showing_id, wish, services, version)
    except ApiError as error:
        found = await services.database.read(showings.find_showing, showing_id)
        if found is None or wish.agent_id is None:
            raise
        chosen = Chosen(found.unit_id, wish.agent_id, wish.starts_at, found.timezone, found.conversation_id)
        return "", await why_refused(services, clock, chosen, error)
    return f"Moved to {clock.moment(moved.appointment.starts_at, moved.appointment.timezone)}.", None


async def _set_status(
    request: Request,
    viewer: Scope,
    services: Services,
    showing_id: UUID,
    body: api.StatusBody,
    version: str | None,
) -> str | None:
    """Why it is refused, if it is: what came of a visit can't be told before it began."""
    target, now = ShowingState(body.status), services.clock()
    found = await services.database.read(showings.find_showing, showing_id)
    if found is not None and target in (ShowingState.COMPLETED, ShowingState.NO_SHOW):
        if found.starts_at > now and ShowingState(found.status) in LIVE_SHOWING_STATES:
            clock = Clock(now, locale_of(request.headers.get("accept-language", "")))
            return ends.too_early(clock.moment(found.starts_at, found.timezone))
        if ends.confirmed_first(ShowingState(found.status), target):
            confirm = api.StatusBody(status="confirmed")
            _, problem = await attempt(api.set_status(viewer, showing_id, confirm, services, version))
            if problem is not None:
                return problem
            version = None
    _, problem = await attempt(api.set_status(viewer, showing_id, body, services, version))
    return problem


async def _showing_page(
    request: Request,
    viewer: Scope,
    services: Services,
    showing_id: UUID,
    base: str,
    *,
    problem: str | None = None,
    move: bool = False,
) -> Response:
    now = services.clock()
    asked = request.query_params
    first = day_of(asked.get("from"))

    def read(conn: Connection) -> tuple[Showing, News | None, list[Candidate], bool]:
        showing = showings.find_showing(conn, showing_id)
        if showing is None or viewer.agent_id not in (None, showing.agent_id):
            raise not_found()
        news = showing_news.untold(conn, showing_id)
        if not views.can_move(showing):
            return showing, news, [], False
        free = calendars.unit_candidates(
            conn,
            showing.unit_id,
            services.config.slots,
            now,
            now,
            now + services.config.slot_horizon,
            include_passive=True,
            ignoring_conversation=showing.conversation_id,
        )
        zone = zone_of(showing.timezone)
        mine = [
            c
            for c in sorted(free, key=lambda c: (c.slot.starts_at, c.assignment.priority))
            if viewer.agent_id in (None, c.slot.agent_id)
            and (first is None or c.slot.starts_at.astimezone(zone).date() >= first)
            and (c.slot.starts_at, c.slot.agent_id) != (showing.starts_at, showing.agent_id)
        ]
        return showing, news, mine[:_CHOICES], len(mine) > _CHOICES

    showing, news, free, more = await services.database.read(read)
    zone = zone_of(showing.timezone)
    by_day: dict[date, list[Candidate]] = {}
    for candidate in free:
        by_day.setdefault(candidate.slot.starts_at.astimezone(zone).date(), []).append(candidate)
    why, why_problem = await _why(request, viewer, services, showing)
    return page(
        request,
        "showing.html",
        status=200 if problem is None else 409,
        showing=showing,
        base=base,
        back=asked.get("back", "") if asked.get("back", "").startswith(base) else base,
        version=etag(showing.updated_at),
        steps=views.steps_of(showing, now),
        can_move=views.can_move(showing),
        news=news,
        telling=views.telling(viewer, news) if news else "",
        move=move or "move" in asked,
        free=by_day,
        more=more,
        from_day=first,
        agents_differ=len({c.slot.agent_id for c in free}) > 1,
        key=uuid4(),
        problem=problem,
        why=why,
        why_problem=why_problem,
        why_date=asked.get("date", ""),
        why_time=asked.get("time", ""),
    )


async def _why(
    request: Request, viewer: Scope, services: Services, showing: Showing
) -> tuple[list[str] | None, str | None]:
    """Why the time asked about is not free (empty: it is), or why that can not be told; None and None unasked."""
    asked = request.query_params
    day, at = day_of(asked.get("date")), asked.get("time", "")
    if day is None or not at:
        return None, None
    try:
        instant = instant_of(day, time.fromisoformat(at), zone_of(showing.timezone))
    except NonexistentLocalTime:
        return None, "Clocks skip that time on that day. Choose another one."
    except ValueError:
        return None, "Write the time as hours and minutes, such as 14:30."
    try:
        answer, problem = await attempt(
            slots.explain_slot(viewer, showing.unit_id, services, showing.agent_id, instant.isoformat())
        )
    except ApiError:
        return None, "This unit is not yours to show any more: ask an administrator."
    if answer is None:
        return None, problem
    clock = Clock(services.clock(), locale_of(request.headers.get("accept-language", "")))
    told = [views.with_local_times(reason.detail, clock, showing.timezone) for reason in answer.reasons]
    return told, None
