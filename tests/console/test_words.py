"""How the console says what codes and instants mean."""

from __future__ import annotations

import asyncio
import re

import pytest

from api.console.assets import static_file
from api.console.inbox_words import delivery_text, intent_text, reason_text
from api.console.times import until
from api.console.wording import field_text, words
from leasebot_pipeline.domain.decisions import Intent


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


@pytest.mark.parametrize("intent", Intent)
def test_every_intent_has_words_of_its_own(intent: Intent) -> None:
    assert intent_text(intent.value) not in (words(intent.value), delivery_text(intent.value))


def test_one_word_has_one_meaning() -> None:
    assert intent_text("unknown") == "It is unclear what the lead wants"
    assert words("unknown") == "Unknown", "of an error, of a state of health"
    assert delivery_text("unknown").startswith("Unknown: clicked")


@pytest.mark.parametrize(
    ("detail", "said"),
    [
        ("startsAt: must be a date", "Starts at must be a date"),
        ("email: must be an e-mail address", "Write an e-mail address, like name@example.com"),
        ("firstName: Field required", "First name is needed"),
        (
            "body: nothing fills the placeholder {{ first_name }}",
            "Text: nothing fills the placeholder {{ first_name }}",
        ),
        ("body: must not be empty", "Text must not be empty"),
        ("variables.slot: has no value", "Slot has no value"),
    ],
)
def test_what_is_wrong_with_a_field_is_a_sentence(detail: str, said: str) -> None:
    assert field_text(detail) == said


def test_no_reason_is_said_in_codes() -> None:
    assert reason_text("escalate_ambiguous_intent") == "It is unclear what the lead wants"
    assert reason_text("escalate_something_new") == "Something new"


def test_files_are_served_without_their_comments() -> None:
    script, style = (asyncio.run(static_file(name)).body for name in ("console.js", "console.css"))
    assert not re.search(rb"(?m)^\s*//", script)
    assert b"/*" not in style
    for kept in (b'"use strict";', b"new URL(xhr.responseURL)", b"function refresh()"):
        assert kept in bytes(script)
    for kept in (b":root {", b".theme { display: flex; }"):
        assert kept in bytes(style)
