"""Calendar files: what a calendar that reads them back understands."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st
from icalendar import Calendar, Event

from leasebot_pipeline import calendars
from leasebot_pipeline.domain.calendar_entries import CalendarEntry, Participant
from leasebot_pipeline.domain.showings import ShowingState

START = datetime(2026, 11, 1, 5, 30, tzinfo=UTC)  # half past one in New York, the first of two
ENTRY = CalendarEntry(
    id=UUID(int=7),
    starts_at=START,
    ends_at=START + timedelta(minutes=30),
    status=ShowingState.CONFIRMED,
    held=False,
    sequence=0,
    created_at=START - timedelta(days=2),
    updated_at=START - timedelta(days=1),
    unit="Elm House 3",
    address="1 Elm St, New York, NY 10001",
    lead_name="Ana Lead",
    agent_name="Dana",
)
DANA, ANA = Participant("Dana", "dana@example.com"), Participant("Ana Lead", "ana@example.com")


def only_event(body: bytes) -> Event:
    (event,) = Calendar.from_ical(body).walk("VEVENT")
    return event  # type: ignore[return-value]


def test_an_entry_is_the_same_one_through_all_its_changes() -> None:
    moved = replace(ENTRY, starts_at=START + timedelta(hours=3), sequence=1)
    first = only_event(calendars.feed("Dana", [ENTRY]))
    second = only_event(calendars.feed("Dana", [moved]))
    invited = only_event(calendars.invite(moved, DANA, ANA).body)
    assert first["uid"] == second["uid"] == invited["uid"]
    assert (int(first["sequence"]), int(second["sequence"]), int(invited["sequence"])) == (0, 1, 1)


def test_an_unchanged_feed_is_the_same_file() -> None:
    assert calendars.feed("Dana", [ENTRY]) == calendars.feed("Dana", [ENTRY])


def test_times_are_exact_also_when_clocks_change() -> None:
    event = only_event(calendars.feed("Dana", [ENTRY]))
    assert (event["dtstart"].dt, event["dtend"].dt) == (ENTRY.starts_at, ENTRY.ends_at)


@pytest.mark.parametrize(
    ("status", "held", "shown", "subject"),
    [
        (ShowingState.PENDING, False, "TENTATIVE", "Elm House 3 (Ana Lead)"),
        (ShowingState.PENDING, True, "TENTATIVE", "Held: Elm House 3 (Ana Lead)"),
        (ShowingState.CONFIRMED, False, "CONFIRMED", "Elm House 3 (Ana Lead)"),
        (ShowingState.RESCHEDULE_REQUESTED, False, "TENTATIVE", "To be moved: Elm House 3 (Ana Lead)"),
        (ShowingState.CANCELLED, False, "CANCELLED", "Cancelled: Elm House 3 (Ana Lead)"),
        (ShowingState.COMPLETED, False, "CONFIRMED", "Done: Elm House 3 (Ana Lead)"),
        (ShowingState.NO_SHOW, False, "CONFIRMED", "No show: Elm House 3 (Ana Lead)"),
    ],
)
def test_each_status_reads_as_calendars_know_it(
    status: ShowingState, held: bool, shown: str, subject: str
) -> None:
    event = only_event(calendars.feed("Dana", [replace(ENTRY, status=status, held=held)]))
    assert (str(event["status"]), str(event["summary"])) == (shown, subject)


def test_an_invite_names_both_sides_and_does_not_name_the_lead_in_its_subject() -> None:
    invite = calendars.invite(ENTRY, DANA, ANA)
    assert (invite.method, invite.content_type) == ("REQUEST", "text/calendar; charset=utf-8; method=REQUEST")
    event = only_event(invite.body)
    assert str(event["organizer"]) == "mailto:dana@example.com"
    assert str(event["attendee"]) == "mailto:ana@example.com"
    assert event["attendee"].params["PARTSTAT"] == "ACCEPTED"
    assert str(event["summary"]) == "Viewing of Elm House 3"


def test_a_cancelled_showing_is_struck_out_and_one_without_addresses_is_only_published() -> None:
    cancelled = calendars.invite(replace(ENTRY, status=ShowingState.CANCELLED, sequence=2), DANA, ANA)
    assert cancelled.method == "CANCEL"
    event = only_event(cancelled.body)
    assert (str(event["status"]), int(event["sequence"])) == ("CANCELLED", 2)
    assert calendars.invite(ENTRY, None, ANA).method == "PUBLISH"
    assert calendars.invite(ENTRY, DANA, None).method == "PUBLISH"


@given(st.text(max_size=120), st.text(max_size=40))
def test_no_name_breaks_out_of_its_line(unit: str, name: str) -> None:
    """A lead's name comes from a platform: it must not add lines or entries of its own."""
    hostile = replace(ENTRY, unit=unit, lead_name=name, agent_name=name, address=unit)
    for body in (
        calendars.feed(name, [hostile, replace(ENTRY, id=UUID(int=8))]),
        calendars.invite(hostile, replace(DANA, name=name), replace(ANA, name=name)).body,
    ):
        calendar = Calendar.from_ical(body)
        assert len(calendar.walk("VALARM")) == 0
        assert {str(event["uid"]) for event in calendar.walk("VEVENT")} <= {
            calendars.uid(UUID(int=7)),
            calendars.uid(UUID(int=8)),
        }
        assert body.count(b"BEGIN:VEVENT\r\n") == len(calendar.walk("VEVENT"))
        assert all(len(line) <= 75 for line in body.split(b"\r\n"))
        assert not re.search(rb"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]", body)
