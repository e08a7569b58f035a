"""The inbox list: what is filtered, paged and marked, beside a conversation or alone."""

from __future__ import annotations

from asyncio import create_task, wait
from collections.abc import AsyncIterator, Awaitable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any, Final
from uuid import UUID

from fastapi import Depends, Request
from fastapi.responses import Response

from api.auth.access import ADMIN, Scope
from api.console.access import Viewer
from api.console.inbox_words import PLATFORMS, platform_name, state_text
from api.console.lists import page_number
from api.console.render import page, query
from api.console.routes import page_router
from api.errors import forbidden_role
from api.inputs import PathId
from api.paging import Page, decode
from api.routes import inbox, steering
from api.routes.inbox import STATES, InboxItem
from api.routes.steering import WaitingItem
from api.services import Services, ServicesDep
from leasebot_pipeline.storage import conversation_notes, unit_assignments
from leasebot_pipeline.storage.conversation_notes import Marks
from leasebot_pipeline.storage.inbox import InboxFilter
from leasebot_pipeline.storage.inbox_count import count_inbox
from leasebot_pipeline.storage.waiting_for_people import count_waiting

router = page_router()

ROWS: Final = 20
_COUNTED: Final = 1000
OF_LIST: Final = ("status", "platform", "state", "q", "trail", "page")
"""What an address says of the list."""
_TRAIL: Final = 60
"""Pages the way back is kept for: more would not fit into an address."""
_STATUSES: Final = (
    ("", "All threads"),
    ("waiting", "Waiting"),
    ("new", "New"),
    ("draft", "Drafts"),
    ("hold", "Held"),
    ("sent", "Sent"),
)

_TO_DO: Final = ("waiting", "draft", "hold")
"""Lists that one goes through to their end."""
_IN_DOUBT: Final = ("unknown", "dead_letter")


@dataclass(frozen=True, slots=True)
class Place:
    """Where the inbox is looked at: the administrator's or the agents' (an administrator may open both)."""

    base: str
    title: str

    def of(self, conversation_id: UUID) -> str:
        return f"{self.base}/{conversation_id}"


async def _place(request: Request, viewer: Viewer) -> Place:
    if not request.url.path.startswith("/admin"):
        return Place("/agent/inbox", "Workboard")
    if viewer.role != ADMIN:
        raise forbidden_role([ADMIN], viewer.role)
    return Place("/admin/inbox", "Inbox")


PlaceDep = Annotated[Place, Depends(_place)]


@dataclass(frozen=True, slots=True)
class Conversation:
    """The conversation a request is about, where it is looked at, and by whom. Whether it is there, its handlers tell."""

    request: Request
    place: Place
    viewer: Scope
    id: UUID
    services: Services

    @property
    def address(self) -> str:
        return self.place.of(self.id)


async def _conversation(
    request: Request, place: PlaceDep, viewer: Viewer, conversation_id: PathId, services: ServicesDep
) -> Conversation:
    return Conversation(request, place, viewer, conversation_id, services)


OnConversation = Annotated[Conversation, Depends(_conversation)]


@dataclass(frozen=True, slots=True)
class ListView:
    """A page of the list. ``trail`` are the cursors of the pages up to it, so that each links to the one before."""

    rows: list[InboxItem] | list[WaitingItem]
    marks: Mapping[UUID, Marks]
    filters: Mapping[str, str]
    chips: list[tuple[str, str, bool, int | None]]
    summary: str
    previous: str | None
    next: str | None
    suffix: str
    """The query of this list, for links to its conversations."""

    without_units: bool = False
    """Whether it is empty as the agent who looks shows no unit yet."""

    def after(self, opened: UUID) -> UUID | None:
        """Where to go on from a conversation of a list of what is to be done: the row below it; from one that has left
        the list, or stands last, its first, who has waited longest where the list goes by that. Those whose answer is
        on its way are done."""
        if self.filters["status"] not in _TO_DO:
            return None
        ids = [row.id for row in self.rows if row.id == opened or not self._on_its_way(row.id)]
        below = ids[ids.index(opened) + 1 :] if opened in ids else []
        return next((each for each in [*below, *ids] if each != opened), None)

    def _on_its_way(self, each: UUID) -> bool:
        state = self.marks[each].under_way if each in self.marks else None
        return state is not None and state not in _IN_DOUBT

    @property
    def filtered(self) -> bool:
        return any(self.filters.values())


@router.get("/admin/inbox")
@router.get("/agent/inbox")
async def inbox_page(request: Request, place: PlaceDep, viewer: Viewer, services: ServicesDep) -> Response:
    async with counting_waiting(viewer, services) as waiting, services.at_one_moment() as reading:
        listed = await list_view(request, place, viewer, reading, waiting)
    return page(request, "inbox.html", place=place, listed=listed, view=None, live="anything", **CONTEXT)


