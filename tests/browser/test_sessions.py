"""Ways in: login form, captured session, profile; what happens when they expire, and who owns them."""

from __future__ import annotations

import base64
import json
import os
import shutil
import socket
import stat
import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from uuid import uuid4

import pytest

from leasebot_pipeline.domain.failures import PlatformFailure
from leasebot_pipeline.domain.platforms import Platform
from leasebot_pipeline.platforms.options import RuntimeOptions
from leasebot_pipeline.platforms.protocol import AccountRef
from leasebot_pipeline.platforms.registry import BrowserConnectors
from leasebot_pipeline.sandbox import LOGIN_PASSWORD
from leasebot_pipeline.sandbox.faults import Fault
from leasebot_pipeline.sandbox.testing import SandboxServer
from tests.browser.conftest import DEADLINE_S, LOGIN, AccountOf

each_platform = pytest.mark.parametrize("platform", list(Platform), ids=lambda p: p.value)


@each_platform
def test_login_is_saved_for_other_processes_and_renewed_once_when_it_expires(
    platform: Platform,
    sandbox: SandboxServer,
    connectors: BrowserConnectors,
    own_connectors: Callable[..., BrowserConnectors],
    options: RuntimeOptions,
    fresh_account: AccountOf,
) -> None:
    account = fresh_account(platform)
    connectors.for_platform(platform).read_inbox(account, deadline_s=DEADLINE_S)
    saved = options.data_dir / "sessions" / f"{account.id}.json"
    assert stat.S_IMODE(saved.stat().st_mode) == 0o600
    assert LOGIN_PASSWORD not in saved.read_text()

    # Another process, whose password is wrong, still gets in: it uses the saved session, not the form.
    other = own_connectors(environ={**options.environ, "PASSWORD": "wrong"}).for_platform(platform)
    other.read_inbox(account, deadline_s=DEADLINE_S)

    before = saved.read_text()
    sandbox.fault(platform, Fault.EXPIRED_SESSION, count=1)
    connectors.for_platform(platform).read_inbox(account, deadline_s=DEADLINE_S)
    assert saved.read_text() != before

    # The other one's session is gone too; it finds the newer login instead of trying its own.
    other.read_inbox(account, deadline_s=DEADLINE_S)


@each_platform
def test_a_refused_login_is_tried_once_and_stops_the_account(
    platform: Platform, sandbox: SandboxServer, connectors: BrowserConnectors
) -> None:
    account = AccountRef(uuid4(), platform, "wrong", {**LOGIN, "passwordRef": "env:WRONG"})
    with pytest.raises(PlatformFailure, match="CREDENTIAL_REJECTED") as caught:
        connectors.for_platform(platform).read_inbox(account, deadline_s=DEADLINE_S)
    assert caught.value.stops_account
    assert "not the password" not in str(caught.value)


@each_platform
def test_a_captured_session_is_used_and_needs_a_person_when_it_expired(
    platform: Platform,
    sandbox: SandboxServer,
    own_connectors: Callable[..., BrowserConnectors],
    tmp_path: Path,
) -> None:
    captured = json.dumps(sandbox.storage_state(platform))
    path = tmp_path / "state.json"
    path.write_text(captured)
    environ = {
        "JSON": captured,
        "BASE64": "base64:" + base64.b64encode(captured.encode()).decode(),
        "FILE": str(path),
    }
    connector = own_connectors(environ=environ).for_platform(platform)
    for name in environ:
        account = AccountRef(uuid4(), platform, name, {"sessionRef": f"env:{name}"})
        connector.read_inbox(account, deadline_s=DEADLINE_S)
    sandbox.fault(platform, Fault.EXPIRED_SESSION, count=1)
    with pytest.raises(PlatformFailure, match="SESSION_EXPIRED") as caught:
        connector.read_inbox(account, deadline_s=DEADLINE_S)
    assert caught.value.stops_account


def test_a_renewed_captured_session_is_taken_without_a_restart(
    sandbox: SandboxServer, own_connectors: Callable[..., BrowserConnectors], tmp_path: Path
) -> None:
    path = tmp_path / "state.json"
    path.write_text(json.dumps(sandbox.storage_state(Platform.RENTHOP)))
    connector = own_connectors(environ={"FILE": str(path)}).for_platform(Platform.RENTHOP)
    account = AccountRef(uuid4(), Platform.RENTHOP, "file", {"storageStatePathRef": "env:FILE"})
    connector.read_inbox(account, deadline_s=DEADLINE_S)
    sandbox.fault(Platform.RENTHOP, Fault.EXPIRED_SESSION, count=1)
    with pytest.raises(PlatformFailure, match="SESSION_EXPIRED"):
        connector.read_inbox(account, deadline_s=DEADLINE_S)
    path.write_text(json.dumps(sandbox.storage_state(Platform.RENTHOP)))
    connector.read_inbox(account, deadline_s=DEADLINE_S)


