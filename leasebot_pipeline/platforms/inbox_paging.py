"""Paging through an inbox: from the top to what is known, then on from where the last reading was cut off."""

from __future__ import annotations

from dataclasses import dataclass, field
from time import monotonic
from typing import Protocol
from urllib.parse import urlsplit

from leasebot_pipeline.domain.clock import Clock
from leasebot_pipeline.domain.failures import PlatformFailure
from leasebot_pipeline.domain.fingerprints import Fingerprint
from leasebot_pipeline.domain.readings import InboxReading, InboxRow
from leasebot_pipeline.domain.watermark import Watermark
from leasebot_pipeline.platforms.adapter import Adapter
from leasebot_pipeline.platforms.detection import PageKind
from leasebot_pipeline.platforms.fingerprint import page_fingerprint
from leasebot_pipeline.platforms.options import RuntimeOptions
from leasebot_pipeline.platforms.page import Document, PageSnapshot
from leasebot_pipeline.platforms.parsing_inbox import InboxPage, parse_inbox


class Pages(Protocol):
    """Whoever opens pages of the account's platform."""

    adapter: Adapter

    async def open(self, kind: PageKind, url: str) -> tuple[Document, PageSnapshot]:
        """The proven page at ``url``. Raises PlatformFailure."""
        ...


@dataclass(slots=True)
class InboxPaging:
    """One reading. ``ends`` (monotonic) is when no further page is opened."""

    visit: Pages
    options: RuntimeOptions
    clock: Clock
    watermark: Watermark
    ends: float
    rows: dict[str, InboxRow] = field(default_factory=dict, init=False)
    pages: int = field(default=0, init=False)
    unidentified: int = field(default=0, init=False)
    fingerprint: Fingerprint = field(default_factory=dict, init=False)

    async def read(self) -> InboxReading:
        """The rows of all pages read, top first. Raises PlatformFailure."""
        top = await self._from(self.visit.adapter.inbox_url)
        resume = self._own(self.watermark.resume_url)
        if top.cut is None and top.behind and resume is not None and not self._limited:
            try:
                top = await self._from(resume)
            except PlatformFailure as failure:
                if failure.code not in ("PAGE_NOT_FOUND", "MARKUP_DRIFT"):
                    raise
                # The inbox has become shorter than where the last reading stopped: nothing is left to catch up.
        taken = tuple(self.rows.values())[: self.options.inbox_thread_limit or None]
        return InboxReading(
            taken,
            self.pages,
            self.unidentified,
            truncated=top.behind or len(taken) < len(self.rows),
            resume_url=top.cut,
            fingerprint=self.fingerprint,
        )

    async def _from(self, url: str) -> _End:
        """Read on from ``url`` until the end, the known, or a limit."""
        following: str | None = url
        first = True
        while following is not None:
            if self.pages and (self._limited or not self._has_time):
                return _End(behind=True, cut=None if self._limited else following)
            page, new = await self._page(following)
            following = self._own(page.next_url)
            if not new and not first:
                return _End(behind=False)  # a site that repeats its last page
            if following is not None and self.watermark.settles(page.rows):
                return _End(behind=True)
            first = False
        return _End(behind=False)

    async def _page(self, url: str) -> tuple[InboxPage, bool]:
        adapter = self.visit.adapter
        document, snapshot = await self.visit.open(PageKind.INBOX, url)
        page = parse_inbox(adapter, document, snapshot.url, self.clock(), first_rank=len(self.rows) + 1)
        if not self.pages:
            self.fingerprint = page_fingerprint(adapter, PageKind.INBOX, document)
        self.pages += 1
        self.unidentified += page.rows_without_identity
        new = [row for row in page.rows if row.external_thread_id not in self.rows]
        self.rows.update((row.external_thread_id, row) for row in new)
        return page, bool(new)

    @property
    def _limited(self) -> bool:
        limit = self.options.inbox_thread_limit
        return bool(limit) and len(self.rows) >= limit

    @property
    def _has_time(self) -> bool:
        return self.pages < self.options.inbox_page_limit and monotonic() < self.ends

    def _own(self, url: str | None) -> str | None:
        """The address if it is one of the platform's: a session is never carried elsewhere."""
        if url is None:
            return None
        there, here = urlsplit(url), urlsplit(self.visit.adapter.base_url)
        return url if (there.scheme, there.netloc) == (here.scheme, here.netloc) else None


@dataclass(frozen=True, slots=True)
class _End:
    """Why paging stopped: ``behind`` says that the list goes on, ``cut`` that it was cut off before a page."""

    behind: bool
    cut: str | None = None
