"""What a synced advert means: its unit's key and number, and its rent. Pure.

The unit key and the generated number are the earlier system's (FNV-1a, base 36), so that a database
taken over keeps its units.
"""

from __future__ import annotations

import re
from typing import Final
from uuid import UUID

from leasebot_pipeline.domain.readings import ListingRow

_NOT_WORD: Final = re.compile(r"[^a-z0-9]+")
_DOLLARS: Final = re.compile(r"\$\s?(\d[\d,]*)(?:\.(\d{2}))?")
_OTHER_PERIOD: Final = re.compile(
    r"(?:\b(?:per|a) (?:week|night|day)|/ ?(?:week|wk|w|night|day)|\b(?:weekly|nightly|daily|pw|pn))\b",
    re.IGNORECASE,
)
_DIGITS: Final = "0123456789abcdefghijklmnopqrstuvwxyz"


def unit_key(account: UUID, title: str | None, location: str | None) -> str | None:
    """``listing-sync:<account>:<title>|<location>`` in plain lower-case words; None without a title."""
    if not title or not title.strip():
        return None
    return f"listing-sync:{account}:{_words(title)}|{_words(location) if location and _words(location) else 'na'}"


def generated_number(key: str | None, listing_external_id: str) -> str:
    """A stable unit number for an advert that names none."""
    if key is None:
        return f"#{listing_external_id}"
    return f"#u{_base36(_fnv1a(key))[:8]}"


def monthly_rent_cents(price_text: str | None) -> int | None:
    """Monthly rent in cents; None when the text has no dollars or states another period."""
    if not price_text or _OTHER_PERIOD.search(price_text):
        return None
    match = _DOLLARS.search(price_text)
    if match is None:
        return None
    return int(match.group(1).replace(",", "")) * 100 + int(match.group(2) or 0)


def sync_row(account: UUID, row: ListingRow, synced_at: str) -> dict[str, object]:
    """An advert as the sync statement takes it."""
    key = unit_key(account, row.title, row.location)
    metadata = {
        "title": row.title,
        "location": row.location,
        "priceText": row.price_text,
        "href": row.href,
        "headerText": row.header_text,
        "statusClasses": list(row.status_classes) or None,
        "source": "rpa_listing_sync",
        "syncedAt": synced_at,
    }
    return {
        "listing_external_id": row.listing_external_id,
        "unit_key": key or f"listing-sync:{account}:{row.listing_external_id}",
        "property_name": row.property_name or row.title or f"Listing {row.listing_external_id}",
        "unit_number": row.unit_number or generated_number(key, row.listing_external_id),
        "active": row.status == "active",
        "rent_cents": monthly_rent_cents(row.price_text),
        "metadata": metadata,
    }


def _words(text: str) -> str:
    return _NOT_WORD.sub(" ", text.lower()).strip()


def _fnv1a(text: str) -> int:
    value = 2166136261
    for byte in text.encode():
        value = (value ^ byte) * 16777619 % 2**32
    return value


def _base36(number: int) -> str:
    digits = ""
    while True:
        number, digit = divmod(number, 36)
        digits = _DIGITS[digit] + digits
        if number == 0:
            return digits
