"""What a person does with a conversation: reply, review drafts, set outcomes, steer, note. The API's own handlers."""

from __future__ import annotations

from typing import Annotated, Final, Literal
from uuid import UUID

from fastapi import Depends, Response
from sqlalchemy import Connection

from api.auth.access import ADMIN
from api.console import conversation_outcomes as ends
from api.console.conversation import show
from api.console.conversation_view import Typed, free_slots, parse_slot_key, slot_key, snooze_until
from api.console.forms import Form, FormData, parse
from api.console.inbox import OF_LIST, Conversation, OnConversation
from api.console.inbox_words import guardrail_text, silence_text
from api.console.render import Notice, go, query
from api.console.routes import page_router
from api.console.stops import stop_text
from api.console.times import Clock, locale_of
from api.console.wording import error_text, words
from api.errors import ApiError, conflict, forbidden_role, not_found
from api.inputs import Id, Input, path_id
from api.preconditions import IfMatch
from api.routes import operations, replies, reviews, settling, steering
from api.routes.operations import OperateBody
from api.routes.replies import ReplyBody
from api.routes.reviews import EditBody
from api.routes.steering import AssignBody, NoteBody, SnoozeBody
from leasebot_pipeline.domain.slots import label
from leasebot_pipeline.storage import booking, conversation_story, kill_switches
from leasebot_pipeline.storage.booking import Booked
from leasebot_pipeline.storage.conversation_story import LastChange
from leasebot_pipeline.storage.kill_switches import Stop

router = page_router()

Act = Annotated[UUID, Depends(path_id("actId"))]
_MOVED: Final = "superseded"
_OFFERED_MOST: Final = 10
"""Times one reply may offer, as the API has it."""
_SHADOW: Final = "Not sent: the release is in shadow, and nothing goes out."


@router.post("/admin/inbox/{id}/reply")
@router.post("/agent/inbox/{id}/reply")
async def reply(on: OnConversation, form: FormData) -> Response:
    """Once per rendered form: its key makes a second tap get the first one's answer."""
    text, template = form.text("body"), form.text("template")
    offered = [slot for key in form.all("offered") if (slot := parse_slot_key(key))]
    if offered:
        offered = await _offered(on, text, offered)
    try:
        body = parse(
            ReplyBody,
            {
                "body": text or None,
                "dispatchNow": form.text("act") != "save",
                **({"templateId": template} if template else {}),
                **({"metadata": {"requiresAdminReview": True}} if form.text("act") == "save" else {}),
                "offeredSlots": offered,
            },
        )
        if not text:
            raise ApiError(400, {"error": "empty", "message": "Write something first."})
        key = form.text("key") or None
        done = await replies.reply(on.viewer, on.id, body, on.services, idempotency_key=key)
    except ApiError as error:
        typed = Typed("reply", text, _why(error), template)
        return await _again(on, typed, error)
    if done.queued:
        return await _queued(on, "Your reply is on its way.", "your reply")
    if done.kept_because:
        return await _told(on, failed=f"{_SHADOW} Your text is kept as a draft.")
    if "guardrails_blocked" in done.guardrail_review_reasons:
        found = await replies.check(on.viewer, on.id, parse(replies.CheckBody, {"body": text}), on.services)
        named = guardrail_text(found.guardrails)
        if form.text("act") == "save":
            kept = f"Kept as a draft. It can not go out like this: it contains {named}."
            return await _told(on, kept, onward=True)
        return await _told(on, failed=f"Not sent: it contains {named}. Your text is kept as a draft.")
    return await _told(on, "Kept as a draft.", onward=True)


async def _offered(on: Conversation, text: str, picked: list[dict[str, object]]) -> list[dict[str, object]]:
    """The times that were picked last, and those of an earlier offer that the text names still."""
    free = await free_slots(on.viewer, on.services, on.id)
    named = [slot for one in free if label(one) in text and (slot := parse_slot_key(slot_key(one)))]
    return [*picked, *(slot for slot in named if slot not in picked)][:_OFFERED_MOST]


