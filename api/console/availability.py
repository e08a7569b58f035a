"""Calendars of agents and units: the week at a glance, weekly rules, exceptions, copies, the calendar feed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable
from dataclasses import dataclass
from datetime import date, time, timedelta
from typing import Any, Final
from uuid import UUID

from fastapi import Request, Response
from sqlalchemy import Connection

from api.answers import CreatedAnswer
from api.auth.access import Scope
from api.console.access import Administrator, Viewer
from api.console.forms import Form, FormData, attempt, parse
from api.console.render import go, page, query
from api.console.routes import page_router
from api.console.showing_filters import day_of, id_of
from api.console.showing_views import first_of_week
from api.console.times import Clock, locale_of, zone_of
from api.console.week_bars import HOURS, WIDTH, week_of
from api.errors import ApiError, not_found
from api.inputs import PathId
from api.routes import agents as agents_api
from api.routes import calendar_feeds
from api.routes.availability import copies, overrides, rules
from api.routes.availability.calendars import Changer, agent_slot, unit_slot
from api.services import Services, ServicesDep
from leasebot_pipeline.domain.availability import DAY_NAMES, STATUSES, Owner, OwnerKind, WeeklyRule
from leasebot_pipeline.domain.showings import LIVE_SHOWING_STATES
from leasebot_pipeline.storage import agents, showings, units
from leasebot_pipeline.storage import availability as stored
from leasebot_pipeline.storage import calendar_feeds as feeds
from leasebot_pipeline.storage.showings import ShowingFilter

router = page_router()

_MOST: Final = 500
_WEEK: Final = timedelta(days=7)
_AHEAD: Final = timedelta(days=366)
_ALL_DAY: Final = ("00:00", "23:59")
_FIELDS: Final = (
    "rule",
    "dayOfWeek",
    "startTime",
    "endTime",
    "status",
    "timezone",
    "fromDate",
    "untilDate",
    "toDate",
    "date",
    "notes",
    "allDay",
    "fromDay",
)
"""Of all forms of the page."""
ZONES: Final = (
    "America/New_York",
    "America/Chicago",
    "America/Denver",
    "America/Phoenix",
    "America/Los_Angeles",
    "America/Anchorage",
    "Pacific/Honolulu",
    "America/Toronto",
    "Europe/London",
    "UTC",
)
"""Offered for a rule, beside the calendar's own."""


@dataclass(frozen=True, slots=True)
class Calendar:
    """Whose calendar a page is about, and where that page is."""

    owner: Owner
    name: str
    zone: str
    path: str
    own: bool = False
    """Whether it is the viewer's."""

    @property
    def is_agent(self) -> bool:
        return self.owner.kind is OwnerKind.AGENT

    def address(self, **values: object) -> str:
        return query(
            self.path, **({"agent": self.owner.id} if self.is_agent and not self.own else {}), **values
        )


@router.get("/agent/availability")
async def of_agent(request: Request, viewer: Viewer, services: ServicesDep) -> Response:
    """An agent's own calendar; an administrator chooses whose."""
    calendar = await _agent(request, viewer, services)
    if calendar is None:
        return await _choose(request, services)
    return await _calendar_page(request, services, calendar)


@router.post("/agent/availability")
async def change_of_agent(
    request: Request, viewer: Viewer, services: ServicesDep, form: FormData
) -> Response:
    calendar = await _agent(request, viewer, services)
    if calendar is None:
        raise not_found()
    return await _change(request, viewer, services, calendar, form)


@router.get("/admin/showings/units")
async def open_unit(request: Request, _viewer: Administrator) -> Response:
    """Where the list of units leads to without script."""
    unit = id_of(request.query_params.get("unit"))
    return go(request, f"/admin/showings/units/{unit}" if unit else "/admin/showings")


@router.get("/admin/showings/units/{id}")
async def of_unit(
    request: Request, _viewer: Administrator, services: ServicesDep, unit_id: PathId
) -> Response:
    return await _calendar_page(request, services, await _unit(services, unit_id))


@router.post("/admin/showings/units/{id}")
async def change_of_unit(
    request: Request, viewer: Administrator, services: ServicesDep, unit_id: PathId, form: FormData
) -> Response:
    return await _change(request, viewer, services, await _unit(services, unit_id), form)


async def _agent(request: Request, viewer: Scope, services: Services) -> Calendar | None:
    asked = viewer.own(id_of(request.query_params.get("agent")))
    if asked is None:
        return None
    found = await services.database.read(agents.find_agent, asked)
    if found is None:
        raise not_found()
    owner = Owner(OwnerKind.AGENT, found.id)
    return Calendar(
        owner, found.full_name, found.timezone, "/agent/availability", own=viewer.agent_id is not None
    )


