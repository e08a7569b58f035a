"""What a site may do to a visitor: each is its own failure, none is an empty inbox, and all pass again."""

from __future__ import annotations

import socket
from collections.abc import Callable

import pytest

from leasebot_pipeline.domain.failures import PlatformFailure, SendPhase
from leasebot_pipeline.domain.platforms import Platform
from leasebot_pipeline.domain.readings import SendRequest
from leasebot_pipeline.platforms.options import PlatformOptions
from leasebot_pipeline.platforms.registry import BrowserConnectors
from leasebot_pipeline.sandbox.faults import Fault, Page
from leasebot_pipeline.sandbox.testing import SandboxServer
from tests.browser.conftest import DEADLINE_S, AccountOf, commit_nothing

each_platform = pytest.mark.parametrize("platform", list(Platform), ids=lambda p: p.value)

CODES = {
    Fault.CHALLENGE: "BOT_CHALLENGE",
    Fault.CAPTCHA: "CAPTCHA_REQUIRED",
    Fault.RATE_LIMITED: "RATE_LIMITED",
    Fault.SERVER_ERROR: "PLATFORM_UNAVAILABLE",
    Fault.HALF_PAGE: "PAGE_INCOMPLETE",
    Fault.CHANGED_MARKUP: "MARKUP_DRIFT",
    Fault.EXPIRED_SESSION: "SESSION_EXPIRED",
}


@each_platform
@pytest.mark.parametrize("fault", list(CODES), ids=lambda f: f.value)
def test_a_fault_is_told_by_its_class_on_every_page(
    platform: Platform,
    fault: Fault,
    sandbox: SandboxServer,
    connectors: BrowserConnectors,
    logged_in: AccountOf,
) -> None:
    """Behaviours 114 and 148."""
    connector, account = connectors.for_platform(platform), logged_in(platform)
    lead = sandbox.add_lead(platform, "hello?")
    actions: tuple[Callable[[], object], ...] = (
        lambda: connector.read_inbox(account, deadline_s=DEADLINE_S),
        lambda: connector.read_thread(account, lead.thread, deadline_s=DEADLINE_S),
        lambda: connector.list_listings(account, deadline_s=DEADLINE_S),
    )
    sandbox.fault(platform, fault)
    for act in actions:
        with pytest.raises(PlatformFailure) as caught:
            act()
        assert caught.value.code == CODES[fault]
    sandbox.clear_faults()
    for act in actions:
        act()


@each_platform
def test_an_invisible_captcha_badge_is_no_captcha(
    platform: Platform, sandbox: SandboxServer, connectors: BrowserConnectors, logged_in: AccountOf
) -> None:
    connector, account = connectors.for_platform(platform), logged_in(platform)
    lead = sandbox.add_lead(platform, "hello?")
    sandbox.fault(platform, Fault.INVISIBLE_CAPTCHA_BADGE)
    assert connector.read_inbox(account, deadline_s=DEADLINE_S).rows
    assert connector.read_thread(account, lead.thread, deadline_s=DEADLINE_S).messages
    assert connector.list_listings(account, deadline_s=DEADLINE_S).rows


@each_platform
def test_a_lost_answer_to_the_click_is_settled_by_reading_the_thread(
    platform: Platform, sandbox: SandboxServer, connectors: BrowserConnectors, logged_in: AccountOf
) -> None:
    connector, account = connectors.for_platform(platform), logged_in(platform)
    lead = sandbox.add_lead(platform, "hello?")
    sandbox.fault(platform, Fault.LOST_RESPONSE)
    receipt = connector.send(
        account, SendRequest(lead.thread, "Come at six."), before_click=commit_nothing, deadline_s=DEADLINE_S
    )
    assert [m.body for m in lead.received] == ["Come at six."]
    thread = connector.read_thread(account, lead.thread, deadline_s=DEADLINE_S)
    assert thread.messages[-1].external_message_id == receipt.external_message_id


