"""What a conversation's page shows, put together from the API's answers and the outbox."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Any, Final
from uuid import UUID, uuid4

from fastapi import Response
from sqlalchemy import Connection

from api.auth.access import ADMIN, Scope
from api.console.conversation_outcomes import Outcomes, outcomes
from api.console.inbox_words import platform_name
from api.console.times import zone_of
from api.paging import Page
from api.routes import agents, decisions, inbox, reply_offers, steering
from api.routes.decisions import DecisionAnswer
from api.routes.inbox import DetailAnswer, MessageAnswer
from api.routes.steering import SteeringAnswer
from api.services import Services
from leasebot_pipeline.domain.replies import TemplateInvalid, placeholders, render, template_context
from leasebot_pipeline.domain.showings import LIVE_SHOWING_STATES
from leasebot_pipeline.domain.slots import Slot, label
from leasebot_pipeline.storage import (
    booking,
    conversation_story,
    kill_switches,
    offered_times,
    people_search,
    showing_news,
)
from leasebot_pipeline.storage import inbox as inbox_rows
from leasebot_pipeline.storage.booking import Booked
from leasebot_pipeline.storage.conversation_story import LastChange, Linkage, Reply
from leasebot_pipeline.storage.kill_switches import Stop
from leasebot_pipeline.storage.offered_times import GoneTime
from leasebot_pipeline.storage.showing_news import News

SHOWN: Final = 30
"""Newest messages on the page; the earlier ones are a tap away."""
_DECISIONS: Final = 50
_TOLD: Final = 3
"""Times a template names."""
_UNDECIDED: Final = (None, "draft", "held")
_BY_PERSON: Final = "manual_reply"


@dataclass(frozen=True, slots=True)
class Bubble:
    """Something said, or on its way. ``state`` is that of our reply in the outbox."""

    key: str
    ours: bool
    who: str
    body: str
    at: datetime | None
    state: str | None = None
    reply: Reply | None = None
    decision: DecisionAnswer | None = None
    """What the bot made of the lead's words."""


@dataclass(frozen=True, slots=True)
class Draft:
    """A reply that waits for a person, with the version a change must name."""

    message: MessageAnswer
    version: str
    reply: Reply | None
    decision: DecisionAnswer | None
    gone: tuple[GoneTime, ...] = ()
    """Times it offers that are taken."""

    @property
    def rejected(self) -> bool:
        return self.message.status == "hold" and "rejectedAt" in self.message.metadata

    @property
    def who(self) -> str:
        return "A colleague's draft" if self.reply and self.reply.purpose == _BY_PERSON else "The bot's draft"


@dataclass(frozen=True, slots=True)
class Typed:
    """What somebody typed that could not be taken, and why; by the name of its form."""

    form: str
    text: str
    problem: str
    template: str = ""


@dataclass(frozen=True, slots=True)
class ConversationView:
    detail: DetailAnswer
    steering: SteeringAnswer
    bubbles: list[Bubble]
    drafts: list[Draft]
    linkage: Linkage
    showing: Booked | None
    agents: list[tuple[str, str]]
    """Whom it may be given to; empty for an agent."""
    reply_text: str
    reply_template: str
    reply_hint: str | None
    reply_offers: list[str]
    """Keys of the free times that the text of the reply names."""
    key: str
    ends: Outcomes
    stop: Stop | None
    """Why nothing of it goes out just now, though it is queued."""
    typed: Typed | None = None
    snoozes: list[tuple[str, str]] = field(default_factory=list)
    earlier: int = 0
    """How many older messages the page leaves out."""

    @property
    def zone(self) -> str | None:
        return self.showing.timezone if self.showing else self.linkage.zone

    @property
    def name(self) -> str:
        told = self.detail.conversation
        return told.lead_name or told.thread_label or f"Thread {told.external_thread_id}"

    def problem(self, form: str) -> str | None:
        return self.typed.problem if self.typed and self.typed.form == form else None

    def text(self, form: str, stored: str) -> str:
        return self.typed.text if self.typed and self.typed.form == form else stored


