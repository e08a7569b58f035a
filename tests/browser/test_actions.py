"""All four actions on all five platforms, in real Chromium against the sandbox."""

from __future__ import annotations

import time

import pytest

from leasebot_pipeline.domain.failures import PlatformFailure, SendPhase
from leasebot_pipeline.domain.identity import inbox_row_fingerprint
from leasebot_pipeline.domain.platforms import Platform
from leasebot_pipeline.domain.readings import Direction, InboxRow, SendBaseline, SendRequest
from leasebot_pipeline.platforms.registry import BrowserConnectors
from leasebot_pipeline.sandbox.testing import SandboxServer
from tests.browser.conftest import DEADLINE_S, AccountOf, commit_nothing

each_platform = pytest.mark.parametrize("platform", list(Platform), ids=lambda p: p.value)


def row_of(rows: tuple[InboxRow, ...], thread_id: str) -> InboxRow:
    return next(row for row in rows if row.external_thread_id == thread_id)


@each_platform
def test_a_lead_is_read_answered_and_the_answer_proven(
    platform: Platform, sandbox: SandboxServer, connectors: BrowserConnectors, logged_in: AccountOf
) -> None:
    """Behaviours 99, 100, 113, 120-123: inbox row, thread messages and a proven send on every platform."""
    connector, account = connectors.for_platform(platform), logged_in(platform)
    asked = 'Hi! Is the <b>room</b> free?\nI\'d like to tour — Tuesday 5pm? 😀 "please login" & so on'
    lead = sandbox.add_lead(platform, asked, "And pets?", name="Ana O'Neil")

    row = row_of(connector.read_inbox(account, deadline_s=DEADLINE_S).rows, lead.thread)
    assert (row.preview, row.preview_direction) == ("And pets?", Direction.INBOUND)
    assert row.lead_name == "Ana O'Neil"

    thread = connector.read_thread(account, lead.thread, deadline_s=DEADLINE_S)
    assert [(m.direction, m.body) for m in thread.messages] == [
        (Direction.INBOUND, asked),
        (Direction.INBOUND, "And pets?"),
    ]
    assert thread.lead_name == "Ana O'Neil"
    assert all(m.sent_at is not None and m.sent_at_has_time for m in thread.messages)
    known = (row.listing_external_id, thread.listing_external_id, thread.property_name)
    assert any(known), "nothing tells which listing this is about"

    reply = "Yes, it is free.\n\n- Tue 5:00 pm\n- Wed 6:30 pm\nWhich one?"
    seen: list[SendBaseline] = []
    receipt = connector.send(
        account, SendRequest(lead.thread, reply), before_click=seen.append, deadline_s=DEADLINE_S
    )
    assert seen == [SendBaseline(0, 0, thread.messages[-1].external_message_id)]
    assert [m.body for m in lead.received] == [reply]

    again = connector.read_thread(account, lead.thread, deadline_s=DEADLINE_S)
    assert [m.external_message_id for m in again.messages[:2]] == [
        m.external_message_id for m in thread.messages
    ]
    assert again.messages[2].external_message_id == receipt.external_message_id
    assert (again.messages[2].direction, again.messages[2].body) == (Direction.OUTBOUND, reply)
    after = row_of(connector.read_inbox(account, deadline_s=DEADLINE_S).rows, lead.thread)
    assert after.preview_direction is Direction.OUTBOUND
    assert inbox_row_fingerprint(after) != inbox_row_fingerprint(row)


@each_platform
def test_the_same_text_twice_is_two_messages_with_a_receipt_each(
    platform: Platform, sandbox: SandboxServer, connectors: BrowserConnectors, logged_in: AccountOf
) -> None:
    connector, account = connectors.for_platform(platform), logged_in(platform)
    lead = sandbox.add_lead(platform, "hello?")
    baselines: list[SendBaseline] = []
    receipts = [
        connector.send(
            account, SendRequest(lead.thread, "Thanks!"), before_click=baselines.append, deadline_s=DEADLINE_S
        )
        for _ in range(2)
    ]
    assert [b.same_text_count for b in baselines] == [0, 1]
    assert len({receipt.external_message_id for receipt in receipts}) == 2
    assert [m.body for m in lead.received] == ["Thanks!", "Thanks!"]


