"""Evidence of a failed visit in a real browser: masked, kept when a page changed, never in the way. G-56."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from pathlib import Path

import pytest

from leasebot_pipeline.domain.failures import PlatformFailure
from leasebot_pipeline.domain.platforms import Platform
from leasebot_pipeline.platforms.browser import BrowserRuntime
from leasebot_pipeline.platforms.browser_evidence import UNREADABLE
from leasebot_pipeline.platforms.options import RuntimeOptions
from leasebot_pipeline.platforms.registry import BrowserConnectors
from leasebot_pipeline.sandbox.faults import Fault
from leasebot_pipeline.sandbox.testing import SandboxServer
from tests.browser.conftest import DEADLINE_S, AccountOf

WRITTEN = """<style>body {{ font: 20px monospace }} div, input, textarea, li {{ width: 600px; height: 40px }}</style>
<div>{0}</div><ul><li>{0}</li></ul><input value="{0}"><textarea>{0}</textarea><input placeholder="{0}">
<div title="{0}"><b>{0}</b> and {0}</div><style>.q::before {{ content: "{0}" }}</style><div class="q"></div>
<div style="display: list-item; list-style: '{0}'"><i>a</i></div>
<iframe srcdoc="{0}"></iframe><svg width="600" height="40"><text x="0" y="30">{0}</text></svg>"""


def test_a_picture_shows_the_layout_and_no_word(options: RuntimeOptions) -> None:
    """Two pages that differ in what people wrote only give the same picture."""
    runtime = BrowserRuntime(options)

    async def pictures() -> list[bytes]:
        browser = await runtime.browser(headless=True)
        page = await browser.new_page()
        taken = []
        for style in (UNREADABLE, None):
            for text in ("Ana O'Neil 5551234567 ana.oneil", "Bob Jakobi 9876543210 b@example"):
                await page.set_content(WRITTEN.format(text))
                await asyncio.wait_for(page.wait_for_load_state("load"), 10)
                taken.append(await page.screenshot(full_page=True, style=style))
        await page.close()
        return taken

    try:
        masked, masked_too, plain, plain_too = runtime.call(pictures, 30)
    finally:
        runtime.close()
    assert masked == masked_too
    assert plain != plain_too


@pytest.mark.parametrize("platform", list(Platform), ids=lambda p: p.value)
def test_a_changed_page_is_kept_without_debugging_once_an_hour(
    platform: Platform,
    sandbox: SandboxServer,
    own_connectors: Callable[..., BrowserConnectors],
    logged_in: AccountOf,
    tmp_path: Path,
) -> None:
    connector, account = (
        own_connectors(debug_dir=tmp_path / "kept").for_platform(platform),
        logged_in(platform),
    )
    lead = sandbox.add_lead(platform, "I am Zebedee, write to zebedee@example.org", name="Zebedee Quux")
    sandbox.fault(platform, Fault.CHANGED_MARKUP)
    kept: list[dict[str, str]] = []
    for _ in range(2):
        with pytest.raises(PlatformFailure, match="MARKUP_DRIFT") as caught:
            connector.read_inbox(account, deadline_s=DEADLINE_S)
        kept.append(caught.value.evidence)
        assert "page kept: " in caught.value.detail
    assert kept[0] == kept[1]
    with pytest.raises(PlatformFailure, match="MARKUP_DRIFT") as caught:
        connector.read_thread(account, lead.thread, deadline_s=DEADLINE_S)
    assert "Zebedee" not in f"{caught.value} {caught.value.detail}"
    assert len(list((tmp_path / "kept").iterdir())) == 6
    for path in (tmp_path / "kept").iterdir():
        if path.suffix != ".png":
            text = path.read_text()
            assert "ebedee" not in text
            assert "Quux" not in text
            assert lead.thread not in text
    facts = json.loads(Path(kept[0]["json"]).read_text())
    assert facts["page"] == "inbox"
    assert facts["fingerprint"]["inboxLandmark"] is None
    assert facts["fingerprint"]["closing"] is not None
    assert facts["selectors"]["closing"]


def test_other_failures_are_kept_with_debugging_only_and_a_full_disk_hides_none(
    sandbox: SandboxServer,
    own_connectors: Callable[..., BrowserConnectors],
    logged_in: AccountOf,
    tmp_path: Path,
) -> None:
    account = logged_in(Platform.RENTHOP)
    sandbox.fault(Platform.RENTHOP, Fault.SERVER_ERROR)
    blocked = tmp_path / "a-file"
    blocked.write_text("")
    for debug, directory in ((False, tmp_path / "kept"), (True, blocked)):
        connector = own_connectors(debug=debug, debug_dir=directory).for_platform(Platform.RENTHOP)
        with pytest.raises(PlatformFailure, match="PLATFORM_UNAVAILABLE") as caught:
            connector.read_inbox(account, deadline_s=DEADLINE_S)
        assert caught.value.evidence == {}
    assert not (tmp_path / "kept").exists()
