"""Every screen of the console: whose it is, and where. The tests of all screens and the screenshots go through it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from tests.api.house import House
from tests.console.day_inbox import inbox_ids


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
    Screen("inbox", "admin", "/admin/inbox"),
    Screen("inbox-waiting", "agent", "/agent/inbox?status=waiting&platform=spareroom"),
    Screen("inbox-nothing", "admin", "/admin/inbox?q=nobody+like+this"),
    Screen("conversation-draft", "admin", "/admin/inbox/{conversation}"),
    Screen("conversation-held", "agent", "/agent/inbox/{held}"),
    Screen("conversation-failed", "admin", "/admin/inbox/{failed}?status=waiting"),
    Screen("conversation-times", "agent", "/agent/inbox/{conversation}/slots"),
    Screen("lost", "agent", "/agent/nothing-here"),
    Screen("not-allowed", "agent", "/admin/users"),
)


def ids_of(house: House) -> dict[str, str]:
    """What paths of screens may name."""
    return {"unit": str(house.unit), "agent": str(house.dana), **inbox_ids(house)}
