"""Times of a conversation's unit, picked by hand: booked, or put into the reply as an offer."""

from __future__ import annotations

from itertools import groupby
from uuid import UUID, uuid4

from fastapi import Response
from sqlalchemy import Connection

from api.console.conversation_view import free_slots, parse_slot_key, slot_key
from api.console.forms import FormData, parse
from api.console.inbox import Conversation, OnConversation
from api.console.not_free import Chosen, why, why_refused
from api.console.render import go, page
from api.console.routes import page_router
from api.console.times import Clock, locale_of, zone_of
from api.errors import ApiError
from api.routes import inbox, showings
from api.routes.inbox import ConversationAnswer
from api.routes.reply_offers import OfferedSlot
from api.routes.showings import BookBody, RescheduleBody
from api.services import Services
from leasebot_pipeline.domain.showings import LIVE_SHOWING_STATES
from leasebot_pipeline.domain.slots import Slot
from leasebot_pipeline.storage import booking, conversation_story, unit_assignments
from leasebot_pipeline.storage import inbox as inbox_rows
from leasebot_pipeline.storage.booking import Booked

router = page_router()
MOST_OFFERED = 3


@router.get("/admin/inbox/{id}/slots")
@router.get("/agent/inbox/{id}/slots")
async def slots_page(on: OnConversation) -> Response:
    return await _show(on, await _told(on), [], None)


@router.post("/admin/inbox/{id}/slots")
@router.post("/agent/inbox/{id}/slots")
async def choose(on: OnConversation, form: FormData) -> Response:
    """Book one, or offer up to three. What was taken meanwhile is refused with the reason."""
    told = await _told(on)
    chosen = form.all("slot")
    if form.text("act") == "offer":
        if not 1 <= len(chosen) <= MOST_OFFERED:
            problem = f"Choose one to {MOST_OFFERED} times to offer."
            return await _show(on, told, chosen, problem, 422)
        offered = "&".join(f"offer={key}" for key in chosen)
        return go(on.request, f"{on.address}?{offered}#reply", "The times stand in your reply.")
    free = {slot_key(slot): slot for slot in await free_slots(on.viewer, on.services, on.id)}
    if len(chosen) != 1:
        return await _show(on, told, chosen, "Choose exactly one time to book.", 422)
    if chosen[0] not in free:
        return await _show(on, told, [], await _why_not(on, chosen[0]), 409)
    try:
        moved = await _book(on, told, free[chosen[0]], form.text("key"))
    except ApiError as error:
        slot = free[chosen[0]]
        assert slot.agent_id is not None  # times without an agent can not be chosen
        wish = Chosen(slot.unit_id, slot.agent_id, slot.starts_at, slot.timezone, on.id)
        return await _show(on, told, chosen, await why_refused(on.services, _clock(on), wish, error), 409)
    done = f"{'Moved' if moved else 'Booked'}. The lead does not know yet: send the reply below."
    return go(on.request, f"{on.address}?say={'moved' if moved else 'booked'}#reply", done)


async def _why_not(on: Conversation, key: str) -> str:
    """Why the time of that key is not among the free ones."""

    def read(conn: Connection) -> tuple[UUID | None, str]:
        found, about = inbox_rows.find_conversation(conn, on.id), conversation_story.linkage(conn, on.id)
        return found.unit_id if found else None, (about and about.zone) or "UTC"

    unit, timezone = await on.services.database.read(read)
    named = parse_slot_key(key)
    if named is None or unit is None:
        return "This is not a time of this unit. Choose another one."
    slot = parse(OfferedSlot, named)
    chosen = Chosen(unit, slot.agent_id, slot.starts_at, timezone, on.id)
    return await why(on.services, _clock(on), chosen)


def _clock(on: Conversation) -> Clock:
    return Clock(on.services.clock(), locale_of(on.request.headers.get("accept-language", "")))


async def _book(on: Conversation, told: ConversationAnswer, slot: Slot, key: str) -> bool:
    """A showing that stands is moved (True); without one a new one is booked."""
    times = {
        "idempotencyKey": f"console:{key}:{slot_key(slot)}",
        "startsAt": slot.starts_at,
        "endsAt": slot.ends_at,
        "timezone": slot.timezone,
        "agentId": slot.agent_id,
    }
    standing = await _standing(on.services, told)
    if standing is not None:
        await showings.reschedule(on.viewer, standing.id, parse(RescheduleBody, times), on.services)
        return True
    body = parse(
        BookBody,
        {
            **times,
            "platformAccountId": told.platform_account_id,
            "unitId": slot.unit_id,
            "listingId": told.listing_id,
            "conversationId": told.id,
            "source": "console",
        },
    )
    await showings.book(on.viewer, body, Response(), on.services)
    return False


async def _standing(services: Services, told: ConversationAnswer) -> Booked | None:
    found = (await services.database.read(booking.current_appointments, [told.id])).get(told.id)
    return found if found is not None and found.status in LIVE_SHOWING_STATES else None


async def _told(on: Conversation) -> ConversationAnswer:
    """Raises 404 for another agent's."""
    return (await inbox.get_conversation(on.viewer, on.id, Response(), on.services)).conversation


def _first_of(day: list[Slot]) -> tuple[list[Slot], list[Slot]]:
    """Three times of a day, of both its halves, to choose from at once; and all its others."""
    first = {0, 1, len(day) // 2} if len(day) > MOST_OFFERED else set(range(len(day)))
    return [slot for n, slot in enumerate(day) if n in first], [
        slot for n, slot in enumerate(day) if n not in first
    ]


async def _nobody(services: Services, told: ConversationAnswer) -> bool:
    """Whether there are no times because no agent shows the unit."""
    if told.listing_id is None:
        return False
    return not await services.database.read(unit_assignments.has_agent, told.listing_id)


async def _show(
    on: Conversation,
    told: ConversationAnswer,
    chosen: list[str],
    problem: str | None,
    status: int = 200,
) -> Response:
    free = await free_slots(on.viewer, on.services, on.id)
    days = [
        (day, *_first_of(list(slots)))
        for day, slots in groupby(
            free, key=lambda slot: slot.starts_at.astimezone(zone_of(slot.timezone)).date()
        )
    ]
    return page(
        on.request,
        "inbox_slots.html",
        status=status,
        place=on.place,
        told=told,
        days=days,
        nobody=await _nobody(on.services, told) if not days else False,
        chosen=chosen,
        problem=problem,
        key_of=slot_key,
        standing=await _standing(on.services, told),
        key=uuid4().hex,
    )
