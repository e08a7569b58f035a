"""The five sites over HTTP: login, inbox order and paging, replies, adverts, texts of strangers."""

from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor

import httpx2 as httpx
import pytest
from selectolax.lexbor import LexborHTMLParser

from leasebot_pipeline.domain.platforms import Platform
from leasebot_pipeline.sandbox.catalog import SITES
from leasebot_pipeline.sandbox.testing import SandboxServer
from tests.sandbox.conftest import Visit, send

EVERY = pytest.mark.parametrize("platform", list(Platform), ids=lambda p: p.value)
ROWS = {
    Platform.SPAREROOM: "a.thread_item[data-thread-id][data-message-id]",
    Platform.ROOMIES: "a[href*='/inbox/'][class*='hover:bg-teal-lightest']",
    Platform.LEASEBREAK: "[data-thread-id][data-message-id]",
    Platform.RENTHOP: "[data-thread-id][data-message-id]",
    Platform.FURNISHEDFINDER: ".thread-row",
}
ADVERTS = dict.fromkeys(Platform, "[data-listing-id]") | {
    Platform.SPAREROOM: "li.listing-result[id^='advert-']"
}
EMPTY = {
    Platform.SPAREROOM: "#thread_list .thread_list_empty",
    Platform.ROOMIES: "[data-testid='inbox'] [data-testid='inbox-empty']",
    Platform.LEASEBREAK: "#inbox .messages-empty",
    Platform.RENTHOP: "[data-testid='message-list'] [data-testid='message-list-empty']",
    Platform.FURNISHEDFINDER: "[data-testid='messaging-inbox'] [data-testid='messaging-inbox-empty']",
}


def _count(html: str, selector: str) -> int:
    return len(LexborHTMLParser(html).css(selector))


def _threads(platform: Platform, html: str) -> list[str]:
    links = [
        node.attributes.get("href") or (node.css_first("a") or node).attributes.get("href") or ""
        for node in LexborHTMLParser(html).css(ROWS[platform])
    ]
    return [re.split(r"[/=]", link)[-1] for link in links]


def _all_threads(client: httpx.Client, platform: Platform) -> list[str]:
    address: str | None = SITES[platform].inbox_path
    found: list[str] = []
    while address:
        html = client.get(address).text
        found += _threads(platform, html)
        link = LexborHTMLParser(html).css_first("a[rel=next]")
        address = link.attributes.get("href") if link is not None else None
    return found


@EVERY
def test_a_stranger_is_sent_to_the_login_page_and_back_after_it(
    sandbox: SandboxServer, platform: Platform
) -> None:
    site = SITES[platform]
    with httpx.Client(base_url=sandbox.base_urls[platform], follow_redirects=True) as client:
        page = client.get(site.listings_path)
        assert page.url.path == site.login_path
        assert _count(page.text, "input[type=password]") == 1
        wrong = {site.user_field: "agent@sandbox.test", site.password_field: "guess", "next": ""}
        refused = client.post(site.login_path, data=wrong)
        assert refused.status_code == 401
        assert _count(refused.text, "[role=alert]") == 1
        hidden = LexborHTMLParser(page.text).css_first("input[name=next]")
        assert hidden is not None
        right = {**wrong, site.password_field: "sandbox-password", "next": hidden.attributes["value"] or ""}
        assert client.post(site.login_path, data=right).url.path == site.listings_path


@EVERY
def test_login_leads_nowhere_outside_the_site(sandbox: SandboxServer, platform: Platform) -> None:
    site = SITES[platform]
    form = {site.user_field: "agent@sandbox.test", site.password_field: "sandbox-password"}
    with httpx.Client(base_url=sandbox.base_urls[platform]) as client:
        for target in ("https://example.net/", "//example.net/", "/\\example.net"):
            answer = client.post(site.login_path, data={**form, "next": target})
            assert answer.headers["location"] == site.inbox_path


@EVERY
def test_an_empty_inbox_says_so(visit: Visit, platform: Platform) -> None:
    html = visit(platform).get(SITES[platform].inbox_path).text
    assert _count(html, EMPTY[platform]) == 1
    assert _count(html, ROWS[platform]) == 0
    assert _count(html, "footer") == 1


@EVERY
def test_every_thread_is_on_exactly_one_inbox_page_in_the_platform_s_order(
    sandbox: SandboxServer, visit: Visit, platform: Platform
) -> None:
    leads = [sandbox.add_lead(platform, f"Message {n}") for n in range(23)]
    sandbox.reply(platform, leads[2].thread, "Our answer")
    client = visit(platform)
    found = _all_threads(client, platform)
    assert sorted(found) == sorted(lead.thread for lead in leads)
    newest_first = [lead.thread for lead in reversed(leads)]
    if platform is Platform.SPAREROOM:  # ordered by the newest inbound message: our answer moves nothing
        assert found == newest_first
    else:
        assert found == [leads[2].thread, *[t for t in newest_first if t != leads[2].thread]]


