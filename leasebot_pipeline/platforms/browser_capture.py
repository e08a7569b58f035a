"""A person logs in, leasebot watches: a browser on a profile, left alone until the inbox can be seen.

Nothing is typed and no check is answered here. The person's own tab is only looked at; whether the login
holds is tried in a tab beside it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from time import monotonic
from typing import Final, cast
from urllib.parse import urlsplit

from playwright.async_api import BrowserContext, Error, Page

from leasebot_pipeline.domain.clock import Clock
from leasebot_pipeline.domain.failures import PlatformFailure
from leasebot_pipeline.platforms.adapter import Adapter
from leasebot_pipeline.platforms.browser_errors import classified, is_gone
from leasebot_pipeline.platforms.browser_page import navigate, open_page, take
from leasebot_pipeline.platforms.detection import PageKind, has_login_form, refuse_protection
from leasebot_pipeline.platforms.options import RuntimeOptions
from leasebot_pipeline.platforms.page import Document
from leasebot_pipeline.platforms.parsing_inbox import parse_inbox

_LOOK_EVERY_S: Final = 1.0
_TRY_AGAIN_S: Final = 10.0
_SAY_EVERY_S: Final = 15.0
_CLOSES_MS: Final = 1000
_SAID: Final = {
    "SESSION_EXPIRED": "waiting for you to log in",
    "BOT_CHALLENGE": "the site checks whether you are a person; answer it in the window",
    "CAPTCHA_REQUIRED": "the site shows a captcha; answer it in the window",
    "ACCESS_BLOCKED": "the site blocks this browser or address",
}


@dataclass(frozen=True, slots=True)
class CapturedLogin:
    """A login that was seen to hold: cookies and local storage, and the threads its inbox showed."""

    storage_state: dict[str, object] = field(repr=False)
    threads: int


@dataclass(slots=True)
class Capture:
    """One capture, until ``ends`` (monotonic). ``say`` gets progress for the person."""

    context: BrowserContext
    adapter: Adapter
    options: RuntimeOptions
    clock: Clock
    say: Callable[[str], None]
    ends: float
    _said: str = field(default="", init=False)
    _said_at: float = field(default=0.0, init=False)
    _last: PlatformFailure = field(
        default_factory=lambda: PlatformFailure("SESSION_EXPIRED", "nobody logged in"), init=False
    )

    async def run(self) -> CapturedLogin:
        """Wait until the inbox is seen. Raises PlatformFailure with what was missing when time ran out."""
        try:
            page = self.context.pages[0] if self.context.pages else await self.context.new_page()
            try:
                await self._open_login(page)
            except PlatformFailure:
                # A page closed while it opens is no fault of the network; that it is closed is told a moment later.
                if not page.is_closed():
                    with suppress(Error):
                        await page.wait_for_event("close", timeout=_CLOSES_MS)
                self._open_pages()
                raise
            return await self._wait()
        except Error as error:
            raise classified(error, "waiting for the login") from None

    async def _open_login(self, page: Page) -> None:
        await navigate(page, self.adapter.inbox_url, "inbox", self.options)
        if await self._state_of(page) != "SESSION_EXPIRED":
            return
        await navigate(page, self.adapter.login_url, "login page", self.options)
        self._tell("SESSION_EXPIRED", monotonic())
        for selector in self.adapter.selectors.login_remember:
            with suppress(Error):  # best effort: the login holds longer with it
                await page.locator(selector).first.set_checked(True, timeout=1000, force=True)

    async def _wait(self) -> CapturedLogin:
        next_try = 0.0
        while True:
            state = await self._state()
            now = monotonic()
            if state is None and now >= next_try:
                try:
                    return await self._verified()
                except PlatformFailure as failure:
                    self._last, state = failure, failure.code
                    next_try = now + _TRY_AGAIN_S
            if now >= self.ends:
                raise self._last
            self._tell(state, now)
            await asyncio.sleep(_LOOK_EVERY_S)

    async def _state(self) -> str | None:
        """None when some page of the site asks for nothing; else what the newest one asks for."""
        states = [await self._state_of(page) for page in self._open_pages() if self._is_of_site(page)]
        if not states:
            return "SESSION_EXPIRED"  # elsewhere: a sign-in by another service
        return None if None in states else states[-1]

    def _open_pages(self) -> list[Page]:
        """Raises PlatformFailure when there is none."""
        pages = [page for page in self.context.pages if not page.is_closed()]
        if not pages:
            raise PlatformFailure("SESSION_EXPIRED", "the window was closed before the login was seen")
        return pages

    async def _state_of(self, page: Page) -> str | None:
        try:
            snapshot = await take(page, self.adapter, None)
        except PlatformFailure:
            return "SESSION_EXPIRED"  # on its way to somewhere
        document = Document(snapshot.html)
        try:
            refuse_protection(self.adapter, snapshot, document)
        except PlatformFailure as failure:
            return failure.code
        return "SESSION_EXPIRED" if has_login_form(document) else None

    def _is_of_site(self, page: Page) -> bool:
        return urlsplit(page.url).netloc == urlsplit(self.adapter.base_url).netloc

    async def _verified(self) -> CapturedLogin:
        """The login if the inbox opens in a tab of its own. Raises PlatformFailure."""
        tab = await self.context.new_page()
        try:
            document, snapshot = await open_page(
                tab, self.adapter.inbox_url, self.adapter, PageKind.INBOX, self.options
            )
            rows = parse_inbox(self.adapter, document, snapshot.url, self.clock()).rows
            state = await self.context.storage_state()
        finally:
            with suppress(Error):
                await tab.close()
        return CapturedLogin(cast("dict[str, object]", state), len(rows))

    def _tell(self, state: str | None, now: float) -> None:
        text = _SAID.get(state or "", "") or f"logged in, but the inbox is not readable yet: {self._last}"
        if text != self._said or now - self._said_at >= _SAY_EVERY_S:
            self.say(f"{text} ({max(self.ends - now, 0):.0f} s left)")
            self._said, self._said_at = text, now


async def end(context: BrowserContext) -> None:
    """End the browser, which writes its profile then; whoever closed its last window has done so already."""
    try:
        await context.close()
    except Error as error:
        if not is_gone(error):
            raise classified(error, "closing the window") from None
