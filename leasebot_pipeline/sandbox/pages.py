"""Rendering of the five sites' pages: what a template sees, and how faults damage a page.

Templates escape every text: hostile texts are part of the inquiries.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Final

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup, escape

from leasebot_pipeline.domain.platforms import Platform
from leasebot_pipeline.sandbox import times
from leasebot_pipeline.sandbox.catalog import Site
from leasebot_pipeline.sandbox.identifiers import lead_number, message_id
from leasebot_pipeline.sandbox.portfolio import Advert
from leasebot_pipeline.sandbox.world import Lead, Message

_FOLDER: Final = Path(__file__).parent


@dataclass(frozen=True, slots=True)
class MessageView:
    """A message as templates see it."""

    id: str
    outbound: bool
    body: str
    at: datetime


@dataclass(frozen=True, slots=True)
class ThreadView:
    """A thread as templates see it, oldest message first."""

    id: str
    lead_name: str
    lead_number: str
    advert: Advert | None
    messages: Sequence[MessageView]
    unread: bool

    @property
    def newest(self) -> MessageView:
        return self.messages[-1]

    @property
    def count(self) -> int:
        return len(self.messages)


@dataclass(frozen=True, slots=True)
class Paged:
    """One page of a list, with the addresses of its neighbours."""

    number: int
    pages: int
    total: int
    previous: str | None
    next: str | None
    threads: Sequence[ThreadView] = ()
    adverts: Sequence[Advert] = ()


def thread_view(lead: Lead) -> ThreadView:
    """A lead's thread for the templates."""
    messages = [_message_view(lead.platform, m) for m in list(lead.messages)]
    return ThreadView(
        id=lead.thread,
        lead_name=lead.script.name,
        lead_number=lead_number(lead.number),
        advert=lead.advert,
        messages=messages,
        unread=not lead.newest.outbound and lead.newest.number > lead.seen,
    )


def _message_view(platform: Platform, message: Message) -> MessageView:
    return MessageView(message_id(platform, message.number), message.outbound, message.body, message.at)


def paged(site: Site, path: str, query: Mapping[str, str], total: int, size: int) -> tuple[Paged, slice]:
    """The page a query asks for and the slice of the whole list it shows. Nonsense means the first page."""
    name = site.paging
    raw = query.get(name, "")
    asked = int(raw) if raw.isascii() and raw.isdigit() and len(raw) < 10 else 0
    start = asked if name == "offset" else (max(asked, 1) - 1) * size
    pages = max(-(-total // size), 1)

    def address(first: int) -> str:
        if name == "offset":
            return f"{path}?offset={first}&"
        return f"{path}?page={first // size + 1}"

    page = Paged(
        number=start // size + 1,
        pages=pages,
        total=total,
        previous=address(max(start - size, 0)) if start > 0 else None,
        next=address(start + size) if start + size < total else None,
    )
    return page, slice(start, start + size)


class Renderer:
    """Jinja2 over the sites' templates. ``now`` comes with each call: times read relative to it."""

    def __init__(self) -> None:
        self._environment = Environment(
            loader=FileSystemLoader(_FOLDER / "templates"),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self._environment.filters["preview"] = _preview
        self._environment.filters["breaks"] = _breaks

    def page(self, site: Site, name: str, now: datetime, **context: object) -> str:
        """A page of a site: ``name`` is its template without folder and ending."""
        return self._render(f"{site.platform.value}/{name}.html", site=site, now=now, **context)

    def shared(self, name: str, now: datetime, **context: object) -> str:
        """A page or fragment that all sites share."""
        return self._render(f"shared/{name}.html", now=now, **context)

    def _render(self, template: str, *, now: datetime, **context: object) -> str:
        relative: dict[str, Callable[[datetime], str]] = {
            "spareroom_time": partial(times.spareroom_time, now=now),
            "spareroom_thread_time": partial(times.spareroom_thread_time, now=now),
            "ago": partial(times.ago, now=now),
        }
        return self._environment.get_template(template).render(
            leasebreak_time=times.leasebreak_time,
            furnishedfinder_time=times.furnishedfinder_time,
            iso=times.iso,
            short_day=times.short_day,
            **relative,
            **context,
        )


def _preview(text: str, length: int) -> str:
    """One line, cut as the sites cut it."""
    line = " ".join(text.split())
    return line if len(line) <= length else line[: length - 1].rstrip() + "…"


def _breaks(text: str) -> Markup:
    """Line ends as markup, everything else escaped."""
    return Markup("<br>").join(escape(line) for line in text.split("\n"))


# What a redesign of the site would rename: landmarks, row attributes, bodies. The closing landmark stays,
# so that a changed page is told from a half one.
_RENAMED: Final[Mapping[Platform, Sequence[tuple[str, str]]]] = {
    Platform.SPAREROOM: (
        ("thread_list", "conversations"), ("thread_item", "conversation"), ("data-thread-id", "data-c"),
        ("thread_messages", "entries"), ('id="msg_', 'id="entry_'), ("message_body", "entry_text"),
        ("my_listings", "adverts"), ("listing-result", "advert-row"), ('id="advert-', 'id="row-'),
    ),
    Platform.ROOMIES: (
        ('data-testid="inbox', 'data-qa="threads'), ('href="/inbox/', 'href="/threads/'), ("hover:bg-teal-lightest", "row"),
        ('data-testid="conversation"', 'data-qa="chat"'), ('data-testid="my-listings', 'data-qa="rooms'),
        ("data-listing-id", "data-r"), ('data-testid="listing-card"', 'data-qa="room"'), ('href="/rooms/', 'href="/r/'),
    ),
    Platform.LEASEBREAK: (
        ('id="inbox"', 'id="threads"'), ("message-row", "thread"), ("data-thread-id", "data-t"), ("data-message-id", "data-m"),
        ('id="conversation"', 'id="chat"'), ("message-body", "text"), ('href="/messages/', 'href="/m/'),
        ('id="my-listings"', 'id="homes"'), ("listing-card", "home"), ("data-listing-id", "data-h"),
    ),
    Platform.RENTHOP: (
        ('data-testid="message-', 'data-qa="m-'), ("data-thread-id", "data-t"), ("data-message-id", "data-m"),
        ('data-testid="thread', 'data-qa="t'), ('data-testid="listing-', 'data-qa="l-'), ("data-listing-id", "data-l"),
    ),
    Platform.FURNISHEDFINDER: (
        ('data-testid="messaging-', 'data-qa="m-'), ("thread-row", "row"), ("data-thread-id", "data-t"),
        ('data-testid="thread-', 'data-qa="t-'), ('data-testid="message-', 'data-qa="b-'), ('href="/messaging/thread/', 'href="/t/'),
        ('data-testid="owner-properties', 'data-qa="homes'), ('data-testid="listing-', 'data-qa="l-'), ("data-listing-id", "data-l"),
    ),
}  # fmt: skip


def with_changed_markup(platform: Platform, html: str) -> str:
    """The page after a redesign: tags are renamed, texts between them are untouched."""

    def rename(tag: re.Match[str]) -> str:
        changed = tag.group()
        for old, new in _RENAMED[platform]:
            changed = changed.replace(old, new)
        return changed

    return re.sub(r"<[a-z][^<>]*>", rename, html)


def half_of(html: str) -> str:
    """The page as it stands when the connection of the site's backend breaks in the middle of the list."""
    begin, end = html.index("<main"), html.index("<footer")
    return html[: begin + (end - begin) * 3 // 5]


def with_badge(html: str, badge: str) -> str:
    """The page with an invisible captcha badge at its end."""
    return html.replace("</body>", f"{badge}</body>")
