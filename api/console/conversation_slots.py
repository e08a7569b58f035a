"""Times of a conversation's unit, picked by hand: booked, or put into the reply as an offer."""

from __future__ import annotations

from itertools import groupby
from uuid import uuid4

from fastapi import Request, Response

from api.auth.access import Scope
from api.console.access import Viewer
from api.console.conversation_view import free_slots, slot_key
from api.console.forms import FormData, parse
from api.console.inbox import Place, PlaceDep
from api.console.render import go, page
from api.console.routes import page_router
from api.console.times import zone_of
from api.console.wording import error_text
from api.errors import ApiError
from api.inputs import PathId
from api.routes import inbox, showings
from api.routes.inbox import ConversationAnswer
from api.routes.showings import BookBody, RescheduleBody
from api.services import Services, ServicesDep
from leasebot_pipeline.domain.showings import LIVE_SHOWING_STATES
from leasebot_pipeline.domain.slots import Slot
from leasebot_pipeline.storage import booking
from leasebot_pipeline.storage.booking import Booked

router = page_router()
MOST_OFFERED = 3


@router.get("/admin/inbox/{id}/slots")
@router.get("/agent/inbox/{id}/slots")
async def slots_page(
    request: Request, place: PlaceDep, viewer: Viewer, conversation_id: PathId, services: ServicesDep
) -> Response:
    told = (await inbox.get_conversation(viewer, conversation_id, Response(), services)).conversation
    return await _show(request, place, viewer, services, told, [], None)


@router.post("/admin/inbox/{id}/slots")
@router.post("/agent/inbox/{id}/slots")
async def choose(
    request: Request,
    place: PlaceDep,
    viewer: Viewer,
    conversation_id: PathId,
    form: FormData,
    services: ServicesDep,
) -> Response:
    """Book one, or offer up to three. What was taken meanwhile is refused with the reason."""
    told = (await inbox.get_conversation(viewer, conversation_id, Response(), services)).conversation
    chosen = form.all("slot")
    if form.text("act") == "offer":
        if not 1 <= len(chosen) <= MOST_OFFERED:
            problem = f"Choose one to {MOST_OFFERED} times to offer."
            return await _show(request, place, viewer, services, told, chosen, problem, 422)
        offered = "&".join(f"offer={key}" for key in chosen)
        return go(request, f"{place.of(conversation_id)}?{offered}#reply", "The times stand in your reply.")
    free = {slot_key(slot): slot for slot in await free_slots(viewer, services, conversation_id)}
    if len(chosen) != 1:
        return await _show(
            request, place, viewer, services, told, chosen, "Choose exactly one time to book.", 422
        )
    if chosen[0] not in free:
        problem = "This time is no longer free. Choose another one."
        return await _show(request, place, viewer, services, told, [], problem, 409)
    try:
        await _book(viewer, services, told, free[chosen[0]], form.text("key"))
    except ApiError as error:
        if error.status in (401, 403, 404):
            raise
        return await _show(request, place, viewer, services, told, chosen, error_text(error.body), 409)
    done = "Booked. The lead does not know yet: send the reply below."
    return go(request, f"{place.of(conversation_id)}?say=booked#reply", done)


async def _book(viewer: Scope, services: Services, told: ConversationAnswer, slot: Slot, key: str) -> None:
    """A showing that stands is moved; without one a new one is booked."""
    times = {
        "idempotencyKey": f"console:{key}:{slot_key(slot)}",
        "startsAt": slot.starts_at,
        "endsAt": slot.ends_at,
        "timezone": slot.timezone,
        "agentId": slot.agent_id,
    }
    standing = await _standing(services, told)
    if standing is not None:
        await showings.reschedule(viewer, standing.id, parse(RescheduleBody, times), services)
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
    await showings.book(viewer, body, Response(), services)


async def _standing(services: Services, told: ConversationAnswer) -> Booked | None:
    found = (await services.database.read(booking.current_appointments, [told.id])).get(told.id)
    return found if found is not None and found.status in LIVE_SHOWING_STATES else None


async def _show(
    request: Request,
    place: Place,
    viewer: Scope,
    services: Services,
    told: ConversationAnswer,
    chosen: list[str],
    problem: str | None,
    status: int = 200,
) -> Response:
    free = await free_slots(viewer, services, told.id)
    days = [
        (day, list(slots))
        for day, slots in groupby(
            free, key=lambda slot: slot.starts_at.astimezone(zone_of(slot.timezone)).date()
        )
    ]
    return page(
        request,
        "inbox_slots.html",
        status=status,
        place=place,
        told=told,
        days=days,
        chosen=chosen,
        problem=problem,
        key_of=slot_key,
        standing=await _standing(services, told),
        key=uuid4().hex,
    )
