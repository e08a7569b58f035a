"""The connector without a browser: the sites' HTTP, the platforms' own parsers, the same rules before and after a click."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from time import monotonic
from typing import Any, Final, TypeVar

import httpx2

from leasebot_pipeline.chaos.pages import Form, SitePages
from leasebot_pipeline.domain.clock import Clock
from leasebot_pipeline.domain.failures import PlatformFailure
from leasebot_pipeline.domain.identity import normalise_text
from leasebot_pipeline.domain.platforms import Platform
from leasebot_pipeline.domain.readings import (
    DeliveryReceipt,
    InboxReading,
    ListingRow,
    ListingsReading,
    SendBaseline,
    SendRequest,
    ThreadReading,
)
from leasebot_pipeline.domain.watermark import Watermark
from leasebot_pipeline.platforms.adapter import Adapter
from leasebot_pipeline.platforms.delivery import baseline, receipt, unconfirmed
from leasebot_pipeline.platforms.detection import PageKind
from leasebot_pipeline.platforms.fingerprint import page_fingerprint
from leasebot_pipeline.platforms.inbox_paging import InboxPaging
from leasebot_pipeline.platforms.options import RuntimeOptions
from leasebot_pipeline.platforms.overrides import ADAPTERS
from leasebot_pipeline.platforms.page import Document, PageSnapshot
from leasebot_pipeline.platforms.parsing_listings import parse_listings
from leasebot_pipeline.platforms.parsing_thread import parse_thread
from leasebot_pipeline.platforms.protocol import AccountRef

T = TypeVar("T")

PAGE_TIMEOUT_S: Final = 2.0
"""How long a page may take; slow pages of a play take longer."""


@dataclass(frozen=True, slots=True)
class SiteLogin:
    """The way into every site of a sandbox."""

    login_id: str
    password: str


class HttpConnector:
    """One platform over plain HTTP. One thread at a time."""

    def __init__(
        self, adapter: Adapter, login: SiteLogin, clock: Clock, *, timeout_s: float = PAGE_TIMEOUT_S
    ) -> None:
        self.platform: Platform = adapter.platform
        self.adapter = adapter
        self._login = login
        self._clock = clock
        self._client = httpx2.Client(follow_redirects=True, timeout=timeout_s)
        self._options = RuntimeOptions(data_dir=Path(), environ={})

    def read_inbox(
        self, account: AccountRef, *, deadline_s: float, watermark: Watermark | None = None
    ) -> InboxReading:
        """The inbox down to what is known."""
        paging = InboxPaging(
            self._pages(), self._options, self._clock, watermark or Watermark(), monotonic() + deadline_s
        )
        return _finished(paging.read())

    def read_thread(
        self, account: AccountRef, external_thread_id: str, *, deadline_s: float
    ) -> ThreadReading:
        """One thread, oldest message first."""
        return self._thread(self._pages(), external_thread_id)[0]

    def send(
        self,
        account: AccountRef,
        request: SendRequest,
        *,
        before_click: Callable[[SendBaseline], None],
        deadline_s: float,
    ) -> DeliveryReceipt:
        """Fill the thread's form in, call ``before_click``, post it once, prove by reading the thread."""
        if not normalise_text(request.body):
            raise PlatformFailure("OUTBOUND_BODY_REQUIRED", "a reply needs a text")
        pages = self._pages()
        reading, document, snapshot = self._thread(pages, request.external_thread_id)
        form = pages.reply_form(document, snapshot, request.body)
        before = baseline(reading, request.body)
        known = frozenset(message.external_message_id for message in reading.messages)
        before_click(before)
        after = self._after_click(pages, form, request.external_thread_id)
        proof = receipt(before, known, after, request.body, self._clock())
        if proof is None:
            raise unconfirmed("the thread was read back and does not show the reply")
        return proof

    def list_listings(self, account: AccountRef, *, deadline_s: float) -> ListingsReading:
        """Our own adverts, page by page."""
        pages, path = self._pages(), self.adapter.listings.paths[0]
        rows: dict[str, ListingRow] = {}
        unidentified = 0
        for number in range(1, self.adapter.listings.max_pages + 1):
            document, snapshot = pages.read(PageKind.LISTINGS, self.adapter.listings_url(path, number))
            page = parse_listings(self.adapter, document, snapshot.url)
            unidentified += page.rows_without_identity
            new = [row for row in page.rows if row.listing_external_id not in rows]
            rows.update((row.listing_external_id, row) for row in new)
            if not new:
                return ListingsReading(tuple(rows.values()), number, complete=not unidentified)
        return ListingsReading(tuple(rows.values()), self.adapter.listings.max_pages, complete=False)

    def session_mark(self, account: AccountRef) -> str:
        """The login never changes."""
        return "login:play"

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def _pages(self) -> SitePages:
        return SitePages(self.adapter, self._client, self._login.login_id, self._login.password)

    def _thread(
        self, pages: SitePages, external_thread_id: str
    ) -> tuple[ThreadReading, Document, PageSnapshot]:
        document, snapshot = pages.read(PageKind.THREAD, self.adapter.thread_url(external_thread_id))
        return self._reading(document, snapshot, external_thread_id), document, snapshot

    def _reading(self, document: Document, snapshot: PageSnapshot, external_thread_id: str) -> ThreadReading:
        reading = parse_thread(self.adapter, document, snapshot.url, external_thread_id, self._clock())
        return replace(reading, fingerprint=page_fingerprint(self.adapter, PageKind.THREAD, document))

    def _after_click(self, pages: SitePages, form: Form, external_thread_id: str) -> ThreadReading:
        """The thread after the click, whatever became of the site's answer. Raises only ``unconfirmed``."""
        try:
            with suppress(httpx2.HTTPError, PlatformFailure):
                shown = pages.after_post(form)
                if shown is not None:
                    return self._reading(*shown, external_thread_id)
            # The answer is lost, or is no thread: the thread itself has the last word.
            return self._thread(pages, external_thread_id)[0]
        except PlatformFailure as failure:
            raise unconfirmed(f"{failure.code}: {failure.detail}") from None


class HttpConnectors:
    """All platforms over plain HTTP."""

    def __init__(
        self,
        base_urls: Mapping[Platform, str],
        login: SiteLogin,
        clock: Clock,
        *,
        timeout_s: float = PAGE_TIMEOUT_S,
    ) -> None:
        self._connectors = {
            platform: HttpConnector(
                replace(ADAPTERS[platform], base_url=url), login, clock, timeout_s=timeout_s
            )
            for platform, url in base_urls.items()
        }

    def for_platform(self, platform: Platform) -> HttpConnector:
        """The platform's connector."""
        return self._connectors[platform]

    def release(self, account: AccountRef) -> None:
        """Nothing is owned."""

    def close(self) -> None:
        """Close all connections."""
        for connector in self._connectors.values():
            connector.close()


def _finished(work: Coroutine[Any, Any, T]) -> T:
    """The result of a coroutine that never waits."""
    try:
        work.send(None)
    except StopIteration as end:
        result: T = end.value
        return result
    work.close()
    raise RuntimeError("a page was waited for")
