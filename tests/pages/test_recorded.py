"""The five sites' recorded pages, whole and damaged: what is read is right, or it is refused and says why.

Behaviours 99, 100, 120, 122, 141 and 142 on pages; G-40, G-42, G-44, G-45, G-74 and G-75.
"""

from __future__ import annotations

from functools import partial

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leasebot_pipeline.domain.failures import PlatformFailure
from leasebot_pipeline.domain.fingerprints import page_change
from leasebot_pipeline.domain.identity import normalise_text
from leasebot_pipeline.domain.platforms import Platform
from leasebot_pipeline.domain.readings import Direction, InboxRow, ListingRow, ThreadMessage, ThreadReading
from leasebot_pipeline.platforms.detection import PageKind, has_login_form, require_page
from leasebot_pipeline.platforms.fingerprint import page_fingerprint
from leasebot_pipeline.platforms.page import Document
from leasebot_pipeline.platforms.parsing_inbox import InboxPage, parse_inbox
from leasebot_pipeline.platforms.parsing_listings import parse_listings
from leasebot_pipeline.platforms.parsing_thread import parse_thread
from leasebot_pipeline.sandbox.pages import with_changed_markup
from tests.pages.damage import (
    ADAPTERS,
    rebuilt,
    recorded,
    reordered,
    repeated,
    snapshot,
    thread_id,
    with_text,
)
from tests.pages.record import ANSWERED, ASKED, FREE_TEXT, NOW

each_platform = pytest.mark.parametrize("platform", list(Platform), ids=lambda p: p.value)
each_kind = pytest.mark.parametrize("kind", list(PageKind), ids=lambda k: k.value)
IN, OUT = Direction.INBOUND, Direction.OUTBOUND

HOSTILE = {
    "script": "<script>alert('x')</script><img src=x onerror=alert(1)> {{ 7*7 }} ${jndi:x} '; DROP TABLE \"Messages\"; --",
    "rtl": "\u202eمرحبا, is it free?\u202c שלום \u2067عربي\u2069",
    "long": "50 kB of words. " * 3200,
    "emoji": "👩‍👩‍👧‍👦 🏳️‍🌈 e\u0301 ﷽ 𝕳𝖊𝖑𝖑𝖔 \u200bzero\u200dwidth",
    "our-reply": ANSWERED,
    "our-markup": (
        '<li class="message message_out" id="msg_1"><dd class="message_body">Sold!</dd></li>'
        '<div data-testid="thread-message" data-author="me" data-direction="outbound" data-message-id="1">Sold!</div>'
    ),
    "site-words": "please login, log in to continue, verifying you are human, ray id, cloudflare, sorry, you have been blocked",
    "you": "You: that was us",
    "lines": "first\n\n\n\nsecond\r\nthird\tend",
}
each_text = pytest.mark.parametrize("text", list(HOSTILE.values()), ids=list(HOSTILE))


def read_inbox(platform: Platform, html: str) -> InboxPage:
    adapter, shot = ADAPTERS[platform], snapshot(platform, PageKind.INBOX, html)
    return parse_inbox(adapter, require_page(adapter, PageKind.INBOX, shot), shot.url, NOW)


def read_thread(platform: Platform, html: str) -> ThreadReading:
    adapter, shot = ADAPTERS[platform], snapshot(platform, PageKind.THREAD, html)
    document = require_page(adapter, PageKind.THREAD, shot)
    return parse_thread(adapter, document, shot.url, thread_id(platform), NOW)


def read_listings(platform: Platform, html: str) -> tuple[ListingRow, ...]:
    adapter, shot = ADAPTERS[platform], snapshot(platform, PageKind.LISTINGS, html)
    return parse_listings(adapter, require_page(adapter, PageKind.LISTINGS, shot), shot.url).rows


def read(
    platform: Platform, kind: PageKind, html: str
) -> tuple[InboxRow, ...] | tuple[ThreadMessage, ...] | tuple[ListingRow, ...]:
    if kind is PageKind.INBOX:
        return read_inbox(platform, html).rows
    return read_thread(platform, html).messages if kind is PageKind.THREAD else read_listings(platform, html)


def rows_of(platform: Platform, kind: PageKind) -> tuple[str, ...]:
    selectors = ADAPTERS[platform].selectors
    return {
        PageKind.INBOX: selectors.message_items,
        PageKind.THREAD: selectors.thread_message_items,
        PageKind.LISTINGS: selectors.listing_items,
    }[kind]


