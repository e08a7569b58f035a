"""What holds for every screen, at every width, light and dark."""

from __future__ import annotations

import pytest

from tests.api.house import House
from tests.console.gallery import clock, config, database, day, house, server
from tests.console.people import Person, accessibility_faults, covered, jumps, small_targets, too_wide
from tests.console.screens import SCREENS, Screen, ids_of

__all__ = ["clock", "config", "database", "day", "house", "server"]

WIDTHS = (320, 375, 430, 768, 1280)
LOOKED_AT = (375, 1280)
"""By axe, in both themes: each kind of layout."""


@pytest.mark.parametrize("screen", SCREENS, ids=lambda screen: f"{screen.name}-{screen.who}")
def test_a_screen_fits_and_can_be_used_by_everybody(screen: Screen, person: Person, day: House) -> None:
    page = person(screen.who)
    page.goto(screen.path.format(**ids_of(day)))
    assert page.locator("h1").count() == 1
    faults = [f"jumps: {fault}" for fault in jumps(page)]
    for width in WIDTHS:
        page.set_viewport_size({"width": width, "height": 812})
        faults += [f"{width} px too wide: {fault}" for fault in too_wide(page)]
        if width < 768:
            faults += [f"{width} px small target: {fault}" for fault in small_targets(page)]
        if width in LOOKED_AT:
            faults += [f"{width} px {fault}" for fault in accessibility_faults(page)]
    if page.locator(".sticky-actions").count():
        page.set_viewport_size({"width": WIDTHS[0], "height": 640})
        faults += [f"covered: {fault}" for fault in covered(page)]
    # 200 % zoom of a 1280 px window leaves 640 px, text as large.
    page.set_viewport_size({"width": 640, "height": 400})
    faults += [f"zoomed, too wide: {fault}" for fault in too_wide(page)]
    assert faults == []
