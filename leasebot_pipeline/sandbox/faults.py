"""Faults that can be switched on per platform: what a site may do to a visitor, on demand.

A fault with a count switches itself off after that many affected requests. Faults are not journaled: a
restarted sandbox is healthy.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from threading import RLock
from typing import Final

from leasebot_pipeline.domain.platforms import Platform


class Fault(StrEnum):
    """What can go wrong. The docs say how each shows."""

    EXPIRED_SESSION = "expired_session"
    CHALLENGE = "challenge"
    CAPTCHA = "captcha"
    RATE_LIMITED = "rate_limited"
    SERVER_ERROR = "server_error"
    SLOW_PAGE = "slow_page"
    HALF_PAGE = "half_page"
    CHANGED_MARKUP = "changed_markup"
    LOST_RESPONSE = "lost_response"
    INVISIBLE_CAPTCHA_BADGE = "invisible_captcha_badge"
    DUPLICATED_ROWS = "duplicated_rows"
    REORDERED_ROWS = "reordered_rows"
    SHORT_LIST = "short_list"


class Page(StrEnum):
    """Kinds of requests a fault can be limited to."""

    INBOX = "inbox"
    THREAD = "thread"
    REPLY = "reply"
    LISTINGS = "listings"


_READ: Final = frozenset({Page.INBOX, Page.THREAD, Page.LISTINGS})
_REACH: Final[dict[Fault, frozenset[Page]]] = {
    **dict.fromkeys(Fault, _READ | {Page.REPLY}),
    Fault.HALF_PAGE: _READ,
    Fault.CHANGED_MARKUP: _READ,
    Fault.INVISIBLE_CAPTCHA_BADGE: _READ,
    Fault.LOST_RESPONSE: frozenset({Page.REPLY}),
    Fault.DUPLICATED_ROWS: frozenset({Page.INBOX}),
    Fault.REORDERED_ROWS: frozenset({Page.INBOX}),
    Fault.SHORT_LIST: frozenset({Page.INBOX}),
}


@dataclass(slots=True)
class Switch:
    """A fault that is on. ``left`` None: until it is switched off."""

    platform: Platform
    fault: Fault
    pages: frozenset[Page]
    left: int | None
    seconds: float
    hits: int = 0


@dataclass(slots=True)
class Faults:
    """Which faults are on. May be used from any thread."""

    _on: dict[tuple[Platform, Fault], Switch] = field(default_factory=dict)
    _lock: RLock = field(default_factory=RLock)

    def switch_on(
        self,
        platform: Platform,
        fault: Fault,
        *,
        pages: Sequence[Page] | None = None,
        count: int | None = None,
        seconds: float = 5.0,
    ) -> Switch:
        """Switch a fault on; ``seconds`` is how slow slow pages are.

        Raises ValueError when the fault cannot show on any of the pages asked for.
        """
        reach = _REACH[fault] if pages is None else _REACH[fault] & frozenset(pages)
        if not reach:
            raise ValueError(f"pages: {fault.value} shows only on {', '.join(sorted(_REACH[fault]))}")
        switch = Switch(platform, fault, reach, count, seconds)
        with self._lock:
            self._on[platform, fault] = switch
        return switch

    def switch_off(self, platform: Platform, fault: Fault) -> None:
        with self._lock:
            self._on.pop((platform, fault), None)

    def clear(self) -> None:
        with self._lock:
            self._on.clear()

    def active(self) -> list[Switch]:
        with self._lock:
            return list(self._on.values())

    def strike(self, platform: Platform, page: Page, *faults: Fault) -> Switch | None:
        """The first of ``faults`` that is on for this request, counted as one hit."""
        with self._lock:
            for fault in faults:
                switch = self._on.get((platform, fault))
                if switch is None or page not in switch.pages:
                    continue
                switch.hits += 1
                if switch.left is not None:
                    switch.left -= 1
                    if switch.left <= 0:
                        del self._on[platform, fault]
                return switch
        return None
