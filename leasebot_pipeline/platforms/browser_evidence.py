"""Evidence of a failed visit: a picture, the markup and a few facts, with everything people wrote masked.

Taken with debugging on, and always when a page has changed: then it is what an adapter is mended by.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import fields
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from playwright.async_api import Error, Page

from leasebot_pipeline.domain.failures import PlatformFailure
from leasebot_pipeline.domain.redaction import redact
from leasebot_pipeline.platforms.adapter import Adapter
from leasebot_pipeline.platforms.detection import PageKind
from leasebot_pipeline.platforms.evidence import EvidenceLimits, evidence_name, kept_already, prune
from leasebot_pipeline.platforms.fingerprint import page_fingerprint
from leasebot_pipeline.platforms.masking import masked_html, masked_text, masked_url, skeleton
from leasebot_pipeline.platforms.page import Document
from leasebot_pipeline.platforms.protocol import AccountRef

DRIFT_CODES: Final = frozenset({"MARKUP_DRIFT", "OUTBOUND_COMPOSER_MISSING", "OUTBOUND_SUBMIT_MISSING"})
"""Failures whose page is kept even without debugging."""

_MAX_HTML: Final = 1_000_000
_MAX_HEIGHT: Final = 5000
_PICTURE_S: Final = 5.0
_KIND_OF: Final = {"ingest": PageKind.INBOX, "listing_sync": PageKind.LISTINGS}

# No letter is painted, no picture shown; where text stood there is a grey bar, so that the layout can be
# seen. Applied by the browser to the page and its frames while the picture is taken, whatever scripts do.
UNREADABLE: Final = """
  *, *::before, *::after, *::placeholder {
    color: transparent !important; -webkit-text-fill-color: transparent !important; text-shadow: none !important;
    caret-color: transparent !important; background-image: none !important; list-style-image: none !important;
    text-decoration-color: transparent !important; -webkit-text-stroke-color: transparent !important;
  }
  *::before, *::after, *::marker { content: "" !important; }
  body *:not(:has(*)) { background-color: #d7dbe0 !important; }
  img, video, canvas, svg, picture, object, embed, iframe, meter, progress { visibility: hidden !important; }
  option, select, input, textarea { color: transparent !important; }
"""


async def keep_evidence(
    page: Page,
    directory: Path,
    account: AccountRef,
    adapter: Adapter,
    action: str,
    failure: PlatformFailure,
    now: datetime,
    limits: EvidenceLimits,
    *,
    every_time: bool,
) -> dict[str, str]:
    """Write what can still be taken of the page; returns the paths by kind (png, html, json).

    Unless ``every_time``, a page that failed in the same way within the hour is not kept again: the earlier
    paths are returned. Raises OSError when the directory can't be written.
    """
    html, lacking = "", ""
    try:
        html = (await page.content())[:_MAX_HTML]
    except Error as error:
        lacking = type(error).__name__  # a dead page has no markup; the facts are kept
    structure = hashlib.sha256(skeleton(html).encode("utf-8", "replace")).hexdigest()[:16]
    directory.mkdir(parents=True, exist_ok=True, mode=0o700)
    if not every_time:
        before = kept_already(directory, account, action, failure.code, structure, now)
        if before is not None:
            return before
    name = evidence_name(account, action, now)
    paths = {kind: directory / f"{name}.{kind}" for kind in ("json", "html", "png")}
    facts: dict[str, object] = {
        "platform": account.platform.value,
        "action": action,
        "accountId": str(account.id),
        "attempt": 1,
        "url": masked_url(page.url),
        "code": failure.code,
        "detail": redact(failure.detail),
        "takenAt": now.astimezone(UTC).isoformat(),
        "structure": structure,
        **(_facts(adapter, _KIND_OF.get(action, PageKind.THREAD), html) if html else {}),
    }
    kept = {"json": str(paths["json"])}
    paths["json"].write_text(json.dumps(facts, indent=2), encoding="utf-8")
    if html:
        paths["html"].write_text(masked_html(html), encoding="utf-8", errors="replace")
        kept["html"] = str(paths["html"])
        try:
            await _picture(page, paths["png"])
            kept["png"] = str(paths["png"])
        except Error as error:
            lacking = type(error).__name__
    if lacking:
        kept["incomplete"] = lacking
    prune(directory, limits, now)
    return kept


async def _picture(page: Page, path: Path) -> None:
    height = await page.evaluate("document.documentElement.scrollHeight")
    await page.screenshot(
        path=path,
        full_page=isinstance(height, int) and height <= _MAX_HEIGHT,
        style=UNREADABLE,
        animations="disabled",
        timeout=_PICTURE_S * 1000,
    )


def _facts(adapter: Adapter, kind: PageKind, html: str) -> dict[str, object]:
    """What the adapter finds on the page: enough to see which selector has to change."""
    document = Document(html)
    found: dict[str, dict[str, int]] = {}
    for field in fields(adapter.selectors):
        selectors = getattr(adapter.selectors, field.name)
        counts = {selector: n for selector in selectors if (n := len(document.all((selector,))))}
        if counts:
            found[field.name] = counts
    return {
        "page": kind.value,
        "title": masked_text(document.title[:200]),
        "fingerprint": dict(page_fingerprint(adapter, kind, document)),
        "selectors": found,
    }
