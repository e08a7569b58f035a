"""Labels of slots, read back."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leasebot_pipeline.domain.slots import Slot, label
from leasebot_pipeline.evaluation.slot_labels import UNIT, parse_slot_label, same_slot

ZONES = (
    "UTC",
    "America/New_York",
    "America/Chicago",
    "America/Denver",
    "America/Phoenix",
    "America/Los_Angeles",
    "Pacific/Honolulu",
    "America/Puerto_Rico",
    "Europe/London",
    "Europe/Berlin",
    "Asia/Kolkata",
    "Asia/Tokyo",
    "America/Sao_Paulo",
)


@given(
    minutes=st.integers(0, 2 * 365 * 96),
    length=st.sampled_from([30, 60, 90, 720]),
    zone=st.sampled_from(ZONES),
    agent=st.sampled_from([None, "Dana", "Ana-Lucía O'Neil"]),
)
def test_a_label_names_the_slot_it_was_made_from(
    minutes: int, length: int, zone: str, agent: str | None
) -> None:
    # The hour that a change of clocks repeats has no label of its own.
    start = datetime(2025, 6, 1, 14, tzinfo=UTC) + timedelta(minutes=15 * minutes)
    slot = Slot(start, start + timedelta(minutes=length), zone, None, agent, UNIT)
    read = parse_slot_label(label(slot))
    assert label(read) == label(slot)
    assert read.agent_name == agent
    if start.month not in (3, 10, 11):
        assert same_slot(read, slot)


@pytest.mark.parametrize(
    ("text", "starts", "ends"),
    [
        ("Fri, Feb 13 6:00 PM - 7:00 PM EST (Dana)", "2026-02-13T23:00", "2026-02-14T00:00"),
        ("- Fri, Feb 13 6:00 PM - 7:00 PM UTC", "2026-02-13T18:00", "2026-02-13T19:00"),
        ("Feb 13 6:00 PM \u2013 7:00 PM", "2026-02-13T18:00", "2026-02-13T19:00"),
        ("Friday, February 13th, 2026 6-7 PM UTC", "2026-02-13T18:00", "2026-02-13T19:00"),
        ("Fri, Feb 13 18:00 - 19:00 GMT+1", "2026-02-13T17:00", "2026-02-13T18:00"),
        ("Fri, Feb 13 11:30 PM - 12:30 AM UTC", "2026-02-13T23:30", "2026-02-14T00:30"),
        ("Thu, Feb 13 6:00 PM - 7:00 PM UTC", "2025-02-13T18:00", "2025-02-13T19:00"),
        ("Fri, Jul 3 6:00 PM - 7:00 PM MST", "2026-07-04T01:00", "2026-07-04T02:00"),
    ],
)
def test_labels_are_read_generously(text: str, starts: str, ends: str) -> None:
    slot = parse_slot_label(text)
    assert (slot.starts_at.strftime("%Y-%m-%dT%H:%M"), slot.ends_at.strftime("%Y-%m-%dT%H:%M")) == (
        starts,
        ends,
    )


@pytest.mark.parametrize(
    "text",
    ["", "tomorrow at 6", "Fri, Feb 31 6:00 PM - 7:00 PM UTC", "Fri, Foo 13 6:00 PM - 7:00 PM", "Fri, Feb 13 26:00 - 27:00",
     "Fri, Feb 13 6:00 PM - 7:00 PM MOON"],
)  # fmt: skip
def test_what_is_no_label_is_refused(text: str) -> None:
    with pytest.raises(ValueError):
        parse_slot_label(text)
