"""The five widths at which every flow is walked, and what is asked of each page on the way."""

from __future__ import annotations

from typing import Final

from playwright.sync_api import Page

from tests.console.people import small_targets, too_wide

WIDTHS: Final = (320, 375, 430, 768, 1280)
PHONE: Final = 767
"""The widest window that is laid out for fingers."""


def at(page: Page, width: int) -> Page:
    page.set_viewport_size({"width": width, "height": 812})
    return page


def fits(page: Page) -> None:
    """At its width nothing scrolls sideways, and what a finger is to hit is large enough."""
    assert page.viewport_size is not None
    width = page.viewport_size["width"]
    faults = [f"{width} px too wide: {fault}" for fault in too_wide(page)]
    if width <= PHONE:
        faults += [f"{width} px small target: {fault}" for fault in small_targets(page)]
    assert faults == [], page.url
