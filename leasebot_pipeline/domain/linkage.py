"""Linkage hints: what a message says about the listing it is about.

Per field the first non-empty trimmed string wins, over the places of the earlier system in its order.
Any UUID is accepted as an id: the fixed ids of the default rows are not RFC 4122 (fault G-24).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final
from uuid import UUID

HINT_PLACES: Final[dict[str, tuple[str, ...]]] = {
    "listingId": ("listingId", "listing_id", "listing.id", "context.listingId", "context.listing_id"),
    "listingExternalId": (
        "listingExternalId",
        "listing_external_id",
        "listing.externalId",
        "listing.external_id",
        "context.listingExternalId",
        "context.listing_external_id",
    ),
    "unitId": (
        "unitId",
        "unit_id",
        "listing.unitId",
        "listing.unit_id",
        "unit.id",
        "context.unitId",
        "context.unit_id",
    ),
    "unitExternalId": (
        "unitExternalId",
        "unit_external_id",
        "listing.unitExternalId",
        "listing.unit_external_id",
        "unit.externalId",
        "unit.external_id",
        "context.unitExternalId",
        "context.unit_external_id",
    ),
    "propertyName": (
        "propertyName",
        "property_name",
        "unit.propertyName",
        "unit.property_name",
        "context.propertyName",
        "context.property_name",
    ),
    "unitNumber": (
        "unitNumber",
        "unit_number",
        "unit.unitNumber",
        "unit.unit_number",
        "context.unitNumber",
        "context.unit_number",
    ),
}

STRATEGIES: Final[tuple[str, ...]] = (
    "listing_id",
    "listing_external_id",
    "unit_id",
    "unit_external_id",
    "property_name_unit_number",
)
"""Strongest first; the database scores them 500, 400, 300, 200, 100."""


def extract_hints(payload: Mapping[str, object]) -> dict[str, str]:
    """Hints found in a landed payload (its own keys, then its ``metadata``); empty when there are none."""
    metadata = payload.get("metadata")
    sources = [payload, metadata] if isinstance(metadata, Mapping) else [payload]
    hints: dict[str, str] = {}
    for name, places in HINT_PLACES.items():
        for source in sources:
            value = next((v for place in places if (v := _text_at(source, place))), None)
            if value is not None and (name not in ("listingId", "unitId") or _is_uuid(value)):
                hints[name] = value
                break
    return hints


def _text_at(source: Mapping[str, object], path: str) -> str | None:
    value: object = source
    for key in path.split("."):
        if not isinstance(value, Mapping):
            return None
        value = value.get(key)
    return value.strip() or None if isinstance(value, str) else None


def _is_uuid(value: str) -> bool:
    try:
        UUID(value)
    except ValueError:
        return False
    return True
