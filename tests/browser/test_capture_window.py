"""`leasebot session capture` with a window, on a screen or on one that Xvfb plays."""

from __future__ import annotations

import json
import os
import shutil
import signal
import stat
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from playwright.sync_api import Page, sync_playwright

from leasebot_pipeline.domain.platforms import Platform
from leasebot_pipeline.platforms.browser_launch import find_executable
from leasebot_pipeline.platforms.options import RuntimeOptions
from leasebot_pipeline.sandbox.testing import SandboxServer
from tests.browser.test_capture import free_port, leasebot, log_in, the_person


@pytest.fixture(scope="module")
def display() -> Iterator[str]:
    given = os.environ.get("DISPLAY")
    if given:
        yield given
        return
    program = shutil.which("Xvfb")
    if program is None:
        pytest.skip("no screen here, and no Xvfb to play one")
    answers, tells = os.pipe()
    command = [program, "-displayfd", str(tells), "-screen", "0", "1280x900x24", "-nolisten", "tcp"]
    with subprocess.Popen(command, pass_fds=[tells], stderr=subprocess.DEVNULL) as server:
        os.close(tells)
        with os.fdopen(answers) as number:
            name = number.readline().strip()
        if not name:
            pytest.skip("Xvfb could not be started")
        yield f":{name}"
        server.terminate()


@pytest.fixture
def window(options: RuntimeOptions, display: str, tmp_path: Path) -> dict[str, str]:
    """The environment of a command that opens a window."""
    browser = find_executable(replace(options, browser_path=None), headless=False)
    if browser is None:
        with sync_playwright() as playwright:
            own = Path(playwright.chromium.executable_path)
        if not own.exists():
            pytest.skip("no browser here that can open a window")
    return {"DISPLAY": display, "RENTHOP_RPA_SESSION": "renthop.json", "LEASE_BOT_RPA_CHROMIUM_SANDBOX": "0"}


@contextmanager
def _capturing(
    site: str, folder: Path, environ: dict[str, str], *options: str
) -> Iterator[tuple[subprocess.Popen[str], Page]]:
    """The command, and the window it opened once that asks for a login."""
    port = free_port()
    debugging = {"LEASE_BOT_RPA_LAUNCH_ARGS_JSON": json.dumps([f"--remote-debugging-port={port}"])}
    command = ("session", "capture", "renthop", "--base-url", site, "--timeout", "60", *options)
    with leasebot(*command, cwd=folder, **environ, **debugging) as process:
        try:
            with the_person(port, 60) as page:
                yield process, page
        finally:
            process.kill()


def _session(folder: Path, environ: dict[str, str], *arguments: str) -> tuple[int, str]:
    with leasebot("session", *arguments, cwd=folder, **environ) as process:
        out, err = process.communicate(timeout=90)
    return process.returncode, out + err


def test_a_person_logs_in_in_a_window_and_whoever_has_no_screen_uses_it(
    sandbox: SandboxServer, window: dict[str, str], tmp_path: Path
) -> None:
    site = sandbox.base_urls[Platform.RENTHOP]
    with _capturing(site, tmp_path, window, "--json") as (process, page):
        assert "Headless" not in page.evaluate("navigator.userAgent")
        assert page.evaluate("outerHeight > innerHeight")  # a window has more than its page
        devtools = page.context.new_cdp_session(page)
        own = devtools.send("Browser.getWindowForTarget")["windowId"]
        devtools.send("Browser.setWindowBounds", {"windowId": own, "bounds": {"width": 700, "height": 500}})
        page.wait_for_function("innerWidth <= 700 && innerHeight < 500")  # its page goes with it
        log_in(page)
        out, err = process.communicate(timeout=90)
    assert process.returncode == 0, err
    assert json.loads(out)["holds"] is True
    file = tmp_path / "renthop.json"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert json.loads(file.read_text())["cookies"]

    blind = {name: text for name, text in window.items() if name != "DISPLAY"}
    code, checked = _session(tmp_path, blind, "check", "renthop", "--base-url", site)
    assert (code, " ok (" in checked) == (0, True), checked

    # Its profile is logged in too: once more, nobody has to type.
    elsewhere = ("--timeout", "60", "--out", "for-a-server.json")
    code, told = _session(tmp_path, window, "capture", "renthop", "--base-url", site, *elsewhere)
    assert code == 0, told
    assert "next: put the file where the account's session refers to" in told
    assert (tmp_path / "for-a-server.json").exists()


def test_a_person_who_closes_the_window_is_not_waited_for(
    sandbox: SandboxServer, window: dict[str, str], tmp_path: Path
) -> None:
    with _capturing(sandbox.base_urls[Platform.RENTHOP], tmp_path, window) as (process, page):
        page.close()
        _, err = process.communicate(timeout=90)
    assert process.returncode == 1, err
    assert "the window was closed before the login was seen" in err


def test_a_window_that_was_killed_leaves_a_profile_that_can_be_unlocked(
    sandbox: SandboxServer, window: dict[str, str], tmp_path: Path
) -> None:
    lock = tmp_path / ".playwright" / "profiles" / "renthop" / "SingletonLock"
    with _capturing(sandbox.base_urls[Platform.RENTHOP], tmp_path, window) as (process, _):
        code, told = _session(tmp_path, window, "unlock", "renthop")
        assert code == 1, told
        os.kill(int(os.readlink(lock).rpartition("-")[2]), signal.SIGKILL)
        _, err = process.communicate(timeout=90)
    assert process.returncode == 1, err
    assert lock.is_symlink()
    code, told = _session(tmp_path, window, "unlock", "renthop")
    assert (code, "removed SingletonLock" in told) == (0, True), told
