"""The runtime survives its browser: killed, it is started anew; used from many threads, it stays in order."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Event

import pytest

from leasebot_pipeline.domain.failures import FailureClass, PlatformFailure
from leasebot_pipeline.domain.platforms import Platform
from leasebot_pipeline.domain.readings import SendRequest
from leasebot_pipeline.platforms.browser import BrowserRuntime
from leasebot_pipeline.platforms.options import RuntimeOptions
from leasebot_pipeline.platforms.registry import BrowserConnectors
from leasebot_pipeline.sandbox.testing import SandboxServer
from tests.browser.conftest import DEADLINE_S, AccountOf, commit_nothing


def _children(pid: int) -> list[int]:
    listed = subprocess.run(
        ["ps", "-o", "pid=", "--ppid", str(pid)], capture_output=True, text=True, check=False
    )
    return [int(line) for line in listed.stdout.split()]


def _command(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_text().replace("\0", " ")
    except FileNotFoundError:
        return ""


def _drivers() -> set[int]:
    return {pid for pid in _children(os.getpid()) if "playwright" in _command(pid)}


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="finds processes through /proc")
@pytest.mark.parametrize("what", ["browser", "driver"])
def test_a_killed_process_costs_one_visit_at_most(
    what: str,
    sandbox: SandboxServer,
    own_connectors: Callable[..., BrowserConnectors],
    fresh_account: AccountOf,
) -> None:
    before = _drivers()
    connector = own_connectors().for_platform(Platform.LEASEBREAK)
    account = fresh_account(Platform.LEASEBREAK)
    connector.read_inbox(account, deadline_s=DEADLINE_S)
    (driver,) = _drivers() - before
    browsers = [pid for pid in _children(driver) if "--remote-debugging" in _command(pid)]
    assert browsers
    for pid in browsers if what == "browser" else [driver]:
        os.kill(pid, signal.SIGKILL)

    outcomes: list[PlatformFailure | None] = []
    while len(outcomes) < 2 and None not in outcomes:
        outcomes.append(_failure_of(lambda: connector.read_inbox(account, deadline_s=DEADLINE_S)))
    assert outcomes[-1] is None
    assert all(failure.failure_class is FailureClass.TRANSIENT for failure in outcomes if failure)


def _failure_of(work: Callable[[], object]) -> PlatformFailure | None:
    try:
        work()
    except PlatformFailure as failure:
        return failure
    return None


def test_platforms_are_read_side_by_side(
    sandbox: SandboxServer, connectors: BrowserConnectors, logged_in: AccountOf
) -> None:
    """Sensors tick on changing threads, several at once, also for one account."""
    leads = {platform: sandbox.add_lead(platform, "hello?") for platform in Platform}

    def read(platform: Platform) -> bool:
        reading = connectors.for_platform(platform).read_inbox(logged_in(platform), deadline_s=DEADLINE_S)
        return any(row.external_thread_id == leads[platform].thread for row in reading.rows)

    with ThreadPoolExecutor(10) as pool:
        assert all(pool.map(read, [*Platform, *Platform]))


def test_an_account_is_never_visited_twice_at_once(
    sandbox: SandboxServer, connectors: BrowserConnectors, logged_in: AccountOf
) -> None:
    connector, account = connectors.for_platform(Platform.RENTHOP), logged_in(Platform.RENTHOP)
    lead = sandbox.add_lead(Platform.RENTHOP, "hello?")
    refused: list[str] = []

    def meanwhile(baseline: object) -> None:
        with ThreadPoolExecutor(1) as pool:
            try:
                pool.submit(connector.read_inbox, account, deadline_s=0.2).result()
            except PlatformFailure as failure:
                refused.append(failure.code)

    connector.send(account, SendRequest(lead.thread, "Six."), before_click=meanwhile, deadline_s=DEADLINE_S)
    assert refused == ["ACCOUNT_BUSY"]
    assert [m.body for m in lead.received] == ["Six."]


def test_closed_connectors_start_again_when_asked(
    sandbox: SandboxServer, own_connectors: Callable[..., BrowserConnectors], fresh_account: AccountOf
) -> None:
    connectors, account = own_connectors(), fresh_account(Platform.ROOMIES)
    for _ in range(2):
        connectors.for_platform(Platform.ROOMIES).read_inbox(account, deadline_s=DEADLINE_S)
        connectors.close()


def test_a_browser_killed_as_it_starts_is_tried_again_later(
    own_connectors: Callable[..., BrowserConnectors],
    fresh_account: AccountOf,
    tmp_path: Path,
) -> None:
    """By the system when memory is short, or by an operator: nothing is wrong with the browser, and no reply is given up."""
    killed = tmp_path / "chromium"
    killed.write_text("#!/bin/sh\nkill -9 $$\n")
    killed.chmod(0o755)
    connector = own_connectors(browser_path=killed).for_platform(Platform.ROOMIES)
    with pytest.raises(PlatformFailure) as refused:
        connector.read_inbox(fresh_account(Platform.ROOMIES), deadline_s=DEADLINE_S)
    assert (refused.value.code, refused.value.failure_class) == ("BROWSER_CRASHED", FailureClass.TRANSIENT)


def test_a_missing_browser_is_told_with_what_to_do(
    own_connectors: Callable[..., BrowserConnectors], fresh_account: AccountOf, tmp_path: Path
) -> None:
    connector = own_connectors(browser_path=tmp_path / "nowhere").for_platform(Platform.ROOMIES)
    with pytest.raises(PlatformFailure, match=r"RPA_RUNTIME_UNAVAILABLE.*LEASE_BOT_RPA_BROWSER_PATH"):
        connector.read_inbox(fresh_account(Platform.ROOMIES), deadline_s=DEADLINE_S)


def test_a_missing_channel_falls_back(
    sandbox: SandboxServer, own_connectors: Callable[..., BrowserConnectors], fresh_account: AccountOf
) -> None:
    connector = own_connectors(browser_channel="msedge").for_platform(Platform.ROOMIES)
    connector.read_inbox(fresh_account(Platform.ROOMIES), deadline_s=DEADLINE_S)


def test_a_drifted_composer_means_nothing_is_sent(
    sandbox: SandboxServer,
    own_connectors: Callable[..., BrowserConnectors],
    logged_in: AccountOf,
    options: RuntimeOptions,
) -> None:
    lead = sandbox.add_lead(Platform.RENTHOP, "hello?")
    account = logged_in(Platform.RENTHOP)
    for key, code in (("composer", "OUTBOUND_COMPOSER_MISSING"), ("submit", "OUTBOUND_SUBMIT_MISSING")):
        overrides = {"renthop": {"selectors": {key: ["#gone"]}}}
        connector = own_connectors(adapter_overrides=overrides).for_platform(Platform.RENTHOP)
        with pytest.raises(PlatformFailure, match=code):
            connector.send(
                account, SendRequest(lead.thread, "Six."), before_click=commit_nothing, deadline_s=DEADLINE_S
            )
    assert lead.received == []


def test_a_released_account_stays_warm(
    sandbox: SandboxServer, own_connectors: Callable[..., BrowserConnectors], fresh_account: AccountOf
) -> None:
    connectors, account = own_connectors(), fresh_account(Platform.RENTHOP)
    connectors.release(account)  # nothing was opened yet
    for _ in range(2):
        connectors.for_platform(Platform.RENTHOP).read_inbox(account, deadline_s=DEADLINE_S)
        connectors.release(account)
    before = _drivers()
    connectors.for_platform(Platform.RENTHOP).read_inbox(account, deadline_s=DEADLINE_S)
    assert _drivers() == before


def test_a_loop_that_hangs_is_given_up_and_replaced(options: RuntimeOptions) -> None:
    runtime = BrowserRuntime(options, grace_s=0.2)
    unstuck = Event()

    async def hang() -> None:
        unstuck.wait(20)

    async def answer() -> str:
        return "here"

    with pytest.raises(PlatformFailure, match="DEADLINE_EXCEEDED: the browser did not answer"):
        runtime.call(hang, 0.1)
    before = runtime.generation
    assert runtime.call(answer, 5) == "here"
    assert runtime.generation == before + 1
    unstuck.set()
    runtime.close()
