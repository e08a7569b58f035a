"""The invented portfolio: units, and the adverts that offer them on each platform.

A unit may be advertised on several platforms under different titles, as brokers do.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from pydantic import BaseModel, ConfigDict

from leasebot_pipeline.domain.platforms import Platform


class Advert(BaseModel):
    """One advert of ours on one platform. ``listed`` is False while nobody can see it yet."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    platform: Platform
    external_id: str
    unit: str | None
    """Key of the portfolio unit; None for an advert that was published through the control API."""
    title: str
    location: str
    price_text: str
    property_name: str
    unit_number: str
    active: bool = True
    listed: bool = True
    text: str = ""


@dataclass(frozen=True, slots=True)
class _Unit:
    key: str
    property_name: str
    number: str
    headline: str
    location: str
    rent: str
    text: str


_UNITS: Final = (
    _Unit("harbor-4b", "Harbor Lofts", "4B", "Loft with river light", "Greenpoint, Brooklyn", "3,150",
          "One large room under a saw-tooth roof, oak floor, laundry in the basement."),
    _Unit("harbor-2a", "Harbor Lofts", "2A", "Two-bedroom loft near the ferry", "Greenpoint, Brooklyn", "4,280",
          "Two bedrooms, windows on two sides, a landing wide enough for bicycles."),
    _Unit("cedar-12", "Cedar Court", "12", "Quiet one-bedroom on the courtyard", "Astoria, Queens", "2,390",
          "Third floor without an elevator. The courtyard is shared and has a fig tree."),
    _Unit("cedar-15", "Cedar Court", "15", "Sunny studio with alcove", "Astoria, Queens", "1,980",
          "Studio with a sleeping alcove and a kitchen with a window."),
    _Unit("linden-3f", "Linden Row", "3F", "Room in a three-bedroom brownstone", "Bed-Stuy, Brooklyn", "1,240",
          "A furnished room; kitchen, bath and a roof deck are shared with two people."),
    _Unit("linden-1r", "Linden Row", "1R", "Garden-level room with own entrance", "Bed-Stuy, Brooklyn", "1,375",
          "Garden level, own door, use of the yard."),
    _Unit("mason-7c", "Mason House", "7C", "One-bedroom with doorman", "Upper West Side, Manhattan", "3,690",
          "Seventh floor, elevator, two blocks from the park."),
    _Unit("mason-9d", "Mason House", "9D", "Corner one-bedroom, lease break", "Upper West Side, Manhattan", "3,540",
          "Eight months left on the lease, renewal possible."),
    _Unit("orchard-5", "Orchard Street", "5", "Walk-up with exposed brick", "Lower East Side, Manhattan", "2,875",
          "Fourth-floor walk-up, brick wall, new kitchen."),
    _Unit("quarry-b", "Quarry Mill", "B", "Furnished mill apartment for travel staff", "Jersey City, NJ", "2,950",
          "Furnished to the last spoon, month to month, ten minutes from the hospital."),
    _Unit("quarry-d", "Quarry Mill", "D", "Furnished studio by the hospital", "Jersey City, NJ", "2,300",
          "Furnished studio, all utilities in the price."),
    _Unit("willow-2", "Willow Terrace", "2", "Two-bedroom with a porch", "Ridgewood, Queens", "2,760",
          "Upper floor of a two-family house with a porch to the street."),
    _Unit("willow-1", "Willow Terrace", "1", "Ground floor with yard", "Ridgewood, Queens", "2,640",
          "Ground floor of a two-family house, yard to the south."),
    _Unit("tannery-6", "Tannery Yard", "6", "New one-bedroom, first renters", "Bushwick, Brooklyn", "2,820",
          "Just finished: nobody has lived here before."),
)  # fmt: skip
_BY_KEY: Final = {unit.key: unit for unit in _UNITS}

LATER: Final = "tannery-6"
"""The unit whose adverts are prepared and appear only when the control API publishes them."""

