"""Make sure that there is a browser: use one that runs, else install one without asking for more rights.

Order: what is already there; Playwright's own download; apt as root; apt unpacked into our directory.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from leasebot_pipeline.processes import browser_debian
from leasebot_pipeline.processes.browser_lookup import (
    BrowserError,
    browser_dir,
    candidates,
    find_browser,
    prove,
    remember,
)

_PLAYWRIGHT_TIMEOUT_S: Final = 120.0

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Installed:
    """The browser that runs; ``installed`` is False when it had been there before."""

    path: Path
    source: str
    installed: bool


def ensure_browser(
    data_dir: Path,
    configured: Path | None = None,
    *,
    say: Say,
    search_path: str | None = None,
    dpkg_status: Path | None = None,
) -> Installed:
    """Find a browser that runs or install one; each step is told through ``say``.

    Raises BrowserError listing every way that was tried.
    """
    tried: list[str] = []
    for candidate in candidates(data_dir, configured, search_path):
        fault = prove(candidate.path)
        if fault is None:
            if configured is None:
                remember(data_dir, candidate.path)
            return Installed(candidate.path, candidate.source, installed=False)
        tried.append(f"{candidate.path} ({candidate.source}): {fault}")
        say(f"{candidate.path} does not run: {fault}")
    if configured is not None:
        raise BrowserError(f"the browser of LEASE_BOT_RPA_BROWSER_PATH does not run: {tried[-1]}")
    for source, install in _ways(data_dir, search_path, dpkg_status):
        say(f"installing a browser: {source}")
        try:
            path = install()
        except BrowserError as error:
            tried.append(f"{source}: {error}")
            say(f"that did not work: {error}")
            continue
        fault = prove(path)
        if fault is None:
            remember(data_dir, path)
            return Installed(path, source, installed=True)
        tried.append(f"{source}: {path} does not run: {fault}")
        say(f"{path} does not run: {fault}")
    raise BrowserError(
        "no browser could be found or installed:\n"
        + "\n".join(f"  - {line}" for line in tried)
        + "\nInstall Chromium or Chrome with your system's package manager, "
        "or set LEASE_BOT_RPA_BROWSER_PATH to its executable."
    )


def _ways(
    data_dir: Path, search_path: str | None, dpkg_status: Path | None
) -> list[tuple[str, Callable[[], Path]]]:
    def from_playwright() -> Path:
        _playwright_install()
        return _found_after(data_dir, search_path, "playwright reported success")

    def from_apt() -> Path:
        browser_debian.install_as_root()
        return _found_after(data_dir, search_path, "apt reported success")

    def from_unpacked() -> Path:
        target = browser_dir(data_dir)
        if dpkg_status is None:
            return browser_debian.install_unpacked(target)
        return browser_debian.install_unpacked(target, dpkg_status)

    ways: list[tuple[str, Callable[[], Path]]] = [("Playwright's own build", from_playwright)]
    if browser_debian.available():
        if os.geteuid() == 0:
            ways.append((f"{browser_debian.PACKAGE} through apt", from_apt))
        ways.append((f"{browser_debian.PACKAGE} unpacked into {browser_dir(data_dir)}", from_unpacked))
    return ways


def _found_after(data_dir: Path, search_path: str | None, claim: str) -> Path:
    found = find_browser(data_dir, None, search_path)
    if found is None:
        raise BrowserError(f"{claim}, but no browser is to be found")
    return found


def _playwright_install() -> None:
    command = [sys.executable, "-m", "playwright", "install", "chromium", "--only-shell"]
    try:
        done = subprocess.run(
            command,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=_PLAYWRIGHT_TIMEOUT_S,
            stdin=subprocess.DEVNULL,
        )
    except subprocess.TimeoutExpired:
        raise BrowserError(f"no answer within {_PLAYWRIGHT_TIMEOUT_S:.0f} s") from None
    if done.returncode:
        lines = [line.strip() for line in (done.stderr + done.stdout).splitlines() if line.strip()]
        reason = next((line for line in lines if "Error" in line), lines[-1] if lines else "no output")
        raise BrowserError(f"playwright install: {reason[:300]}")
