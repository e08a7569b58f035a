"""A leasing team's day as rows: what the console's screens are looked at with."""

from __future__ import annotations

from tests.api.house import House
from tests.console.day_admin import fill_admin
from tests.console.day_inbox import fill_inbox, open_calendars
from tests.console.day_showings import fill_calendar_day


def fill_day(house: House) -> None:
    """Everything the screens show at least once. Each part stands beside the screens it is for."""
    fill_admin(house)
    fill_inbox(house)
    open_calendars(house)
    fill_calendar_day(house)
