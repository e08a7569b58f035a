"""What page is this? Protection, login, outage, half page, changed markup: each is a class of failure.

A page counts only with positive proof. Texts are looked for outside of what leads wrote, so that a lead
who writes "please login" is no expired session.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from typing import Final
from urllib.parse import urlsplit

from leasebot_pipeline.domain.failures import PlatformFailure
from leasebot_pipeline.platforms.adapter import (
    BLOCK_TEXTS,
    BLOCK_TITLES,
    HARD_BLOCK_TEXTS,
    Adapter,
)
from leasebot_pipeline.platforms.masking import masked_text
from leasebot_pipeline.platforms.page import HIDDEN_ATTRIBUTE, Document, PageSnapshot, one_line

_BLOCK_STATUSES: Final = frozenset({403, 429, 503})
_LOGIN_FORM: Final = (f"form input[type='password']:not([{HIDDEN_ATTRIBUTE}])",)


class PageKind(StrEnum):
    """The pages we read."""

    INBOX = "inbox"
    THREAD = "thread"
    LISTINGS = "listings"


def require_page(adapter: Adapter, kind: PageKind, snapshot: PageSnapshot) -> Document:
    """The parsed page, proven to be of ``kind`` and whole. Raises PlatformFailure otherwise."""
    document = Document(snapshot.html)
    refuse_protection(adapter, snapshot, document)
    refuse_status(snapshot, kind)
    proven, whole = _is_kind(adapter, kind, document), document.has(adapter.selectors.closing)
    if not proven and document.has(_LOGIN_FORM):
        raise PlatformFailure("SESSION_EXPIRED", f"the {kind} answered with a login form")
    if not whole:
        raise PlatformFailure(
            "PAGE_INCOMPLETE", f"the {kind} page ended early: its closing landmark is missing"
        )
    if not proven:
        raise PlatformFailure(
            "MARKUP_DRIFT",
            f"the page loaded but nothing on it proves that it is the {kind} (title: {_title(snapshot)!r})",
        )
    return document


def refuse_protection(adapter: Adapter, snapshot: PageSnapshot, document: Document) -> None:
    """Raise for a challenge, a captcha, a login page or a block page, in that order."""
    refuse_challenge(adapter, document)
    if is_auth_url(adapter, snapshot.url):
        raise PlatformFailure("SESSION_EXPIRED", f"sent to the login page {urlsplit(snapshot.url).path}")
    text = _own_text(adapter, document)
    marker = next((m for m in adapter.auth_text_markers if m in text), None)
    if marker is not None:
        raise PlatformFailure("SESSION_EXPIRED", f"the page says {marker!r}")
    suspicious = snapshot.status in _BLOCK_STATUSES or any(t in snapshot.title.lower() for t in BLOCK_TITLES)
    if suspicious and any(t in text for t in BLOCK_TEXTS):
        if any(t in text for t in HARD_BLOCK_TEXTS):
            raise PlatformFailure("ACCESS_BLOCKED", "the platform blocks us")
        raise PlatformFailure("BOT_CHALLENGE", "the platform checks for robots")


def refuse_challenge(adapter: Adapter, document: Document) -> None:
    """Raise for a challenge or captcha that a person would see."""
    if document.has(_visible(adapter.challenge_selectors)):
        raise PlatformFailure("BOT_CHALLENGE", "the platform shows a challenge page")
    if document.has(_visible(adapter.captcha_selectors)):
        raise PlatformFailure("CAPTCHA_REQUIRED", "the platform asks for a captcha")


def refuse_status(snapshot: PageSnapshot, kind: str) -> None:
    """Raise for an HTTP status that is no page."""
    status = snapshot.status
    if status is None or status < 400:
        return
    detail = f"HTTP {status} for the {kind}"
    if status == 429:
        raise PlatformFailure("RATE_LIMITED", detail)
    if status in (401, 419):
        raise PlatformFailure("SESSION_EXPIRED", detail)
    if status in (404, 410):
        raise PlatformFailure("PAGE_NOT_FOUND", detail)
    if status >= 500:
        raise PlatformFailure("PLATFORM_UNAVAILABLE", detail)
    raise PlatformFailure("PAGE_FORBIDDEN", detail)


def is_auth_url(adapter: Adapter, url: str) -> bool:
    """True when the URL's path is one of the platform's login pages."""
    path = urlsplit(url).path
    return any(part in path for part in adapter.auth_url_parts)


def has_login_form(document: Document) -> bool:
    """True when a password is asked for."""
    return document.has(_LOGIN_FORM)


def _is_kind(adapter: Adapter, kind: PageKind, document: Document) -> bool:
    selectors = adapter.selectors
    if kind is PageKind.INBOX:
        return document.has((*selectors.inbox_landmark, *selectors.inbox_empty))
    if kind is PageKind.THREAD:
        return document.has(selectors.thread_landmark)
    if document.has((*selectors.listings_landmark, *selectors.listings_empty)):
        return True
    if document.has((*selectors.inbox_landmark, *selectors.thread_landmark)):
        return False  # its rows name listings and its menu leads to them, yet it is none
    text = _own_text(adapter, document) if adapter.listings.markers else ""
    return document.has(selectors.listing_items) and any(m in text for m in adapter.listings.markers)


def _own_text(adapter: Adapter, document: Document) -> str:
    """The page's text in lower case without rows, messages and adverts: what the platform itself says."""
    selectors = adapter.selectors
    written = (
        *selectors.message_items,
        *selectors.thread_message_items,
        *selectors.listing_items,
        *selectors.thread_lead_name,
        *selectors.thread_listing_label,
        *selectors.thread_listing_link,
        *selectors.composer,
    )
    return document.text_without(written).lower()


def _visible(selectors: Sequence[str]) -> tuple[str, ...]:
    return tuple(f"{selector}:not([{HIDDEN_ATTRIBUTE}])" for selector in selectors)


def _title(snapshot: PageSnapshot) -> str:
    """The title without the lead's name, which threads have in it: details go to logs and alerts."""
    return masked_text(one_line(snapshot.title)[:80])
