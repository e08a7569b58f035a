"""Pieces of markup that a page has dozens of: put together here, as a macro takes ten times as long for each."""

from __future__ import annotations

from datetime import datetime
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Final

from markupsafe import Markup

from api.console.times import Clock
from api.console.wording import TONES, words

STATIC: Final = Path(__file__).parent / "static"

_ICON: Final = Markup('<svg class="icon" aria-hidden="true" focusable="false"><use href="{}#{}"></use></svg>')
_BADGE: Final = Markup('<span class="badge" data-tone="{}">{}</span>')
_TIME: Final = Markup('<time datetime="{}">{}</time>')
_TIME_SINCE: Final = Markup('<time datetime="{}" title="{}">{}</time>')
_NEVER: Final = Markup('<span class="muted">never</span>')


@cache
def static_url(name: str) -> str:
    """The address of a file below ``static``; it changes with the file, so browsers may keep it for ever."""
    version = sha256((STATIC / name).read_bytes()).hexdigest()[:12]
    return f"/console/static/{name}?v={version}"


@cache
def icon(name: str) -> Markup:
    """A drawing of ``icons.svg``."""
    return _ICON.format(static_url("icons.svg"), name)


def badge(code: str, tone: str | None = None, text: str | None = None) -> Markup:
    """A state or a code: its word (or ``text``), in its colour."""
    return _BADGE.format(tone or TONES.get(code, "plain"), text or words(code))


def moment(clock: Clock, instant: datetime | None, zone: str | None = None) -> Markup:
    """An instant in a zone; its exact value is in the markup."""
    return _TIME.format(instant.isoformat(), clock.moment(instant, zone)) if instant else _NEVER


def moment_within(clock: Clock, instant: datetime, zone: str | None = None) -> Markup:
    """The same within a sentence: "since today, 2:30 PM EST"."""
    day, comma, rest = clock.moment(instant, zone).partition(",")
    said = (day.lower() if day in ("Today", "Tomorrow", "Yesterday") else day) + comma + rest
    return _TIME.format(instant.isoformat(), said)


def since(clock: Clock, instant: datetime | None) -> Markup:
    """For whole sentences: "just now", "5 min ago"."""
    if not instant:
        return _NEVER
    return _TIME_SINCE.format(instant.isoformat(), clock.moment(instant), clock.since(instant))


def ago(clock: Clock, instant: datetime | None) -> Markup:
    """ "now", "5 min", "3 h", "2 days"."""
    if not instant:
        return _NEVER
    return _TIME_SINCE.format(instant.isoformat(), clock.moment(instant), clock.age(instant))