@router.post("/admin/inbox/{id}/drafts/{actId}")
@router.post("/agent/inbox/{id}/drafts/{actId}")
async def review(on: OnConversation, message_id: Act, form: FormData) -> Response:
    """Approve, save or reject. The version the person saw goes along: a change by somebody else is never lost."""
    text, act = form.text("body"), form.text("act")
    version: str | None = form.text("version")
    try:
        if act == "reject":
            await reviews.reject(on.viewer, message_id, on.services, if_match=version)
            done = "Rejected. The lead was told nothing."
        else:
            version = await _edited(on, message_id, form, version)
            done = "Saved."
            if act == "approve":
                told = await reviews.approve(on.viewer, message_id, on.services, if_match=version)
                if told.kept_because:
                    return await _told(on, failed=f"{_SHADOW} It stays a draft.")
                return await _queued(on, "Approved. It is on its way.", "the approved reply")
    except ApiError as error:
        typed = Typed(f"draft-{message_id}", text, _why(error))
        return await _again(on, typed, error)
    return await _told(on, done, onward=act != "save")


async def _edited(on: Conversation, message_id: UUID, form: Form, version: IfMatch) -> str | None:
    """Store the text when it was changed; the version to go on with."""
    # Forms send line ends as CRLF, whatever the stored text has.
    text, before = (form.text(name).replace("\r\n", "\n") for name in ("body", "before"))
    if text == before:
        return version
    changed = Response()
    await reviews.edit(
        on.viewer, message_id, parse(EditBody, {"body": text}), changed, on.services, if_match=version
    )
    return changed.headers["etag"]


@router.post("/admin/inbox/{id}/outcome")
@router.post("/agent/inbox/{id}/outcome")
async def outcome(on: OnConversation, form: FormData) -> Response:
    """One tap, and one that takes it back. Whether somebody came is not noted before the showing has begun."""
    chosen, services, now = form.text("outcome"), on.services, on.services.clock()
    if chosen not in (*ends.BODIES, ends.TAKE_BACK):
        raise not_found()

    def read(conn: Connection) -> tuple[Booked | None, LastChange | None]:
        return (
            booking.current_appointments(conn, [on.id]).get(on.id),
            conversation_story.last_change(conn, on.id),
        )

    clock = _clock(on)
    try:
        await steering.get_steering(on.viewer, on.id, services)  # another agent's is not there
        showing, last = await services.database.read(read)
        ahead = showing is not None and ends.lies_ahead(showing, now)
        if chosen == ends.TAKE_BACK:
            if last is None or last.given != form.text("was"):
                raise conflict(
                    "changed_meanwhile", "Somebody changed this meanwhile: it is shown as it is now."
                )
            await ends.take_back(on.viewer, services, on.id, showing, last)
            return await _told(on, "Taken back: it is as it was before.")
        if chosen in ("no_show", "completed") and showing is not None and ahead:
            raise conflict("showing_ahead", ends.too_early(clock.moment(showing.starts_at, showing.timezone)))
        await ends.note(on.viewer, services, on.id, chosen, showing)
    except ApiError as error:
        typed = Typed("outcome", chosen, _why(error))
        return await _again(on, typed, error)
    named = words("wants_reschedule" if chosen == "reschedule" else chosen)
    done = f"Noted: {named.lower()}."
    if chosen == "not_interested" and showing is not None and ahead:
        when = clock.moment(showing.starts_at, showing.timezone)
        done += f" The showing of {when} still stands: cancel it if it will not take place."
    return await _told(on, done)


@router.post("/admin/inbox/{id}/steer")
@router.post("/agent/inbox/{id}/steer")
async def steer(on: OnConversation, form: FormData) -> Response:
    """Take over, hand back, put aside, bring back, assign."""
    act = form.text("act")
    try:
        if act == "take-over":
            await steering.take_over(on.viewer, on.id, on.services)
            done = "You answer now. The bot leaves this conversation alone."
        elif act == "hand-back":
            await steering.hand_back(on.viewer, on.id, on.services)
            done = "Handed back. The bot answers from the lead's next message on."
        elif act == "snooze":
            until = snooze_until(form.text("hours"), on.services.clock())
            body = parse(SnoozeBody, {"until": until})
            await steering.snooze(on.viewer, on.id, body, on.services)
            done = "Put aside. It comes back by itself, or when the lead writes."
        elif act == "wake":
            await steering.wake(on.viewer, on.id, on.services)
            done = "Back among what waits."
        elif act == "assign":
            if on.viewer.role != ADMIN:
                raise forbidden_role([ADMIN], on.viewer.role)
            wish = parse(AssignBody, {"agentId": form.text("agent") or None})
            told = await steering.assign(on.viewer.identity, on.id, wish, on.services)
            done = f"Given to {told.assigned_agent_name}." if told.assigned_agent_name else "Nobody's now."
        else:
            raise not_found()
    except ApiError as error:
        typed = Typed("steer", act, _why(error))
        return await _again(on, typed, error)
    return await _told(on, done)


