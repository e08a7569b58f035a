"""All platforms' connectors from plain options: the browser, or the mock where it is allowed."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Final

from leasebot_pipeline.domain.clock import Clock
from leasebot_pipeline.domain.failures import PlatformFailure
from leasebot_pipeline.domain.pacing import Pace
from leasebot_pipeline.domain.platforms import Platform
from leasebot_pipeline.platforms.browser import BrowserRuntime
from leasebot_pipeline.platforms.browser_connector import AccountLocks, BrowserConnector
from leasebot_pipeline.platforms.browser_sessions import AccountSessions
from leasebot_pipeline.platforms.mock import MockConnectors
from leasebot_pipeline.platforms.options import RuntimeOptions
from leasebot_pipeline.platforms.overrides import adapters
from leasebot_pipeline.platforms.protocol import AccountRef, Connectors

SUPPORTED_PLATFORMS: Final = tuple(Platform)
_RELEASE_S: Final = 15.0
_log = logging.getLogger(__name__)


class BrowserConnectors:
    """All platforms over one browser runtime, which starts with the first visit."""

    def __init__(self, options: RuntimeOptions, clock: Clock) -> None:
        self._runtime = BrowserRuntime(options)
        self._sessions = AccountSessions(self._runtime, options)
        locks = AccountLocks()
        self._connectors = {
            platform: BrowserConnector(adapter, self._runtime, self._sessions, locks, options, clock)
            for platform, adapter in adapters(options).items()
        }

    def for_platform(self, platform: Platform) -> BrowserConnector:
        """The connector of a platform; raises PlatformFailure UNSUPPORTED_PLATFORM."""
        connector = self._connectors.get(platform)
        if connector is None:
            raise PlatformFailure("UNSUPPORTED_PLATFORM", f"no adapter for {platform}")
        return connector

    def release(self, account: AccountRef) -> None:
        """End the account's visit: a profile is closed for others to open, a warm page left empty.

        Never raises: it runs when a visit ends, however it ended.
        """
        if not self._runtime.is_running:
            return
        try:
            self._runtime.call(lambda: self._sessions.release(account.id), _RELEASE_S)
        except PlatformFailure as failure:
            # The visit is over either way, and the next one opens what it needs.
            _log.warning("the account's browser could not be given back: %s", failure)

    def close(self) -> None:
        """Close contexts, browsers and the event loop."""
        try:
            if self._runtime.is_running:
                self._runtime.call(self._sessions.close, _RELEASE_S)
        finally:
            self._runtime.close()


def build_connectors(options: RuntimeOptions, clock: Clock, *, production: bool) -> Connectors:
    """The connectors of the runtime asked for.

    Raises PlatformFailure MOCK_RUNTIME_FORBIDDEN in production without the browser, and OverrideError for
    adapter overrides that can't be used.
    """
    forbid_mock(options.runtime, production=production)
    return MockConnectors(clock) if options.runtime == "mock" else BrowserConnectors(options, clock)


def forbid_mock(runtime: str, *, production: bool) -> None:
    """Raise PlatformFailure MOCK_RUNTIME_FORBIDDEN for any runtime but the browser in production."""
    if production and runtime != "playwright":
        raise PlatformFailure(
            "MOCK_RUNTIME_FORBIDDEN",
            "production reads real inboxes: LEASE_BOT_RPA_RUNTIME must be playwright",
        )


def paces(options: RuntimeOptions) -> Mapping[Platform, Pace]:
    """Each platform's pace with its overrides; the stages keep it. Raises OverrideError."""
    return {platform: adapter.pace for platform, adapter in adapters(options).items()}
