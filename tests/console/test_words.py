"""How the console says what codes and instants mean."""

from __future__ import annotations

import pytest

from api.console.times import until
from api.console.wording import words


@pytest.mark.parametrize(
    ("first", "last", "said"),
    [
        ("10:00 AM", "10:30 AM", "10:00 – 10:30 AM"),
        ("11:30 AM", "12:00 PM", "11:30 AM – 12:00 PM"),
        ("14:30", "15:00", "14:30 – 15:00"),
        ("10:00 PM", "midnight", "10:00 PM – midnight"),
    ],
)
def test_half_of_the_day_is_said_once(first: str, last: str, said: str) -> None:
    assert until(first, last) == said


@pytest.mark.parametrize(
    ("code", "said"),
    [("listingExternalId", "Advert number"), ("propertyName", "Building"), ("slot_gone", "Slot gone")],
)
def test_names_of_fields_are_words(code: str, said: str) -> None:
    assert words(code) == said
