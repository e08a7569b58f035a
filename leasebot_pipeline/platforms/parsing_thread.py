"""Thread pages into messages, oldest first, each with its identity."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Final
from urllib.parse import unquote, urlsplit
from zoneinfo import ZoneInfo

from selectolax.lexbor import LexborNode

from leasebot_pipeline.domain.failures import PlatformFailure
from leasebot_pipeline.domain.identity import Unidentified, message_identities
from leasebot_pipeline.domain.readings import Direction, ThreadMessage, ThreadReading
from leasebot_pipeline.platforms.adapter import Adapter
from leasebot_pipeline.platforms.page import (
    MESSAGE_ATTRIBUTE,
    Document,
    attribute,
    block_text,
    clean,
    field_block,
    field_text,
    find,
    one_line,
    path_segment_after,
    query_value,
)
from leasebot_pipeline.platforms.parsing_inbox import (
    THREAD_QUERY_KEYS,
    listing_and_lead_of_thread,
    split_count,
)
from leasebot_pipeline.platforms.timestamps import UNKNOWN, ShownTime, parse_time

_ID_PREFIX: Final = re.compile(r"^(?:msg|message)[_-]", re.IGNORECASE)
_NO_LISTING_LABELS: Final = frozenset({"more", "view", "view room"})
_UNDELIVERED: Final = frozenset({"sending", "pending", "failed", "error"})
_COMPOSER_TAGS: Final = frozenset({"form", "textarea", "input", "button"})


@dataclass(frozen=True, slots=True)
class _Draft:
    """A message before it has its identity."""

    platform_id: str | None
    direction: Direction
    body: str
    shown: ShownTime
    time_text: str | None
    aliases: tuple[str, ...] = ()

    @property
    def day(self) -> date | None:
        return self.shown.day


def parse_thread(
    adapter: Adapter, document: Document, url: str, external_thread_id: str, now: datetime
) -> ThreadReading:
    """Messages and facts of a proven thread page.

    Raises PlatformFailure: PAGE_NOT_FOUND when another page answered, PAGE_INCOMPLETE while the page's
    script has not shown the messages, MARKUP_DRIFT when messages or their authors can't be told.
    """
    refuse_other_thread(adapter, document, url, external_thread_id)
    drafts = _drafts(adapter, document, now)
    identities = message_identities(
        external_thread_id,
        [Unidentified(d.direction, d.body, d.day, d.platform_id) for d in drafts],
    )
    messages: dict[str, ThreadMessage] = {}
    for draft, (message_id, source) in zip(drafts, identities, strict=True):
        messages.setdefault(
            message_id,
            ThreadMessage(
                external_message_id=message_id,
                identity_source=source,
                direction=draft.direction,
                body=draft.body,
                sent_at=draft.shown.instant,
                sent_at_text=draft.time_text,
                sent_at_has_time=draft.shown.has_time,
                aliases=draft.aliases,
            ),
        )
    return _reading(adapter, document, external_thread_id, tuple(messages.values()))


def refuse_other_thread(adapter: Adapter, document: Document, url: str, external_thread_id: str) -> None:
    """Raise PAGE_NOT_FOUND unless address and page are those of the wanted thread."""
    segment = unquote(urlsplit(url).path.rstrip("/").rpartition("/")[2])
    if external_thread_id not in (segment, query_value(url, *THREAD_QUERY_KEYS)):
        raise PlatformFailure("PAGE_NOT_FOUND", f"the thread's address led to {urlsplit(url).path}")
    landmark = document.first(adapter.selectors.thread_landmark)
    named = attribute(landmark, "data-thread-id") if landmark is not None else None
    if named is not None and named != external_thread_id:
        raise PlatformFailure("PAGE_NOT_FOUND", "the page shows another thread than the one asked for")


def _drafts(adapter: Adapter, document: Document, now: datetime) -> list[_Draft]:
    selectors = adapter.selectors
    # The broad fallbacks would find parts of a message again, so the first selector that matches decides.
    items = next((found for s in selectors.thread_message_items if (found := document.all((s,)))), [])
    items = [item for item in items if item.tag not in _COMPOSER_TAGS]
    if not items:
        if document.has(selectors.thread_loading):
            raise PlatformFailure("PAGE_INCOMPLETE", "the thread's messages were not loaded")
        raise PlatformFailure("MARKUP_DRIFT", "the thread shows no messages")
    outbound = document.members(selectors.outbound_message)
    inbound = document.members(selectors.inbound_message)
    undelivered = document.members(selectors.undelivered_message)
    drafts: list[_Draft] = []
    for item in items:
        if item.mem_id in undelivered:
            continue
        state = attribute(item, MESSAGE_ATTRIBUTE)
        draft = (
            _from_state(state, adapter, now)
            if state is not None
            else _from_markup(adapter, item, outbound, inbound, now)
        )
        if draft is None or (draft.platform_id is None and adapter.message_ids and _is_pending(draft)):
            continue
        drafts.append(draft)
    return drafts


def _is_pending(draft: _Draft) -> bool:
    """True for our own text shown before the platform took it. A lead's message must have its id.

    An id that is hashed only because the markup changed would make every old message look new.
    """
    if draft.direction is Direction.INBOUND:
        raise PlatformFailure("MARKUP_DRIFT", "a message of the lead carries no id")
    return True


def _from_state(text: str, adapter: Adapter, now: datetime) -> _Draft | None:
    """A message from the page's runtime state; None for what is no message of a person."""
    try:
        state = json.loads(text)
    except ValueError:
        raise PlatformFailure("MARKUP_DRIFT", "a message's runtime state is no JSON") from None
    if not isinstance(state, Mapping):
        raise PlatformFailure("MARKUP_DRIFT", "a message's runtime state is no object")
    body = clean(str(state.get("content") or "")).strip()
    if not body or state.get("system") or state.get("is_system") or state.get("type") == "system":
        return None
    if str(state.get("status") or "").lower() in _UNDELIVERED:
        return None
    sender = state.get("isSender")
    if not isinstance(sender, bool):
        raise PlatformFailure("MARKUP_DRIFT", "a message's runtime state does not tell its author (isSender)")
    ids = tuple(clean(str(state[key])) for key in ("id", "message_id", "uuid") if state.get(key))
    time_text = next(
        (str(state[key]) for key in ("delivered_at", "created_at", "read_at") if state.get(key)), None
    )
    return _Draft(
        ids[0] if ids else None,
        Direction.OUTBOUND if sender else Direction.INBOUND,
        body,
        parse_time(time_text, ZoneInfo(adapter.zone), now),
        time_text,
        ids[1:],
    )


