"""Our own adverts on the five sites."""

from __future__ import annotations

import pytest

from leasebot_pipeline.domain.failures import PlatformFailure
from leasebot_pipeline.domain.platforms import Platform
from tests.unit.platforms.html import listings


def test_spareroom_reads_the_status_of_class_then_header() -> None:
    def item(number: int, classes: str, header: str) -> str:
        return (
            f'<li class="listing-result {classes}" id="advert-{number}"><h3>{header}</h3><a href="/roommate/{number}">'
            f'<span class="listing-card__title">Room</span></a><span class="listing-card__location">Queens</span>'
            f'<span class="listing-card__price">$900</span></li>'
        )

    rows = listings(
        Platform.SPAREROOM,
        item(1, "listing-result--live", "Deactivated")
        + item(2, "listing-result--not_live", "Live")
        + item(3, "", "Live")
        + item(4, "", "Deactivated"),
    )
    assert [(row.listing_external_id, row.status) for row in rows] == [
        ("1", "active"),
        ("2", "inactive"),
        ("3", "active"),
        ("4", "inactive"),
    ]
    first = rows[0]
    assert (first.title, first.location, first.price_text) == ("Room", "Queens", "$900")
    assert (first.href, first.header_text) == ("https://www.spareroom.com/roommate/1", "Deactivated")
    assert first.status_classes == ("listing-result--live",)


@pytest.mark.parametrize(
    ("status", "wanted"),
    [
        ("Active", "active"),
        ("Live", "active"),
        ("", "active"),
        ("Inactive", "inactive"),
        ("Paused until May", "inactive"),
        ("Off market", "inactive"),
        ("Off-Market", "inactive"),
        ("Archived", "inactive"),
        ("Draft", "inactive"),
        ("Rented", "inactive"),
        ("Expired", "inactive"),
        ("Closed", "inactive"),
        ("Deactivated", "inactive"),
    ],
)
def test_status_words(status: str, wanted: str) -> None:
    card = (
        f'<div data-testid="listing-card" data-listing-id="5"><h3 data-testid="listing-title">Enclosed porch</h3>'
        f'<span data-testid="listing-status">{status}</span></div>'
    )
    assert [row.status for row in listings(Platform.RENTHOP, card)] == [wanted]


def test_ids_come_from_attribute_path_or_query_and_nested_cards_count_once() -> None:
    rows = listings(
        Platform.ROOMIES,
        """<article data-testid="listing-card" data-listing-id="1"><div data-room-id="99"><h3>A</h3></div></article>
        <article data-testid="listing-card"><h3><a href="/rooms/2?x=1">B</a></h3></article>
        <article data-testid="listing-card"><h3><a href="/edit?listing_id=3">C</a></h3></article>""",
    )
    assert [(row.listing_external_id, row.title) for row in rows] == [("1", "A"), ("2", "B"), ("3", "C")]


def test_furnishedfinder_names_property_and_unit() -> None:
    (row,) = listings(
        Platform.FURNISHEDFINDER,
        """<div data-testid="listing-card" data-listing-id="ff-1"><a data-testid="listing-title" href="/property/ff-1">T</a>
        <dd data-testid="listing-property-name">Mill</dd><dd data-testid="listing-unit-number">B</dd></div>""",
    )
    assert (row.property_name, row.unit_number, row.href) == (
        "Mill",
        "B",
        "https://www.furnishedfinder.com/property/ff-1",
    )


def test_no_adverts_need_the_platforms_own_words() -> None:
    assert listings(Platform.LEASEBREAK, '<p class="listings-empty">None</p>') == ()
    with pytest.raises(PlatformFailure, match="MARKUP_DRIFT"):
        listings(Platform.LEASEBREAK, "<p>Hello</p>")
    with pytest.raises(PlatformFailure, match="MARKUP_DRIFT: none of 1 adverts"):
        listings(Platform.LEASEBREAK, '<article class="listing-card"><h2>A</h2></article>')
