"""One conversation: read, marked as read, and a text looked at by the guardrails while somebody types."""

from __future__ import annotations

from functools import partial

from fastapi.responses import HTMLResponse, Response
from starlette.datastructures import QueryParams

from api.console.conversation_view import ConversationView, Typed, load_view
from api.console.forms import FormData, attempt, parse
from api.console.inbox import CONTEXT, OF_LIST, Conversation, OnConversation, counting_waiting, list_view
from api.console.inbox_words import (
    delivery_text,
    gone_text,
    guardrail_text,
    intent_text,
    outcome_text,
    reason_text,
    silence_text,
    strategy_text,
)
from api.console.render import Notice, fragment, page
from api.console.routes import page_router
from api.console.stops import stop_text
from api.routes import replies, steering
from api.routes.replies import CheckBody

router = page_router()

_WORDS = {
    "delivery_text": delivery_text,
    "gone_text": gone_text,
    "guardrail_text": guardrail_text,
    "intent_text": intent_text,
    "outcome_text": outcome_text,
    "reason_text": reason_text,
    "silence_text": silence_text,
    "stop_text": stop_text,
    "strategy_text": strategy_text,
}


@router.get("/admin/inbox/{id}")
@router.get("/agent/inbox/{id}")
async def conversation_page(on: OnConversation) -> Response:
    """Opening it changes nothing: that it was read is told by the page, once it is there."""
    return await show(on)


async def show(
    on: Conversation, *, typed: Typed | None = None, status: int = 200, notice: Notice | None = None
) -> Response:
    """The page; with what could not be taken, and why, beside its form, or with what was done."""
    asked = on.request.query_params
    if notice is not None:  # what filled the reply in has had its use
        asked = QueryParams([(name, told) for name, told in asked.multi_items() if name in OF_LIST])
    async with counting_waiting(on.viewer, on.services) as waiting, on.services.at_one_moment() as services:
        view: ConversationView = await load_view(on.viewer, services, on.id, asked, typed)
        listed = await list_view(on.request, on.place, on.viewer, services, waiting, opened=on.id)
    answer = page(
        on.request,
        "inbox.html",
        status=status,
        place=on.place,
        listed=listed,
        view=view,
        live=f"conversation.{on.id}",
        next_up=listed.after(on.id),
        view_checks=partial(_checks, on.address, filled=next(filter(asked.get, _FILLS), "")),
        path=on.address,
        **({"notice": notice} if notice else {}),
        **CONTEXT,
        **_WORDS,
    )
    if on.request.method == "POST":  # the address stays the conversation's, and the way back is one step
        answer.headers["hx-replace-url"] = on.address + listed.suffix
    return answer


@router.post("/admin/inbox/{id}/seen")
@router.post("/agent/inbox/{id}/seen")
async def seen(on: OnConversation) -> Response:
    await steering.seen(on.viewer, on.id, on.services)
    return Response(status_code=204)


@router.post("/admin/inbox/{id}/check")
@router.post("/agent/inbox/{id}/check")
async def check(on: OnConversation, form: FormData) -> Response:
    """The verdict on a text that is being typed; a piece of the page."""
    found: list[str] | None = None
    if form.text("body"):
        body = parse(CheckBody, {"body": form.text("body"), **_template(form.text("template"))})
        answer, _ = await attempt(replies.check(on.viewer, on.id, body, on.services))
        found = answer.guardrails if answer else None
    return HTMLResponse(
        fragment(on.request, "inbox_verdict.html", found=found, guardrail_text=guardrail_text)
    )


_FILLS = ("offer", "template", "say")
"""What an address fills the reply with."""


def _checks(here: str, form: str, version: str, refused: bool, *, filled: str) -> dict[str, str]:
    """Attributes of a text that is looked at while it is typed, and kept when the page is left.

    What was typed for one version of a draft is never laid over another; over a text just filled in, only what was
    typed over the same. An offer of times comes below what was typed.
    """
    filled_in: dict[str, str] = {}
    if filled and not version and not refused:
        filled_in = {"data-keep-fresh": "", **({"data-keep-add": ""} if filled == "offer" else {})}
    return {
        "data-keep": f"{form}@{here}@{version}",
        **filled_in,
        **({"data-typed": ""} if refused else {}),  # what somebody typed: no live change overlays it
        "maxlength": str(replies.MAX_BODY),
        "hx-post": f"{here}/check",
        "hx-trigger": "input changed delay:400ms",
        "hx-target": f"#verdict-{form}",
        "hx-swap": "innerHTML",
        "hx-select": "unset",
        "hx-select-oob": "unset",
        "hx-indicator": "unset",
        "hx-sync": "this:replace",
    }


def _template(chosen: str) -> dict[str, str]:
    return {"templateId": chosen} if chosen else {}
