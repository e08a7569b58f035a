"""Hints about the listing, and what a synced advert means."""

from __future__ import annotations

from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leasebot_pipeline.domain.linkage import extract_hints
from leasebot_pipeline.domain.listings import generated_number, monthly_rent_cents, unit_key

ACCOUNT = UUID("12111111-1111-1111-1111-111111111111")


def test_own_fields_win_over_metadata_and_blanks_are_no_hints() -> None:
    payload = {
        "listingExternalId": " L-7 ",
        "propertyName": "  ",
        "metadata": {
            "listingExternalId": "L-8",
            "listing": {"unit_id": str(ACCOUNT)},
            "context": {"unitNumber": "2B"},
        },
    }
    assert extract_hints(payload) == {"listingExternalId": "L-7", "unitId": str(ACCOUNT), "unitNumber": "2B"}


def test_ids_must_be_uuids_of_any_version() -> None:
    """The fixed ids of the default accounts are accepted (fault G-24)."""
    assert extract_hints({"listingId": str(ACCOUNT)}) == {"listingId": str(ACCOUNT)}
    assert extract_hints({"listingId": "not-a-uuid"}) == {}


@pytest.mark.parametrize(
    ("text", "cents"),
    [
        ("$1,250 per month", 125000),
        ("$ 980/mo", 98000),
        ("$1,099.50", 109950),
        ("$300 per week", None),
        ("$80 / night", None),
        ("Ask", None),
        (None, None),
    ],
)
def test_rent_counts_only_when_it_is_a_monthly_price_in_dollars(text: str | None, cents: int | None) -> None:
    assert monthly_rent_cents(text) == cents


def test_unit_key_is_plain_words_and_scoped_to_the_account() -> None:
    assert unit_key(ACCOUNT, "Sunny Room, Harlem!", "W 125th St.") == (
        f"listing-sync:{ACCOUNT}:sunny room harlem|w 125th st"
    )
    assert unit_key(ACCOUNT, "Loft", None) == f"listing-sync:{ACCOUNT}:loft|na"
    assert unit_key(ACCOUNT, "  ", "x") is None


@given(key=st.text(min_size=1))
def test_generated_numbers_are_short_and_stable(key: str) -> None:
    number = generated_number(key, "L1")
    assert number == generated_number(key, "L2")
    assert number.startswith("#u")
    assert 3 <= len(number) <= 10