CONTEXT: Final[Mapping[str, Any]] = {
    "platform_name": platform_name,
    "platforms": [("", "All platforms"), *PLATFORMS.items()],
    "states": [("", "Any state"), *((state, state_text(state)) for state in STATES)],
}


@asynccontextmanager
async def counting_waiting(viewer: Scope, services: Services) -> AsyncIterator[Awaitable[int]]:
    """How many conversations wait for a person, counted while the page reads the rest.

    The count looks at all that waits and takes as long as several of the page's other reads: it has a connection of its
    own, and may be some milliseconds older or newer than they.
    """
    counting = create_task(services.database.read(count_waiting, services.clock(), viewer.agent_id))
    try:
        yield counting
    finally:
        await wait([counting])  # also when the page came to nothing: a read is not broken off
        counting.exception()


async def list_view(
    request: Request,
    place: Place,
    viewer: Scope,
    services: Services,
    waiting: Awaitable[int],
    *,
    opened: UUID | None = None,
) -> ListView:
    """The list the request's query asks for; what the query has wrong counts as not asked for.

    ``waiting`` is the number at that filter. The conversation ``opened`` beside the list has its marks, too, on whichever
    page of the list it stands.
    """
    asked = request.query_params
    status = asked.get("status", "")
    filters = {
        "status": status if status in dict(_STATUSES) else "",
        "platform": asked.get("platform", "") if asked.get("platform") in PLATFORMS else "",
        "state": asked.get("state", "") if asked.get("state") in STATES else "",
        "q": asked.get("q", "").replace("\x00", "").strip()[:100],
    }
    trail = [part for part in asked.get("trail", "").split(".") if part][-_TRAIL:]
    after = _key(trail[-1]) if trail else None
    if after is None:
        trail = []
    # Of a long way the first steps are forgotten: the address tells how long it was.
    number = max(len(trail) + 1, page_number(asked.get("page"))) if trail else 1
    rows: list[InboxItem] | list[WaitingItem]
    now = services.clock()
    if filters["status"] == "waiting":
        found = await steering.list_waiting(
            viewer, Page(ROWS, after), services, filters["platform"], filters["q"]
        )
        rows, cursor, total = found.items, found.next_cursor, found.total
    else:
        listed = await inbox.list_inbox(
            viewer,
            Page(ROWS, after),
            services,
            status=filters["status"] or None,
            platform=filters["platform"] or None,
            workflow_state=filters["state"] or None,
            q=filters["q"] or None,
        )
        rows, cursor = listed.items, listed.next_cursor
        total = await services.database.read(
            count_inbox,
            InboxFilter(
                agent_id=viewer.agent_id,
                status=filters["status"] or None,
                platform=filters["platform"] or None,
                workflow_state=filters["state"] or None,
                search=filters["q"] or None,
            ),
            _COUNTED,
        )
    whole = filters["status"] == "waiting" and not (filters["platform"] or filters["q"] or trail)
    number_waiting = total if whole else await waiting
    marks = await services.database.read(
        conversation_notes.marks,
        {*(row.id for row in rows), *([opened] if opened else [])},
        viewer.user_id,
        now,
    )
    pages = max(-(-total // ROWS), number + 1) if cursor else number
    agent = viewer.agent_id
    without_units = False
    if agent is not None and not rows and not any(filters.values()):
        without_units = not await services.database.read(unit_assignments.has_units, agent)
    return ListView(
        without_units=without_units,
        rows=rows,
        marks=marks,
        filters=filters,
        chips=[
            (
                label,
                query(place.base, status=key, platform=filters["platform"], q=filters["q"]),
                key == filters["status"],
                number_waiting if key == "waiting" else None,
            )
            for key, label in _STATUSES
        ],
        summary=f"{number} / {pages}",
        previous=query(place.base, **filters, **_way(trail[:-1], number - 1)) if trail else None,
        next=query(place.base, **filters, **_way([*trail, cursor], number + 1)) if cursor else None,
        suffix=query("", **filters, **_way(trail, number)),
    )


def _way(trail: list[str], number: int) -> dict[str, str]:
    """How a page is found again; its number only where the trail does not tell it."""
    kept = trail[-_TRAIL:]
    return {"trail": ".".join(kept), "page": str(number) if kept and number != len(kept) + 1 else ""}


def _key(cursor: str) -> tuple[str | int | None, ...] | None:
    """The key behind a cursor of either list; None for anything else."""
    try:
        key = decode(cursor)
        datetime.fromisoformat(str(key[0]))
        UUID(str(key[-1]))
    except (ValueError, IndexError):
        return None
    return key if len(key) in (2, 3) else None
