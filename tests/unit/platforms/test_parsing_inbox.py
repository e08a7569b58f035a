"""Inbox rows of the five sites, and rows that can't be trusted. Behaviours 141, 142; G-14, G-44, G-74."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from leasebot_pipeline.domain.failures import PlatformFailure
from leasebot_pipeline.domain.platforms import Platform
from leasebot_pipeline.domain.readings import Direction
from tests.unit.platforms.html import inbox


def utc(*parts: int) -> datetime:
    return datetime(*parts, tzinfo=UTC)  # type: ignore[arg-type]


def test_spareroom_keeps_the_page_order_and_reads_ids_out_of_the_thread_id() -> None:
    rows = inbox(
        Platform.SPAREROOM,
        """
        <a class="thread_item thread_out" href="/roommate/mythreads_beta.pl?thread_id=9_7"
           data-thread-id="9_7" data-message-id="501">
          <span class="name">Ana (3)</span><i class="threadDate">Today 3:05 pm</i>
          <span class="ad-title">Sunny room</span>
          <span class="snippet">See you
             there<script>jQuery(function () {})</script></span></a>
        <a class="thread_item thread_in" href="#" data-thread-id="8_7" data-message-id="500">
          <span class="name">Bo</span><i class="threadDate">11/20/2026</i><span class="snippet">jQuery( or so?</span></a>
        """,
    ).rows
    first, second = rows
    assert (first.external_thread_id, first.sort_rank, first.preview) == ("9_7", 1, "See you there")
    assert (first.lead_external_id, first.listing_external_id) == ("9", "7")
    assert (first.lead_name, first.message_count, first.thread_label) == ("Ana", 3, "Sunny room")
    assert (first.preview_direction, first.last_message_id) == (Direction.OUTBOUND, "501")
    assert first.sent_at == utc(2026, 11, 24, 20, 5)
    assert (second.preview_direction, second.message_count) == (Direction.INBOUND, None)
    assert second.preview == "jQuery( or so?"
    assert second.sent_at == utc(2026, 11, 20, 17, 0)


def roomies_row(preview: str, thread: str = "71001", name: str = "Ana (2)", when: str = "2h ago") -> str:
    name_part = f'<div class="font-semibold text-gray-800">{name}</div>' if name else ""
    when_part = f'<span class="text-xs whitespace-nowrap">{when}</span>' if when else ""
    return (
        f'<a href="/inbox/{thread}" class="flex gap-4 hover:bg-teal-lightest">{name_part}'
        f'<div class="text-gray-700 text-sm truncate">{preview}</div>{when_part}</a>'
    )


def test_roomies_rows() -> None:
    ours, theirs = inbox(
        Platform.ROOMIES,
        roomies_row("You: Tuesday works") + roomies_row("Is it free? 3d ago", "71002", when=""),
    ).rows
    assert (ours.preview, ours.preview_direction) == ("Tuesday works", Direction.OUTBOUND)
    assert (ours.lead_name, ours.message_count) == ("Ana", 2)
    assert (ours.sent_at, ours.sent_at_text) == (utc(2026, 11, 24, 18, 30), "2h ago")
    assert (theirs.preview, theirs.preview_direction) == ("Is it free?", Direction.INBOUND)
    assert theirs.sent_at_text == "3d ago"


@pytest.mark.parametrize("preview", ["unread", "Unread only", ""])
def test_roomies_rows_that_say_nothing_are_no_news(preview: str) -> None:
    rows = inbox(Platform.ROOMIES, roomies_row(preview, name="", when="") + roomies_row("hi", "71002")).rows
    assert [row.external_thread_id for row in rows] == ["71002"]


def test_roomies_never_takes_a_name_out_of_the_text() -> None:
    (row,) = inbox(Platform.ROOMIES, roomies_row("Hi is this still available", name="")).rows
    assert (row.lead_name, row.preview) == (None, "Hi is this still available")


def test_roomies_links_that_lead_to_no_thread_are_no_rows() -> None:
    read = inbox(
        Platform.ROOMIES,
        roomies_row("hi"),
        around='<nav><a href="/inbox">Inbox</a><a href="/inbox/archived">Archived</a></nav>',
    )
    assert [row.external_thread_id for row in read.rows] == ["71001"]
    assert read.rows_without_identity == 0


def test_leasebreak_rows() -> None:
    (row,) = inbox(
        Platform.LEASEBREAK,
        """<div class="message-row outbound" data-thread-id="45" data-message-id="310" data-listing-id="933">
        <a href="/messages/45"><span class="message-name">Ana (4)</span><span class="listing-title">Loft</span>
        <span class="message-preview">OK</span><span class="message-time">Nov 24, 2026 3:05 PM</span></a></div>""",
    ).rows
    assert (row.external_thread_id, row.listing_external_id, row.last_message_id) == ("45", "933", "310")
    assert (row.lead_name, row.message_count, row.thread_label) == ("Ana", 4, "Loft")
    assert (row.preview_direction, row.sent_at) == (Direction.OUTBOUND, utc(2026, 11, 24, 20, 5))


def test_renthop_rows() -> None:
    (row,) = inbox(
        Platform.RENTHOP,
        """<li data-testid="message-item" data-thread-id="rh1" data-message-id="m1" data-lead-name="Ana"
        data-lead-id="20" data-listing-id="60" data-direction="inbound"><a href="/account/messages/rh1">
        <strong data-testid="message-lead-name">A.</strong><span data-testid="message-listing-title">7C</span>
        <span data-testid="message-snippet">Hi</span><time datetime="2026-11-24T20:05:00Z">Nov 24</time></a></li>""",
    ).rows
    assert (row.external_thread_id, row.lead_name, row.lead_external_id) == ("rh1", "Ana", "20")
    assert (row.listing_external_id, row.thread_label, row.preview) == ("60", "7C", "Hi")
    assert (row.preview_direction, row.sent_at) == (Direction.INBOUND, utc(2026, 11, 24, 20, 5))


def test_furnishedfinder_rows_take_the_thread_id_of_their_link() -> None:
    (row,) = inbox(
        Platform.FURNISHEDFINDER,
        """<div class="thread-row" data-author="lead"><a href="/messaging/thread/ab12"><h3 class="thread-name">Ana (1)</h3>
        <div class="thread-title">Mill, unit B</div><div class="thread-preview">Hi</div>
        <div class="thread-date">Nov 24, 2026, 3:05 PM</div></a></div>""",
    ).rows
    assert (row.external_thread_id, row.lead_name, row.thread_label) == ("ab12", "Ana", "Mill, unit B")
    assert (row.preview_direction, row.sent_at) == (Direction.INBOUND, utc(2026, 11, 24, 20, 5))


def test_rows_without_identity_are_counted_never_joined_by_position() -> None:
    anonymous = '<div class="message-row"><span class="message-preview">who am I</span></div>'
    known = '<div class="message-row" data-thread-id="45"><span class="message-preview">hi</span></div>'
    read = inbox(Platform.LEASEBREAK, anonymous + known + anonymous)
    assert [row.external_thread_id for row in read.rows] == ["45"]
    assert (read.rows[0].sort_rank, read.rows_without_identity) == (1, 2)
    with pytest.raises(PlatformFailure, match="MARKUP_DRIFT: none of 1 inbox rows"):
        inbox(Platform.LEASEBREAK, anonymous)


def test_a_thread_is_listed_once_in_page_order() -> None:
    rows = inbox(
        Platform.LEASEBREAK,
        '<a href="/messages/1">by link only</a>'
        '<div data-thread-id="2" data-message-id="5"><a href="/messages/2">both</a></div>'
        '<div data-thread-id="2" data-message-id="6">again</div>',
    ).rows
    assert [(row.external_thread_id, row.sort_rank) for row in rows] == [("1", 1), ("2", 2)]


def test_the_next_page_is_the_one_the_page_links_to() -> None:
    row = '<div class="message-row" data-thread-id="45">hi</div>'
    assert inbox(Platform.LEASEBREAK, row).next_url is None
    more = inbox(Platform.LEASEBREAK, row, around='<a rel="next" href="/messages?page=2">Older</a>')
    assert more.next_url == "https://www.leasebreak.com/messages?page=2"
