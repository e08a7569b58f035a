"""What a poll makes of pages: identity for ever, renewal, drift told from emptiness, depth by what is known."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from leasebot_pipeline.domain.failures import PlatformFailure
from leasebot_pipeline.domain.identity import Unidentified, message_identities
from leasebot_pipeline.domain.readings import Direction, InboxReading, ThreadMessage, ThreadReading
from leasebot_pipeline.domain.watermark import Watermark
from leasebot_pipeline.platforms.mock import MockConnector, MockConnectors, MockInbox
from leasebot_pipeline.platforms.protocol import AccountRef
from leasebot_pipeline.stages.accounts import resume
from leasebot_pipeline.stages.poll import AccountPoll, poll
from leasebot_pipeline.storage import connector_state
from tests.stages.conftest import ACCOUNT, NOON, PLATFORM, Office, OfficeMaker

IN, OUT = Direction.INBOUND, Direction.OUTBOUND


class Site:
    """One platform's pages in memory, and the pipeline that reads them."""

    def __init__(self, make_office: OfficeMaker) -> None:
        self.connectors = MockConnectors(lambda: NOON)
        self.office: Office = make_office(self.connectors)
        self.connector: MockConnector = self.connectors.for_platform(PLATFORM)
        self.inbox: MockInbox = self.connector.inbox(ACCOUNT)

    def shows(self, *messages: ThreadMessage, thread: str = "t") -> None:
        """A thread page as it stands now; a changed page changes its inbox row too."""
        known = self.inbox.threads.pop(thread, ThreadReading(thread, ()))
        self.inbox.threads = {thread: replace(known, messages=messages), **self.inbox.threads}

    def look(self) -> AccountPoll:
        self.office.clock.advance(minutes=1)
        return poll(self.office.pipeline, PLATFORM, "test").accounts[0]

    def messages(self) -> list[tuple[object, ...]]:
        self.office.take_in()
        return [tuple(row) for row in self.office.rows('SELECT body, direction FROM "Messages" ORDER BY seq')]

    def audited(self, action: str) -> list[object]:
        query = 'SELECT details FROM "AuditLogs" WHERE action = :action ORDER BY id'
        return [row[0] for row in self.office.rows(query, action=action)]


@pytest.fixture
def site(make_office: OfficeMaker) -> Site:
    return Site(make_office)


def hashed(*shown: tuple[Direction, str, int]) -> list[ThreadMessage]:
    """A page without ids, as Furnished Finder's."""
    ids = message_identities("t", [Unidentified(d, body, NOON.date()) for d, body, _ in shown])
    return [
        ThreadMessage(i, source, d, body, NOON - timedelta(minutes=60 - minute), f"{minute}", True)
        for (i, source), (d, body, minute) in zip(ids, shown, strict=True)
    ]


def own(message_id: str, body: str, direction: Direction = IN) -> ThreadMessage:
    return ThreadMessage(
        message_id, "platform", direction, body, NOON - timedelta(hours=1), "an hour ago", False
    )


def test_a_thread_read_through_a_moving_window_is_stored_once(site: Site) -> None:
    """Behaviours 107, 141 and 142; G-13, G-14: paging, another form of the times, two equal texts."""
    whole = [(IN, "ok", 1), (IN, "ok", 2), (OUT, "ok", 3), (IN, "hello?", 9), (IN, "ok", 12)]
    site.shows(*hashed(*whole[:3]))
    site.look()
    site.shows(*hashed(*whole[1:4]))
    site.look()
    site.shows(*[replace(m, sent_at_has_time=False, sent_at_text="11/24/2026") for m in hashed(*whole[1:4])])
    site.look()
    site.shows(*hashed(*whole[2:]))
    site.look()
    assert site.messages() == [(body, direction.value) for direction, body, _ in whole]


@pytest.mark.parametrize("ingested_before", [True, False])
def test_an_edited_message_stays_its_row_and_says_what_it_said_before(
    site: Site, ingested_before: bool
) -> None:
    site.shows(own("1", "Tuesday at five?"))
    site.look()
    if ingested_before:
        site.messages()
    site.shows(own("1", "Wednesday at five?"))
    polled = site.look()
    assert polled.landed == 0
    assert site.messages() == [("Wednesday at five?", "inbound")]
    ((metadata,),) = site.office.rows('SELECT metadata FROM "Messages"')
    assert isinstance(metadata, dict)
    said = [edit["body"] for edit in metadata.get("edits", [])]
    assert said == (["Tuesday at five?"] if ingested_before else [])
    assert len(site.audited("inbound_message_edited")) == int(ingested_before)
    site.look()
    assert site.messages() == [("Wednesday at five?", "inbound")]


