"""Who shows which unit: one unit at a time, or many at once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final
from uuid import UUID

from fastapi import Request
from fastapi.responses import Response
from sqlalchemy import Connection

from api.console.access import Administrator
from api.console.forms import Form, FormData, parse
from api.console.lists import Pages, known, page_number, searched
from api.console.render import go, page, query
from api.console.routes import page_router
from api.console.wording import error_text, words
from api.errors import ApiError, validation_error
from api.inputs import plain_uuid
from api.paging import MAX_LIMIT, Page
from api.routes import agents, units
from api.services import Services, ServicesDep
from leasebot_pipeline.storage import unit_assignments
from leasebot_pipeline.storage.unit_assignments import UnitRow, Wanted

router = page_router()
PATH: Final = "/admin/assignments"
ROWS: Final = 20
_CHOICES: Final = 200
"""Units offered in the form; more are found by searching."""
STATUSES: Final = ("active", "paused", "leased", "draft", "inactive", "none")


@dataclass(frozen=True, slots=True)
class Asked:
    """What the address asks for; unknown values count as not given."""

    text: str
    status: str
    assigned: str
    sort: str
    page: int

    @classmethod
    def of(cls, request: Request) -> Asked:
        asked = request.query_params
        return cls(
            text=searched(asked.get("q")),
            status=known(asked.get("status"), STATUSES),
            assigned=known(asked.get("assigned"), ("assigned", "unassigned")),
            sort=known(asked.get("sort"), unit_assignments.SORTS) or "default",
            page=page_number(asked.get("page")),
        )

    def wanted(self) -> Wanted:
        return Wanted(self.text or None, self.status or None, self.assigned or None)

    def url(self, **changes: object) -> str:
        sort = None if self.sort == "default" else self.sort
        values = {"q": self.text, "status": self.status, "assigned": self.assigned, "sort": sort}
        return query(PATH, **(values | changes))


@router.get(PATH)
async def assignments(request: Request, viewer: Administrator, services: ServicesDep) -> Response:
    return await _page(request, viewer, services)


@router.post(PATH)
async def assign(request: Request, viewer: Administrator, form: FormData, services: ServicesDep) -> Response:
    """`unit` may stand there several times: each is assigned by itself, and what was refused is told."""
    wanted, agent = form.all("unit"), form.text("agent")
    many = form.text("do") == "bulk"
    try:
        if not wanted:
            raise validation_error(["Choose at least one unit." if many else "Choose a listing first."])
        if form.text("agent", "?") == "?":
            raise validation_error(["Choose an agent, or nobody."])
        body = parse(units.PrimaryBody, {"agentId": agent or None})
    except ApiError as error:
        return await _page(request, viewer, services, reason=error_text(error.body), form=form, status=422)
    done, failed = 0, []
    for unit in wanted[:ROWS]:
        try:
            await units.assign_primary(_uuid(unit), viewer.identity, body, services)
            done += 1
        except ApiError as error:
            failed.append(error_text(error.body))
    if failed:
        reason = f"{done} of {len(wanted)} changed. {failed[0]}"
        return await _page(request, viewer, services, reason=reason, form=form, status=422)
    asked = Asked.of(request)
    verb = "assigned" if agent else "unassigned"
    told = f"{done} units {verb}." if many else f"The unit is {verb}."
    return go(request, asked.url(page=asked.page if asked.page > 1 else None), told)


async def _page(
    request: Request,
    viewer: Administrator,
    services: Services,
    *,
    reason: str | None = None,
    form: Form | None = None,
    status: int = 200,
) -> Response:
    asked = Asked.of(request)

    def read(conn: Connection) -> tuple[list[UnitRow], int, list[UnitRow], tuple[int, int, int]]:
        wanted = asked.wanted()
        rows, total = unit_assignments.search(
            conn, wanted, sort=asked.sort, limit=ROWS, skip=(asked.page - 1) * ROWS
        )
        choices, _ = unit_assignments.search(conn, wanted, sort="default", limit=_CHOICES, skip=0)
        return rows, total, choices, unit_assignments.counts(conn)

    rows, total, choices, counts = await services.database.read(read)
    everybody = await agents.list_agents(viewer, Page(MAX_LIMIT, None), services)
    chosen = form.text("unit") if form else request.query_params.get("unit", "")
    if chosen and all(str(row.unit_id) != chosen for row in choices):
        choices = [row for row in rows if str(row.unit_id) == chosen] + choices
    here = asked.url(page=asked.page if asked.page > 1 else None)
    return page(
        request,
        "assignments.html",
        status=status,
        rows=rows,
        choices=choices,
        agents=everybody.items,
        counts=counts,
        asked=asked,
        pages=Pages(asked.page, total, ROWS, asked.url),
        here=here,
        status_options=[("", "Any status"), *((name, words(name)) for name in STATUSES)],
        reason=reason,
        many=form is not None and form.text("do") == "bulk",
        chosen=chosen,
        chosen_many=form.all("unit") if form else [],
        chosen_agent=form.text("agent") if form else request.query_params.get("agent", "?"),
    )


def _uuid(unit: str) -> UUID:
    try:
        return plain_uuid(unit)
    except ValueError as error:
        raise validation_error([f"unit: {error}"]) from None
