"""Every screen of the console: whose it is, and where. The tests of all screens and the screenshots go through it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from tests.api.house import House


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
)


def ids_of(house: House) -> dict[str, str]:
    """What paths of screens may name."""
    return {"unit": str(house.unit), "agent": str(house.dana)}
