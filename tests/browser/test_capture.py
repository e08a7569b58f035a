"""`leasebot session`: a person logs in by hand in a browser we only watch; played here over the debugging port."""

from __future__ import annotations

import json
import os
import socket
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from time import monotonic, sleep
from uuid import uuid4

import pytest
from playwright.sync_api import Error, Page, sync_playwright

from leasebot_pipeline.domain.failures import PlatformFailure
from leasebot_pipeline.domain.platforms import Platform
from leasebot_pipeline.platforms.options import RuntimeOptions
from leasebot_pipeline.platforms.protocol import AccountRef
from leasebot_pipeline.platforms.registry import BrowserConnectors
from leasebot_pipeline.platforms.session_mark import session_mark
from leasebot_pipeline.platforms.session_target import target_of
from leasebot_pipeline.processes import sessions
from leasebot_pipeline.sandbox import LOGIN_PASSWORD, LOGIN_USER
from leasebot_pipeline.sandbox.faults import Fault
from leasebot_pipeline.sandbox.testing import SandboxServer
from tests.browser.conftest import DEADLINE_S, LOGIN

each_platform = pytest.mark.parametrize("platform", list(Platform), ids=lambda p: p.value)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def the_person(port: int, deadline_s: float = 30.0) -> Iterator[Page]:
    """The window in front of the person, once it is there and asks for a login."""
    ends = monotonic() + deadline_s
    with sync_playwright() as playwright:
        while True:
            try:
                browser = playwright.chromium.connect_over_cdp(f"http://127.0.0.1:{port}")
                pages = [page for context in browser.contexts for page in context.pages]
                if pages and pages[0].locator("input[type='password']").count():
                    break
            except Error:
                if monotonic() > ends:
                    raise
            assert monotonic() < ends, "no login page came up"
            sleep(0.1)
        yield pages[0]


def log_in(page: Page) -> None:
    form = page.locator("form:has(input[type='password'])")
    form.locator("input:not([type='password']):not([type='checkbox']):not([type='hidden'])").first.fill(
        LOGIN_USER
    )
    password = form.locator("input[type='password']")
    password.fill(LOGIN_PASSWORD)
    password.press("Enter")


@pytest.fixture
def by_hand(options: RuntimeOptions, tmp_path: Path) -> Callable[..., RuntimeOptions]:
    """Options with which a captured browser can be used from the test."""

    def build(port: int, **environ: str) -> RuntimeOptions:
        return replace(
            options,
            environ={**options.environ, **environ},
            project_root=tmp_path,
            data_dir=tmp_path / "data",
            launch_args=(*options.launch_args, f"--remote-debugging-port={port}"),
            platforms={p: replace(own, headless=True) for p, own in options.platforms.items()},
        )

    return build


def captured(
    options: RuntimeOptions,
    account: AccountRef,
    port: int,
    act: Callable[[Page], None],
    said: list[str] | None = None,
) -> tuple[sessions.CaptureReport, list[str]]:
    said = [] if said is None else said
    target = target_of(account, options)
    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(sessions.capture, options, account, target, 60.0, said.append)
        with the_person(port) as page:
            act(page)
        return running.result(60), said


@each_platform
def test_a_login_by_hand_is_kept_where_the_account_looks_for_it(
    platform: Platform,
    sandbox: SandboxServer,
    by_hand: Callable[..., RuntimeOptions],
    own_connectors: Callable[..., BrowserConnectors],
    tmp_path: Path,
) -> None:
    """G-39, and renewal: the session file the account refers to is replaced, its mark changes, it gets in."""
    file = tmp_path / "sessions" / "state.json"
    port = free_port()
    options = by_hand(port, STATE=str(file))
    account = AccountRef(uuid4(), platform, "main", {"sessionRef": "env:STATE"})
    base_url = sandbox.base_urls[platform]
    before = session_mark(account, options, base_url)
    report, said = captured(options, account, port, log_in)
    assert (report.kind, report.path, report.set_variable, report.holds) == ("file", str(file), None, True)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert LOGIN_PASSWORD not in file.read_text()
    assert any("waiting for you to log in" in line for line in said)
    assert report.expires_at is not None
    assert session_mark(account, options, base_url) != before
    connector = own_connectors(environ=options.environ).for_platform(platform)
    connector.read_inbox(account, deadline_s=DEADLINE_S)


