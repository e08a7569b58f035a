"""The connector protocol: the four things leasebot does on a platform.

Connectors are blocking calls: the browser runs on its own event loop and a call waits for it, so
stages stay plain functions. Every call raises :class:`PlatformFailure` and nothing else for
anything that can go wrong on a page, in a session or in the network.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Protocol
from uuid import UUID

from leasebot_pipeline.domain.platforms import Platform
from leasebot_pipeline.domain.readings import (
    DeliveryReceipt,
    InboxReading,
    ListingsReading,
    SendBaseline,
    SendRequest,
    ThreadReading,
)
from leasebot_pipeline.domain.watermark import Watermark


@dataclass(frozen=True, slots=True)
class AccountRef:
    """A platform account as a connector needs it. ``credentials`` holds references, never values."""

    id: UUID
    platform: Platform
    account_external_id: str
    credentials: Mapping[str, str] = field(default_factory=dict)


class Connector(Protocol):
    """One platform, all four actions. ``deadline_s`` bounds the whole call in seconds."""

    platform: Platform

    def read_inbox(
        self, account: AccountRef, *, deadline_s: float, watermark: Watermark | None = None
    ) -> InboxReading:
        """Read the inbox list down to what ``watermark`` knows, else as far as limits allow.

        Raises PlatformFailure unless the inbox was positively seen.
        """
        ...

    def read_thread(
        self, account: AccountRef, external_thread_id: str, *, deadline_s: float
    ) -> ThreadReading:
        """Read one thread page, oldest message first."""
        ...

    def send(
        self,
        account: AccountRef,
        request: SendRequest,
        *,
        before_click: Callable[[SendBaseline], None],
        deadline_s: float,
    ) -> DeliveryReceipt:
        """Type the reply, call ``before_click`` (commit the intent; raising aborts), click once, prove.

        A failure before the click carries phase ``before_click``. Once the click was issued every
        failure is ``OUTBOUND_DELIVERY_UNCONFIRMED`` with phase ``after_click``: the reply may be there.
        """
        ...

    def list_listings(self, account: AccountRef, *, deadline_s: float) -> ListingsReading:
        """Read our own adverts, page by page."""
        ...

    def session_mark(self, account: AccountRef) -> str:
        """A text that changes when the account's session, profile or password was renewed; leads to none of them."""
        ...


class Connectors(Protocol):
    """All platforms' connectors and the browser behind them."""

    def for_platform(self, platform: Platform) -> Connector:
        """The connector of a platform; raises PlatformFailure UNSUPPORTED_PLATFORM."""
        ...

    def release(self, account: AccountRef) -> None:
        """Give back what may have only one owner (a persistent profile). Call when a visit ends."""
        ...

    def close(self) -> None:
        """Close browsers and the event loop."""
        ...
