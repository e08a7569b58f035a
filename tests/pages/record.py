"""Record the sandbox's pages as the browser shows them: ``python -m tests.pages.record`` writes them anew.

A clock that stands still makes every recording the same. Texts are placeholders that tests replace.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

from playwright.async_api import Browser

from leasebot_pipeline.domain.platforms import Platform
from leasebot_pipeline.platforms.adapter import Adapter
from leasebot_pipeline.platforms.browser import BrowserRuntime
from leasebot_pipeline.platforms.browser_page import navigate, take
from leasebot_pipeline.platforms.options import PlatformOptions, RuntimeOptions
from leasebot_pipeline.platforms.overrides import adapters
from leasebot_pipeline.sandbox.testing import SandboxServer

RECORDED = Path(__file__).parent / "recorded"
NOW = datetime(2026, 11, 24, 20, 30, tzinfo=UTC)

ASKED = "Is the room still free? I would move in on the first."
ANSWERED = "It is. Would you like to see it on Tuesday at five?"
FREE_TEXT = "PLACEHOLDER of a text that a test writes"
THREAD = [
    {"text": ASKED, "after": 60},
    {"text": ANSWERED, "by": "us", "after": 120},
    {"text": "ok", "after": 60},
    {"text": "ok", "after": 60},
    {"text": FREE_TEXT, "after": 60},
]


def record(directory: Path, browser_options: RuntimeOptions) -> None:
    """Write ``<platform>/<page>.html`` for each of the five sites."""
    with SandboxServer(clock=lambda: NOW) as sandbox:
        urls = {p: PlatformOptions(base_url=url) for p, url in sandbox.base_urls.items()}
        options = RuntimeOptions(
            data_dir=browser_options.data_dir,
            environ={},
            runtime="playwright",
            platforms=urls,
            browser_path=browser_options.browser_path,
        )
        runtime = BrowserRuntime(options)
        try:
            for platform, adapter in adapters(options).items():
                pages = runtime.call(
                    lambda p=platform, a=adapter: _pages(runtime, sandbox, p, a, options), 60
                )
                for name, html in pages.items():
                    path = directory / platform.value / f"{name}.html"
                    path.parent.mkdir(parents=True, exist_ok=True)
                    path.write_text(html.rstrip() + "\n", encoding="utf-8")
        finally:
            runtime.close()


async def _pages(
    runtime: BrowserRuntime,
    sandbox: SandboxServer,
    platform: Platform,
    adapter: Adapter,
    options: RuntimeOptions,
) -> Mapping[str, str]:
    browser = await runtime.browser(headless=True)
    state = cast("dict[str, Any]", sandbox.storage_state(platform))
    for cookie in state["cookies"]:
        cookie["expires"] = -1  # the sandbox's clock and the browser's differ
    pages = {
        "inbox-empty": await _page(browser, state, adapter, adapter.inbox_url, options),
        "login": await _page(browser, None, adapter, adapter.login_url, options),
        "listings": await _page(
            browser, state, adapter, adapter.listings_url(adapter.listings.paths[0], 1), options
        ),
    }
    lead = sandbox.add_lead(platform, *THREAD, name="Ana Placeholder", age=7200)  # type: ignore[arg-type]
    for number in range(3):
        sandbox.add_lead(
            platform, f"question {number}", name=f"Lead Number{number}", age=9000 + 3600 * number
        )
    pages["inbox"] = await _page(browser, state, adapter, adapter.inbox_url, options)
    pages["thread"] = await _page(browser, state, adapter, adapter.thread_url(lead.thread), options)
    return pages


async def _page(
    browser: Browser, state: dict[str, Any] | None, adapter: Adapter, url: str, options: RuntimeOptions
) -> str:
    context = await browser.new_context(
        storage_state=cast("Any", state), locale="en-US", timezone_id="America/New_York"
    )
    try:
        page = await context.new_page()
        await navigate(page, url, "page", options)
        await page.wait_for_load_state("networkidle")
        return (await take(page, adapter, 200)).html.replace(adapter.base_url, "")
    finally:
        await context.close()


if __name__ == "__main__":
    from leasebot_pipeline.settings import load_settings
    from leasebot_pipeline.wiring import runtime_options

    record(RECORDED, runtime_options(load_settings()))
    sys.stdout.write(f"recorded {len(list(RECORDED.rglob('*.html')))} pages\n")