def test_our_own_words_are_never_edited_by_a_page(site: Site) -> None:
    site.shows(own("1", "hi"), own("2", "Call [link removed]", OUT))
    site.look()
    site.messages()
    site.shows(own("1", "hi"), own("2", "Call …", OUT))
    site.look()
    assert site.messages() == [("hi", "inbound"), ("Call [link removed]", "outbound")]


def test_an_account_goes_on_by_itself_once_its_session_was_renewed(site: Site) -> None:
    """G-39: stopped after one look, no further look, resumed on renewal."""
    site.shows(own("1", "hi"))
    site.look()
    site.inbox.failures.append(PlatformFailure("SESSION_EXPIRED", "sent to the login page"))
    assert site.look().code == "SESSION_EXPIRED"
    for _ in range(2):
        left_alone = site.look()
        assert not left_alone.visited
        assert "leasebot session capture spareroom" in left_alone.summary
    site.inbox.session = "renewed"
    assert site.look().visited
    assert site.look().visited
    (details,) = site.audited("platform_account_resumed")
    assert isinstance(details, dict)
    assert (details["code"], details["cause"]) == ("SESSION_EXPIRED", "session_renewed")


def test_a_renewed_session_that_fails_too_stops_the_account_again(site: Site) -> None:
    for session in ("first", "second"):
        site.inbox.session = session
        site.inbox.failures.append(PlatformFailure("CAPTCHA_REQUIRED", "asks for a captcha"))
        assert site.look().code == "CAPTCHA_REQUIRED"
        assert not site.look().visited


@pytest.mark.parametrize("code", ["ACCESS_BLOCKED", "RPA_PROFILE_LOCKED"])
def test_a_block_does_not_end_with_another_session(site: Site, code: str) -> None:
    site.inbox.failures.append(PlatformFailure(code, "no"))
    site.look()
    site.inbox.session = "renewed"
    assert not site.look().visited
    resume(site.office.pipeline.engine, PLATFORM, actor="test")
    assert site.look().visited


def test_an_inactive_account_is_neither_visited_nor_resumed(site: Site) -> None:
    """G-76."""
    site.inbox.failures.append(PlatformFailure("SESSION_EXPIRED", "expired"))
    site.look()
    site.office.run('UPDATE "PlatformAccounts" SET is_active = false')
    site.inbox.session = "renewed"
    assert not site.look().visited
    assert site.office.rows('SELECT count(*) FROM "AccountRuntime" WHERE stop_code IS NOT NULL') == [(1,)]


def test_an_inbox_that_is_suddenly_empty_is_told_once(site: Site) -> None:
    """G-40: an empty inbox is proven by its own words, and where threads were it is still worth a word."""
    site.shows(own("1", "hi"))
    site.look()
    site.inbox.threads.clear()
    assert "unusual: the inbox says it is empty, it had 1 threads" in site.look().summary
    assert "unusual" not in site.look().summary
    (details,) = site.audited("inbox_unusually_empty")
    assert isinstance(details, dict)
    assert details["rowsBefore"] == 1


class Pages:
    """A connector that answers with prepared inbox readings and notes what it was asked with."""

    def __init__(self, site: Site, *readings: InboxReading) -> None:
        self._mock, self._readings = site.connector, list(readings)
        self.asked: list[Watermark | None] = []
        site.connector.read_inbox = self.read_inbox  # type: ignore[method-assign]

    def read_inbox(
        self, account: AccountRef, *, deadline_s: float, watermark: Watermark | None = None
    ) -> InboxReading:
        self.asked.append(watermark)
        return self._readings.pop(0)


def test_a_part_of_the_page_that_is_found_no_more_is_told_once_and_audited(site: Site) -> None:
    """G-42: drift is told from emptiness."""
    site.shows(own("1", "hi"))
    rows = site.connector.read_inbox(AccountRef(ACCOUNT, PLATFORM, "x"), deadline_s=1).rows
    whole = {"inboxLandmark": 0, "messageBody": 0, "leadName": 0}
    Pages(
        site,
        InboxReading(rows, 1, fingerprint=whole),
        InboxReading((), 1, fingerprint={"inboxLandmark": 0}),
        InboxReading(rows, 1, fingerprint={**whole, "leadName": None, "messageBody": 2}),
        InboxReading(rows, 1, fingerprint={**whole, "leadName": None, "messageBody": 2}),
    )
    told = [site.look().summary for _ in range(4)]
    assert ["looks different" in line for line in told] == [False, False, True, False]
    assert "found no more: leadName; found by another selector: messageBody" in told[2]
    (details,) = site.audited("platform_page_changed")
    assert isinstance(details, dict)
    assert (details["page"], details["lost"], details["moved"]) == ("inbox", ["leadName"], ["messageBody"])