# ---- whole


@each_platform
def test_a_recorded_inbox(platform: Platform) -> None:
    page = read_inbox(platform, recorded(platform, "inbox"))
    assert len(page.rows) == 4
    assert page.rows_without_identity == 0
    first = page.rows[0]
    assert (first.external_thread_id, first.lead_name) == (thread_id(platform), "Ana Placeholder")
    assert (first.preview, first.preview_direction) == (FREE_TEXT, IN)
    assert all(row.sent_at is not None and row.sent_at <= NOW for row in page.rows)
    assert [row.sort_rank for row in page.rows] == [1, 2, 3, 4]


@each_platform
def test_a_recorded_thread(platform: Platform) -> None:
    reading = read_thread(platform, recorded(platform, "thread"))
    said = [(message.direction, message.body) for message in reading.messages]
    assert said == [(IN, ASKED), (OUT, ANSWERED), (IN, "ok"), (IN, "ok"), (IN, FREE_TEXT)]
    assert len({message.external_message_id for message in reading.messages}) == 5
    assert reading.lead_name == "Ana Placeholder"
    assert all(m.sent_at is not None and m.sent_at_has_time for m in reading.messages)
    assert reading.listing_external_id or reading.property_name


@each_platform
def test_recorded_listings(platform: Platform) -> None:
    rows = read_listings(platform, recorded(platform, "listings"))
    assert len(rows) >= 5
    assert len({row.listing_external_id for row in rows}) == len(rows)
    assert all(row.title and row.price_text and row.href for row in rows)


@each_platform
def test_an_empty_inbox_says_so_itself(platform: Platform) -> None:
    html = recorded(platform, "inbox-empty")
    assert read_inbox(platform, html).rows == ()
    adapter = ADAPTERS[platform]
    for marker in adapter.selectors.inbox_empty:
        for node in Document(html).all((marker,)):
            html = html.replace(str(node.html), "")
    with pytest.raises(PlatformFailure, match="MARKUP_DRIFT: the inbox shows neither"):
        read_inbox(platform, html)


@each_platform
@each_kind
def test_a_login_page_is_never_anything_else(platform: Platform, kind: PageKind) -> None:
    html = recorded(platform, "login")
    assert has_login_form(Document(html))
    adapter = ADAPTERS[platform]
    for url in (adapter.login_url, None):
        with pytest.raises(PlatformFailure, match="SESSION_EXPIRED"):
            require_page(adapter, kind, snapshot(platform, kind, html, url=url))


@each_platform
@each_kind
def test_another_kind_of_page_is_not_taken_for_the_one_asked_for(platform: Platform, kind: PageKind) -> None:
    for other in PageKind:
        if other is not kind:
            with pytest.raises(PlatformFailure, match=r"MARKUP_DRIFT|PAGE_NOT_FOUND"):
                read(platform, kind, recorded(platform, other.value))


# ---- truncated


@each_platform
@each_kind
@given(share=st.floats(0, 1))
def test_a_page_that_ends_early_is_refused_or_whole(platform: Platform, kind: PageKind, share: float) -> None:
    """Wherever it ends: never fewer rows than there are, never an empty page that counts."""
    html = recorded(platform, kind.value)
    cut = html[: int(len(html) * share)]
    if Document(cut).has(ADAPTERS[platform].selectors.closing):
        assert read(platform, kind, cut) == read(platform, kind, html)
    else:
        with pytest.raises(PlatformFailure, match=r"PAGE_INCOMPLETE|MARKUP_DRIFT"):
            read(platform, kind, cut)


@each_platform
@given(share=st.floats(0, 1))
def test_a_login_page_that_ends_early_is_no_inbox(platform: Platform, share: float) -> None:
    html = recorded(platform, "login")
    with pytest.raises(PlatformFailure, match=r"SESSION_EXPIRED|PAGE_INCOMPLETE|MARKUP_DRIFT"):
        read_inbox(platform, html[: int(len(html) * share)])


# ---- reordered, repeated


@each_platform
@given(order=st.permutations(range(4)))
def test_rows_in_another_order_are_the_same_threads(platform: Platform, order: list[int]) -> None:
    html = recorded(platform, "inbox")
    rows = read_inbox(platform, html).rows
    shuffled = read_inbox(platform, reordered(html, rows_of(platform, PageKind.INBOX), order)).rows
    assert [row.external_thread_id for row in shuffled] == [rows[n].external_thread_id for n in order]
    assert [row.sort_rank for row in shuffled] == [1, 2, 3, 4]


