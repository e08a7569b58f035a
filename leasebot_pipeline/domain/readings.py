"""What a visit to a platform yields: plain values between the pages and the pipeline.

Every text is as the platform showed it, trimmed; every unknown is ``None``, never a guess.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Literal

from leasebot_pipeline.domain.fingerprints import Fingerprint


class Direction(StrEnum):
    """Who wrote a message: the lead (inbound) or our side (outbound)."""

    INBOUND = "inbound"
    OUTBOUND = "outbound"


IdentitySource = Literal["platform", "hash"]
"""Whether a message id is the platform's own or our deterministic hash."""


@dataclass(frozen=True, slots=True)
class InboxRow:
    """One thread as the inbox lists it: the signal that something changed, never a message."""

    external_thread_id: str
    sort_rank: int
    """Position in the inbox over all pages read, 1 = top."""
    preview: str | None = None
    preview_direction: Direction | None = None
    lead_name: str | None = None
    lead_external_id: str | None = None
    listing_external_id: str | None = None
    thread_label: str | None = None
    message_count: int | None = None
    sent_at: datetime | None = None
    sent_at_text: str | None = None
    last_message_id: str | None = None
    """Id of the thread's newest message, where the row tells it."""


@dataclass(frozen=True, slots=True)
class InboxReading:
    """An inbox that was positively seen: the page's landmark stood there."""

    rows: tuple[InboxRow, ...]
    pages_read: int
    rows_without_identity: int = 0
    """Rows that carry no thread id: reported, never joined by position."""
    truncated: bool = False
    """True when the list goes on behind the rows: it was cut off, or everything behind them is known."""
    resume_url: str | None = None
    """Set when the reading was cut off before it reached what is known: the next page to read."""
    fingerprint: Fingerprint = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ThreadMessage:
    """One message of a thread page, in page order (oldest first)."""

    external_message_id: str
    identity_source: IdentitySource
    direction: Direction
    body: str
    sent_at: datetime | None = None
    sent_at_text: str | None = None
    sent_at_has_time: bool = False
    aliases: tuple[str, ...] = ()
    """Other ids the platform gives the same message; it may be stored under one of them."""


@dataclass(frozen=True, slots=True)
class ThreadReading:
    """A thread page that was positively seen."""

    external_thread_id: str
    messages: tuple[ThreadMessage, ...]
    lead_name: str | None = None
    lead_external_id: str | None = None
    lead_contact: dict[str, str] = field(default_factory=dict)
    listing_external_id: str | None = None
    thread_label: str | None = None
    property_name: str | None = None
    unit_number: str | None = None
    fingerprint: Fingerprint = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ListingRow:
    """One of our own adverts on a platform's listings page."""

    listing_external_id: str
    status: Literal["active", "inactive"]
    title: str | None = None
    location: str | None = None
    price_text: str | None = None
    href: str | None = None
    header_text: str | None = None
    status_classes: tuple[str, ...] = ()
    property_name: str | None = None
    unit_number: str | None = None


@dataclass(frozen=True, slots=True)
class ListingsReading:
    """All of our adverts; ``complete`` says that paging reached the end."""

    rows: tuple[ListingRow, ...]
    pages_read: int
    complete: bool


@dataclass(frozen=True, slots=True)
class SendRequest:
    """A reply to be typed into one thread."""

    external_thread_id: str
    body: str


@dataclass(frozen=True, slots=True)
class SendBaseline:
    """The thread just before the click: what proof and reconciliation compare with."""

    outbound_count: int
    same_text_count: int
    """Outbound messages whose normalised text already equals the reply."""
    last_external_message_id: str | None


@dataclass(frozen=True, slots=True)
class DeliveryReceipt:
    """Proof of delivery: our text, read back from the thread after the click."""

    external_message_id: str
    channel: str
    provider_status: str
    seen_at: datetime
