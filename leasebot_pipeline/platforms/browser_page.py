"""Visiting pages: navigate, let a page become what it should be, take it as a snapshot."""

from __future__ import annotations

from typing import Final, TypedDict

from playwright.async_api import Error, Page, Response

from leasebot_pipeline.domain.failures import PlatformFailure
from leasebot_pipeline.platforms.adapter import Adapter
from leasebot_pipeline.platforms.browser_errors import classified, is_replaced
from leasebot_pipeline.platforms.detection import PageKind, require_page
from leasebot_pipeline.platforms.options import RuntimeOptions
from leasebot_pipeline.platforms.page import HIDDEN_ATTRIBUTE, MESSAGE_ATTRIBUTE, Document, PageSnapshot

# What only the running page knows becomes attributes: who can be seen, and messages kept in element
# properties. A hidden response field counts as seen when the widget around it is.
_TAKE: Final = """
([suspects, passwords, items, hidden, state]) => {
  const shown = (el) => {
    if (el.closest(".grecaptcha-badge, [data-size='invisible']")) return false;
    const own = getComputedStyle(el).display !== "none" && el.type !== "hidden";
    const box = own ? el : el.parentElement;
    if (!box || !box.checkVisibility({ opacityProperty: true, visibilityProperty: true })) return false;
    const size = box.getBoundingClientRect();
    return size.width > 10 && size.height > 10;
  };
  for (const selector of suspects)
    for (const el of document.querySelectorAll(selector)) el.toggleAttribute(hidden, !shown(el));
  for (const el of document.querySelectorAll(passwords))
    el.toggleAttribute(hidden, !el.checkVisibility({ visibilityProperty: true }));
  for (const selector of items)
    for (const el of document.querySelectorAll(selector)) {
      const data = el._x_dataStack && el._x_dataStack[0] && el._x_dataStack[0].message;
      if (data) el.setAttribute(state, JSON.stringify(data));
    }
  return { url: location.href, title: document.title, html: document.documentElement.outerHTML };
}
"""

_THREAD_READY: Final = """
([items, loading]) => document.readyState !== "loading"
  && !loading.some((s) => document.querySelector(s))
  && (items.some((s) => document.querySelector(s)) || !/loading messages/i.test(document.body.innerText))
"""

_BECAME: Final = """
([landmarks, closing]) => landmarks.some((s) => document.querySelector(s)) && closing.some((s) => document.querySelector(s))
"""


class _Taken(TypedDict):
    url: str
    title: str
    html: str


async def open_page(
    page: Page, url: str, adapter: Adapter, kind: PageKind, options: RuntimeOptions
) -> tuple[Document, PageSnapshot]:
    """Navigate and prove the page. Raises PlatformFailure."""
    status = await navigate(page, url, kind, options)
    if kind is PageKind.THREAD and adapter.scripted_threads and status in (None, 200):
        await _wait_for_messages(page, adapter, options)
    return await read_page(page, adapter, kind, options, status)


async def read_page(
    page: Page, adapter: Adapter, kind: PageKind, options: RuntimeOptions, status: int | None = None
) -> tuple[Document, PageSnapshot]:
    """Prove the page as it stands; one that is not yet what it should be gets a moment to become it."""
    snapshot = await take(page, adapter, status)
    try:
        return require_page(adapter, kind, snapshot), snapshot
    except PlatformFailure as failure:
        if failure.code not in ("MARKUP_DRIFT", "PAGE_INCOMPLETE"):
            raise
        if not await _becomes(page, adapter, kind, options.landmark_wait_s):
            raise
    snapshot = await take(page, adapter, status)
    return require_page(adapter, kind, snapshot), snapshot


async def navigate(page: Page, url: str, what: str, options: RuntimeOptions) -> int | None:
    """Open ``url`` and return its HTTP status. Raises PlatformFailure."""
    try:
        response: Response | None = await page.goto(
            url, wait_until="domcontentloaded", timeout=options.navigation_timeout_s * 1000
        )
    except Error as error:
        raise classified(error, f"opening the {what}") from None
    return response.status if response is not None else None


async def take(page: Page, adapter: Adapter, status: int | None) -> PageSnapshot:
    """The page as it stands now. Raises PlatformFailure."""
    arguments = [
        [*adapter.challenge_selectors, *adapter.captcha_selectors],
        ", ".join(adapter.selectors.login_password),
        list(adapter.selectors.thread_message_items),
        HIDDEN_ATTRIBUTE,
        MESSAGE_ATTRIBUTE,
    ]
    for attempt in range(3):
        try:
            taken: _Taken = await page.evaluate(_TAKE, arguments)
        except Error as error:
            if attempt == 2 or not is_replaced(error):
                raise classified(error, "reading the page") from None
            await page.wait_for_load_state("domcontentloaded")
        else:
            return PageSnapshot(taken["url"], status, taken["title"], taken["html"])
    raise AssertionError("unreachable")


async def _wait_for_messages(page: Page, adapter: Adapter, options: RuntimeOptions) -> None:
    """Wait until the script showed the messages or gave up; what then is there decides the parser."""
    selectors = adapter.selectors
    arguments = [list(selectors.thread_message_items), list(selectors.thread_loading)]
    await _holds(page, _THREAD_READY, arguments, options.thread_ready_timeout_s)


async def _becomes(page: Page, adapter: Adapter, kind: PageKind, seconds: float) -> bool:
    landmarks = {
        PageKind.INBOX: adapter.selectors.inbox_landmark,
        PageKind.THREAD: adapter.selectors.thread_landmark,
        PageKind.LISTINGS: adapter.selectors.listings_landmark,
    }[kind]
    return await _holds(page, _BECAME, [list(landmarks), list(adapter.selectors.closing)], seconds)


async def _holds(page: Page, condition: str, arguments: list[list[str]], seconds: float) -> bool:
    """True once the condition holds in the page; False when it does not within ``seconds``."""
    try:
        await page.wait_for_function(condition, arg=arguments, timeout=seconds * 1000)
    except Error as error:
        failure = classified(error, "waiting for the page")
        if failure.code != "PAGE_TIMEOUT":
            raise failure from None
        return False
    return True
