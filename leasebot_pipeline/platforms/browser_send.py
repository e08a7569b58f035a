"""Sending a reply: prepare everything, click once, then prove it by reading the thread back."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from time import monotonic
from typing import Final

from playwright.async_api import Error, Locator, Page, Request, Response

from leasebot_pipeline.domain.clock import Clock
from leasebot_pipeline.domain.failures import PlatformFailure
from leasebot_pipeline.domain.identity import normalise_text
from leasebot_pipeline.domain.readings import (
    DeliveryReceipt,
    SendBaseline,
    SendRequest,
    ThreadReading,
)
from leasebot_pipeline.platforms.adapter import Adapter, Selectors
from leasebot_pipeline.platforms.browser_errors import classified
from leasebot_pipeline.platforms.browser_page import open_page, read_page
from leasebot_pipeline.platforms.browser_visit import Visit
from leasebot_pipeline.platforms.delivery import baseline, receipt, unconfirmed
from leasebot_pipeline.platforms.detection import PageKind
from leasebot_pipeline.platforms.options import RuntimeOptions
from leasebot_pipeline.platforms.page import Document, PageSnapshot
from leasebot_pipeline.platforms.parsing_thread import parse_thread

_FIELD_S: Final = 5.0
_CLICK_S: Final = 5.0

# The thread grew, or the page is no thread any more (the answer to the click was lost).
_AFTER_CLICK: Final = """
([items, landmarks, before]) => {
  if (document.readyState === "loading") return false;
  if (!landmarks.some((s) => document.querySelector(s))) return true;
  const shown = items.map((s) => document.querySelectorAll(s).length).find((n) => n > 0) || 0;
  return shown > before;
}
"""


@dataclass(slots=True)
class PreparedSend:
    """A reply typed into its thread's composer, the button found, nothing clicked."""

    request: SendRequest
    page: Page
    submit: Locator
    baseline: SendBaseline
    known_ids: frozenset[str]
    shown_items: int


async def prepare(visit: Visit, request: SendRequest, clock: Clock) -> PreparedSend:
    """Open the thread, take the baseline, type the reply. Raises PlatformFailure, phase before_click."""
    if not request.external_thread_id.strip():
        raise PlatformFailure("OUTBOUND_THREAD_REQUIRED", "a reply needs a thread id")
    if not normalise_text(request.body):
        raise PlatformFailure("OUTBOUND_BODY_REQUIRED", "a reply needs a text")
    adapter = visit.adapter
    url = adapter.thread_url(request.external_thread_id)
    document, snapshot = await visit.open(PageKind.THREAD, url)
    page = visit.page
    assert page is not None
    reading = parse_thread(adapter, document, snapshot.url, request.external_thread_id, clock())
    try:
        shown_items = await _count(page, adapter.selectors.thread_message_items)
        submit = await _type(page, adapter, request.body)
    except Error as error:
        raise classified(error, "typing the reply") from None
    return PreparedSend(
        request=request,
        page=page,
        submit=submit,
        baseline=baseline(reading, request.body),
        known_ids=frozenset(m.external_message_id for m in reading.messages),
        shown_items=shown_items,
    )


async def withdraw(prepared: PreparedSend, adapter: Adapter) -> None:
    """Empty the composer again after the send was called off, so that no draft of ours stays behind."""
    try:
        composer = await _composer(prepared.page, adapter)
        if composer is not None:
            await composer.fill("", timeout=_FIELD_S * 1000)
    except Error as error:
        raise classified(error, "emptying the composer") from None


async def click_and_prove(
    prepared: PreparedSend, adapter: Adapter, options: RuntimeOptions, clock: Clock
) -> DeliveryReceipt:
    """Click once, then read the thread until the reply is in it.

    Raises PlatformFailure OUTBOUND_DELIVERY_UNCONFIRMED, phase after_click, for whatever goes wrong.
    """
    answer = _Answer(prepared.page, adapter)
    try:
        await prepared.submit.click(timeout=_CLICK_S * 1000, no_wait_after=True)
        proof = await _prove(prepared, answer, adapter, options, clock)
    except (PlatformFailure, Error) as error:
        failure = classified(error, "after the click")
        raise unconfirmed(f"{failure.code}: {failure.detail}") from None
    finally:
        answer.stop()
    if proof is None:
        raise unconfirmed("the thread was read back and does not show the reply")
    return proof


class _Answer:
    """Notices when the site's answer to the click failed, so that nobody waits for what can't come."""

    def __init__(self, page: Page, adapter: Adapter) -> None:
        self._page = page
        self._origin = adapter.base_url.rstrip("/")
        self.failed = asyncio.Event()
        page.on("requestfailed", self._request_failed)
        page.on("response", self._responded)

    def stop(self) -> None:
        self._page.remove_listener("requestfailed", self._request_failed)
        self._page.remove_listener("response", self._responded)

    def _request_failed(self, request: Request) -> None:
        if request.method == "POST" and request.url.startswith(self._origin):
            self.failed.set()

    def _responded(self, response: Response) -> None:
        if response.status >= 400:
            self._request_failed(response.request)


