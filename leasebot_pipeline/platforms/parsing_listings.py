"""Listings pages into adverts of ours."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final, Literal
from urllib.parse import urljoin

from selectolax.lexbor import LexborNode

from leasebot_pipeline.domain.failures import PlatformFailure
from leasebot_pipeline.domain.readings import ListingRow
from leasebot_pipeline.platforms.adapter import Adapter
from leasebot_pipeline.platforms.page import (
    Document,
    attribute,
    block_text,
    clean,
    field_text,
    find,
    one_line,
)
from leasebot_pipeline.platforms.parsing_inbox import listing_id_of

_ADVERT_ID: Final = re.compile(r"^advert-(.+)$")
_INACTIVE: Final = re.compile(
    r"\b(?:inactive|deactivated?|paused|archived?|off[ -]market|draft|rented|expired|closed|not live)\b",
    re.IGNORECASE,
)
_LIVE_CLASS: Final = "listing-result--live"
_NOT_LIVE_CLASS: Final = "listing-result--not_live"


@dataclass(frozen=True, slots=True)
class ListingsPage:
    """One page of our adverts."""

    rows: tuple[ListingRow, ...]
    rows_without_identity: int


def parse_listings(adapter: Adapter, document: Document, url: str) -> ListingsPage:
    """Adverts of a proven listings page, in page order.

    Raises PlatformFailure MARKUP_DRIFT when there are neither adverts nor the platform's empty state.
    """
    selectors = adapter.selectors
    cards = _outermost(document.all(selectors.listing_items))
    if not cards and not document.has(selectors.listings_empty):
        raise PlatformFailure("MARKUP_DRIFT", "the listings page shows neither adverts nor its empty state")
    rows: dict[str, ListingRow] = {}
    unidentified = 0
    for card in cards:
        listing_id = _listing_id(adapter, card)
        if listing_id is None:
            unidentified += 1
        else:
            rows.setdefault(listing_id, _row(adapter, card, listing_id, url))
    if cards and not rows:
        raise PlatformFailure("MARKUP_DRIFT", f"none of {unidentified} adverts carries an id")
    return ListingsPage(tuple(rows.values()), unidentified)


def _outermost(cards: list[LexborNode]) -> list[LexborNode]:
    """Cards that are not part of another card."""
    identities = {card.mem_id for card in cards}
    outer: list[LexborNode] = []
    for card in cards:
        parent = card.parent
        while parent is not None and parent.mem_id not in identities:
            parent = parent.parent
        if parent is None:
            outer.append(card)
    return outer


def _listing_id(adapter: Adapter, card: LexborNode) -> str | None:
    advert = _ADVERT_ID.match(card.attributes.get("id") or "")
    return clean(advert[1]) if advert else listing_id_of(adapter, card)


def _row(adapter: Adapter, card: LexborNode, listing_id: str, url: str) -> ListingRow:
    selectors = adapter.selectors
    link = next(find(card, selectors.listing_link), None)
    href = attribute(link, "href") if link is not None else None
    classes = tuple((card.attributes.get("class") or "").split())
    header = field_text(card, ("h3",))
    status_text = field_text(card, selectors.listing_status)
    return ListingRow(
        listing_external_id=listing_id,
        status=_status(classes, status_text or header or one_line(block_text(card))),
        title=_field(card, selectors.listing_title),
        location=_field(card, selectors.listing_location),
        price_text=_field(card, selectors.listing_price),
        href=urljoin(url, href) if href else None,
        header_text=clean(header) if header else None,
        status_classes=tuple(name for name in classes if name.startswith("listing-result--")),
        property_name=_field(card, selectors.listing_property),
        unit_number=_field(card, selectors.listing_unit),
    )


def _status(classes: tuple[str, ...], text: str) -> Literal["active", "inactive"]:
    if _LIVE_CLASS in classes:
        return "active"
    return "inactive" if _NOT_LIVE_CLASS in classes or _INACTIVE.search(text) else "active"


def _field(card: LexborNode, selectors: tuple[str, ...]) -> str | None:
    text = field_text(card, selectors)
    return clean(text) if text else None
