"""Texts of follow-ups and reminders: which template, filled from facts, through the outbound guardrails (XLS-R13)."""

from __future__ import annotations

from datetime import UTC, datetime
from uuid import UUID

import pytest

from leasebot_pipeline.domain.follow_up_texts import BUILT_IN, TEMPLATE_NAMES, follow_up_text
from leasebot_pipeline.domain.policy import Template
from leasebot_pipeline.domain.slots import Slot, label

SHOWING = Slot(
    datetime(2026, 11, 26, 20, tzinfo=UTC),
    datetime(2026, 11, 26, 20, 30, tzinfo=UTC),
    "America/New_York",
    UUID(int=1),
    "Dana",
    UUID(int=2),
)
WHO = {"lead_name": "Ana Lead", "unit_label": "Cedar Court 2", "unit_number": "2"}


def template(body: str, *, active: bool = True) -> Template:
    return Template(UUID(int=7), "follow_up_1", body, (), active)


@pytest.mark.parametrize("stage", sorted(BUILT_IN))
def test_each_built_in_text_is_whole_and_may_go_out(stage: str) -> None:
    found = follow_up_text(stage, None, slots=(SHOWING,), **WHO)
    assert "{{" not in found.body
    assert "Ana Lead" in found.body
    assert "Cedar Court 2" in found.body
    assert (found.broken, found.draft_only, found.template_id) == ((), False, None)


@pytest.mark.parametrize("stage", ["reminder_24h", "reminder_2h"])
def test_a_reminder_says_when(stage: str) -> None:
    assert label(SHOWING) in follow_up_text(stage, None, slots=(SHOWING,), **WHO).body


def test_the_two_follow_ups_differ() -> None:
    """A lead never reads the same words twice."""
    assert len(set(BUILT_IN.values())) == len(BUILT_IN) == len(TEMPLATE_NAMES)


def test_the_account_s_template_wins() -> None:
    found = follow_up_text("follow_up_1", template("Still looking, {{ lead_name }}?"), **WHO)
    assert (found.body, found.template_id) == ("Still looking, Ana Lead?", UUID(int=7))


def test_a_template_may_name_the_times_still_on_offer() -> None:
    body = "Hi {{ lead_name }}, these times are still free:\n{{ slot_options_list }}"
    assert label(SHOWING) in follow_up_text("follow_up_1", template(body), slots=(SHOWING,), **WHO).body


def test_a_template_with_a_hole_is_replaced_and_waits_for_a_person() -> None:
    found = follow_up_text("follow_up_1", template("Free: {{ slot_options_list }}"), **WHO)
    assert found.draft_only
    assert found.template_id is None
    assert "{{" not in found.body


def test_an_inactive_template_is_not_used() -> None:
    assert follow_up_text("follow_up_1", template("Hey", active=False), **WHO).body != "Hey"


def test_what_a_stranger_wrote_as_a_name_never_leaves_unseen() -> None:
    """A sentence is left out; what still looks like a name and holds a link is held for a person."""
    greeted = follow_up_text(
        "follow_up_1", None, lead_name="call me 212-555-0100", unit_label=None, unit_number=None
    )
    assert "212" not in greeted.body
    assert greeted.broken == ()
    linked = follow_up_text(
        "follow_up_1", None, lead_name="visit rent-now.com", unit_label=None, unit_number=None
    )
    assert linked.broken == ("outbound_contains_link",)


def test_identity_numbers_are_held_even_from_a_template() -> None:
    found = follow_up_text("follow_up_1", template("My SSN is 123-45-6789"), **WHO)
    assert found.broken == ("outbound_contains_ssn_pattern",)
