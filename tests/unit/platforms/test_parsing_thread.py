"""Thread messages of the five sites: direction, body, identity, facts. G-13, G-15, G-45, G-75."""

from __future__ import annotations

import html
import json
from datetime import UTC, datetime

import pytest

from leasebot_pipeline.domain.failures import PlatformFailure
from leasebot_pipeline.domain.platforms import Platform
from leasebot_pipeline.domain.readings import Direction, ThreadReading
from tests.unit.platforms.html import thread

IN, OUT = Direction.INBOUND, Direction.OUTBOUND


def told(reading: ThreadReading) -> list[tuple[str, Direction, str]]:
    return [(m.external_message_id, m.direction, m.body) for m in reading.messages]


def test_spareroom() -> None:
    reading = thread(
        Platform.SPAREROOM,
        "9_7",
        """<li class="message message_in" id="msg_500"><dl><dt>Ana</dt><dd class="message_date">Yesterday 9:15 am</dd>
        <dd class="message_body">Hi &amp; hello<br>second line</dd></dl></li>
        <li class="message message_out" id="msg_501"><dd class="message_date">nonsense</dd>
        <dd class="message_body">sent right back to yourself</dd></li>""",
    )
    assert told(reading) == [
        ("500", IN, "Hi & hello\nsecond line"),
        ("501", OUT, "sent right back to yourself"),
    ]
    first, second = reading.messages
    assert (first.sent_at, first.sent_at_has_time) == (datetime(2026, 11, 23, 14, 15, tzinfo=UTC), True)
    assert (second.sent_at, second.sent_at_text, second.sent_at_has_time) == (None, "nonsense", False)
    assert (reading.lead_external_id, reading.listing_external_id) == ("9", "7")


def roomies_item(**state: object) -> str:
    return f"<li x-data='messageItem(m)' data-lb-message=\"{html.escape(json.dumps(state))}\">shown</li>"


def test_roomies_reads_the_runtime_state() -> None:
    reading = thread(
        Platform.ROOMIES,
        "71001",
        '<div class="conversation-head"><h2>Ana</h2><a href="/rooms/52">More</a><a href="/rooms/52">Garden room</a></div>'
        + roomies_item(id=None, content="Stay safe", system=True, isSender=False)
        + roomies_item(
            id=5,
            content="Hi <b>there</b>\nbye",
            isSender=False,
            delivered_at="2026-11-24T20:05:00Z",
            created_at="2020-01-01",
        )
        + roomies_item(uuid="u-6", content="OK", isSender=True, created_at="2026-11-24T20:06:00Z")
        + roomies_item(id=None, content="not yet delivered", isSender=True)
        + roomies_item(id=7, content="  ", isSender=False),
    )
    assert told(reading) == [("5", IN, "Hi <b>there</b>\nbye"), ("u-6", OUT, "OK")]
    assert reading.messages[0].sent_at == datetime(2026, 11, 24, 20, 5, tzinfo=UTC)
    assert (reading.lead_name, reading.listing_external_id, reading.thread_label) == (
        "Ana",
        "52",
        "Garden room",
    )


@pytest.mark.parametrize(
    ("state", "told_in"),
    [
        ("[1]", "no object"),
        ("{", "no JSON"),
        ('{"id": 1, "content": "hi"}', "isSender"),
        ('{"content": "hi", "isSender": false}', "carries no id"),
    ],
)
def test_roomies_state_that_cannot_be_read_is_drift(state: str, told_in: str) -> None:
    item = f"<li x-data='messageItem(m)' data-lb-message='{state}'>hi</li>"
    with pytest.raises(PlatformFailure, match=f"MARKUP_DRIFT.*{told_in}"):
        thread(Platform.ROOMIES, "71001", item)


def test_roomies_thread_that_still_loads_is_incomplete() -> None:
    with pytest.raises(PlatformFailure, match="PAGE_INCOMPLETE"):
        thread(Platform.ROOMIES, "71001", "<p data-loading>Loading messages…</p><ul></ul>")


def test_leasebreak_and_its_search_for_the_listing() -> None:
    reading = thread(
        Platform.LEASEBREAK,
        "45",
        """<h1 class="lead-name">Ana</h1><a class="listing-title" href="/listing/93">Loft</a>
        <div class="message inbound" data-message-id="310"><div class="message-body">my own <a href="/listing/1">link</a></div>
        <span class="message-time">Nov 24, 2026 3:05 PM</span></div>
        <div class="message outbound from-me" data-message-id="311" data-direction="outbound">
        <div class="message-body">OK</div></div>
        <form><textarea name="message"></textarea></form>""",
    )
    assert told(reading) == [("310", IN, "my own link"), ("311", OUT, "OK")]
    assert (reading.lead_name, reading.thread_label) == ("Ana", "Loft")
    assert (reading.messages[0].sent_at, reading.messages[1].sent_at) == (
        datetime(2026, 11, 24, 20, 5, tzinfo=UTC),
        None,
    )


def test_renthop_keeps_line_breaks() -> None:
    reading = thread(
        Platform.RENTHOP,
        "rh1",
        """<h1 data-testid="thread-lead-name">Ana</h1><ol>
        <li data-testid="thread-message" data-message-id="m1" data-direction="inbound">
        <p data-testid="message-body">one\ntwo   three\n\n\n\nfour</p><time datetime="2026-11-24T20:05:00Z">Nov 24</time></li></ol>""",
    )
    assert told(reading) == [("m1", IN, "one\ntwo three\n\nfour")]
    assert reading.messages[0].sent_at_has_time


