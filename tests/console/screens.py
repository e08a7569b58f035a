"""Every screen of the console: whose it is, and where. The tests of all screens and the screenshots go through it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from sqlalchemy import text

from leasebot_pipeline.domain.platforms import REQUIRED_ACCOUNTS, Platform
from tests.api.house import House
from tests.console.day_admin import KEPT_PAGE
from tests.console.day_inbox import inbox_ids
from tests.console.day_showings import showing_of

ROOMIES = next(account.id for account in REQUIRED_ACCOUNTS if account.platform is Platform.ROOMIES)


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
    Screen("assignments", "admin", "/admin/assignments"),
    Screen("audit", "admin", "/admin/audit"),
    Screen("automation", "admin", "/admin/automation"),
    Screen("automation-rule", "admin", "/admin/automation/{rule}"),
    Screen("observability", "admin", "/admin/observability"),
    Screen("platform", "admin", "/admin/platform"),
    Screen("platform-account", "admin", "/admin/platform/{account}"),
    Screen("platform-evidence", "admin", "/admin/platform/evidence/{page}"),
    Screen("release", "admin", "/admin/release"),
    Screen("templates", "admin", "/admin/templates"),
    Screen("template", "admin", "/admin/templates/{template}"),
    Screen("template-new", "admin", "/admin/templates/new"),
    Screen("users", "admin", "/admin/users"),
    Screen("users-link", "admin", "/admin/users?link={login}"),
    Screen("today", "admin", "/admin/today"),
    Screen("today-agent", "agent", "/agent/today"),
    Screen("showings", "admin", "/admin/showings"),
    Screen("showings-week", "admin", "/admin/showings?view=week"),
    Screen("showings-month", "admin", "/admin/showings?view=month&unit={unit}"),
    Screen("showing", "admin", "/admin/showings/{showing}?move=1&date=2026-03-06&time=12:00"),
    Screen("unit-calendar", "admin", "/admin/showings/units/{unit}"),
    Screen("appointments", "agent", "/agent/appointments"),
    Screen("availability", "agent", "/agent/availability"),
    Screen("availability-choose", "admin", "/agent/availability"),
)


def ids_of(house: House) -> dict[str, str]:
    """What paths of screens may name."""
    return {
        **inbox_ids(house),
        "unit": str(house.unit),
        "agent": str(house.dana),
        "account": str(ROOMIES),
        "showing": str(showing_of(house, "Dev")),
        "page": KEPT_PAGE,
        "rule": _one(house, 'SELECT id FROM "AutomationRules" ORDER BY priority, id LIMIT 1'),
        "template": _one(house, 'SELECT id FROM "Templates" ORDER BY name LIMIT 1'),
        "login": _one(house, """SELECT id FROM "user" WHERE email = 'unlinked@example.com'"""),
    }


def _one(house: House, query: str) -> str:
    """The id found, or what leads nowhere when the day has no such row."""
    with house.rows() as conn:
        return str(conn.execute(text(query)).scalar())