async def _prove(
    prepared: PreparedSend, answer: _Answer, adapter: Adapter, options: RuntimeOptions, clock: Clock
) -> DeliveryReceipt | None:
    """Wait for the reply on the page as it is, then look at the thread opened anew.

    Opened by its address, not reloaded: reloading the answer to a form would post the form again.
    """
    try:
        return await _seen_on_page(prepared, answer, adapter, options, clock)
    except PlatformFailure:
        # Whatever became of this page, the thread itself has the last word.
        url = adapter.thread_url(prepared.request.external_thread_id)
        document, snapshot = await open_page(prepared.page, url, adapter, PageKind.THREAD, options)
        return _receipt(prepared, _reading(prepared, adapter, document, snapshot, clock), clock)


async def _seen_on_page(
    prepared: PreparedSend, answer: _Answer, adapter: Adapter, options: RuntimeOptions, clock: Clock
) -> DeliveryReceipt:
    """The receipt once the page shows the reply. Raises PlatformFailure when it does not in time."""
    ends = monotonic() + options.proof_timeout_s
    shown = prepared.shown_items
    while True:
        await _changed(prepared.page, answer, adapter, shown, max(ends - monotonic(), 0.001))
        document, snapshot = await read_page(prepared.page, adapter, PageKind.THREAD, options)
        proof = _receipt(prepared, _reading(prepared, adapter, document, snapshot, clock), clock)
        if proof is not None:
            return proof
        shown = max(shown + 1, await _count(prepared.page, adapter.selectors.thread_message_items))


def _reading(
    prepared: PreparedSend, adapter: Adapter, document: Document, snapshot: PageSnapshot, clock: Clock
) -> ThreadReading:
    return parse_thread(adapter, document, snapshot.url, prepared.request.external_thread_id, clock())


async def _changed(page: Page, answer: _Answer, adapter: Adapter, shown: int, seconds: float) -> None:
    """Wait until the page shows something new. Raises PlatformFailure when it can't or does not in time."""
    selectors = adapter.selectors
    arguments = [list(selectors.thread_message_items), list(selectors.thread_landmark), shown]
    grown = asyncio.ensure_future(page.wait_for_function(_AFTER_CLICK, arg=arguments, timeout=seconds * 1000))
    failed = asyncio.ensure_future(answer.failed.wait())
    try:
        await asyncio.wait({grown, failed}, return_when=asyncio.FIRST_COMPLETED)
        if not grown.done():
            raise PlatformFailure("NETWORK_ERROR", "the site's answer to the click failed")
        await grown
    except Error as error:
        raise classified(error, "waiting for the reply to show") from None
    finally:
        for waiting in (grown, failed):
            waiting.cancel()
        await asyncio.gather(grown, failed, return_exceptions=True)


def _receipt(prepared: PreparedSend, reading: ThreadReading, clock: Clock) -> DeliveryReceipt | None:
    return receipt(prepared.baseline, prepared.known_ids, reading, prepared.request.body, clock())


async def _type(page: Page, adapter: Adapter, body: str) -> Locator:
    """Type the reply and find the button that would send it; the button is ready to be clicked."""
    composer = await _composer(page, adapter)
    if composer is None:
        raise PlatformFailure("OUTBOUND_COMPOSER_MISSING", "the thread has no field to write a reply in")
    await composer.fill(body, timeout=_FIELD_S * 1000)
    if normalise_text(await composer.input_value()) != normalise_text(body):
        raise PlatformFailure("OUTBOUND_COMPOSER_MISSING", "the composer does not hold the whole reply")
    form = composer.locator("xpath=ancestor::form[1]")
    # Inside its own form only: other forms of the page log out or search.
    scope = form if await form.count() else page.locator("body")
    submit = await _first(scope, adapter.selectors.submit)
    if submit is None:
        raise PlatformFailure("OUTBOUND_SUBMIT_MISSING", "no button sends what the composer holds")
    try:
        await submit.click(trial=True, timeout=_CLICK_S * 1000)
    except Error as error:
        failure = classified(error, "reaching the send button")
        if failure.code != "PAGE_TIMEOUT":
            raise failure from None
        raise PlatformFailure("OUTBOUND_SUBMIT_MISSING", "the send button can't be clicked") from None
    return submit


async def _composer(page: Page, adapter: Adapter) -> Locator | None:
    return await _first(page.locator("body"), adapter.selectors.composer)


async def _first(scope: Locator, selectors: Selectors) -> Locator | None:
    """The first match, a visible one before one that is not."""
    for only_visible in (True, False):
        for selector in selectors:
            found = scope.locator(selector)
            if only_visible:
                found = found.filter(visible=True)
            if await found.count():
                return found.first
    return None


async def _count(page: Page, selectors: Selectors) -> int:
    for selector in selectors:
        count = await page.locator(selector).count()
        if count:
            return count
    return 0