def furnished(*messages: tuple[str, str, str]) -> str:
    return "".join(
        f'<div data-testid="thread-message" data-author="{author}"><div data-testid="message-body">{body}</div>'
        f'<div data-testid="message-time">{when}</div></div>'
        for author, body, when in messages
    )


def test_furnishedfinder_hashes_identities_that_survive_another_rendering() -> None:
    facts = (
        '<h2 data-testid="thread-lead-name">Ana</h2><dd data-testid="thread-property-name">Mill</dd>'
        '<dd data-testid="thread-unit-number">B</dd>'
    )
    first = thread(
        Platform.FURNISHEDFINDER,
        "ab12",
        facts + furnished(("lead", "ok", "Nov 24, 2026, 3:05 PM"), ("lead", "ok", "Nov 24, 2026, 3:06 PM")),
    )
    assert (first.lead_name, first.property_name, first.unit_number) == ("Ana", "Mill", "B")
    assert {m.identity_source for m in first.messages} == {"hash"}
    later = thread(
        Platform.FURNISHEDFINDER,
        "ab12",
        furnished(
            ("lead", " ok ", "Nov 24, 2026"),
            ("lead", "ok\u200b", "Today 3:06 PM"),
            ("me", "ok", "Today 3:07 PM"),
        ),
    )
    ids = [m.external_message_id for m in later.messages]
    assert ids[:2] == [m.external_message_id for m in first.messages]
    assert len(set(ids)) == 3


def test_a_message_of_unknown_author_is_drift_not_a_guess() -> None:
    with pytest.raises(PlatformFailure, match=r"MARKUP_DRIFT.*lead or we"):
        thread(
            Platform.LEASEBREAK, "45", '<div class="message right sent" data-message-id="1"><p>hi</p></div>'
        )


def test_a_message_that_lost_its_id_is_drift_not_a_new_message() -> None:
    with pytest.raises(PlatformFailure, match=r"MARKUP_DRIFT.*carries no id"):
        thread(Platform.LEASEBREAK, "45", '<div class="message inbound"><p>hi</p></div>')


def test_a_message_without_text_is_left_out() -> None:
    reading = thread(
        Platform.LEASEBREAK,
        "45",
        '<div class="message inbound" data-message-id="1"><div class="message-body"><img src="x"></div></div>'
        '<div class="message inbound" data-message-id="2"><div class="message-body">hi</div></div>',
    )
    assert told(reading) == [("2", IN, "hi")]


@pytest.mark.parametrize(
    "url",
    [
        "https://www.leasebreak.com/messages",
        "https://www.leasebreak.com/messages/46",
        "https://www.leasebreak.com/",
    ],
)
def test_another_threads_page_is_refused(url: str) -> None:
    body = '<div class="message inbound" data-message-id="2"><p>hi</p></div>'
    with pytest.raises(PlatformFailure, match="PAGE_NOT_FOUND"):
        thread(Platform.LEASEBREAK, "45", body, url=url)


def test_a_thread_without_messages_has_changed() -> None:
    with pytest.raises(PlatformFailure, match="MARKUP_DRIFT"):
        thread(Platform.RENTHOP, "rh1", "<ol></ol>")


@pytest.mark.parametrize("mark", ["data-status='sending'", "data-state='failed'", "class='is-failed'"])
@pytest.mark.parametrize("platform", list(Platform), ids=lambda p: p.value)
def test_a_reply_the_platform_has_not_taken_is_no_message(platform: Platform, mark: str) -> None:
    """G-41: what the page shows while it sends, or after it failed to, proves nothing."""
    name = "is-failed" if "is-failed" in mark else ""
    mark = mark if not name else ""
    items = {
        Platform.SPAREROOM: '<li class="message message_{d} {n}" id="msg_{i}" {m}><dd class="message_body">Six.</dd></li>',
        Platform.ROOMIES: """<li x-data='messageItem(m)' class="{n}" {m}
            data-lb-message='{{"id": {i}, "content": "Six.", "isSender": {s}}}'>Six.</li>""",
        Platform.LEASEBREAK: '<div class="message {d}bound {n}" data-message-id="{i}" {m}><p>Six.</p></div>',
        Platform.RENTHOP: """<p data-testid="thread-message" data-message-id="{i}" data-direction="{d}bound" class="{n}"
            {m}><span class="message-text">Six.</span></p>""",
        Platform.FURNISHEDFINDER: """<div data-testid="thread-message" data-author="{a}" class="{n}" {m}>
            <div data-testid="message-body">Six.</div></div>""",
    }
    item = items[platform]
    lead = item.format(d="in", i=1, m="", n="", s="false", a="lead")
    ours = item.format(d="out", i=2, m="", n="", s="true", a="me")
    failed = item.format(d="out", i=3, m=mark, n=name, s="true", a="me")
    assert [m.direction for m in thread(platform, "71001", lead + ours + failed).messages] == [IN, OUT]


@pytest.mark.parametrize("status", ["sending", "failed"])
def test_roomies_tells_in_its_state_what_it_has_not_taken(status: str) -> None:
    reading = thread(
        Platform.ROOMIES,
        "71001",
        roomies_item(id=5, content="hi", isSender=False)
        + roomies_item(id=6, content="Six.", isSender=True, status=status)
        + roomies_item(id=7, content="Seven.", isSender=True, status="delivered"),
    )
    assert [m.external_message_id for m in reading.messages] == ["5", "7"]
