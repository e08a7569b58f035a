"""How deep an inbox is read: to what is known, further where a reading was cut off. G-50."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from leasebot_pipeline.domain.identity import inbox_row_fingerprint
from leasebot_pipeline.domain.platforms import Platform
from leasebot_pipeline.domain.readings import InboxReading
from leasebot_pipeline.domain.watermark import Watermark
from leasebot_pipeline.platforms.registry import BrowserConnectors
from leasebot_pipeline.sandbox.testing import SandboxServer
from tests.browser.conftest import DEADLINE_S, AccountOf

each_platform = pytest.mark.parametrize("platform", list(Platform), ids=lambda p: p.value)


def known(*readings: InboxReading) -> dict[str, str]:
    return {row.external_thread_id: inbox_row_fingerprint(row) for r in readings for row in r.rows}


@each_platform
def test_a_known_inbox_costs_one_page_and_a_cut_one_is_read_on(
    platform: Platform,
    sandbox: SandboxServer,
    own_connectors: Callable[..., BrowserConnectors],
    logged_in: AccountOf,
) -> None:
    for number in range(33 if platform is Platform.RENTHOP else 13):
        sandbox.add_lead(platform, f"question {number}", age=600)
    account = logged_in(platform)
    whole = own_connectors().for_platform(platform).read_inbox(account, deadline_s=DEADLINE_S)
    assert not whole.truncated
    assert whole.resume_url is None

    short = own_connectors(inbox_page_limit=1).for_platform(platform)
    first = short.read_inbox(account, deadline_s=DEADLINE_S, watermark=Watermark())
    assert first.pages_read == 1
    assert first.truncated
    assert first.resume_url is not None

    # The next one looks at the top, then goes on where the first stopped, and so on to the end.
    readings, resume = [first], first.resume_url
    two = own_connectors(inbox_page_limit=2).for_platform(platform)
    while resume is not None:
        mark = Watermark(known(*readings), resume_url=resume)
        readings.append(two.read_inbox(account, deadline_s=DEADLINE_S, watermark=mark))
        resume = readings[-1].resume_url
        assert len(readings) <= whole.pages_read
    assert set(known(*readings)) == {row.external_thread_id for row in whole.rows}

    # Everything is known now: one page says so. News on it makes the reading go one page deeper.
    again = two.read_inbox(account, deadline_s=DEADLINE_S, watermark=Watermark(known(whole)))
    assert (again.pages_read, again.truncated, again.resume_url) == (1, True, None)
    sandbox.add_lead(platform, "something new")
    news = two.read_inbox(account, deadline_s=DEADLINE_S, watermark=Watermark(known(whole)))
    assert news.pages_read == 2
    assert news.resume_url is None or whole.pages_read > 2


def test_a_resume_address_of_another_site_is_never_opened(
    sandbox: SandboxServer, connectors: BrowserConnectors, logged_in: AccountOf
) -> None:
    connector, account = connectors.for_platform(Platform.LEASEBREAK), logged_in(Platform.LEASEBREAK)
    for number in range(11):
        sandbox.add_lead(Platform.LEASEBREAK, f"question {number}", age=600)
    whole = connector.read_inbox(account, deadline_s=DEADLINE_S)
    mark = Watermark(known(whole), resume_url=sandbox.base_urls[Platform.RENTHOP] + "/account/messages")
    assert connector.read_inbox(account, deadline_s=DEADLINE_S, watermark=mark).pages_read == 1


def test_an_inbox_that_became_shorter_than_the_cut_is_read_to_its_end(
    sandbox: SandboxServer, connectors: BrowserConnectors, logged_in: AccountOf
) -> None:
    connector, account = connectors.for_platform(Platform.LEASEBREAK), logged_in(Platform.LEASEBREAK)
    for number in range(11):
        sandbox.add_lead(Platform.LEASEBREAK, f"question {number}", age=600)
    whole = connector.read_inbox(account, deadline_s=DEADLINE_S)
    beyond = sandbox.base_urls[Platform.LEASEBREAK] + "/gone?page=99"
    reading = connector.read_inbox(
        account, deadline_s=DEADLINE_S, watermark=Watermark(known(whole), resume_url=beyond)
    )
    assert reading.rows
    assert reading.resume_url is None