@each_platform
def test_whatever_fails_after_the_click_is_unconfirmed(
    platform: Platform, sandbox: SandboxServer, connectors: BrowserConnectors, logged_in: AccountOf
) -> None:
    """The site takes no reply and shows an error: we clicked, so we claim nothing."""
    connector, account = connectors.for_platform(platform), logged_in(platform)
    lead = sandbox.add_lead(platform, "hello?")

    def site_fails(baseline: object) -> None:
        sandbox.fault(platform, Fault.SERVER_ERROR)

    with pytest.raises(PlatformFailure) as caught:
        connector.send(
            account, SendRequest(lead.thread, "Come at six."), before_click=site_fails, deadline_s=DEADLINE_S
        )
    assert (caught.value.code, caught.value.phase) == ("OUTBOUND_DELIVERY_UNCONFIRMED", SendPhase.AFTER_CLICK)
    sandbox.clear_faults()
    assert lead.received == []
    assert len(connector.read_thread(account, lead.thread, deadline_s=DEADLINE_S).messages) == 1


@each_platform
@pytest.mark.parametrize("other", ["Come at six", "Come at six. Bring your papers.", "come at six."])
def test_a_look_alike_is_no_proof(
    platform: Platform,
    other: str,
    sandbox: SandboxServer,
    connectors: BrowserConnectors,
    logged_in: AccountOf,
) -> None:
    """A colleague writes something similar by hand while the site refuses ours."""
    connector, account = connectors.for_platform(platform), logged_in(platform)
    lead = sandbox.add_lead(platform, "hello?")

    def colleague_is_quicker(baseline: object) -> None:
        sandbox.fault(platform, Fault.SERVER_ERROR, pages=[Page.REPLY])
        sandbox.reply(platform, lead.thread, other)

    with pytest.raises(PlatformFailure, match="OUTBOUND_DELIVERY_UNCONFIRMED"):
        connector.send(
            account,
            SendRequest(lead.thread, "Come at six."),
            before_click=colleague_is_quicker,
            deadline_s=DEADLINE_S,
        )
    assert [m.body for m in lead.received] == [other]


@each_platform
def test_our_words_in_the_leads_mouth_are_no_proof(
    platform: Platform, sandbox: SandboxServer, connectors: BrowserConnectors, logged_in: AccountOf
) -> None:
    """G-41: the lead writes exactly our text, after the baseline was taken, while the site refuses ours."""
    connector, account = connectors.for_platform(platform), logged_in(platform)
    lead = sandbox.add_lead(
        platform, "Come at six.", nudges=["Come at six.", "Come at six."], patience=20, max_turns=2
    )

    def the_lead_echoes(baseline: object) -> None:
        sandbox.fault(platform, Fault.SERVER_ERROR, pages=[Page.REPLY])
        sandbox.until(lambda: len(lead.messages) == 3)

    with pytest.raises(PlatformFailure, match="OUTBOUND_DELIVERY_UNCONFIRMED"):
        connector.send(
            account,
            SendRequest(lead.thread, "Come at six."),
            before_click=the_lead_echoes,
            deadline_s=DEADLINE_S,
        )
    assert lead.received == []


@each_platform
def test_a_reply_that_does_not_show_in_time_is_unknown_never_sent(
    platform: Platform,
    sandbox: SandboxServer,
    own_connectors: Callable[..., BrowserConnectors],
    logged_in: AccountOf,
) -> None:
    """G-41: the site is slow to take it; whether it does, the thread tells later."""
    connector, account = own_connectors(proof_timeout_s=0.4).for_platform(platform), logged_in(platform)
    lead = sandbox.add_lead(platform, "hello?")
    sandbox.fault(platform, Fault.SLOW_PAGE, pages=[Page.REPLY], seconds=4)
    with pytest.raises(PlatformFailure) as caught:
        connector.send(
            account,
            SendRequest(lead.thread, "Come at six."),
            before_click=commit_nothing,
            deadline_s=DEADLINE_S,
        )
    assert (caught.value.code, caught.value.phase) == ("OUTBOUND_DELIVERY_UNCONFIRMED", SendPhase.AFTER_CLICK)
    sandbox.clear_faults()
    connector.read_thread(account, lead.thread, deadline_s=DEADLINE_S)
    assert len(lead.received) <= 1


