"""Draws every screen for docs/console: ``pytest tests/console/screenshots.py``. Not a test: nothing is judged here."""

from __future__ import annotations

from base64 import b64decode
from pathlib import Path

import pytest

from tests.api.house import House
from tests.console.gallery import clock, config, database, day, house, server
from tests.console.people import Person
from tests.console.screens import SCREENS, Screen, ids_of

__all__ = ["clock", "config", "database", "day", "house", "server"]

FOLDER = Path(__file__).parents[2] / "docs" / "console"
WINDOWS = ((375, 812, 1250), (1280, 900, 950))
"""Width, height, and how far down a longer page is drawn."""
PAINTED = "() => new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))"
"""Until the page has taken the theme in."""
QUALITY = 60
"""Of WebP: letters stay sharp, and all screens together weigh a few megabytes."""


@pytest.mark.parametrize("screen", SCREENS, ids=lambda screen: screen.name)
def test_draw(screen: Screen, person: Person, day: House) -> None:
    page = person(screen.who)
    page.goto(screen.path.format(**ids_of(day)))
    browser = page.context.new_cdp_session(page)
    for width, height, longest in WINDOWS:
        page.set_viewport_size({"width": width, "height": height})
        tall = min(longest, max(height, page.evaluate("document.documentElement.scrollHeight")))
        # The window itself grows: a bar fixed to its bottom then stands at the end of the page.
        page.set_viewport_size({"width": width, "height": tall})
        for theme in ("light", "dark"):
            page.emulate_media(color_scheme=theme)
            page.evaluate(PAINTED)
            drawn = browser.send("Page.captureScreenshot", {"format": "webp", "quality": QUALITY})
            (FOLDER / f"{screen.name}-{width}-{theme}.webp").write_bytes(b64decode(drawn["data"]))