def _from_markup(
    adapter: Adapter, item: LexborNode, outbound: frozenset[int], inbound: frozenset[int], now: datetime
) -> _Draft | None:
    selectors = adapter.selectors
    body = clean(field_block(item, selectors.thread_message_body) or "")
    if not body:
        return None
    if item.mem_id in outbound:
        direction = Direction.OUTBOUND
    elif item.mem_id in inbound:
        direction = Direction.INBOUND
    else:
        raise PlatformFailure("MARKUP_DRIFT", "a message does not tell whether the lead or we wrote it")
    time_text = field_text(item, selectors.thread_message_sent_at)
    shown = parse_time(time_text, ZoneInfo(adapter.zone), now) if time_text else UNKNOWN
    shown_id = attribute(item, "data-message-id", "id", "data-id") if adapter.message_ids else None
    return _Draft(
        clean(_ID_PREFIX.sub("", shown_id)) or None if shown_id else None,
        direction,
        body,
        shown,
        time_text,
    )


def _reading(
    adapter: Adapter, document: Document, thread_id: str, messages: tuple[ThreadMessage, ...]
) -> ThreadReading:
    selectors = adapter.selectors
    landmark = document.first(selectors.thread_landmark)
    name_node = document.first(selectors.thread_lead_name)
    lead_name, _ = split_count(one_line(block_text(name_node)) if name_node is not None else None)
    listing_of_thread, lead_of_thread = listing_and_lead_of_thread(adapter, thread_id)
    label_node = document.first(selectors.thread_listing_label)
    label = one_line(block_text(label_node)) if label_node is not None else None
    listing_id = attribute(landmark, "data-listing-id", "data-room-id") if landmark is not None else None
    link_id, link_label = _linked_listing(adapter, landmark)
    if listing_id is None:
        listing_id = listing_of_thread or link_id
    return ThreadReading(
        external_thread_id=thread_id,
        messages=messages,
        lead_name=clean(lead_name) if lead_name else None,
        lead_external_id=(
            attribute(landmark, "data-lead-id", "data-user-id") if landmark is not None else None
        )
        or lead_of_thread,
        listing_external_id=clean(listing_id) if listing_id else None,
        thread_label=clean(label or link_label or "") or None,
        property_name=_single(document, selectors.property_name),
        unit_number=_single(document, selectors.unit_number),
    )


def _linked_listing(adapter: Adapter, landmark: LexborNode | None) -> tuple[str | None, str | None]:
    """The first link to a listing that has a real label: (id, label). Links inside messages don't count."""
    if landmark is None:
        return None, None
    written = {
        below.mem_id
        for item in find(landmark, adapter.selectors.thread_message_items)
        for below in item.css("a")
    }
    for link in find(landmark, adapter.selectors.thread_listing_link):
        label = one_line(block_text(link))
        if link.mem_id in written or not label or label.lower() in _NO_LISTING_LABELS:
            continue
        found = path_segment_after(attribute(link, "href") or "", *adapter.listing_link_parts)
        if found:
            return found, label
    return None, None


def _single(document: Document, selectors: tuple[str, ...]) -> str | None:
    node = document.first(selectors)
    text = one_line(block_text(node)) if node is not None else ""
    return clean(text) or None
