"""Calendar files (RFC 5545): an agent's showings as a feed, one showing as an invite.

An entry keeps its UID for as long as the showing lives, and its SEQUENCE grows with every change, so a calendar
replaces, moves or strikes out what it already has. Times are written in UTC: no time zone rules to go stale.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final, Literal
from uuid import UUID

from icalendar import Calendar, Event, vCalAddress, vText

from leasebot_pipeline.domain.calendar_entries import CalendarEntry, Participant
from leasebot_pipeline.domain.showings import ShowingState

PRODUCT: Final = "-//leasebot//showings//EN"
REFRESH: Final = timedelta(minutes=15)
"""How often a calendar that subscribes is asked to look again; many look less often."""

Method = Literal["PUBLISH", "REQUEST", "CANCEL"]

_STATUS: Final = {
    ShowingState.PENDING: "TENTATIVE",
    ShowingState.CONFIRMED: "CONFIRMED",
    ShowingState.RESCHEDULE_REQUESTED: "TENTATIVE",
    ShowingState.CANCELLED: "CANCELLED",
    ShowingState.COMPLETED: "CONFIRMED",
    ShowingState.NO_SHOW: "CONFIRMED",
}
_PREFIX: Final = {
    ShowingState.RESCHEDULE_REQUESTED: "To be moved: ",
    ShowingState.CANCELLED: "Cancelled: ",
    ShowingState.COMPLETED: "Done: ",
    ShowingState.NO_SHOW: "No show: ",
}


@dataclass(frozen=True, slots=True)
class Invite:
    """An invite and the method a mail must name in its content type."""

    method: Method
    body: bytes

    @property
    def content_type(self) -> str:
        return f"text/calendar; charset=utf-8; method={self.method}"


def uid(appointment_id: UUID) -> str:
    """The same for every file about that showing."""
    return f"{appointment_id}@showings.leasebot"


def feed(agent_name: str, entries: Iterable[CalendarEntry]) -> bytes:
    """An agent's showings, for a calendar to subscribe to."""
    calendar = _calendar("PUBLISH")
    calendar.add("x-wr-calname", _plain(f"Showings of {agent_name}"))
    calendar.add("refresh-interval", REFRESH, parameters={"VALUE": "DURATION"})
    calendar.add("x-published-ttl", f"PT{int(REFRESH.total_seconds()) // 60}M")
    for entry in entries:
        calendar.add_component(
            _event(entry, f"{entry.unit} ({entry.lead_name})" if entry.lead_name else entry.unit)
        )
    return bytes(calendar.to_ical())


def invite(entry: CalendarEntry, organizer: Participant | None, attendee: Participant | None) -> Invite:
    """One showing as a file to send to a lead.

    A request to take part needs both addresses; without them it is published for information. A showing that
    was cancelled is struck out of the calendar that has it.
    """
    cancelled = entry.status is ShowingState.CANCELLED
    method: Method = "CANCEL" if cancelled else "REQUEST" if organizer and attendee else "PUBLISH"
    event = _event(entry, f"Viewing of {entry.unit}")
    if organizer is not None:
        event.add("organizer", _address(organizer))
    if attendee is not None:
        person = _address(attendee)
        person.params["ROLE"] = vText("REQ-PARTICIPANT")
        person.params["PARTSTAT"] = vText(
            "ACCEPTED" if entry.status is ShowingState.CONFIRMED else "NEEDS-ACTION"
        )
        event.add("attendee", person)
    calendar = _calendar(method)
    calendar.add_component(event)
    return Invite(method, bytes(calendar.to_ical()))


def _calendar(method: Method) -> Calendar:
    calendar = Calendar()
    calendar.add("prodid", PRODUCT)
    calendar.add("version", "2.0")
    calendar.add("calscale", "GREGORIAN")
    calendar.add("method", method)
    return calendar


def _event(entry: CalendarEntry, subject: str) -> Event:
    event = Event()
    event.add("uid", uid(entry.id))
    event.add("sequence", entry.sequence)
    # What the entry looks like depends on the showing alone, so an unchanged feed stays the same file.
    event.add("dtstamp", _seconds(entry.updated_at))
    event.add("created", _seconds(entry.created_at))
    event.add("last-modified", _seconds(entry.updated_at))
    event.add("dtstart", entry.starts_at.astimezone(UTC))
    event.add("dtend", entry.ends_at.astimezone(UTC))
    event.add("status", _STATUS[entry.status])
    event.add("transp", "TRANSPARENT" if entry.status is ShowingState.CANCELLED else "OPAQUE")
    event.add("summary", _plain(("Held: " if entry.held else _PREFIX.get(entry.status, "")) + subject))
    if entry.address:
        event.add("location", _plain(entry.address))
    if entry.agent_name:
        event.add("description", _plain(f"Shown by {entry.agent_name}."))
    return event


def _address(person: Participant) -> vCalAddress:
    address = vCalAddress(f"mailto:{person.email}")
    address.params["CN"] = vText(_plain(person.name))
    return address


def _plain(text: str) -> str:
    """One line without control characters, which the format forbids: names come from platforms."""
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())


def _seconds(instant: datetime) -> datetime:
    return instant.astimezone(UTC).replace(microsecond=0)