@each_platform
@given(order=st.permutations(range(6)))
def test_messages_in_another_order_are_the_same_messages(platform: Platform, order: list[int]) -> None:
    html = recorded(platform, "thread")
    rows = rows_of(platform, PageKind.THREAD)
    known = {m.external_message_id: (m.direction, m.body) for m in read_thread(platform, html).messages}
    shuffled = read_thread(platform, reordered(html, rows, order)).messages
    assert {m.external_message_id: (m.direction, m.body) for m in shuffled} == known


@each_platform
def test_rows_that_stand_there_twice_are_one(platform: Platform) -> None:
    for kind in (PageKind.INBOX, PageKind.LISTINGS):
        html = recorded(platform, kind.value)
        twice = read(platform, kind, repeated(html, rows_of(platform, kind)))
        assert twice == read(platform, kind, html)
    if ADAPTERS[platform].message_ids:
        html = recorded(platform, "thread")
        assert (
            read_thread(platform, repeated(html, rows_of(platform, PageKind.THREAD))).messages
            == read_thread(platform, html).messages
        )


# ---- changed markup


@each_platform
@each_kind
def test_a_redesign_is_drift(platform: Platform, kind: PageKind) -> None:
    with pytest.raises(PlatformFailure, match="MARKUP_DRIFT"):
        read(platform, kind, with_changed_markup(platform, recorded(platform, kind.value)))


@each_platform
@each_kind
def test_another_build_of_the_same_page_reads_the_same(platform: Platform, kind: PageKind) -> None:
    html = recorded(platform, kind.value)
    assert read(platform, kind, rebuilt(html)) == read(platform, kind, html)


@each_platform
@each_kind
def test_a_fingerprint_tells_drift_from_emptiness(platform: Platform, kind: PageKind) -> None:
    """What a page without rows lacks is no change; what a page with rows lacks is."""
    adapter, html = ADAPTERS[platform], recorded(platform, kind.value)
    of = partial(page_fingerprint, adapter, kind)
    whole = of(Document(html))
    assert {part for part, position in whole.items() if position is None} <= {"threadLabel"}, whole
    assert not page_change(whole, of(Document(rebuilt(html))))
    assert (
        not page_change(whole, of(Document(recorded(platform, "inbox-empty")))) or kind is not PageKind.INBOX
    )
    assert page_change(whole, of(Document(with_changed_markup(platform, html)))).lost


# ---- hostile texts


@each_platform
@each_text
def test_a_hostile_text_is_a_text_in_the_thread(platform: Platform, text: str) -> None:
    """It is stored as written, changes no neighbour, and is the lead's whatever it looks like."""
    html = recorded(platform, "thread")
    before = read_thread(platform, html)
    after = read_thread(platform, with_text(platform, html, text))
    assert len(after.messages) == len(before.messages)
    assert after.messages[:-1] == before.messages[:-1]
    last = after.messages[-1]
    assert normalise_text(last.body) == normalise_text(text)
    assert last.direction is IN
    assert (after.lead_name, after.listing_external_id) == (before.lead_name, before.listing_external_id)
    ours = [m for m in after.messages if m.direction is OUT and m.body == ANSWERED]
    assert len(ours) == 1


@each_platform
@each_text
def test_a_hostile_text_is_a_preview_in_the_inbox(platform: Platform, text: str) -> None:
    html = recorded(platform, "inbox")
    before = read_inbox(platform, html).rows
    after = read_inbox(platform, with_text(platform, html, " ".join(text.split())[:90])).rows
    assert [row.external_thread_id for row in after] == [row.external_thread_id for row in before]
    assert after[1:] == before[1:]
    assert (after[0].lead_name, after[0].listing_external_id) == (
        before[0].lead_name,
        before[0].listing_external_id,
    )
    if text != HOSTILE["you"]:
        assert normalise_text(after[0].preview or "") == normalise_text(" ".join(text.split())[:90])


@each_platform
@given(text=st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=80))
def test_any_text_comes_back_as_it_was_written(platform: Platform, text: str) -> None:
    html = recorded(platform, "thread")
    reading = read_thread(platform, with_text(platform, html, f"a{text}z"))
    assert normalise_text(reading.messages[-1].body) == normalise_text(f"a{text}z")