@router.post("/admin/inbox/{id}/notes")
@router.post("/agent/inbox/{id}/notes")
async def note(on: OnConversation, form: FormData) -> Response:
    try:
        if form.text("remove"):
            gone = parse(_Removed, {"note": form.text("remove")})
            await steering.remove_note(on.viewer, on.id, gone.note, on.services)
            return await _told(on, "Note removed.")
        body = parse(NoteBody, {"body": form.text("body")})
        key = form.text("key") or None
        await steering.add_note(on.viewer, on.id, body, on.services, idempotency_key=key)
    except ApiError as error:
        typed = Typed("note", form.text("body"), _why(error))
        return await _again(on, typed, error)
    return await _told(on, "Noted for the team.")


@router.post("/admin/inbox/{id}/replies/{actId}")
@router.post("/agent/inbox/{id}/replies/{actId}")
async def operate(on: OnConversation, dispatch_id: Act, form: FormData) -> Response:
    """Replies in doubt or given up; an administrator also stops one that is queued."""
    act, body = form.text("act"), parse(OperateBody, {"reason": "in the console"})
    try:
        if act == "cancel":
            if on.viewer.role != ADMIN:
                raise forbidden_role([ADMIN], on.viewer.role)
            done = await operations.operate(on.viewer.identity, dispatch_id, act, body, on.services)
        else:
            done = await settling.settle(on.viewer, on.id, dispatch_id, act, body, on.services)
    except ApiError as error:
        typed = Typed(f"dispatch-{dispatch_id}", act, _why(error))
        return await _again(on, typed, error)
    if done.kept_because:
        return await _told(on, failed=f"{_SHADOW} It stays: {words(done.state).lower()}.")
    return await _told(on, f"The reply is now: {words(done.state).lower()}.")


class _Removed(Input):
    note: Id


async def _again(on: Conversation, typed: Typed, error: ApiError) -> Response:
    """The page as it is now, with what was typed. What is gone or not allowed stays an error page."""
    if error.status in (401, 403, 404):
        raise error
    status = error.status if error.status in (409, 412, 429) else 422
    return await show(on, typed=typed, status=status)


def _why(error: ApiError) -> str:
    found = error.body.get("guardrails")
    if isinstance(found, list):
        return f"Not taken: the text contains {guardrail_text(found)}. Change it, then try again."
    if error.status == 412:
        return "Somebody changed this meanwhile. Their version stands above; yours is kept here."
    if error.body.get("error") == _MOVED:
        return "The conversation moved on since this was written. Look at the newest messages first."
    if error.body.get("error") == "offered_times_taken":  # the draft itself names them
        return "Not approved: a time that it offers is no longer free."
    return error_text(error.body)


async def _queued(on: Conversation, done: str, what: str) -> Response:
    """What can not go out just now is not said to be on its way."""

    def read(conn: Connection) -> tuple[Stop | None, str | None]:
        silent = conversation_story.silence(conn, on.id)
        return kill_switches.stop_over(conn, on.id) if silent == "sends_stopped" else None, silent

    stop, silent = await on.services.database.read(read)
    if stop is not None:
        done = stop_text(stop, _clock(on), f"{what} waits and goes out")
    elif silent is not None:
        done = f"{what[0].upper()}{what[1:]} is queued. {silence_text(silent)}"
    return await _told(on, done, at="newest", onward=True)


def _clock(on: Conversation) -> Clock:
    return Clock(on.services.clock(), locale_of(on.request.headers.get("accept-language", "")))


async def _told(
    on: Conversation,
    done: str | None = None,
    *,
    failed: str | None = None,
    at: str = "",
    onward: bool = False,
) -> Response:
    """What was done, over the page with the list as it was and without what filled the reply in.

    ``at`` is the id of what is to be seen of it; ``onward`` offers the next conversation of the list beside it.

    The console's script takes the page from this same answer, so that a tap waits for one and not for two; a browser
    without it is sent there.
    """
    if on.request.headers.get("hx-request") == "true":
        kind: Literal["done", "failed"] = "done" if done else "failed"
        return await show(on, notice=Notice(kind, done or failed or "", at=at, onward=onward))
    here = query(on.address, **{name: on.request.query_params.get(name) for name in OF_LIST})
    return go(on.request, here, done, failed=failed)