async def load_view(
    viewer: Scope,
    services: Services,
    conversation_id: UUID,
    asked: Any,
    typed: Typed | None = None,
) -> ConversationView:
    """Everything of the page. ``asked`` is its query: a template to fill in, times to offer. Raises 404."""
    now = services.clock()
    detail = await inbox.get_conversation(viewer, conversation_id, Response(), services)
    steered = await steering.get_steering(viewer, conversation_id, services)
    decided = await decisions.list_decisions(
        viewer, Page(_DECISIONS, None), services, conversation_id=conversation_id
    )

    drafted = [one.id for one in detail.messages if one.status in ("draft", "hold")]

    def read(conn: Connection) -> _Found:
        current = booking.current_appointments(conn, [conversation_id]).get(conversation_id)
        linked = conversation_story.linkage(conn, conversation_id)
        stopped = linked is not None and linked.silent == "sends_stopped"
        return (
            linked,
            conversation_story.replies(conn, conversation_id),
            current,
            conversation_story.last_change(conn, conversation_id),
            people_search.names(conn, _people(detail.messages)),
            kill_switches.stop_over(conn, conversation_id) if stopped else None,
            showing_news.untold(conn, current.id) if current and asked.get("say") else None,
            offered_times.gone(conn, drafted, services.config.slots, now),
        )

    linkage, replies, showing, last, people, stop, news, gone = await services.database.read(read)
    assert linkage is not None  # the conversation was found above
    team: list[tuple[str, str]] = []
    if viewer.role == ADMIN:
        found = await agents.list_agents(viewer, Page(200, None), services)
        team = [("", "Nobody"), *((str(agent.id), agent.full_name) for agent in found.items)]
    offered = [one for one in asked.getlist("offer") if one][:3]
    free: list[Slot] = []
    if offered or asked.get("template") or (typed is not None and typed.form == "reply"):
        free = await free_slots(viewer, services, conversation_id)
    text, template, hint = _prefilled(detail, asked, free)
    if offered:
        text = offer_text([slot for slot in free if slot_key(slot) in offered])
    elif asked.get("say") and showing is not None:
        text = said_of(showing, news, detail.conversation.unit or "the home")
    if typed is not None and typed.form == "reply":
        text, template, hint = typed.text, typed.template, None
    told = detail.conversation
    bubbles, drafts = thread(detail, replies, decided.items, people, gone)
    earlier = 0 if asked.get("all") else max(len(bubbles) - SHOWN, 0)
    return ConversationView(
        detail=detail,
        steering=steered,
        bubbles=bubbles[earlier:],
        drafts=drafts,
        linkage=linkage,
        showing=showing,
        agents=team,
        reply_text=text,
        reply_template=template,
        reply_hint=hint,
        reply_offers=[slot_key(slot) for slot in free if label(slot) in text],
        key=uuid4().hex,
        ends=outcomes(told.workflow_outcome, told.showing_state, showing, last, now),
        stop=stop,
        typed=typed,
        snoozes=_SNOOZES,
        earlier=earlier,
    )


_Found = tuple[
    Linkage | None,
    list[Reply],
    Booked | None,
    LastChange | None,
    dict[str, str],
    Stop | None,
    News | None,
    dict[UUID, tuple[GoneTime, ...]],
]
_SNOOZES: Final = [("1", "1 hour"), ("4", "4 hours"), ("24", "1 day"), ("72", "3 days"), ("168", "1 week")]


def snooze_until(hours: str, now: datetime) -> datetime | None:
    """One of the choices as an instant; None for anything else."""
    return now + timedelta(hours=int(hours)) if hours in dict(_SNOOZES) else None


def thread(
    detail: DetailAnswer,
    replies: Sequence[Reply],
    decided: Sequence[DecisionAnswer],
    people: Mapping[str, str],
    gone: Mapping[UUID, tuple[GoneTime, ...]],
) -> tuple[list[Bubble], list[Draft]]:
    """What was said, oldest first, then what is on its way; and what waits for a person."""
    by_message = {reply.message_id: reply for reply in replies if reply.message_id is not None}
    by_id = {decision.id: decision for decision in decided}
    answers: dict[UUID, DecisionAnswer] = {}
    for decision in decided:  # newest first
        answers.setdefault(decision.inbound_message_id, decision)
    bubbles: list[Bubble] = []
    drafts: list[Draft] = []
    lead = detail.conversation.lead_name or "Lead"
    where = platform_name(detail.conversation.platform)
    for message in detail.messages:
        key = str(message.id)
        if message.direction == "inbound":
            decision_of = answers.get(message.id)
            at = message.sent_at or message.created_at
            bubbles.append(Bubble(key, False, f"{lead} on {where}", message.body, at, decision=decision_of))
            continue
        reply = by_message.get(message.id)
        state = reply.state if reply else None
        if message.version is None:
            at = message.sent_at or message.created_at
            who = _author(message, reply, where, people)
            bubbles.append(Bubble(key, True, who, message.body, at, "sent", reply))
        elif message.metadata.get("superseded") or message.metadata.get("discarded") or state == "cancelled":
            continue  # withdrawn: nobody was told this
        elif state in _UNDECIDED:
            origin = by_id.get(reply.decision_id) if reply and reply.decision_id else None
            drafts.append(Draft(message, message.version, reply, origin, gone.get(message.id, ())))
        else:
            assert reply is not None  # it has a state
            who = _author(message, reply, where, people)
            bubbles.append(Bubble(key, True, who, message.body, message.created_at, state, reply))
    bubbles.extend(
        Bubble(str(reply.id), True, "The bot", reply.body, reply.created_at, reply.state, reply)
        for reply in reversed(replies)
        if reply.message_id is None and reply.state not in ("cancelled", "sent")
    )
    return bubbles, drafts


