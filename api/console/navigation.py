"""The console's places, by role, in the order they are shown."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from api.auth.access import ADMIN, AGENT


@dataclass(frozen=True, slots=True)
class Entry:
    label: str
    href: str
    icon: str
    """An id of static/icons.svg."""
    group: str
    in_bar: bool = False
    """Whether a phone shows it in the bar at the bottom, within reach of a thumb."""


_ADMIN: Final = (
    Entry("Today", "/admin/today", "today", "Work", in_bar=True),
    Entry("Inbox", "/admin/inbox", "inbox", "Work", in_bar=True),
    Entry("Showings", "/admin/showings", "calendar", "Work", in_bar=True),
    Entry("Assignments", "/admin/assignments", "key", "Work"),
    Entry("Platform", "/admin/platform", "switch", "Operation"),
    Entry("Release", "/admin/release", "flag", "Operation"),
    Entry("Observability", "/admin/observability", "chart", "Operation"),
    Entry("Audit", "/admin/audit", "list", "Operation"),
    Entry("Templates", "/admin/templates", "text", "Set-up"),
    Entry("Automation", "/admin/automation", "rule", "Set-up"),
    Entry("Users", "/admin/users", "people", "Set-up"),
    Entry("Workboard", "/agent/inbox", "inbox", "As an agent"),
    Entry("My Showings", "/agent/appointments", "calendar", "As an agent"),
    Entry("Availability", "/agent/availability", "clock", "As an agent"),
)

_AGENT: Final = (
    Entry("Today", "/agent/today", "today", "Work", in_bar=True),
    Entry("Workboard", "/agent/inbox", "inbox", "Work", in_bar=True),
    Entry("My Showings", "/agent/appointments", "calendar", "Work", in_bar=True),
    Entry("Availability", "/agent/availability", "clock", "Work"),
)


def entries_for(role: str | None) -> tuple[Entry, ...]:
    """What a role may open; nothing for a stranger."""
    return {ADMIN: _ADMIN, AGENT: _AGENT}.get(role or "", ())
