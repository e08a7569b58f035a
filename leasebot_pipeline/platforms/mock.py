"""The mock runtime: inboxes in memory, for explicit opt-in outside production. No browser, no network."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from threading import RLock
from uuid import UUID

from leasebot_pipeline.domain.clock import Clock
from leasebot_pipeline.domain.failures import PlatformFailure
from leasebot_pipeline.domain.identity import normalise_text
from leasebot_pipeline.domain.platforms import Platform
from leasebot_pipeline.domain.readings import (
    DeliveryReceipt,
    Direction,
    InboxReading,
    InboxRow,
    ListingRow,
    ListingsReading,
    SendBaseline,
    SendRequest,
    ThreadMessage,
    ThreadReading,
)
from leasebot_pipeline.domain.watermark import Watermark
from leasebot_pipeline.platforms.protocol import AccountRef


@dataclass(slots=True)
class MockInbox:
    """One account's threads and adverts; fill it by hand. Newest thread first in the inbox."""

    threads: dict[str, ThreadReading] = field(default_factory=dict)
    listings: list[ListingRow] = field(default_factory=list)
    failures: list[PlatformFailure] = field(default_factory=list)
    """Raised one by one by the next actions, first in first out."""
    numbers: int = 0
    session: str = "mock"
    """Change it to renew the account's session."""

    def write(
        self,
        thread_id: str,
        body: str,
        clock: Clock,
        *,
        direction: Direction = Direction.INBOUND,
        lead_name: str | None = None,
        listing_external_id: str | None = None,
    ) -> ThreadMessage:
        """Add a message to a thread, which comes to the top of the inbox."""
        self.numbers += 1
        message = ThreadMessage(
            external_message_id=f"mock-{self.numbers}",
            identity_source="platform",
            direction=direction,
            body=body,
            sent_at=clock(),
            sent_at_has_time=True,
        )
        known = self.threads.pop(thread_id, None) or ThreadReading(thread_id, ())
        thread = replace(
            known,
            messages=(*known.messages, message),
            lead_name=lead_name or known.lead_name,
            listing_external_id=listing_external_id or known.listing_external_id,
        )
        self.threads = {thread_id: thread, **self.threads}
        return message


class MockConnector:
    """One platform's inboxes in memory."""

    def __init__(self, platform: Platform, clock: Clock) -> None:
        self.platform = platform
        self._clock = clock
        self._inboxes: dict[UUID, MockInbox] = {}
        self._lock = RLock()

    def inbox(self, account: UUID) -> MockInbox:
        """The account's inbox, empty at first."""
        with self._lock:
            return self._inboxes.setdefault(account, MockInbox())

    def read_inbox(
        self, account: AccountRef, *, deadline_s: float, watermark: Watermark | None = None
    ) -> InboxReading:
        """The threads, newest first, all of them."""
        with self._lock:
            inbox = self._checked(account)
            rows = [_row(thread, rank) for rank, thread in enumerate(inbox.threads.values(), start=1)]
            return InboxReading(tuple(rows), pages_read=1)

    def read_thread(
        self, account: AccountRef, external_thread_id: str, *, deadline_s: float
    ) -> ThreadReading:
        """One thread. Raises PlatformFailure PAGE_NOT_FOUND."""
        with self._lock:
            return self._thread(self._checked(account), external_thread_id)

    def send(
        self,
        account: AccountRef,
        request: SendRequest,
        *,
        before_click: Callable[[SendBaseline], None],
        deadline_s: float,
    ) -> DeliveryReceipt:
        """Append the reply to its thread."""
        if not request.external_thread_id.strip():
            raise PlatformFailure("OUTBOUND_THREAD_REQUIRED", "a reply needs a thread id")
        if not normalise_text(request.body):
            raise PlatformFailure("OUTBOUND_BODY_REQUIRED", "a reply needs a text")
        with self._lock:
            inbox = self._checked(account)
            messages = self._thread(inbox, request.external_thread_id).messages
            ours = [m for m in messages if m.direction is Direction.OUTBOUND]
            same = [m for m in ours if normalise_text(m.body) == normalise_text(request.body)]
            last = messages[-1].external_message_id if messages else None
            before_click(SendBaseline(len(ours), len(same), last))
            sent = inbox.write(
                request.external_thread_id, request.body, self._clock, direction=Direction.OUTBOUND
            )
        return DeliveryReceipt(sent.external_message_id, "in_app", "sent", self._clock())

    def list_listings(self, account: AccountRef, *, deadline_s: float) -> ListingsReading:
        """The account's adverts."""
        with self._lock:
            return ListingsReading(tuple(self._checked(account).listings), pages_read=1, complete=True)

    def session_mark(self, account: AccountRef) -> str:
        """What a test set as the account's session."""
        return self.inbox(account.id).session

    def _checked(self, account: AccountRef) -> MockInbox:
        if account.platform is not self.platform:
            raise PlatformFailure("UNSUPPORTED_PLATFORM", f"not an account of {self.platform.value}")
        inbox = self.inbox(account.id)
        if inbox.failures:
            raise inbox.failures.pop(0)
        return inbox

    @staticmethod
    def _thread(inbox: MockInbox, thread_id: str) -> ThreadReading:
        thread = inbox.threads.get(thread_id)
        if thread is None:
            raise PlatformFailure("PAGE_NOT_FOUND", "the thread does not exist")
        return thread


class MockConnectors:
    """All platforms' inboxes in memory."""

    def __init__(self, clock: Clock) -> None:
        self._connectors = {platform: MockConnector(platform, clock) for platform in Platform}

    def for_platform(self, platform: Platform) -> MockConnector:
        """The platform's connector."""
        return self._connectors[platform]

    def release(self, account: AccountRef) -> None:
        """Nothing to give back."""

    def close(self) -> None:
        """Nothing to close."""


def _row(thread: ThreadReading, rank: int) -> InboxRow:
    last = thread.messages[-1] if thread.messages else None
    return InboxRow(
        external_thread_id=thread.external_thread_id,
        sort_rank=rank,
        preview=last.body if last else None,
        preview_direction=last.direction if last else None,
        lead_name=thread.lead_name,
        listing_external_id=thread.listing_external_id,
        message_count=len(thread.messages),
        sent_at=last.sent_at if last else None,
        last_message_id=last.external_message_id if last else None,
    )