def test_a_profile_is_the_session_of_an_account_that_has_one(
    sandbox: SandboxServer, by_hand: Callable[..., RuntimeOptions], tmp_path: Path
) -> None:
    port = free_port()
    options = by_hand(port, PROFILE=str(tmp_path / "own-profile"))
    account = AccountRef(uuid4(), Platform.SPAREROOM, "main", {"userDataDirRef": "env:PROFILE"})
    (tmp_path / "own-profile").mkdir()
    base_url = sandbox.base_urls[Platform.SPAREROOM]
    before = session_mark(account, options, base_url)
    report, _ = captured(options, account, port, log_in)
    assert (report.kind, report.profile, report.holds) == ("profile", str(tmp_path / "own-profile"), True)
    assert session_mark(account, options, base_url) != before

    # Once more without a person: it is logged in, so there is nothing to wait for.
    quiet = replace(options, launch_args=())
    again = sessions.capture(quiet, account, target_of(account, quiet), 20, lambda _line: None)
    assert again.holds


def test_a_login_by_hand_serves_an_account_with_a_password_too(
    sandbox: SandboxServer,
    by_hand: Callable[..., RuntimeOptions],
    own_connectors: Callable[..., BrowserConnectors],
) -> None:
    """Whoever is asked for a captcha at the form gets in by hand; the password stays for later."""
    port = free_port()
    options = by_hand(port)
    account = AccountRef(uuid4(), Platform.ROOMIES, "main", {**LOGIN, "passwordRef": "env:WRONG"})
    base_url = sandbox.base_urls[Platform.ROOMIES]
    before = session_mark(account, options, base_url)
    report, _ = captured(options, account, port, log_in)
    assert (report.kind, report.holds) == ("store", True)
    assert session_mark(account, options, base_url) != before
    connector = own_connectors(data_dir=options.data_dir).for_platform(Platform.ROOMIES)
    connector.read_inbox(account, deadline_s=DEADLINE_S)


def test_nobody_who_logs_in_means_no_session(
    sandbox: SandboxServer, by_hand: Callable[..., RuntimeOptions], tmp_path: Path
) -> None:
    port = free_port()
    options = by_hand(port)
    account = AccountRef(uuid4(), Platform.RENTHOP, "main", {})
    with pytest.raises(PlatformFailure, match="SESSION_EXPIRED: nobody logged in"):
        sessions.capture(options, account, target_of(account, options), 0.1, lambda _line: None)
    assert not (tmp_path / ".playwright" / "sessions").exists()


def test_a_captcha_is_left_to_the_person(
    sandbox: SandboxServer, by_hand: Callable[..., RuntimeOptions]
) -> None:
    """The page is told about and waited for, never touched; once it is gone, the login is seen."""
    port = free_port()
    options = by_hand(port)
    account = AccountRef(uuid4(), Platform.LEASEBREAK, "main", {})

    said: list[str] = []

    def person(page: Page) -> None:
        sandbox.fault(Platform.LEASEBREAK, Fault.CAPTCHA)
        log_in(page)
        sandbox.until(lambda: any("answer it in the window" in line for line in said), 30)
        sandbox.clear_faults()  # answered
        page.goto(sandbox.base_urls[Platform.LEASEBREAK] + "/messages")

    report, _ = captured(options, account, port, person, said)
    assert report.set_variable == "LEASEBREAK_RPA_SESSION"