def test_a_reading_that_was_cut_off_goes_on_where_it_stopped(site: Site) -> None:
    """G-50: rows beyond a limit are seen next time."""
    site.shows(own("1", "hi"))
    rows = site.connector.read_inbox(AccountRef(ACCOUNT, PLATFORM, "x"), deadline_s=1).rows
    pages = Pages(
        site,
        InboxReading(rows, 40, truncated=True, resume_url="https://www.spareroom.com/p41"),
        InboxReading(rows, 3, truncated=True),
        InboxReading(rows, 1, truncated=True),
    )
    assert "cut off after 40 pages" in site.look().summary
    assert "cut off" not in site.look().summary
    site.look()
    assert [mark and mark.resume_url for mark in pages.asked] == [None, "https://www.spareroom.com/p41", None]
    first, second = pages.asked[0], pages.asked[1]
    assert first is not None
    assert second is not None
    assert not first.settles(rows)
    assert second.settles(rows)


def test_threads_behind_a_cut_keep_their_order(site: Site) -> None:
    for n in range(4):
        site.shows(own(f"m{n}", "hi"), thread=f"t{n}")
    site.look()
    site.shows(own("m9", "new"), thread="t9")
    everything = site.connector.read_inbox(AccountRef(ACCOUNT, PLATFORM, "x"), deadline_s=1)
    Pages(site, InboxReading(everything.rows[:2], 1, truncated=True))
    site.look()
    ranked = site.office.rows('SELECT external_thread_id FROM "InboxThreads" ORDER BY sort_rank')
    assert [row[0] for row in ranked] == ["t9", "t3", "t2", "t1", "t0"]


def test_the_known_rows_of_an_inbox_are_read_by_its_key(site: Site) -> None:
    with site.office.pipeline.engine.connect() as conn:
        assert connector_state.read_rows(conn, ACCOUNT) == {}
    site.shows(own("1", "hi"))
    site.look()
    with site.office.pipeline.engine.connect() as conn:
        assert set(connector_state.read_rows(conn, ACCOUNT)) == {"t"}


def test_an_outage_is_tried_again_and_three_in_a_row_open_the_circuit(site: Site) -> None:
    """Behaviour 104 (tried again at the next look, no sleeping in between) and 115 (the circuit)."""
    site.shows(own("1", "hi"))
    for _ in range(2):
        site.inbox.failures.append(PlatformFailure("PLATFORM_UNAVAILABLE", "HTTP 503 for the inbox"))
    assert [site.look().code for _ in range(3)] == ["PLATFORM_UNAVAILABLE", "PLATFORM_UNAVAILABLE", None]
    for _ in range(3):
        site.inbox.failures.append(PlatformFailure("PLATFORM_UNAVAILABLE", "HTTP 503 for the inbox"))
        site.office.clock.advance(seconds=-58)  # looks two seconds apart
        assert site.look().visited
    site.office.clock.advance(seconds=-58)
    assert "CIRCUIT_OPEN" in site.look().summary
    assert site.look().visited  # a minute later


def test_a_captcha_is_looked_at_once_however_often_the_sensor_ticks(site: Site) -> None:
    """Behaviour 103, differs on purpose: it was tried again at once; a captcha is for a person, so nobody tries."""
    site.inbox.failures.append(PlatformFailure("CAPTCHA_REQUIRED", "asks for a captcha"))
    assert [site.look().visited for _ in range(5)] == [True, False, False, False, False]
    assert site.office.rows('SELECT count(*) FROM "PlatformRuns"') == [(1,)]


def test_a_message_that_names_our_listing_is_linked_when_it_is_ingested(site: Site) -> None:
    """Behaviour 107; 108 is the same without a hint."""
    site.shows(own("1", "hi"))
    known = site.inbox.threads["t"]
    site.inbox.threads["t"] = replace(known, listing_external_id="L1")
    site.shows(own("1", "hi"), thread="u")
    polled = site.look()
    assert (polled.rows, polled.landed) == (2, 2)
    site.office.take_in()
    rows = site.office.rows(
        'SELECT external_thread_id, listing_id IS NOT NULL FROM "Conversations" ORDER BY 1'
    )
    assert rows == [("t", True), ("u", False)]
    (resolved,) = site.audited("ingest_conversation_linkage_resolved")
    (unresolved,) = site.audited("ingest_conversation_linkage_unresolved")
    assert isinstance(resolved, dict)
    assert isinstance(unresolved, dict)
    assert resolved["linkage"]["strategy"] == "listing_external_id"
    assert resolved["linkage"]["appliedListingId"]
    assert unresolved["linkage"]["strategy"] == "none"
    assert unresolved["linkage"]["appliedListingId"] is None
