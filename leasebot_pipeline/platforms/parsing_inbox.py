"""Inbox pages into rows. A row without a thread id is counted, never given an id by position."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from urllib.parse import urljoin
from zoneinfo import ZoneInfo

from selectolax.lexbor import LexborNode

from leasebot_pipeline.domain.failures import PlatformFailure
from leasebot_pipeline.domain.platforms import Platform
from leasebot_pipeline.domain.readings import Direction, InboxRow
from leasebot_pipeline.platforms.adapter import Adapter
from leasebot_pipeline.platforms.page import (
    Document,
    attribute,
    block_text,
    clean,
    field_text,
    find,
    one_line,
    path_segment_after,
    query_value,
)
from leasebot_pipeline.platforms.timestamps import parse_time

THREAD_QUERY_KEYS: Final = (
    "thread_id",
    "conversation_id",
    "conversation",
    "thread",
    "message_thread_id",
    "id",
)
LISTING_QUERY_KEYS: Final = ("listing_id", "listing", "room_id", "unit_id", "advert_id")
_PAIR_OF_NUMBERS: Final = re.compile(r"^(\d+)_(\d+)$")
_COUNT: Final = re.compile(r"\s*\((\d{1,5})\)\s*$")
_AGO_TAIL: Final = re.compile(r"\s*(\d+\s*[mhdw]\s+ago)$", re.IGNORECASE)
_OURS: Final = re.compile(r"^you:\s*", re.IGNORECASE)
_UNREAD: Final = re.compile(r"^unread(?: only)?$", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class InboxPage:
    """One page of the inbox."""

    rows: tuple[InboxRow, ...]
    rows_without_identity: int
    next_url: str | None


def parse_inbox(
    adapter: Adapter, document: Document, url: str, now: datetime, first_rank: int = 1
) -> InboxPage:
    """Rows of a proven inbox page, top first, one per thread, ranked from ``first_rank``.

    Raises PlatformFailure MARKUP_DRIFT when there are neither rows nor the platform's empty state.
    """
    items = _row_elements(adapter, document)
    outbound = document.members(adapter.selectors.outbound_preview)
    inbound = document.members(adapter.selectors.inbound_preview)
    rows: dict[str, InboxRow] = {}
    identified = unidentified = 0
    for item in items:
        thread_id = _thread_id(adapter, item)
        if thread_id is None:
            unidentified += int(item.tag != "a")  # a link that leads to no thread is no row
            continue
        identified += 1
        if thread_id in rows:
            continue
        direction = None
        if item.mem_id in outbound:
            direction = Direction.OUTBOUND
        elif item.mem_id in inbound:
            direction = Direction.INBOUND
        row = _row(adapter, item, thread_id, first_rank + len(rows), direction, now)
        if row is not None:
            rows[thread_id] = row
    if unidentified and not rows:
        raise PlatformFailure("MARKUP_DRIFT", f"none of {unidentified} inbox rows carries a thread id")
    if not identified and not document.has(adapter.selectors.inbox_empty):
        raise PlatformFailure("MARKUP_DRIFT", "the inbox shows neither threads nor its empty state")
    link = document.first(adapter.selectors.next_page)
    next_url = urljoin(url, attribute(link, "href") or "") if link is not None else None
    return InboxPage(tuple(rows.values()), unidentified, next_url)


def listing_and_lead_of_thread(adapter: Adapter, thread_id: str) -> tuple[str | None, str | None]:
    """(listing id, lead id) where the platform builds its thread ids from them."""
    pair = _PAIR_OF_NUMBERS.match(thread_id) if adapter.platform is Platform.SPAREROOM else None
    return (pair[2], pair[1]) if pair else (None, None)


def split_count(name: str | None) -> tuple[str | None, int | None]:
    """A lead name and the message count that follows it in parentheses."""
    if name is None:
        return None, None
    count = _COUNT.search(name)
    if count is None:
        return name, None
    return name[: count.start()].strip() or None, int(count[1])


def listing_id_of(adapter: Adapter, node: LexborNode) -> str | None:
    """The listing a row or page names: data attribute, else the path, else the query of its link."""
    named = attribute(node, "data-listing-id", "data-room-id", "data-unit-id")
    if named:
        return clean(named)
    for href in _links(node):
        found = path_segment_after(href, *adapter.listing_link_parts) or query_value(
            href, *LISTING_QUERY_KEYS
        )
        if found:
            return clean(found)
    return None


def _row_elements(adapter: Adapter, document: Document) -> list[LexborNode]:
    """Row elements in page order. An element inside or around one already taken is the same row."""
    taken: dict[int, LexborNode] = {}
    around: set[int] = set()
    for item in document.all(adapter.selectors.message_items):
        ancestors = set(_ancestors(item))
        if item.mem_id in around or ancestors & taken.keys():
            continue
        taken[item.mem_id] = item
        around |= ancestors
    positions = document.positions() if len(adapter.selectors.message_items) > 1 else {}
    return sorted(taken.values(), key=lambda item: positions.get(item.mem_id, 0))


def _ancestors(node: LexborNode) -> list[int]:
    found: list[int] = []
    parent = node.parent
    while parent is not None:
        found.append(parent.mem_id)
        parent = parent.parent
    return found


def _thread_id(adapter: Adapter, item: LexborNode) -> str | None:
    thread_id = attribute(item, "data-thread-id", "data-thread", "data-conversation-id")
    if thread_id is None:
        for href in _links(item):
            thread_id = path_segment_after(
                href, _thread_prefix(adapter), "/messages/", "/inbox/", "/thread/"
            ) or query_value(href, *THREAD_QUERY_KEYS)
            if thread_id:
                break
    if not thread_id or (adapter.thread_ids and not re.fullmatch(adapter.thread_ids, thread_id)):
        return None
    return clean(thread_id)


def _thread_prefix(adapter: Adapter) -> str:
    return adapter.thread_path.partition("{id}")[0].partition("?")[0].rstrip("/") + "/"


def _links(node: LexborNode) -> list[str]:
    links = [node, *find(node, ("a[href]",))] if node.tag == "a" else list(find(node, ("a[href]",)))
    return [href for link in links if (href := attribute(link, "href"))]


def _row(
    adapter: Adapter,
    item: LexborNode,
    thread_id: str,
    rank: int,
    direction: Direction | None,
    now: datetime,
) -> InboxRow | None:
    selectors = adapter.selectors
    time_text = field_text(item, selectors.message_sent_at)
    preview = field_text(item, selectors.message_body) or one_line(block_text(item))
    if adapter.platform is Platform.ROOMIES:
        preview, time_text = _roomies_preview(preview, time_text)
        if not preview:
            return None
        ours = _OURS.match(preview)
        direction = Direction.OUTBOUND if ours else direction or Direction.INBOUND
        preview = preview[ours.end() :] if ours else preview
    lead_name, count = split_count(attribute(item, "data-lead-name") or field_text(item, selectors.lead_name))
    listing_of_thread, lead_of_thread = listing_and_lead_of_thread(adapter, thread_id)
    label = field_text(item, selectors.thread_label)
    message_id = attribute(item, "data-message-id", "data-last-message-id")
    return InboxRow(
        external_thread_id=thread_id,
        sort_rank=rank,
        preview=clean(preview) or None,
        preview_direction=direction,
        lead_name=clean(lead_name) if lead_name else None,
        lead_external_id=attribute(item, "data-lead-id", "data-user-id", "data-profile-id") or lead_of_thread,
        listing_external_id=listing_id_of(adapter, item) or listing_of_thread,
        thread_label=clean(label) if label else None,
        message_count=count,
        sent_at=parse_time(time_text, ZoneInfo(adapter.zone), now).instant,
        sent_at_text=time_text,
        last_message_id=clean(message_id) if message_id else None,
    )


def _roomies_preview(preview: str, time_text: str | None) -> tuple[str, str | None]:
    """Preview and time text apart; nothing left when the row only says that it is unread."""
    if time_text:
        preview = preview.removesuffix(time_text).rstrip()
    tail = _AGO_TAIL.search(preview)
    if tail is not None and time_text is None:
        preview, time_text = preview[: tail.start()], tail[1]
    return ("" if _UNREAD.match(preview) else preview), time_text
