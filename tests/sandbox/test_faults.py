"""Faults: each shows as documented, ends when it should, and refuses without storing."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import closing

import httpx2 as httpx
import pytest
from selectolax.lexbor import LexborHTMLParser

from leasebot_pipeline.domain.platforms import Platform
from leasebot_pipeline.sandbox.catalog import SITES
from leasebot_pipeline.sandbox.faults import Fault, Page
from leasebot_pipeline.sandbox.testing import SandboxServer
from leasebot_pipeline.sandbox.world import Lead
from tests.sandbox.conftest import Visit, logged_in, send

EVERY = pytest.mark.parametrize("platform", list(Platform), ids=lambda p: p.value)
CHALLENGE = {
    Platform.SPAREROOM: "[data-cy='bot-check']",
    Platform.ROOMIES: "[data-testid='challenge-page']",
    Platform.LEASEBREAK: "#cf-challenge-running",
    Platform.RENTHOP: "[data-testid='challenge-screen']",
    Platform.FURNISHEDFINDER: "[data-testid='bot-challenge']",
}
CAPTCHA = {
    Platform.SPAREROOM: "iframe[title*='captcha']",
    Platform.ROOMIES: "iframe[src*='recaptcha']",
    Platform.LEASEBREAK: "iframe[src*='hcaptcha']",
    Platform.RENTHOP: "iframe[src*='recaptcha']",
    Platform.FURNISHEDFINDER: "iframe[src*='captcha']",
}
LANDMARKS = {
    Platform.SPAREROOM: ("#thread_list", "#thread_messages", "#my_listings"),
    Platform.ROOMIES: tuple(f"[data-testid='{x}']" for x in ("inbox", "conversation", "my-listings")),
    Platform.LEASEBREAK: ("#inbox", "#conversation", "#my-listings"),
    Platform.RENTHOP: tuple(f"[data-testid='{x}']" for x in ("message-list", "thread", "listing-list")),
    Platform.FURNISHEDFINDER: tuple(
        f"[data-testid='{x}']" for x in ("messaging-inbox", "messaging-thread", "owner-properties")
    ),
}


@pytest.fixture(scope="module")
def shared() -> Iterator[SandboxServer]:
    with SandboxServer() as server:
        yield server


@pytest.fixture
def sandbox(shared: SandboxServer) -> Iterator[SandboxServer]:
    """One sandbox for all tests here: each has its own lead and leaves no fault behind."""
    yield shared
    shared.clear_faults()


def _texts(lead: Lead) -> list[str]:
    return [message.body for message in lead.received]


def _has(html: str, selector: str) -> bool:
    return LexborHTMLParser(html).css_first(selector) is not None


def _pages(platform: Platform, thread_id: str) -> list[str]:
    site = SITES[platform]
    return [site.inbox_path, site.thread_address(thread_id), site.listings_path]


@EVERY
@pytest.mark.parametrize(
    ("fault", "status"), [("rate_limited", 429), ("server_error", 500), ("challenge", 403), ("captcha", 200)]
)
def test_refusals_show_on_every_page_and_store_no_reply(
    sandbox: SandboxServer, visit: Visit, platform: Platform, fault: str, status: int
) -> None:
    lead = sandbox.add_lead(platform, "Hi")
    client = visit(platform)
    sandbox.fault(platform, fault)
    for path in _pages(platform, lead.thread):
        page = client.get(path)
        assert page.status_code == status
        assert not any(_has(page.text, landmark) for landmark in LANDMARKS[platform])
        if fault in ("challenge", "captcha"):
            assert _has(page.text, (CHALLENGE if fault == "challenge" else CAPTCHA)[platform])
    assert send(client, platform, lead.thread, "Hello").status_code == status
    assert _texts(lead) == []
    sandbox.clear_faults()
    assert send(client, platform, lead.thread, "Hello").is_success


@EVERY
def test_an_expired_session_ends_all_sessions_and_a_new_login_works(
    sandbox: SandboxServer, visit: Visit, platform: Platform
) -> None:
    site = SITES[platform]
    one, other = visit(platform), logged_in(sandbox, platform)
    sandbox.fault(platform, Fault.EXPIRED_SESSION, count=1)
    assert one.get(site.inbox_path).url.path == site.login_path
    assert other.get(site.inbox_path).url.path == site.login_path
    other.close()
    with closing(logged_in(sandbox, platform)) as again:
        assert again.get(site.inbox_path).url.path == site.inbox_path


@EVERY
def test_half_pages_and_changed_markup_can_be_told_apart(
    sandbox: SandboxServer, visit: Visit, platform: Platform
) -> None:
    lead = sandbox.add_lead(platform, "Hi, is this still available?")
    client = visit(platform)
    for path, landmark in zip(_pages(platform, lead.thread), LANDMARKS[platform], strict=True):
        whole = client.get(path).text
        assert _has(whole, landmark)
        assert _has(whole, "footer")
        sandbox.fault(platform, Fault.HALF_PAGE, count=1)
        half = client.get(path).text
        assert not _has(half, "footer")
        sandbox.fault(platform, Fault.CHANGED_MARKUP, count=1)
        changed = client.get(path).text
        assert not _has(changed, landmark)
        assert _has(changed, "footer")
        assert client.get(path).text == whole


@EVERY
def test_a_lost_response_stores_the_reply_and_breaks_the_connection(
    sandbox: SandboxServer, visit: Visit, platform: Platform
) -> None:
    lead = sandbox.add_lead(platform, "Hi")
    client = visit(platform)
    sandbox.fault(platform, Fault.LOST_RESPONSE, count=1)
    with pytest.raises(httpx.TransportError):
        send(client, platform, lead.thread, "Did this arrive?")
    assert _texts(lead) == ["Did this arrive?"]
    assert client.get(SITES[platform].inbox_path).status_code == 200


@EVERY
def test_an_invisible_badge_changes_nothing_that_can_be_seen(
    sandbox: SandboxServer, visit: Visit, platform: Platform
) -> None:
    client = visit(platform)
    sandbox.fault(platform, Fault.INVISIBLE_CAPTCHA_BADGE)
    html = client.get(SITES[platform].inbox_path).text
    assert _has(html, LANDMARKS[platform][0])
    assert _has(html, ".grecaptcha-badge " + CAPTCHA[platform])


def test_a_slow_page_takes_its_time_and_others_go_on(sandbox: SandboxServer, visit: Visit) -> None:
    slow, quick = visit(Platform.ROOMIES), visit(Platform.RENTHOP)
    sandbox.fault(Platform.ROOMIES, Fault.SLOW_PAGE, seconds=0.4)
    begin = time.monotonic()
    assert quick.get("/account/messages").status_code == 200
    assert time.monotonic() - begin < 0.4
    assert slow.get("/inbox").status_code == 200
    assert time.monotonic() - begin >= 0.4


def test_a_fault_can_be_limited_to_pages_and_counts(sandbox: SandboxServer, visit: Visit) -> None:
    platform = Platform.LEASEBREAK
    lead = sandbox.add_lead(platform, "Hi")
    client = visit(platform)
    sandbox.fault(platform, Fault.SERVER_ERROR, pages=[Page.THREAD], count=2)
    assert client.get("/messages").status_code == 200
    assert [client.get(f"/messages/{lead.thread}").status_code for _ in range(3)] == [500, 500, 200]
    with pytest.raises(ValueError, match="half_page shows only on"):
        sandbox.fault(platform, Fault.HALF_PAGE, pages=[Page.REPLY])
