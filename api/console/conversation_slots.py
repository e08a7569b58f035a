"""Times of a conversation's unit, picked by hand: booked, or put into the reply as an offer."""

from __future__ import annotations

from itertools import groupby
from uuid import uuid4

from fastapi import Response

from api.console.conversation_view import free_slots, slot_key
from api.console.forms import FormData, parse
from api.console.inbox import Conversation, OnConversation
from api.console.render import go, page
from api.console.routes import page_router
from api.console.times import zone_of
from api.console.wording import error_text
from api.errors import ApiError
from api.routes import inbox, showings
from api.routes.inbox import ConversationAnswer
from api.routes.showings import BookBody, RescheduleBody
from api.services import Services
from leasebot_pipeline.domain.showings import LIVE_SHOWING_STATES
from leasebot_pipeline.domain.slots import Slot
from leasebot_pipeline.storage import booking, unit_assignments
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
        problem = "This time is no longer free. Choose another one."
        return await _show(on, told, [], problem, 409)
    try:
        await _book(on, told, free[chosen[0]], form.text("key"))
    except ApiError as error:
        if error.status in (401, 403, 404):
            raise
        return await _show(on, told, chosen, error_text(error.body), 409)
    done = "Booked. The lead does not know yet: send the reply below."
    return go(on.request, f"{on.address}?say=booked#reply", done)


async def _book(on: Conversation, told: ConversationAnswer, slot: Slot, key: str) -> None:
    """A showing that stands is moved; without one a new one is booked."""
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
        return
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


async def _standing(services: Services, told: ConversationAnswer) -> Booked | None:
    found = (await services.database.read(booking.current_appointments, [told.id])).get(told.id)
    return found if found is not None and found.status in LIVE_SHOWING_STATES else None


async def _told(on: Conversation) -> ConversationAnswer:
    """Raises 404 for another agent's."""
    return (await inbox.get_conversation(on.viewer, on.id, Response(), on.services)).conversation


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
        (day, list(slots))
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
