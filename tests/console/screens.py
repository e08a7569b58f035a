"""Every screen of the console: whose it is, and where. The tests of all screens and the screenshots go through it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from tests.api.house import House
from tests.console.day_showings import showing_of


@dataclass(frozen=True, slots=True)
class Screen:
    name: str
    who: str
    """``stranger``, ``agent`` or ``admin``."""
    path: str
    """May name ids of the day, e.g. ``{conversation}``: keys of ``ids_of``."""


SCREENS: Final = (
    Screen("login", "stranger", "/login"),
    Screen("invite-unknown", "stranger", "/invite?token=none"),
    Screen("lost", "agent", "/agent/nothing-here"),
    Screen("not-allowed", "agent", "/admin/users"),
    Screen("today", "admin", "/admin/today"),
    Screen("today", "agent", "/agent/today"),
    Screen("showings", "admin", "/admin/showings"),
    Screen("showings-week", "admin", "/admin/showings?view=week"),
    Screen("showings-month", "admin", "/admin/showings?view=month"),
    Screen("showing", "admin", "/admin/showings/{showing}?move=1&date=2026-03-06&time=12:00"),
    Screen("unit-calendar", "admin", "/admin/showings/units/{unit}"),
    Screen("appointments", "agent", "/agent/appointments"),
    Screen("availability", "agent", "/agent/availability"),
    Screen("availability-choose", "admin", "/agent/availability"),
)


def ids_of(house: House) -> dict[str, str]:
    """What paths of screens may name."""
    return {"unit": str(house.unit), "agent": str(house.dana), "showing": str(showing_of(house, "Dev"))}