@EVERY
def test_a_page_beyond_the_end_is_an_empty_list_not_an_error(
    sandbox: SandboxServer, visit: Visit, platform: Platform
) -> None:
    sandbox.add_lead(platform, "Hi")
    client, site = visit(platform), SITES[platform]
    for path in (site.inbox_path, site.listings_path):
        for value in ("90", "-1", "x", "9" * 30):
            answer = client.get(path, params={site.paging: value})
            assert answer.status_code == 200
            assert _count(answer.text, "footer") == 1


@EVERY
def test_a_reply_is_stored_once_per_post_and_shown_in_the_thread(
    sandbox: SandboxServer, visit: Visit, platform: Platform
) -> None:
    lead = sandbox.add_lead(platform, "Is it available?")
    client = visit(platform)
    text = 'Two lines & "quotes":\n- <b>one</b>'
    for _ in range(2):
        assert send(client, platform, lead.thread, text.replace("\n", "\r\n")).is_success
    assert sandbox.received(platform) == [text, text]
    if platform is Platform.ROOMIES:
        entries = client.get(f"/inbox/{lead.thread}/entries").json()
        shown = [entry["content"] for entry in entries if entry["isSender"]]
    else:
        page = client.get(SITES[platform].thread_address(lead.thread)).text
        shown = re.findall(r"Two lines &amp; &#34;quotes&#34;:(?:<br>|\n)- &lt;b&gt;one&lt;/b&gt;", page)
    assert len(shown) == 2


@EVERY
def test_an_empty_or_misdirected_reply_is_refused_and_not_stored(
    sandbox: SandboxServer, visit: Visit, platform: Platform
) -> None:
    lead = sandbox.add_lead(platform, "Is it available?")
    client = visit(platform)
    assert send(client, platform, lead.thread, "  \n ").status_code == 422
    assert send(client, platform, lead.thread, "x" * 8001).status_code == 422
    assert send(client, platform, "12345_678", "Hello").status_code == 404
    assert sandbox.received() == []


@EVERY
def test_hostile_texts_stay_texts(sandbox: SandboxServer, visit: Visit, platform: Platform) -> None:
    text = "</li></div><script>alert(1)</script>{{ site }}<footer>\u202e end"
    name = '"><img src=x onerror=alert(1)>'
    lead = sandbox.add_lead(platform, text, name=name)
    client = visit(platform)
    for path in (SITES[platform].inbox_path, SITES[platform].thread_address(lead.thread)):
        html = client.get(path).text
        assert "<script>alert" not in html
        assert "<img" not in html
        assert _count(html, "footer") == 1


@EVERY
def test_our_adverts_are_paged_and_a_published_one_appears(
    sandbox: SandboxServer, visit: Visit, platform: Platform
) -> None:
    client, site = visit(platform), SITES[platform]

    def listed() -> int:
        pages = range(0, 40, 10) if site.paging == "offset" else range(1, 6)
        texts = [client.get(site.listings_path, params={site.paging: n}).text for n in pages]
        return sum(_count(text, ADVERTS[platform]) for text in texts)

    before = listed()
    assert before >= 7
    sandbox.publish_unit("tannery-6")
    assert listed() == before + 1


@EVERY
def test_the_thread_page_names_lead_and_advert(
    sandbox: SandboxServer, visit: Visit, platform: Platform
) -> None:
    lead = sandbox.add_lead(platform, "Hi", name="Ines Vidal")
    assert lead.advert is not None
    html = visit(platform).get(SITES[platform].thread_address(lead.thread)).text
    assert "Ines Vidal" in html
    fact = lead.advert.property_name if platform is Platform.FURNISHEDFINDER else lead.advert.external_id
    assert fact in html


def test_many_visitors_at_once_lose_and_double_nothing(sandbox: SandboxServer, visit: Visit) -> None:
    platform = Platform.RENTHOP
    leads = [sandbox.add_lead(platform, "Hi") for _ in range(4)]
    client = visit(platform)
    texts = [f"Answer {n}" for n in range(80)]
    with ThreadPoolExecutor(8) as pool:
        jobs = [pool.submit(send, client, platform, leads[n % 4].thread, t) for n, t in enumerate(texts)]
        assert all(job.result().status_code == 200 for job in jobs)
    assert sorted(sandbox.received()) == sorted(texts)
    numbers = [message.number for lead in leads for message in lead.messages]
    assert len(set(numbers)) == len(numbers) == 84


def test_a_message_id_never_changes_and_is_never_given_twice(sandbox: SandboxServer, visit: Visit) -> None:
    lead = sandbox.add_lead(Platform.LEASEBREAK, "Hi", "Hi", "Hi")
    client, address = visit(Platform.LEASEBREAK), SITES[Platform.LEASEBREAK].thread_address(lead.thread)
    found = [re.findall(r'data-message-id="(\d+)"', client.get(address).text) for _ in range(2)]
    assert found[0] == found[1]
    assert len(set(found[0])) == 3