def test_a_profile_has_one_owner_until_it_is_released(
    sandbox: SandboxServer,
    own_connectors: Callable[..., BrowserConnectors],
    options: RuntimeOptions,
    tmp_path: Path,
) -> None:
    """Behaviour 105 and G-36: the profile wins over an unset session; two browsers never share it."""
    profile = tmp_path / "profile"
    profile.mkdir()
    environ = {"PROFILE": str(profile)}
    references = {"userDataDirRef": "env:PROFILE", "sessionRef": "env:UNSET"}
    account = AccountRef(uuid4(), Platform.SPAREROOM, "profile", references)
    first, second = own_connectors(environ=environ), own_connectors(environ=environ)

    def read(connectors: BrowserConnectors) -> None:
        connectors.for_platform(Platform.SPAREROOM).read_inbox(account, deadline_s=DEADLINE_S)

    with pytest.raises(PlatformFailure, match="SESSION_EXPIRED"):  # nobody logged in with it yet
        read(first)
    with pytest.raises(PlatformFailure, match="RPA_PROFILE_LOCKED"):
        read(second)
    first.release(account)
    with pytest.raises(PlatformFailure, match="SESSION_EXPIRED"):
        read(second)
    second.release(account)

    # A browser a person has open on it, as Chromium itself marks it.
    with subprocess.Popen(["chromium", "60"], executable=shutil.which("sleep")) as browser:
        os.symlink(f"{socket.gethostname()}-{browser.pid}", profile / "SingletonLock")
        with pytest.raises(PlatformFailure, match=r"RPA_PROFILE_LOCKED.*close it"):
            read(first)
        browser.kill()


def test_a_profile_locked_by_another_host_says_so(
    own_connectors: Callable[..., BrowserConnectors], tmp_path: Path
) -> None:
    (tmp_path / "profile").mkdir()
    os.symlink("another-host-4711", tmp_path / "profile" / "SingletonLock")
    account = AccountRef(uuid4(), Platform.SPAREROOM, "p", {"userDataDirRef": "env:PROFILE"})
    connectors = own_connectors(environ={"PROFILE": str(tmp_path / "profile")})
    with pytest.raises(PlatformFailure, match="locked by host another-host"):
        connectors.for_platform(Platform.SPAREROOM).read_inbox(account, deadline_s=DEADLINE_S)


def test_a_session_the_browser_refuses_is_invalid(own_connectors: Callable[..., BrowserConnectors]) -> None:
    state = json.dumps({"cookies": [{"name": "s", "value": "1", "domain": "127.0.0.1", "path": 7}]})
    account = AccountRef(uuid4(), Platform.ROOMIES, "x", {"sessionRef": "env:STATE"})
    connector = own_connectors(environ={"STATE": state}).for_platform(Platform.ROOMIES)
    with pytest.raises(PlatformFailure, match="SESSION_INVALID"):
        connector.read_inbox(account, deadline_s=DEADLINE_S)


def test_platform_options_reach_the_page(
    sandbox: SandboxServer,
    own_connectors: Callable[..., BrowserConnectors],
    options: RuntimeOptions,
    fresh_account: AccountOf,
    tmp_path: Path,
) -> None:
    """We show our own user agent unless one is configured; a failed visit keeps evidence when asked to."""
    own = {
        platform: replace(given, user_agent="Leasebot/1.0 (test)", locale="de-DE", timezone="America/Chicago")
        for platform, given in options.platforms.items()
    }
    connectors = own_connectors(platforms=own, debug=True, debug_dir=tmp_path / "evidence")
    connector, account = connectors.for_platform(Platform.RENTHOP), fresh_account(Platform.RENTHOP)
    assert connector.adapter.zone == "America/Chicago"
    sandbox.add_lead(Platform.RENTHOP, "I am Zebedee: ana@example.org or 555-123-4567")
    connector.read_inbox(account, deadline_s=DEADLINE_S)
    sandbox.fault(Platform.RENTHOP, Fault.CHANGED_MARKUP)
    with pytest.raises(PlatformFailure, match="MARKUP_DRIFT") as caught:
        connector.read_inbox(account, deadline_s=DEADLINE_S)
    kept = {kind: Path(path) for kind, path in caught.value.evidence.items()}
    assert set(kept) == {"png", "html", "json"}
    assert kept["png"].stat().st_size > 1000
    html = kept["html"].read_text()
    assert "page-end" in html
    assert "Zebedee" not in html
    assert "ana@example.org" not in html
    assert "555-123-4567" not in html
    facts = json.loads(kept["json"].read_text())
    assert (facts["platform"], facts["action"], facts["code"]) == ("renthop", "ingest", "MARKUP_DRIFT")
    assert facts["accountId"] == str(account.id)
    assert kept["json"].name.endswith(f"-renthop-ingest-{account.id}-attempt1.json")
