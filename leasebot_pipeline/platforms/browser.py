"""The browser runtime: one Playwright driver and its browsers on one background event loop.

Stages are plain functions on changing threads; :meth:`BrowserRuntime.call` lets them wait for work on
the loop. Browsers stay warm between visits and are started anew when they died.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import logging
import os
from collections.abc import Awaitable, Callable, Coroutine
from pathlib import Path
from threading import Lock, Thread
from typing import Any, Final, TypeVar

from playwright.async_api import Browser, BrowserContext, Error, Playwright, async_playwright

from leasebot_pipeline.domain.failures import PlatformFailure
from leasebot_pipeline.platforms.browser_launch import launch, launch_profile
from leasebot_pipeline.platforms.options import PlatformOptions, RuntimeOptions

T = TypeVar("T")

_log = logging.getLogger(__name__)
_DRIVER_DIED: Final = "Connection closed while reading from the driver"
_PROBE_S: Final = 3.0
_GRACE_S: Final = 5.0
"""How much longer than its deadline a call may take to clean up before the loop counts as stuck."""


class BrowserRuntime:
    """Owns the loop's thread, the driver and the browsers. Thread-safe; started by the first call."""

    def __init__(self, options: RuntimeOptions, *, grace_s: float = _GRACE_S) -> None:
        self._options = options
        self._grace_s = grace_s
        self.generation = 0
        """Grows with every new loop: what belongs to an older one can't be used any more."""
        self._lock = Lock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: Thread | None = None
        self._playwright: Playwright | None = None
        self._browsers: dict[bool, Browser] = {}
        self._starting = asyncio.Lock()

    # ---- from any thread

    def call(self, work: Callable[[], Coroutine[object, object, T]], deadline_s: float) -> T:
        """Run ``work`` on the loop and wait. Raises PlatformFailure DEADLINE_EXCEEDED."""
        future = asyncio.run_coroutine_threadsafe(_bounded(work, deadline_s), self._running_loop())
        try:
            return future.result(deadline_s + self._grace_s)
        except concurrent.futures.TimeoutError:
            future.cancel()
            self._abandon()
            raise PlatformFailure(
                "DEADLINE_EXCEEDED", f"the browser did not answer in {deadline_s:.0f} s"
            ) from None

    @property
    def is_running(self) -> bool:
        """True once a call started the loop, until it was closed."""
        return self._loop is not None

    def close(self) -> None:
        """Close browsers, driver and loop. The runtime may be used again afterwards."""
        with self._lock:
            loop, thread = self._loop, self._thread
            self._loop = self._thread = None
        if loop is None or thread is None:
            return
        try:
            asyncio.run_coroutine_threadsafe(self._stop(), loop).result(15)
        except concurrent.futures.TimeoutError:
            pass  # a stuck driver dies with its pipe when the thread ends
        finally:
            loop.call_soon_threadsafe(loop.stop)
            thread.join(5)

    def _running_loop(self) -> asyncio.AbstractEventLoop:
        with self._lock:
            if self._loop is None:
                loop = asyncio.new_event_loop()
                self._thread = Thread(target=_serve, args=(loop,), name="leasebot-browser", daemon=True)
                self._thread.start()
                self._loop = loop
                self.generation += 1
                self._starting = asyncio.Lock()
                self._playwright, self._browsers = None, {}
            return self._loop

    def _abandon(self) -> None:
        """Leave a loop that no longer answers, to stop when it can; the next call starts another."""
        with self._lock:
            loop, self._loop, self._thread = self._loop, None, None
        if loop is not None:
            loop.call_soon_threadsafe(loop.stop)

    # ---- on the loop

    async def browser(self, *, headless: bool) -> Browser:
        """A running browser, launched when there is none. Raises PlatformFailure."""
        async with self._starting:
            browser = self._browsers.get(headless)
            if browser is None or not browser.is_connected():
                browser = await self._with_driver(
                    lambda p: launch(p.chromium, self._options, headless=headless)
                )
                self._browsers[headless] = browser
            return browser

    async def profile(self, directory: Path, own: PlatformOptions, *, headless: bool) -> BrowserContext:
        """A browser on a profile directory. Raises PlatformFailure."""
        async with self._starting:
            return await self._with_driver(
                lambda p: launch_profile(p.chromium, directory, self._options, own, headless=headless)
            )

    async def forget_dead_driver(self) -> None:
        """After a crash: ask the driver for something small; one that does not answer is given up.

        A browser of a dead driver still says that it is connected.
        """
        if self._playwright is None:
            return
        try:
            async with asyncio.timeout(_PROBE_S):
                probe = await self._playwright.request.new_context()
                await probe.dispose()
        except Exception:  # whatever it says, it does not work; Playwright raises a plain Exception here
            self._playwright, self._browsers = None, {}

    async def _with_driver(self, work: Callable[[Playwright], Awaitable[T]]) -> T:
        """Run ``work`` with the driver; one that died is replaced once."""
        for last in (False, True):
            if self._playwright is None:
                _keep_compiled(self._options.data_dir)
                self._playwright = await async_playwright().start()
            try:
                return await work(self._playwright)
            except PlatformFailure as failure:
                if last or "onnection closed" not in failure.detail:
                    raise
            except Error:
                raise
            except Exception:  # the driver's pipe is gone: Playwright raises a plain Exception then
                if last:
                    raise PlatformFailure(
                        "RPA_RUNTIME_UNAVAILABLE", "the browser driver does not run"
                    ) from None
            self._playwright, self._browsers = None, {}
        raise AssertionError("unreachable")

    async def _stop(self) -> None:
        for browser in self._browsers.values():
            if browser.is_connected():
                await browser.close()
        if self._playwright is not None:
            await self._playwright.stop()
        self._playwright, self._browsers = None, {}


def _keep_compiled(data_dir: Path) -> None:
    """Let the driver's Node keep what it compiled: its next start, in another run, takes half the time.

    Playwright hands the driver our environment. A directory that can't be written is passed over.
    """
    os.environ.setdefault("NODE_COMPILE_CACHE", str(data_dir.resolve() / "browser" / "driver-cache"))


async def _bounded(work: Callable[[], Coroutine[object, object, T]], deadline_s: float) -> T:
    try:
        async with asyncio.timeout(deadline_s):
            return await work()
    except TimeoutError:
        raise PlatformFailure("DEADLINE_EXCEEDED", f"not done within {deadline_s:.0f} s") from None


def _overheard(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """What nobody waited for. That a driver died is told by whoever used it; its own future of that stays behind."""
    if _DRIVER_DIED in str(context.get("exception")):
        _log.debug("a browser driver ended: %s", context.get("exception"))
    else:
        loop.default_exception_handler(context)


def _serve(loop: asyncio.AbstractEventLoop) -> None:
    asyncio.set_event_loop(loop)
    loop.set_exception_handler(_overheard)
    try:
        loop.run_forever()
    finally:
        loop.close()