async def _unit(services: Services, unit_id: UUID) -> Calendar:
    owner = Owner(OwnerKind.UNIT, unit_id)

    def read(conn: Connection) -> tuple[units.Unit | None, list[WeeklyRule]]:
        return units.find_unit(conn, unit_id), stored.list_rules(conn, owner)

    found, rules = await services.database.read(read)
    if found is None:
        raise not_found()
    # A unit has no zone of its own: its rules tell, else its agent.
    told = Counter(rule.timezone for rule in rules).most_common(1)
    shown_by = [a.agent_timezone for a in found.assigned_agents if a.assignment_mode == "active"]
    zone = told[0][0] if told else next(iter(shown_by), "UTC")
    name = f"{found.property_name} {found.unit_number}"
    return Calendar(owner, name, zone, f"/admin/showings/units/{unit_id}")


async def _choose(request: Request, services: Services) -> Response:
    everybody = await services.database.read(agents.list_agents, _MOST)
    return page(request, "availability_choose.html", agents=everybody)


async def _calendar_page(
    request: Request,
    services: Services,
    calendar: Calendar,
    *,
    form: Form | None = None,
    problem: str | None = None,
    feed_url: str | None = None,
) -> Response:
    """The page; with ``form`` what was typed and why it was refused."""
    now, zone = services.clock(), zone_of(calendar.zone)
    clock = Clock(now, locale_of(request.headers.get("accept-language", "")))
    today = now.astimezone(zone).date()
    first = first_of_week(day_of(request.query_params.get("week")) or today)
    editing = id_of(request.query_params.get("edit"))

    def read(conn: Connection) -> dict[str, Any]:
        begin = min(now, clock.midnight(first, calendar.zone))
        slots = stored.list_slots(conn, calendar.owner, begin, now + _AHEAD)
        rules = stored.list_rules(conn, calendar.owner)
        wanted = ShowingFilter(
            statuses=tuple(state.value for state in LIVE_SHOWING_STATES),
            begin=clock.midnight(first, calendar.zone),
            end=clock.midnight(first + _WEEK, calendar.zone),
            agent_id=calendar.owner.id if calendar.is_agent else None,
            unit_id=None if calendar.is_agent else calendar.owner.id,
            standing_at=now,
        )
        booked = showings.list_showings(conn, wanted, _MOST)
        bars = week_of(first, zone, slots, booked, calendar.owner.opens, clock)
        own = [slot for slot in slots if slot.rule_id is None]
        return {
            "bars": bars,
            "rules": sorted(rules, key=lambda r: (r.day_of_week, r.start_time)),
            "edited": next((rule for rule in rules if rule.id == editing), None),
            "exceptions": [slot for slot in own if slot.ends_at > now],
            "weeks_with": sorted(
                {first_of_week(s.starts_at.astimezone(zone_of(s.timezone)).date()) for s in own} | {first}
            ),
            "feed": feeds.live_feed(conn, calendar.owner.id) if calendar.is_agent else None,
            "everybody": agents.list_agents(conn, _MOST) if calendar.is_agent and not calendar.own else [],
        }

    context = await services.database.read(read)
    zones = dict.fromkeys([calendar.zone, *(rule.timezone for rule in context["rules"]), *ZONES])
    opens, blocks = STATUSES[calendar.owner.kind]
    return page(
        request,
        "availability.html",
        status=200 if problem is None else 422,
        calendar=calendar,
        first=first,
        today=today,
        week=_WEEK,
        day=timedelta(days=1),
        width=WIDTH,
        bar_hours=[clock.local_time(time(hour)) for hour in HOURS],
        zones=[(name, name.replace("_", " ")) for name in zones],
        opens=opens,
        kinds=[
            (opens, "Open" if opens == "open" else "Available"),
            (blocks, "Blocked" if opens == "open" else "Not available"),
        ],
        day_names=list(enumerate(DAY_NAMES)),
        typed=_values({name: form.text(name) for name in _FIELDS} if form else {}),
        fresh=_values({"dayOfWeek": 2, "startTime": "09:00", "endTime": "17:00"}),
        fresh_exception=_values({}),
        edited_values=_values(_of_rule(context["edited"])),
        chosen_days=form.all("toDays") if form else [],
        done=form.text("do") if form else "",
        problem=problem,
        feed_url=feed_url,
        **context,
    )


def _values(given: dict[str, Any]) -> dict[str, Any]:
    """What the fields hold; those not given are empty."""
    return dict.fromkeys(_FIELDS, "") | given


def _of_rule(rule: WeeklyRule | None) -> dict[str, Any]:
    if rule is None:
        return {}
    return {
        "rule": rule.id,
        "dayOfWeek": rule.day_of_week,
        "startTime": f"{rule.start_time:%H:%M}",
        "endTime": f"{rule.end_time:%H:%M}",
        "status": rule.status,
        "timezone": rule.timezone,
        "fromDate": rule.valid_from or "",
        "untilDate": rule.valid_until or "",
        "notes": rule.notes or "",
    }