def test_a_reply_refused_by_the_site_is_unconfirmed_not_sent(
    sandbox: SandboxServer, connectors: BrowserConnectors, logged_in: AccountOf
) -> None:
    connector, account = connectors.for_platform(Platform.LEASEBREAK), logged_in(Platform.LEASEBREAK)
    lead = sandbox.add_lead(Platform.LEASEBREAK, "hello?")
    with pytest.raises(PlatformFailure, match="OUTBOUND_DELIVERY_UNCONFIRMED"):
        connector.send(
            account, SendRequest(lead.thread, "x" * 9000), before_click=commit_nothing, deadline_s=DEADLINE_S
        )
    assert lead.received == []


def test_a_fault_before_the_click_may_be_retried(
    sandbox: SandboxServer, connectors: BrowserConnectors, logged_in: AccountOf
) -> None:
    connector, account = connectors.for_platform(Platform.ROOMIES), logged_in(Platform.ROOMIES)
    lead = sandbox.add_lead(Platform.ROOMIES, "hello?")
    sandbox.fault(Platform.ROOMIES, Fault.SERVER_ERROR, pages=[Page.THREAD], count=1)
    request = SendRequest(lead.thread, "Come at six.")
    with pytest.raises(PlatformFailure, match="PLATFORM_UNAVAILABLE") as caught:
        connector.send(account, request, before_click=commit_nothing, deadline_s=DEADLINE_S)
    assert caught.value.phase is SendPhase.BEFORE_CLICK
    connector.send(account, request, before_click=commit_nothing, deadline_s=DEADLINE_S)
    assert [m.body for m in lead.received] == ["Come at six."]


def test_the_deadline_ends_a_slow_page_and_the_next_visit_works(
    sandbox: SandboxServer, connectors: BrowserConnectors, logged_in: AccountOf
) -> None:
    connector, account = connectors.for_platform(Platform.RENTHOP), logged_in(Platform.RENTHOP)
    connector.read_inbox(account, deadline_s=DEADLINE_S)
    sandbox.fault(Platform.RENTHOP, Fault.SLOW_PAGE, seconds=6.0)
    with pytest.raises(PlatformFailure, match="DEADLINE_EXCEEDED"):
        connector.read_inbox(account, deadline_s=0.7)
    sandbox.clear_faults()
    connector.read_inbox(account, deadline_s=DEADLINE_S)


def test_a_slow_page_within_the_deadline_is_a_page_timeout(
    sandbox: SandboxServer, own_connectors: Callable[..., BrowserConnectors], fresh_account: AccountOf
) -> None:
    """G-73: the commonest failure has a class that is retried."""
    connector = own_connectors(navigation_timeout_s=0.7).for_platform(Platform.RENTHOP)
    account = fresh_account(Platform.RENTHOP)
    connector.read_inbox(account, deadline_s=DEADLINE_S)
    sandbox.fault(Platform.RENTHOP, Fault.SLOW_PAGE, seconds=3.0)
    with pytest.raises(PlatformFailure, match="PAGE_TIMEOUT"):
        connector.read_inbox(account, deadline_s=DEADLINE_S)


def test_a_site_that_cannot_be_reached_is_a_network_error(
    own_connectors: Callable[..., BrowserConnectors], fresh_account: AccountOf
) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{closed.getsockname()[1]}"
    connectors = own_connectors(platforms={Platform.SPAREROOM: PlatformOptions(base_url=url)})
    with pytest.raises(PlatformFailure, match="NETWORK_ERROR: opening the inbox: ERR_CONNECTION_REFUSED"):
        connectors.for_platform(Platform.SPAREROOM).read_inbox(
            fresh_account(Platform.SPAREROOM), deadline_s=DEADLINE_S
        )