# Per platform: unit key and our advert's id there. A trailing "-" means inactive.
_ADVERTS: Final[dict[Platform, tuple[tuple[str, str], ...]]] = {
    Platform.SPAREROOM: (
        ("linden-3f", "1740211"), ("linden-1r", "1740212"), ("cedar-15", "1740233"), ("cedar-12", "1740240"),
        ("willow-2", "1740251"), ("willow-1", "1740252-"), ("harbor-4b", "1740260"), ("orchard-5", "1740277"),
        ("quarry-d", "1740281"), ("mason-9d", "1740290-"), ("harbor-2a", "1740295"), (LATER, "1740301"),
    ),
    Platform.ROOMIES: (
        ("linden-3f", "520114"), ("linden-1r", "520115"), ("cedar-15", "520131"), ("willow-2", "520140"),
        ("harbor-2a", "520148"), ("quarry-b", "520155"), ("orchard-5", "520162-"), (LATER, "520170"),
    ),
    Platform.LEASEBREAK: (
        ("mason-9d", "93310"), ("mason-7c", "93311"), ("orchard-5", "93324"), ("harbor-4b", "93330"),
        ("harbor-2a", "93331"), ("cedar-12", "93342"), ("willow-1", "93350-"), (LATER, "93360"),
    ),
    Platform.RENTHOP: (
        ("mason-7c", "60418220"), ("mason-9d", "60418221"), ("cedar-12", "60418242"), ("cedar-15", "60418243"),
        ("willow-1", "60418250"), ("willow-2", "60418251"), ("orchard-5", "60418266-"), ("harbor-4b", "60418270"),
        (LATER, "60418280"),
    ),
    Platform.FURNISHEDFINDER: (
        ("quarry-b", "ff-77101"), ("quarry-d", "ff-77102"), ("linden-1r", "ff-77110"), ("cedar-15", "ff-77115"),
        ("mason-7c", "ff-77120"), ("willow-1", "ff-77124"), ("harbor-2a", "ff-77131-"), (LATER, "ff-77140"),
    ),
}  # fmt: skip

_TITLE: Final[dict[Platform, str]] = {
    Platform.SPAREROOM: "{headline} ({location})",
    Platform.ROOMIES: "{headline}",
    Platform.LEASEBREAK: "{property} #{number}: {headline}",
    Platform.RENTHOP: "{property} {number}, {location}",
    Platform.FURNISHEDFINDER: "{headline}",
}
_PRICE: Final[dict[Platform, str]] = {
    Platform.SPAREROOM: "${rent} /month",
    Platform.ROOMIES: "${rent} per month",
    Platform.LEASEBREAK: "${rent}/mo",
    Platform.RENTHOP: "${rent} / mo",
    Platform.FURNISHEDFINDER: "${rent}/month",
}


def adverts() -> Iterator[Advert]:
    """All adverts of the portfolio, platform by platform, in the order the sites list them."""
    for platform, entries in _ADVERTS.items():
        for key, external_id in entries:
            unit = _BY_KEY[key]
            words = {"headline": unit.headline, "location": unit.location, "property": unit.property_name}
            yield Advert(
                platform=platform,
                external_id=external_id.rstrip("-"),
                unit=key,
                title=_TITLE[platform].format(number=unit.number, **words),
                location=unit.location,
                price_text=_PRICE[platform].format(rent=unit.rent),
                property_name=unit.property_name,
                unit_number=unit.number,
                active=not external_id.endswith("-"),
                listed=key != LATER,
                text=unit.text,
            )


def unit_keys() -> frozenset[str]:
    """Keys a scripted lead may name as the listing it writes about."""
    return frozenset(_BY_KEY)


def foreign_advert(platform: Platform, number: int) -> Advert:
    """An advert that is not ours any more: what a lead with a stale link writes about."""
    prefix = "ff-" if platform is Platform.FURNISHEDFINDER else ""
    return Advert(
        platform=platform,
        external_id=f"{prefix}{9_900_000 + number}",
        unit=None,
        title="Bright room near the train",
        location="New York",
        price_text="",
        property_name="Poplar Gate",
        unit_number=f"{number % 90 + 1}Z",
        active=False,
        listed=False,
    )
