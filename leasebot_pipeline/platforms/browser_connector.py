"""The connector of one platform over the browser runtime: read, list, send."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from threading import Lock
from time import monotonic
from typing import Final, TypeVar
from uuid import UUID

from playwright.async_api import Error, Page

from leasebot_pipeline.domain.clock import Clock
from leasebot_pipeline.domain.failures import PlatformFailure, SendPhase
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
from leasebot_pipeline.platforms.browser import BrowserRuntime
from leasebot_pipeline.platforms.browser_evidence import DRIFT_CODES, keep_evidence
from leasebot_pipeline.platforms.browser_send import (
    PreparedSend,
    click_and_prove,
    prepare,
    withdraw,
)
from leasebot_pipeline.platforms.browser_sessions import AccountSessions
from leasebot_pipeline.platforms.browser_visit import Visit
from leasebot_pipeline.platforms.delivery import unconfirmed
from leasebot_pipeline.platforms.detection import PageKind
from leasebot_pipeline.platforms.evidence import EvidenceLimits
from leasebot_pipeline.platforms.fingerprint import page_fingerprint
from leasebot_pipeline.platforms.inbox_paging import InboxPaging
from leasebot_pipeline.platforms.options import RuntimeOptions
from leasebot_pipeline.platforms.parsing_listings import parse_listings
from leasebot_pipeline.platforms.parsing_thread import parse_thread
from leasebot_pipeline.platforms.protocol import AccountRef
from leasebot_pipeline.platforms.session_mark import session_mark

T = TypeVar("T")

_CLEANING_S: Final = 10.0
_PAGING_SHARE: Final = 0.6
"""Share of a deadline after which no further page of an inbox is opened: what was read must still arrive."""
_PAGE_SPOILT: Final = frozenset({"DEADLINE_EXCEEDED", "BROWSER_CRASHED", "OUTBOUND_DELIVERY_UNCONFIRMED"})
_AFTER_CLICK_RESERVE_S: Final = 5.0
"""Least time a clicked reply gets for its proof, however little of the deadline is left."""


@dataclass(slots=True)
class AccountLocks:
    """One visit per account at a time in this process; other processes are kept off by the lease."""

    _locks: dict[UUID, Lock] = field(default_factory=dict)
    _guard: Lock = field(default_factory=Lock)

    @contextmanager
    def held(self, account: UUID, deadline_s: float) -> Iterator[None]:
        """Hold the account. Raises PlatformFailure ACCOUNT_BUSY."""
        with self._guard:
            lock = self._locks.setdefault(account, Lock())
        if not lock.acquire(timeout=deadline_s):
            raise PlatformFailure("ACCOUNT_BUSY", "another visit of this account is under way")
        try:
            yield
        finally:
            lock.release()


class BrowserConnector:
    """One platform, driven by the shared browser runtime. May be called from any thread."""

    def __init__(
        self,
        adapter: Adapter,
        runtime: BrowserRuntime,
        sessions: AccountSessions,
        locks: AccountLocks,
        options: RuntimeOptions,
        clock: Clock,
    ) -> None:
        self.platform: Platform = adapter.platform
        self.adapter = adapter
        self._runtime = runtime
        self._sessions = sessions
        self._locks = locks
        self._options = options
        self._clock = clock

    def read_inbox(
        self, account: AccountRef, *, deadline_s: float, watermark: Watermark | None = None
    ) -> InboxReading:
        """Read the inbox page by page: down to what is known, or where a limit or the deadline cuts it off."""
        visit = self._visit(account)
        ends = monotonic() + deadline_s * _PAGING_SHARE
        with self._locks.held(account.id, deadline_s):
            paging = InboxPaging(visit, self._options, self._clock, watermark or Watermark(), ends)
            return self._call(visit, "ingest", paging.read, deadline_s)

    def read_thread(
        self, account: AccountRef, external_thread_id: str, *, deadline_s: float
    ) -> ThreadReading:
        """Read one thread, oldest message first."""
        if not external_thread_id.strip():
            raise PlatformFailure("THREAD_ID_REQUIRED", "reading a thread needs its id")
        visit = self._visit(account)

        async def read() -> ThreadReading:
            url = self.adapter.thread_url(external_thread_id)
            document, snapshot = await visit.open(PageKind.THREAD, url)
            reading = parse_thread(self.adapter, document, snapshot.url, external_thread_id, self._clock())
            return replace(reading, fingerprint=page_fingerprint(self.adapter, PageKind.THREAD, document))

        with self._locks.held(account.id, deadline_s):
            return self._call(visit, "thread_sync", read, deadline_s)

    def send(
        self,
        account: AccountRef,
        request: SendRequest,
        *,
        before_click: Callable[[SendBaseline], None],
        deadline_s: float,
    ) -> DeliveryReceipt:
        """Type, commit the intent through ``before_click`` on the caller's thread, click once, prove."""
        visit = self._visit(account)
        ends = monotonic() + deadline_s
        with self._locks.held(account.id, deadline_s):
            prepared = self._call(visit, "send", lambda: prepare(visit, request, self._clock), deadline_s)
            try:
                before_click(prepared.baseline)
            except Exception as error:
                self._withdraw(prepared, error)
                raise
            left = max(_AFTER_CLICK_RESERVE_S, ends - monotonic())
            return self._click(visit, prepared, left)

    def list_listings(self, account: AccountRef, *, deadline_s: float) -> ListingsReading:
        """Read our own adverts, page by page."""
        visit = self._visit(account)
        with self._locks.held(account.id, deadline_s):
            return self._call(visit, "listing_sync", lambda: self._listings(visit), deadline_s)

    def session_mark(self, account: AccountRef) -> str:
        """Changes when the account's session, profile or password was renewed."""
        return session_mark(account, self._options, self.adapter.base_url)

    def _withdraw(self, prepared: PreparedSend, error: Exception) -> None:
        try:
            self._runtime.call(lambda: withdraw(prepared, self.adapter), _CLEANING_S)
        except PlatformFailure as failure:
            error.add_note(f"the typed reply could not be taken back: {failure}")

    def _visit(self, account: AccountRef) -> Visit:
        if account.platform is not self.platform:
            raise PlatformFailure("UNSUPPORTED_PLATFORM", f"not an account of {self.platform.value}")
        return Visit(account, self.adapter, self._sessions, self._options)

    def _click(self, visit: Visit, prepared: PreparedSend, deadline_s: float) -> DeliveryReceipt:
        async def click() -> DeliveryReceipt:
            return await click_and_prove(prepared, self.adapter, self._options, self._clock)

        try:
            return self._call(visit, "send", click, deadline_s)
        except PlatformFailure as failure:
            if failure.phase is SendPhase.AFTER_CLICK:
                raise
            raise unconfirmed(f"{failure.code}: {failure.detail}") from None

    def _call(
        self, visit: Visit, action: str, work: Callable[[], Coroutine[object, object, T]], deadline_s: float
    ) -> T:
        """Run work on the loop; after a failure keep evidence and leave no half-used page behind."""
        try:
            return self._runtime.call(work, deadline_s)
        except PlatformFailure as failure:
            try:
                self._runtime.call(partial(self._after_failure, visit, action, failure), _CLEANING_S)
            except PlatformFailure as second:
                failure.add_note(f"cleaning up failed as well: {second}")
            raise

    async def _after_failure(self, visit: Visit, action: str, failure: PlatformFailure) -> None:
        if visit.page is not None and (self._options.debug or failure.code in DRIFT_CODES):
            await self._keep(visit, visit.page, action, failure)
        if failure.code in _PAGE_SPOILT:
            await self._sessions.drop(visit.account.id)
        if failure.code == "BROWSER_CRASHED":
            await self._runtime.forget_dead_driver()

    async def _keep(self, visit: Visit, page: Page, action: str, failure: PlatformFailure) -> None:
        """Keep the page; evidence that can't be written never hides the failure it is of."""
        options = self._options
        limits = EvidenceLimits(options.debug_max_bytes, options.debug_max_age)
        try:
            kept = await keep_evidence(
                page,
                options.project_root / options.debug_dir,
                visit.account,
                self.adapter,
                action,
                failure,
                self._clock(),
                limits,
                every_time=options.debug,
            )
        except (OSError, Error) as error:
            failure.add_note(f"the page could not be kept: {type(error).__name__}")
            return
        failure.evidence.update(kept)
        failure.detail = f"{failure.detail} (page kept: {Path(kept['json']).stem})"

    async def _listings(self, visit: Visit) -> ListingsReading:
        """The first of the platform's listings paths that is a listings page, to its end."""
        refused: PlatformFailure | None = None
        for path in self.adapter.listings.paths:
            try:
                return await self._listings_at(visit, path)
            except PlatformFailure as failure:
                if failure.code not in ("PAGE_NOT_FOUND", "MARKUP_DRIFT"):
                    raise
                refused = refused or failure
        assert refused is not None
        raise refused

    async def _listings_at(self, visit: Visit, path: str) -> ListingsReading:
        rows: dict[str, ListingRow] = {}
        unidentified = 0
        for number in range(1, self.adapter.listings.max_pages + 1):
            url = self.adapter.listings_url(path, number)
            try:
                document, snapshot = await visit.open(PageKind.LISTINGS, url)
                page = parse_listings(self.adapter, document, snapshot.url)
            except PlatformFailure as failure:
                if number > 1 and failure.code == "PAGE_NOT_FOUND":
                    return ListingsReading(tuple(rows.values()), number - 1, complete=not unidentified)
                raise
            unidentified += page.rows_without_identity
            new = [row for row in page.rows if row.listing_external_id not in rows]
            rows.update((row.listing_external_id, row) for row in new)
            if not new:
                return ListingsReading(tuple(rows.values()), number, complete=not unidentified)
        return ListingsReading(tuple(rows.values()), self.adapter.listings.max_pages, complete=False)
