"""Small pages in each platform's markup, put together by the tests."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from leasebot_pipeline.domain.platforms import Platform
from leasebot_pipeline.domain.readings import ListingRow, ThreadReading
from leasebot_pipeline.platforms.adapter import Adapter
from leasebot_pipeline.platforms.detection import PageKind, require_page
from leasebot_pipeline.platforms.options import RuntimeOptions
from leasebot_pipeline.platforms.overrides import adapters
from leasebot_pipeline.platforms.page import PageSnapshot
from leasebot_pipeline.platforms.parsing_inbox import InboxPage, parse_inbox
from leasebot_pipeline.platforms.parsing_listings import parse_listings
from leasebot_pipeline.platforms.parsing_thread import parse_thread

NOW = datetime(2026, 11, 24, 20, 30, tzinfo=UTC)
ADAPTERS = adapters(RuntimeOptions(data_dir=Path("unused"), environ={}))

CONTAINERS = {
    (Platform.SPAREROOM, PageKind.INBOX): ('<div id="thread_list">', "</div>"),
    (Platform.SPAREROOM, PageKind.THREAD): ('<ul id="thread_messages">', "</ul>"),
    (Platform.SPAREROOM, PageKind.LISTINGS): ('<ul id="my_listings">', "</ul>"),
    (Platform.ROOMIES, PageKind.INBOX): ('<div data-testid="inbox">', "</div>"),
    (Platform.ROOMIES, PageKind.THREAD): ('<section data-testid="conversation">', "</section>"),
    (Platform.ROOMIES, PageKind.LISTINGS): ('<div data-testid="my-listings">', "</div>"),
    (Platform.LEASEBREAK, PageKind.INBOX): ('<section id="inbox">', "</section>"),
    (Platform.LEASEBREAK, PageKind.THREAD): ('<section id="conversation">', "</section>"),
    (Platform.LEASEBREAK, PageKind.LISTINGS): ('<section id="my-listings">', "</section>"),
    (Platform.RENTHOP, PageKind.INBOX): ('<ul data-testid="message-list">', "</ul>"),
    (Platform.RENTHOP, PageKind.THREAD): ('<section data-testid="thread">', "</section>"),
    (Platform.RENTHOP, PageKind.LISTINGS): ('<div data-testid="listing-list">', "</div>"),
    (Platform.FURNISHEDFINDER, PageKind.INBOX): ('<div data-testid="messaging-inbox">', "</div>"),
    (Platform.FURNISHEDFINDER, PageKind.THREAD): ('<section data-testid="messaging-thread">', "</section>"),
    (Platform.FURNISHEDFINDER, PageKind.LISTINGS): ('<div data-testid="owner-properties">', "</div>"),
}

EMPTY_INBOXES = {
    Platform.SPAREROOM: '<p class="thread_list_empty">No messages</p>',
    Platform.ROOMIES: '<p data-testid="inbox-empty">No messages</p>',
    Platform.LEASEBREAK: '<p class="messages-empty">No messages</p>',
    Platform.RENTHOP: '<li data-testid="message-list-empty">No messages</li>',
    Platform.FURNISHEDFINDER: '<div data-testid="messaging-inbox-empty">No messages</div>',
}


def adapter_of(platform: Platform) -> Adapter:
    return ADAPTERS[platform]


def page(
    platform: Platform,
    kind: PageKind,
    content: str,
    *,
    url: str | None = None,
    status: int | None = 200,
    title: str = "",
    whole: bool = True,
    around: str = "",
    landmark: bool = True,
) -> PageSnapshot:
    """A page of the platform with ``content`` in its container and ``around`` before it."""
    adapter = adapter_of(platform)
    begin, end = CONTAINERS[platform, kind] if landmark else ("<div>", "</div>")
    closing = "<footer>the end</footer>" if whole else ""
    html = (
        f"<html><head><title>{title}</title></head><body>{around}{begin}{content}{end}{closing}</body></html>"
    )
    return PageSnapshot(url or adapter.inbox_url, status, title, html)


def inbox(platform: Platform, content: str, **page_options: str) -> InboxPage:
    adapter = adapter_of(platform)
    snapshot = page(platform, PageKind.INBOX, content, **page_options)  # type: ignore[arg-type]
    return parse_inbox(adapter, require_page(adapter, PageKind.INBOX, snapshot), snapshot.url, NOW)


def thread(platform: Platform, thread_id: str, content: str, url: str | None = None) -> ThreadReading:
    adapter = adapter_of(platform)
    snapshot = page(platform, PageKind.THREAD, content, url=url or adapter.thread_url(thread_id))
    document = require_page(adapter, PageKind.THREAD, snapshot)
    return parse_thread(adapter, document, snapshot.url, thread_id, NOW)


def listings(platform: Platform, content: str) -> tuple[ListingRow, ...]:
    adapter = adapter_of(platform)
    snapshot = page(platform, PageKind.LISTINGS, content, url=adapter.url("/mine"))
    return parse_listings(adapter, require_page(adapter, PageKind.LISTINGS, snapshot), snapshot.url).rows