def test_a_window_needs_a_screen(
    options: RuntimeOptions, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.delenv("DISPLAY", raising=False)
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    account = AccountRef(uuid4(), Platform.RENTHOP, "main", {})
    visible = replace(
        options,
        project_root=tmp_path,
        platforms={p: replace(own, headless=False) for p, own in options.platforms.items()},
    )
    with pytest.raises(sessions.NoScreen, match="ssh -X"):
        sessions.capture(visible, account, target_of(account, visible), 1, lambda _line: None)


def test_a_browser_that_opens_no_window_is_refused(
    options: RuntimeOptions, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """It would start, and the person would wait for a window."""
    monkeypatch.setenv("DISPLAY", ":0")
    account = AccountRef(uuid4(), Platform.RENTHOP, "main", {})
    visible = replace(
        options,
        project_root=tmp_path,
        browser_path=Path("/usr/bin/chromium-headless-shell"),
        platforms={p: replace(own, headless=False) for p, own in options.platforms.items()},
    )
    with pytest.raises(PlatformFailure, match=r"RPA_RUNTIME_UNAVAILABLE.*opens no window"):
        sessions.capture(visible, account, target_of(account, visible), 1, lambda _line: None)


def leasebot(*arguments: str, cwd: Path, **environ: str) -> subprocess.Popen[str]:
    own = {k: v for k, v in os.environ.items() if not k.startswith(("LEASE_BOT_", "DATABASE_URL"))}
    return subprocess.Popen(
        [sys.executable, "-m", "leasebot_pipeline.cli", *arguments],
        cwd=cwd,
        env={**own, "PYTHONPATH": str(Path.cwd()), "LEASE_BOT_DATA_DIR": str(cwd / "var"), **environ},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_the_commands_from_capture_to_check(
    sandbox: SandboxServer, options: RuntimeOptions, tmp_path: Path
) -> None:
    port, site = free_port(), sandbox.base_urls[Platform.RENTHOP]
    environ = {"RENTHOP_RPA_SESSION": "renthop.json", "LEASE_BOT_RPA_CHROMIUM_SANDBOX": "0"}
    if options.browser_path is not None:
        environ["LEASE_BOT_RPA_BROWSER_PATH"] = str(options.browser_path)

    def check() -> tuple[int, dict[str, object]]:
        process = leasebot(
            "session", "check", "renthop", "--base-url", site, "--json", cwd=tmp_path, **environ
        )
        out, err = process.communicate(timeout=90)
        assert out, err
        return process.returncode, json.loads(out)["sessions"][0]

    code, before = check()
    assert (code, before["state"], before["code"]) == (1, "failed", "SESSION_INVALID")
    assert "leasebot session capture renthop" in str(before["next"])

    arguments = (
        "session",
        "capture",
        "renthop",
        "--base-url",
        site,
        "--headless",
        "--timeout",
        "60",
        "--json",
    )
    debugging = {"LEASE_BOT_RPA_LAUNCH_ARGS_JSON": json.dumps([f"--remote-debugging-port={port}"])}
    process = leasebot(*arguments, cwd=tmp_path, **environ, **debugging)
    with the_person(port, 60) as page:
        log_in(page)
    out, err = process.communicate(timeout=90)
    assert process.returncode == 0, err
    assert json.loads(out)["holds"] is True
    assert "waiting for you to log in" in err

    code, after = check()
    assert (code, after["state"]) == (0, "ok")
    assert after["expiresAt"]


def test_unlocking_from_the_command_line(tmp_path: Path) -> None:
    profile = tmp_path / ".playwright" / "profiles" / "spareroom"
    profile.mkdir(parents=True)
    with subprocess.Popen(["true"]) as ended:
        pass
    os.symlink(f"{socket.gethostname()}-{ended.pid}", profile / "SingletonLock")
    process = leasebot("session", "unlock", "spareroom", "--json", cwd=tmp_path)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 0, err
    assert json.loads(out)["removed"] == ["SingletonLock"]
    os.symlink("another-host-1", profile / "SingletonLock")
    process = leasebot("session", "unlock", "spareroom", cwd=tmp_path)
    _, err = process.communicate(timeout=60)
    assert (process.returncode, "another-host" in err) == (1, True)
