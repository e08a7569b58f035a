"""What an adapter is: one platform's URLs, selectors and landmarks as plain data.

Selector lists are tried in order. A landmark proves what a page is; the closing landmark, which stands
at its end, proves that the page is whole.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final, Literal
from urllib.parse import quote, urlencode, urljoin

from leasebot_pipeline.domain.pacing import Pace
from leasebot_pipeline.domain.platforms import Platform

Selectors = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class SelectorSet:
    """CSS selectors by what they find. Override keys are these names in camelCase."""

    # inbox
    inbox_landmark: Selectors
    inbox_empty: Selectors
    message_items: Selectors
    message_body: Selectors = ("[data-role='message-body']", "p", "span")
    message_sent_at: Selectors = ("time[datetime]", "[class*='time' i]", "[class*='date' i]")
    lead_name: Selectors = ("[class*='name' i]", "h3", "h4", "strong")
    thread_label: Selectors = ("[class*='listing' i]", "[class*='title' i]")
    outbound_preview: Selectors = ()
    """A row that matches was last written by us."""
    inbound_preview: Selectors = ()
    next_page: Selectors = ("a[rel='next'][href]", "link[rel='next'][href]")
    # thread
    thread_landmark: Selectors = ()
    thread_message_items: Selectors = ("[data-message-id]", "[data-testid='thread-message']")
    thread_message_body: Selectors = ("[data-testid='message-body']", "[class*='message-body' i]", "p")
    thread_message_sent_at: Selectors = (
        "time[datetime]",
        "[data-testid='message-time']",
        "[class*='time' i]",
        "[class*='date' i]",
    )
    outbound_message: Selectors = ()
    inbound_message: Selectors = ()
    undelivered_message: Selectors = (
        "[data-status='sending']",
        "[data-status='failed']",
        "[data-state='sending']",
        "[data-state='failed']",
        ".is-sending",
        ".is-failed",
        ".not-delivered",
    )
    """Our own text shown before the platform took it, or although it refused it: no message, and no proof."""
    thread_lead_name: Selectors = ()
    thread_listing_label: Selectors = ()
    thread_listing_link: Selectors = ()
    property_name: Selectors = ()
    unit_number: Selectors = ()
    thread_loading: Selectors = ()
    composer: Selectors = ("textarea[name='message']", "textarea")
    submit: Selectors = ("button[type='submit']",)
    # listings
    listings_landmark: Selectors = ()
    listings_empty: Selectors = ()
    listing_items: Selectors = ("[data-listing-id]", "[data-testid='listing-card']")
    listing_title: Selectors = ("[data-testid='listing-title']", ".listing-title", "h2", "h3")
    listing_location: Selectors = (
        "[data-testid='listing-location']",
        ".listing-location",
        "[class*='location' i]",
    )
    listing_price: Selectors = ("[data-testid='listing-price']", ".listing-price", "[class*='price' i]")
    listing_status: Selectors = (
        "[data-testid='listing-status']",
        ".listing-status",
        "[class*='status' i]",
        ".badge",
    )
    listing_link: Selectors = ("a[href]",)
    listing_property: Selectors = ()
    listing_unit: Selectors = ()
    # every page
    closing: Selectors = ("footer", "[role='contentinfo']")
    # login form
    login_id: Selectors = (
        "input[autocomplete='username']",
        "input[type='email']",
        "input[name*='email' i]",
        "input[name*='user' i]",
    )
    login_password: Selectors = ("input[type='password']",)
    login_submit: Selectors = ("button[type='submit']", "input[type='submit']", "button:not([type])")
    login_remember: Selectors = ("input[type='checkbox'][name*='remember' i]",)


@dataclass(frozen=True, slots=True)
class ListingPages:
    """Where our own adverts are and how their pages are numbered.

    ``paths`` are tried in order; a page counts when its landmark or one of the ``markers`` (page text) is
    there. ``style`` "offset" counts adverts from 0 in steps of ``page_size``, "page" counts pages from 1.
    """

    paths: tuple[str, ...]
    style: Literal["offset", "page"] = "page"
    page_size: int = 10
    max_pages: int = 25
    markers: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Adapter:
    """One platform. ``zone`` is the IANA zone its pages show local times in."""

    platform: Platform
    base_url: str
    inbox_path: str
    thread_path: str
    """With ``{id}`` for the URL-encoded thread id."""
    login_path: str
    auth_url_parts: tuple[str, ...]
    auth_text_markers: tuple[str, ...]
    challenge_selectors: Selectors
    captcha_selectors: Selectors
    selectors: SelectorSet
    listings: ListingPages
    pace: Pace
    zone: str = "America/New_York"
    scripted_threads: bool = False
    """True when a script loads the messages into the thread page after it was delivered."""
    message_ids: bool = True
    """False when messages carry no id of the platform and theirs is hashed."""
    thread_ids: str | None = None
    """Pattern a thread id must match; links that do not are no threads (``/inbox/archived``)."""
    listing_link_parts: tuple[str, ...] = field(
        default=(
            "/rooms/",
            "/listings/",
            "/listing/",
            "/for-rent/",
            "/apartment/",
            "/apartments/",
            "/property/",
        )
    )

    @property
    def inbox_url(self) -> str:
        """Absolute URL of the inbox."""
        return self.url(self.inbox_path)

    @property
    def login_url(self) -> str:
        """Absolute URL of the login form."""
        return self.url(self.login_path)

    def thread_url(self, external_thread_id: str) -> str:
        """Absolute URL of a thread."""
        return self.url(self.thread_path.replace("{id}", quote(external_thread_id, safe="")))

    def listings_url(self, path: str, page: int) -> str:
        """Absolute URL of page ``page`` (from 1) of our own adverts."""
        if self.listings.style == "offset":
            return f"{self.url(path)}?{urlencode({'offset': (page - 1) * self.listings.page_size})}&"
        return self.url(path) if page == 1 else f"{self.url(path)}?{urlencode({'page': page})}"

    def url(self, path: str) -> str:
        """A path below the base URL, which may itself have a path."""
        return urljoin(f"{self.base_url.rstrip('/')}/", path.lstrip("/"))


BLOCK_TITLES: Final = (
    "just a moment",
    "attention required",
    "access denied",
    "request blocked",
    "service unavailable",
)
BLOCK_TEXTS: Final = (
    "verifying you are human",
    "needs to review the security of your connection",
    "performance & security by cloudflare",
    "ray id",
    "cloudflare",
)
HARD_BLOCK_TEXTS: Final = ("sorry, you have been blocked", "unable to access")
