"""Playwright's errors as failures of ours. Only the kind is told: call logs may hold typed text."""

from __future__ import annotations

import re
from typing import Final

from playwright.async_api import Error
from playwright.async_api import TimeoutError as PlaywrightTimeout

from leasebot_pipeline.domain.failures import PlatformFailure

_NET: Final = re.compile(r"net::(ERR_[A-Z_0-9]+)|NS_ERROR_[A-Z_]+")
_GONE: Final = re.compile(
    r"has been closed|target closed|page crashed|target crashed|browser closed|connection closed|driver|session closed",
    re.IGNORECASE,
)
_REPLACED: Final = re.compile(
    r"execution context was destroyed|because of a navigation|frame was detached", re.IGNORECASE
)


def classified(error: Exception, doing: str) -> PlatformFailure:
    """The failure an error of the browser stands for; ``doing`` says what was under way."""
    if isinstance(error, PlatformFailure):
        return error
    text = str(error)
    if isinstance(error, PlaywrightTimeout | TimeoutError):
        return PlatformFailure("PAGE_TIMEOUT", f"{doing}: not done in time")
    net = _NET.search(text)
    if net is not None:
        return PlatformFailure("NETWORK_ERROR", f"{doing}: {net.group(0).removeprefix('net::')}")
    if isinstance(error, Error) and not is_gone(error):
        return PlatformFailure("BROWSER_CRASHED", f"{doing}: the browser refused ({type(error).__name__})")
    return PlatformFailure("BROWSER_CRASHED", f"{doing}: the browser went away")


def is_gone(error: Exception) -> bool:
    """True when page, browser or driver no longer exist."""
    return _GONE.search(str(error)) is not None


def is_replaced(error: Exception) -> bool:
    """True when the page navigated away under a script; asking again is enough."""
    return _REPLACED.search(str(error)) is not None