async def _change(
    request: Request, viewer: Scope, services: Services, calendar: Calendar, form: Form
) -> Response:
    """One of the page's forms, named by its field ``do``."""
    try:
        work, done = _asked(viewer, services, calendar, form)
        made, problem = await attempt(work)
    except ApiError as error:
        if error.status != 400:
            raise
        made, (_, problem) = None, await attempt(_refuse(error))
    if problem is not None:
        return await _calendar_page(request, services, calendar, form=form, problem=problem)
    if isinstance(made, calendar_feeds.NewFeedAnswer):
        # Shown now or never: a redirect would lose it.
        return await _calendar_page(request, services, calendar, form=form, feed_url=made.url)
    if form.text("do") == "copy-week":  # to where they are now
        copied_to = first_of_week(date.fromisoformat(_week_values(form)["toDate"]))
        return go(request, f"{calendar.address(week=copied_to)}#week", done)
    made_at = _anchor(made)
    return go(request, calendar.address(week=request.query_params.get("week")) + made_at, done)


def _anchor(made: Any) -> str:
    """Where on the page the row is that was just written."""
    if isinstance(made, rules.SavedRuleAnswer):
        return f"#rule-{made.rule_id}"
    return f"#exception-{made.id}" if isinstance(made, CreatedAnswer) else ""


async def _delete_exception(viewer: Scope, services: Services, calendar: Calendar, slot_id: UUID) -> Any:
    if calendar.is_agent:
        who = await agent_slot(slot_id, viewer, services)
    else:
        who = await unit_slot(slot_id, viewer.identity)
    return await overrides.delete_slot(services, who)


async def _refuse(error: ApiError) -> None:
    raise error


def _asked(viewer: Scope, services: Services, calendar: Calendar, form: Form) -> tuple[Awaitable[Any], str]:
    """The API's handler for what the form asks, and what to say when it is done. Raises the API's 400."""
    owner, agent = calendar.owner.id, calendar.is_agent
    who = Changer(viewer.identity, calendar.owner)
    match form.text("do"):
        case "rule":
            rule = id_of(form.text("rule"))
            body = parse(rules.WeeklyRuleBody, _rule_values(form))
            done = "The weekly rule was changed." if rule else "The weekly rule holds from now on."
            return rules.save_rule(services, who, rule, body), done
        case "delete-rule":
            gone = rules.delete_rule(services, who, _needed(form, "rule"))
            return gone, "The weekly rule was deleted. Showings that are booked stay booked."
        case "exception":
            values = form.given("date", "startTime", "endTime", "timezone", "status", "notes")
            if form.flag("allDay"):
                values |= {"startTime": _ALL_DAY[0], "endTime": _ALL_DAY[1]}
            override = parse(overrides.OverrideBody, values)
            return overrides.create_override(services, who, override), "The exception holds."
        case "delete-exception":
            removed = _delete_exception(viewer, services, calendar, _needed(form, "slot"))
            return removed, "The exception was deleted; the weekly rules hold on that day."
        case "copy-week":
            weeks = parse(copies.CopyWeekBody, _week_values(form))
            return copies.copy_week(services, who, weeks), "The exceptions were copied."
        case "copy-day":
            days = parse(copies.CopyDayBody, {"fromDay": form.text("fromDay"), "toDays": form.all("toDays")})
            return copies.copy_day(services, who, days), "The rules were copied."
        case "zone" if agent:
            zone = parse(agents_api.TimezoneBody, form.given("timezone"))
            changed = agents_api.set_timezone(viewer, owner, zone, services)
            return changed, f"Times are now those of {zone.timezone.replace('_', ' ')}."
        case "feed" if agent:
            return calendar_feeds.create_feed(viewer, owner, services), ""
        case "revoke-feed" if agent:
            return calendar_feeds.revoke_feed(viewer, owner, services), "The address no longer works."
    raise not_found()


def _rule_values(form: Form) -> dict[str, Any]:
    names = ("dayOfWeek", "startTime", "endTime", "timezone", "status", "fromDate", "untilDate", "notes")
    return form.given(*names)


def _week_values(form: Form) -> dict[str, Any]:
    """Any day of a week stands for it."""
    values: dict[str, Any] = {}
    for name in ("fromDate", "toDate"):
        chosen: date | None = day_of(form.text(name))
        values[name] = first_of_week(chosen).isoformat() if chosen else form.text(name)
    return values


def _needed(form: Form, name: str) -> UUID:
    found = id_of(form.text(name))
    if found is None:
        raise not_found()
    return found