@each_platform
def test_own_adverts_are_listed_to_the_end(
    platform: Platform, sandbox: SandboxServer, connectors: BrowserConnectors, logged_in: AccountOf
) -> None:
    """Behaviours 120, 122 and 143, for all five platforms (the earlier system left two as stubs)."""
    reading = connectors.for_platform(platform).list_listings(logged_in(platform), deadline_s=DEADLINE_S)
    assert reading.complete
    assert reading.pages_read > 1
    assert len({row.listing_external_id for row in reading.rows}) == len(reading.rows) > 5
    assert {row.status for row in reading.rows} == {"active", "inactive"}
    assert all(row.title and row.location and row.price_text and row.href for row in reading.rows)
    if platform is Platform.FURNISHEDFINDER:
        assert all(row.property_name and row.unit_number for row in reading.rows)


@each_platform
def test_an_intent_that_cannot_be_committed_means_no_click(
    platform: Platform, sandbox: SandboxServer, connectors: BrowserConnectors, logged_in: AccountOf
) -> None:
    connector, account = connectors.for_platform(platform), logged_in(platform)
    lead = sandbox.add_lead(platform, "hello?")

    def refuse(baseline: SendBaseline) -> None:
        raise PlatformFailure("ACCOUNT_BUSY", "taken over")

    with pytest.raises(PlatformFailure, match="ACCOUNT_BUSY") as caught:
        connector.send(account, SendRequest(lead.thread, "No."), before_click=refuse, deadline_s=DEADLINE_S)
    assert caught.value.phase is SendPhase.BEFORE_CLICK
    connector.read_thread(account, lead.thread, deadline_s=DEADLINE_S)
    assert lead.received == []


@each_platform
def test_an_unknown_thread_is_not_found(
    platform: Platform, sandbox: SandboxServer, connectors: BrowserConnectors, logged_in: AccountOf
) -> None:
    with pytest.raises(PlatformFailure, match="PAGE_NOT_FOUND"):
        connectors.for_platform(platform).read_thread(logged_in(platform), "99999999", deadline_s=DEADLINE_S)


def test_a_thread_id_and_a_text_are_required(connectors: BrowserConnectors, logged_in: AccountOf) -> None:
    connector, account = connectors.for_platform(Platform.RENTHOP), logged_in(Platform.RENTHOP)
    with pytest.raises(PlatformFailure, match="THREAD_ID_REQUIRED"):
        connector.read_thread(account, " ", deadline_s=DEADLINE_S)
    with pytest.raises(PlatformFailure, match="OUTBOUND_THREAD_REQUIRED"):
        connector.send(account, SendRequest("", "x"), before_click=commit_nothing, deadline_s=DEADLINE_S)
    with pytest.raises(PlatformFailure, match="OUTBOUND_BODY_REQUIRED"):
        connector.send(account, SendRequest("1", " \n"), before_click=commit_nothing, deadline_s=DEADLINE_S)


@each_platform
def test_a_long_inbox_is_read_over_several_pages(
    platform: Platform, sandbox: SandboxServer, connectors: BrowserConnectors, logged_in: AccountOf
) -> None:
    leads = [sandbox.add_lead(platform, f"question {n}") for n in range(13)]
    reading = connectors.for_platform(platform).read_inbox(logged_in(platform), deadline_s=DEADLINE_S)
    assert reading.pages_read > 1
    assert [row.sort_rank for row in reading.rows] == list(range(1, len(reading.rows) + 1))
    assert {lead.thread for lead in leads} <= {row.external_thread_id for row in reading.rows}
    assert reading.rows_without_identity == 0


def test_a_warm_inbox_is_read_quickly(
    sandbox: SandboxServer, connectors: BrowserConnectors, logged_in: AccountOf
) -> None:
    connector, account = connectors.for_platform(Platform.SPAREROOM), logged_in(Platform.SPAREROOM)
    reading = connector.read_inbox(account, deadline_s=DEADLINE_S)
    best = min(
        _seconds(lambda: connector.read_inbox(account, deadline_s=DEADLINE_S)) / reading.pages_read
        for _ in range(5)
    )
    assert best < 0.3


def _seconds(work: object) -> float:
    began = time.perf_counter()
    work()  # type: ignore[operator]
    return time.perf_counter() - began
