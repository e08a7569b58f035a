"""Which of an adapter's selectors find the parts of a page."""

from __future__ import annotations

from typing import Final

from selectolax.lexbor import LexborNode

from leasebot_pipeline.domain.fingerprints import Fingerprint
from leasebot_pipeline.platforms.adapter import Adapter, Selectors
from leasebot_pipeline.platforms.detection import PageKind
from leasebot_pipeline.platforms.page import Document, find

# Per kind: parts of the page, the rows, parts of the rows. What only some threads or adverts have is left
# out (a composer is gone when a thread is closed): it would look like drift.
_PAGE: Final = {
    PageKind.INBOX: ("inbox_landmark", "closing"),
    PageKind.THREAD: ("thread_landmark", "closing", "thread_lead_name"),
    PageKind.LISTINGS: ("listings_landmark", "closing"),
}
_EMPTY: Final = {PageKind.INBOX: "inbox_empty", PageKind.LISTINGS: "listings_empty"}
_ROWS: Final = {
    PageKind.INBOX: "message_items",
    PageKind.THREAD: "thread_message_items",
    PageKind.LISTINGS: "listing_items",
}
_FIELDS: Final = {
    PageKind.INBOX: ("message_body", "message_sent_at", "lead_name", "thread_label"),
    PageKind.THREAD: ("thread_message_body", "thread_message_sent_at"),
    PageKind.LISTINGS: (
        "listing_title",
        "listing_location",
        "listing_price",
        "listing_status",
        "listing_link",
    ),
}


def page_fingerprint(adapter: Adapter, kind: PageKind, document: Document) -> Fingerprint:
    """Part (camelCase) to the position of the selector that finds it; None when none does."""
    selectors = adapter.selectors

    def of(name: str) -> Selectors:
        listed: Selectors = getattr(selectors, name)
        return listed

    found: dict[str, int | None] = {
        _camel(name): _first(document, of(name)) for name in _PAGE[kind] if of(name)
    }
    if kind in _EMPTY and document.has(of(_EMPTY[kind])):
        return found  # what else looks like a row there is a link of the menu
    rows_name = _ROWS[kind]
    position = _first(document, of(rows_name))
    if position is None:
        # An inbox may be empty, a thread never is.
        return {**found, _camel(rows_name): None} if kind is PageKind.THREAD else found
    found[_camel(rows_name)] = position
    rows = document.all((of(rows_name)[position],))
    for name in _FIELDS[kind]:
        if of(name):
            found[_camel(name)] = _first_in(rows, of(name))
    return found


def _first(document: Document, selectors: Selectors) -> int | None:
    return next((n for n, selector in enumerate(selectors) if document.has((selector,))), None)


def _first_in(rows: list[LexborNode], selectors: Selectors) -> int | None:
    for n, selector in enumerate(selectors):
        if any(next(find(row, (selector,)), None) is not None for row in rows):
            return n
    return None


def _camel(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(word.capitalize() for word in rest)