def _people(messages: Sequence[MessageAnswer]) -> set[str]:
    """Logins of those who wrote or approved what was said."""
    told = (message.metadata.get(name) for message in messages for name in ("writtenBy", "approvedBy"))
    return {one for one in told if isinstance(one, str)}


def _author(message: MessageAnswer, reply: Reply | None, where: str, people: Mapping[str, str]) -> str:
    purpose = reply.purpose if reply else None
    if purpose is None:
        return f"Us, typed on {where}"
    approver = people.get(str(message.metadata.get("approvedBy")), "a person")
    writer = people.get(str(message.metadata.get("writtenBy")), "A person of the team")
    named = {
        "decision": "The bot",
        "follow_up": "The bot, following up",
        "reminder": "The bot, reminding of the showing",
        "approved_draft": f"The bot, approved by {approver}",
        _BY_PERSON: writer,
    }
    if purpose == "approved_draft" and message.metadata.get("editedBy"):
        return f"The bot, changed and approved by {approver}"
    return named.get(purpose, "Us")


def _prefilled(detail: DetailAnswer, asked: Any, free: Sequence[Slot]) -> tuple[str, str, str | None]:
    """Text, template and a hint for the reply form: the template asked for, filled as far as values are known.

    Its times are free ones, written as the bot writes them, so that the lead's answer is read against them.
    """
    chosen = next((one for one in detail.templates if str(one.id) == asked.get("template")), None)
    if chosen is None:
        return "", "", None
    known = {name: value for name, value in detail.template_context.items() if value and "slot" not in name}
    told = template_context(None, None, None, some_of(free))
    known |= {name: value for name, value in told.items() if "slot" in name}
    try:
        return render(chosen.body, known), str(chosen.id), None
    except TemplateInvalid:
        missing = [name for name in placeholders(chosen.body) if name not in known]
        gaps = {name: f"{{{{ {name} }}}}" for name in missing}
        named = ", ".join(name.replace("_", " ") for name in missing)
        try:
            partly = render(chosen.body, known | gaps)
        except TemplateInvalid:
            partly = chosen.body
        return partly, str(chosen.id), f"Fill in what is between the braces yourself: {named}."


async def free_slots(viewer: Scope, services: Services, conversation_id: UUID) -> list[Slot]:
    """Visits of the conversation's unit worth offering, by time; an agent's own only."""

    def read(conn: Connection) -> list[Slot]:
        found = inbox_rows.find_conversation(conn, conversation_id)
        return [] if found is None else reply_offers.free_slots(conn, services, found, viewer.agent_id)

    return await services.database.read(read)


def some_of(free: Sequence[Slot]) -> list[Slot]:
    """Three of the free times, on different days where there are such."""
    days: dict[date, Slot] = {}
    for slot in free:
        days.setdefault(slot.starts_at.astimezone(zone_of(slot.timezone)).date(), slot)
    first = list(days.values())
    chosen = [*first, *(slot for slot in free if slot not in first)][:_TOLD]
    return sorted(chosen, key=lambda slot: slot.starts_at)


def slot_key(slot: Slot) -> str:
    """Names a slot in a form."""
    return f"{int(slot.starts_at.timestamp())}.{slot.agent_id}"


def parse_slot_key(key: str) -> dict[str, object] | None:
    """What a key names, as the API takes it; None for anything else."""
    at, _, agent = key.partition(".")
    if not (at.isascii() and at.isdigit() and len(at) <= 11 and agent):
        return None
    return {"startsAt": datetime.fromtimestamp(int(at), UTC).isoformat(), "agentId": agent}


def offer_text(slots: Sequence[Slot]) -> str:
    """Two or three times as a question to the lead."""
    if not slots:
        return ""
    if len(slots) == 1:
        return f"Would {label(slots[0])} work for you?"
    return "Would one of these times work for you?\n" + "\n".join(f"- {label(slot)}" for slot in slots)


def said_of(showing: Booked, news: News | None, unit: str) -> str:
    """What the lead is to be told of a showing; nothing when nobody has to tell anything."""
    if news is None:
        booked = showing.status in LIVE_SHOWING_STATES
        return f"Your viewing of {unit} is booked: {_label(showing)}." if booked else ""
    known = _label(showing, news.known_start, news.known_end)
    if news.what == "cancelled":
        return f"Your viewing of {unit} is cancelled: {known}. Write to us if you would like another time."
    return f"Your viewing of {unit} was moved. It is now: {_label(showing)}, instead of: {known}."


def _label(showing: Booked, starts_at: datetime | None = None, ends_at: datetime | None = None) -> str:
    begin, end = starts_at or showing.starts_at, ends_at or showing.ends_at
    return label(Slot(begin, end, showing.timezone, showing.agent_id, None, showing.unit_id))
