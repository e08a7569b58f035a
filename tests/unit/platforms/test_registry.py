"""Building connectors: which runtime may be used, what overrides change, and the mock."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

import pytest

from leasebot_pipeline.domain.failures import PlatformFailure
from leasebot_pipeline.domain.pacing import Pace
from leasebot_pipeline.domain.platforms import Platform
from leasebot_pipeline.domain.readings import Direction, SendRequest
from leasebot_pipeline.platforms.mock import MockConnectors
from leasebot_pipeline.platforms.options import PlatformOptions, RuntimeOptions
from leasebot_pipeline.platforms.overrides import OverrideError, adapters
from leasebot_pipeline.platforms.page import is_selector
from leasebot_pipeline.platforms.protocol import AccountRef
from leasebot_pipeline.platforms.registry import (
    SUPPORTED_PLATFORMS,
    BrowserConnectors,
    build_connectors,
    paces,
)

NOW = datetime(2026, 11, 24, tzinfo=UTC)


def clock() -> datetime:
    return NOW


def options(**changes: object) -> RuntimeOptions:
    return RuntimeOptions(data_dir=Path("unused"), environ={}, **changes)  # type: ignore[arg-type]


def test_production_refuses_the_mock() -> None:
    """Behaviour 118."""
    with pytest.raises(PlatformFailure, match="MOCK_RUNTIME_FORBIDDEN"):
        build_connectors(options(runtime="mock"), clock, production=True)


def test_production_takes_the_browser_and_starts_none_yet() -> None:
    """Behaviour 119."""
    connectors = build_connectors(options(runtime="playwright"), clock, production=True)
    assert isinstance(connectors, BrowserConnectors)
    assert [connectors.for_platform(p).platform for p in Platform] == list(SUPPORTED_PLATFORMS)
    connectors.close()


def test_every_platform_has_https_addresses_and_valid_selectors() -> None:
    """Behaviour 112."""
    for adapter in adapters(options()).values():
        assert adapter.inbox_url.startswith("https://")
        assert adapter.thread_url("a/b ?").endswith("a%2Fb%20%3F")
        assert adapter.login_url.startswith("https://")
        for selectors in vars_of(adapter.selectors):
            assert all(is_selector(selector) for selector in selectors)
        assert adapter.selectors.composer
        assert adapter.selectors.submit


def vars_of(selectors: object) -> list[tuple[str, ...]]:
    return [getattr(selectors, name) for name in type(selectors).__slots__]  # type: ignore[attr-defined]


def test_addresses_of_the_contract() -> None:
    found = adapters(options())
    assert found[Platform.SPAREROOM].thread_url("1_2") == (
        "https://www.spareroom.com/roommate/mythreads_beta.pl?thread_id=1_2"
    )
    assert found[Platform.SPAREROOM].listings_url("/roommate/mylistings.pl", 3) == (
        "https://www.spareroom.com/roommate/mylistings.pl?offset=20&"
    )
    assert found[Platform.ROOMIES].listings_url("/my-listings", 1) == "https://www.roomies.com/my-listings"
    assert (
        found[Platform.ROOMIES].listings_url("/my-listings", 2)
        == "https://www.roomies.com/my-listings?page=2"
    )


def test_overrides_merge_selectors_key_by_key_and_replace_the_rest() -> None:
    overrides = {
        "renthop": {
            "selectors": {"messageBody": [".new"]},
            "inboxPath": "/inbox2",
            "minIntervalMs": 5000,
            "zone": "America/Chicago",
        }
    }
    changed = options(
        adapter_overrides=overrides,
        platforms={Platform.RENTHOP: PlatformOptions(base_url="http://127.0.0.1:4104/sub/")},
    )
    before, after = adapters(options())[Platform.RENTHOP], adapters(changed)[Platform.RENTHOP]
    assert after.selectors.message_body == (".new",)
    assert after.selectors.message_items == before.selectors.message_items
    assert after.inbox_url == "http://127.0.0.1:4104/sub/inbox2"
    assert after.zone == "America/Chicago"
    assert paces(changed)[Platform.RENTHOP] == Pace(5000, 250)
    assert paces(changed)[Platform.ROOMIES] == Pace(1250, 300)


@pytest.mark.parametrize(
    ("overrides", "told"),
    [
        ({"craigslist": {}}, "unknown platform: craigslist"),
        ({"renthop": {"inboxUrl": "/x"}}, "renthop: inboxUrl"),
        ({"renthop": {"selectors": {"nope": [".a"]}}}, r"selectors\.nope"),
        ({"renthop": {"selectors": {"composer": ["[["]}}}, "not a CSS selector"),
        ({"renthop": {"threadPath": "/t/"}}, "threadPath"),
        ({"renthop": {"baseUrl": "ftp://x"}}, "http or https"),
        ({"renthop": {"zone": "Mars/Olympus"}}, "IANA"),
        ({"renthop": {"minIntervalMs": -1}}, "minIntervalMs"),
    ],
)
def test_an_override_that_cannot_be_used_names_platform_field_and_rule(
    overrides: dict[str, dict[str, object]], told: str
) -> None:
    with pytest.raises(OverrideError, match=told):
        adapters(options(adapter_overrides=overrides))


def test_the_mock_plays_an_inbox_in_memory() -> None:
    connectors = build_connectors(options(runtime="mock"), clock, production=False)
    assert isinstance(connectors, MockConnectors)
    connector = connectors.for_platform(Platform.ROOMIES)
    account = AccountRef(uuid4(), Platform.ROOMIES, "rm")
    assert connector.read_inbox(account, deadline_s=1).rows == ()
    inbox = connector.inbox(account.id)
    inbox.write("t1", "Is it free?", clock, lead_name="Ana", listing_external_id="5")
    inbox.write("t2", "Hello", clock)
    assert [row.external_thread_id for row in connector.read_inbox(account, deadline_s=1).rows] == [
        "t2",
        "t1",
    ]
    receipt = connector.send(account, SendRequest("t1", "Yes"), before_click=lambda _: None, deadline_s=1)
    thread = connector.read_thread(account, "t1", deadline_s=1)
    assert (thread.lead_name, thread.listing_external_id) == ("Ana", "5")
    assert thread.messages[-1].external_message_id == receipt.external_message_id
    assert thread.messages[-1].direction is Direction.OUTBOUND
    inbox.failures.append(PlatformFailure("RATE_LIMITED", "slow down"))
    with pytest.raises(PlatformFailure, match="RATE_LIMITED"):
        connector.read_inbox(account, deadline_s=1)
    with pytest.raises(PlatformFailure, match="PAGE_NOT_FOUND"):
        connector.read_thread(account, "t9", deadline_s=1)
    with pytest.raises(PlatformFailure, match="UNSUPPORTED_PLATFORM"):
        connector.read_inbox(AccountRef(uuid4(), Platform.RENTHOP, "x"), deadline_s=1)
