"""Evidence of a failed visit, when debugging is on: a picture, the HTML and a few facts.

HTML and facts are redacted; the picture shows the page as it was, so the directory is for the team only.
"""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from playwright.async_api import Error, Page

from leasebot_pipeline.domain.failures import PlatformFailure
from leasebot_pipeline.domain.redaction import redact
from leasebot_pipeline.platforms.protocol import AccountRef

_MAX_HTML: Final = 1_000_000
_UNSAFE: Final = re.compile(r"[^A-Za-z0-9_-]")
_PICTURE_S: Final = 5.0


async def keep_evidence(
    page: Page, directory: Path, account: AccountRef, action: str, failure: PlatformFailure, now: datetime
) -> dict[str, str]:
    """Write what can still be taken of the page; returns the paths by kind (png, html, json)."""
    stamp = re.sub("[:.]", "-", now.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"))
    name = _UNSAFE.sub("_", f"{stamp}-{account.platform.value}-{action}-{account.id}-attempt1")
    directory.mkdir(parents=True, exist_ok=True, mode=0o700)
    paths = {kind: directory / f"{name}.{kind}" for kind in ("json", "html", "png")}
    facts = {
        "platform": account.platform.value,
        "action": action,
        "accountId": str(account.id),
        "attempt": 1,
        "url": redact(page.url),
        "code": failure.code,
        "detail": redact(failure.detail),
    }
    paths["json"].write_text(json.dumps(facts, indent=2), encoding="utf-8")
    kept = {"json": str(paths["json"])}
    try:
        html = redact((await page.content())[:_MAX_HTML])
        paths["html"].write_text(html, encoding="utf-8", errors="replace")
        kept["html"] = str(paths["html"])
        await page.screenshot(path=paths["png"], full_page=True, timeout=_PICTURE_S * 1000)
        kept["png"] = str(paths["png"])
    except Error as error:
        kept["incomplete"] = type(error).__name__  # a dead page has no picture; the facts are kept
    return kept
