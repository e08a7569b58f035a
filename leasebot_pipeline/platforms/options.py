"""What the platform runtime is built from: plain values, no settings and no environment of its own."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Literal

from leasebot_pipeline.domain.platforms import Platform

Overrides = Mapping[str, Mapping[str, object]]


@dataclass(frozen=True, slots=True)
class PlatformOptions:
    """Options of one platform; None leaves the adapter's or the browser's own value.

    ``timezone`` is the browser context's zone and, when set, the zone its local times are read in.
    """

    base_url: str | None = None
    user_agent: str | None = None
    locale: str | None = None
    timezone: str | None = None
    headless: bool | None = None


@dataclass(frozen=True, slots=True)
class RuntimeOptions:
    """Options of the whole runtime. Times are seconds.

    ``environ`` is where ``env:`` references are looked up, ``secrets_dir`` a directory with one file per
    ``secret:`` reference (else ``environ`` serves those too). Relative paths start at ``project_root``.
    """

    data_dir: Path
    environ: Mapping[str, str] = field(repr=False)
    runtime: Literal["mock", "playwright"] = "mock"
    secrets_dir: Path | None = None
    project_root: Path = Path()
    platforms: Mapping[Platform, PlatformOptions] = field(default_factory=dict)
    adapter_overrides: Overrides = field(default_factory=dict)
    timezone_spareroom: str | None = None
    headless: bool = True
    browser_path: Path | None = None
    browser_channel: str | None = None
    chromium_sandbox: bool = False
    launch_args: tuple[str, ...] = ()
    debug: bool = False
    debug_dir: Path = Path(".playwright/rpa-debug")
    """Evidence of failed pages: of every failure with ``debug``, else of changed pages only."""
    debug_max_bytes: int = 50_000_000
    debug_max_age: timedelta = timedelta(days=7)
    inbox_thread_limit: int = 0
    """Rows taken from an inbox; 0 takes all of the pages read."""
    inbox_page_limit: int = 40
    """Pages of an inbox one reading opens at most; the next one goes on where it was cut off."""
    listings_page_size: int | None = None
    listings_max_pages: int | None = None
    navigation_timeout_s: float = 15.0
    thread_ready_timeout_s: float = 12.0
    landmark_wait_s: float = 2.0
    """How long a page that is not yet what it should be may still become it."""
    proof_timeout_s: float = 15.0
    """How long a sent reply may take to show in its thread before the thread is opened anew."""

    def of(self, platform: Platform) -> PlatformOptions:
        """The platform's own options."""
        return self.platforms.get(platform, PlatformOptions())
