"""Starting a browser: which executable, with which options, and what its refusals mean."""

from __future__ import annotations

import os
import re
import shutil
from pathlib import Path
from typing import Final

from playwright.async_api import Browser, BrowserContext, BrowserType, Error

from leasebot_pipeline.domain.failures import PlatformFailure
from leasebot_pipeline.platforms.options import PlatformOptions, RuntimeOptions

_HEADLESS_ONLY: Final = ("chromium-headless-shell", "chrome-headless-shell", "headless_shell")
_NAMES: Final = (
    *_HEADLESS_ONLY[:1],
    "chromium",
    "chromium-browser",
    "google-chrome",
    "google-chrome-stable",
)
_KILLED: Final = re.compile(r"signal=SIG(KILL|TERM)\b")
"""How the driver says that somebody else ended it: the system when memory is short, or an operator."""
_PROFILE_IN_USE: Final = ("ProcessSingleton", "profile is already in use", "SingletonLock")


def find_executable(options: RuntimeOptions, *, headless: bool) -> Path | None:
    """The configured browser, else one found on this machine, else None for Playwright's own.

    A headless shell is never chosen for a visible browser. Raises PlatformFailure RPA_RUNTIME_UNAVAILABLE when it is
    the configured one.
    """
    if options.browser_path is not None:
        if not headless and options.browser_path.name in _HEADLESS_ONLY:
            raise PlatformFailure(
                "RPA_RUNTIME_UNAVAILABLE",
                f"LEASE_BOT_RPA_BROWSER_PATH names {options.browser_path.name}, which opens no window: "
                "name chromium or another browser, or nothing",
            )
        return options.browser_path
    own = options.data_dir / "browser"
    candidates = [_chosen(own), *(shutil.which(name) for name in _NAMES), str(own / _NAMES[0])]
    for candidate in candidates:
        if (
            candidate
            and os.access(candidate, os.X_OK)
            and (headless or Path(candidate).name not in _HEADLESS_ONLY)
        ):
            return Path(candidate)
    return None


def _chosen(directory: Path) -> str | None:
    try:
        return (directory / "chosen").read_text(encoding="utf-8").strip() or None
    except FileNotFoundError:
        return None


async def launch(chromium: BrowserType, options: RuntimeOptions, *, headless: bool) -> Browser:
    """A browser without a profile. A configured channel that can't be started is left out once.

    Raises PlatformFailure: RPA_RUNTIME_UNAVAILABLE, BROWSER_CRASHED.
    """
    if options.browser_channel is not None:
        try:
            return await _launch(chromium, options, headless, options.browser_channel)
        except Error:
            pass  # as documented: the channel is a wish, any Chromium serves
    try:
        return await _launch(chromium, options, headless, None)
    except Error as error:
        raise _refusal(error) from None


async def _launch(
    chromium: BrowserType, options: RuntimeOptions, headless: bool, channel: str | None
) -> Browser:
    return await chromium.launch(
        executable_path=None if channel else find_executable(options, headless=headless),
        channel=channel,
        headless=headless,
        chromium_sandbox=options.chromium_sandbox,
        args=list(options.launch_args),
        handle_sigint=False,
        handle_sigterm=False,
        handle_sighup=False,
    )


async def launch_profile(
    chromium: BrowserType, directory: Path, options: RuntimeOptions, own: PlatformOptions, *, headless: bool
) -> BrowserContext:
    """A browser on a profile directory, which it owns until closed.

    Raises PlatformFailure: RPA_PROFILE_LOCKED, RPA_RUNTIME_UNAVAILABLE, BROWSER_CRASHED.
    """
    try:
        return await chromium.launch_persistent_context(
            directory,
            executable_path=find_executable(options, headless=headless),
            headless=headless,
            chromium_sandbox=options.chromium_sandbox,
            args=list(options.launch_args),
            user_agent=own.user_agent,
            locale=own.locale,
            timezone_id=own.timezone,
            # A page of fixed size could not be scrolled to its end in the window of a small screen.
            no_viewport=not headless,
            handle_sigint=False,
            handle_sigterm=False,
            handle_sighup=False,
        )
    except Error as error:
        if any(mark in str(error) for mark in _PROFILE_IN_USE):
            raise PlatformFailure(
                "RPA_PROFILE_LOCKED", f"another browser uses the profile {directory.name}"
            ) from None
        raise _refusal(error) from None


def _refusal(error: Error) -> PlatformFailure:
    """A browser that can't run here stays that way; one that was killed while it started runs the next time."""
    if _KILLED.search(str(error)):
        return PlatformFailure("BROWSER_CRASHED", "the browser was killed while it started")
    return PlatformFailure("RPA_RUNTIME_UNAVAILABLE", _reason(error))


def _reason(error: Error) -> str:
    first = str(error).strip().splitlines()[0][:200]
    if "executable doesn't exist" in str(error).lower():
        return "no browser was found: install chromium or name one with LEASE_BOT_RPA_BROWSER_PATH"
    return f"the browser could not be started: {first}"
