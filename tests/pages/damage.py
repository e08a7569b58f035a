"""What happens to recorded pages: other texts, other order, other markup, an early end."""

from __future__ import annotations

import html as markup
import json
import re
from collections.abc import Sequence
from pathlib import Path

from selectolax.lexbor import LexborHTMLParser

from leasebot_pipeline.domain.platforms import Platform
from leasebot_pipeline.platforms.adapter import Adapter
from leasebot_pipeline.platforms.detection import PageKind
from leasebot_pipeline.platforms.options import RuntimeOptions
from leasebot_pipeline.platforms.overrides import adapters
from leasebot_pipeline.platforms.page import PageSnapshot
from tests.pages.record import FREE_TEXT, RECORDED

ADAPTERS = adapters(RuntimeOptions(data_dir=Path("unused"), environ={}))


def recorded(platform: Platform, name: str) -> str:
    """A recorded page: inbox, inbox-empty, thread, listings or login."""
    return (RECORDED / platform.value / f"{name}.html").read_text(encoding="utf-8")


def thread_id(platform: Platform) -> str:
    """The recorded thread's id."""
    found = re.search(r'(?:data-thread-id="|data-source="/inbox/)([^"/]+)', recorded(platform, "thread"))
    assert found is not None
    return found[1]


def snapshot(platform: Platform, kind: PageKind, html: str, *, url: str | None = None) -> PageSnapshot:
    """The page as the browser would hand it over."""
    adapter = ADAPTERS[platform]
    urls = {
        PageKind.INBOX: adapter.inbox_url,
        PageKind.THREAD: adapter.thread_url(thread_id(platform)),
        PageKind.LISTINGS: adapter.listings_url(adapter.listings.paths[0], 1),
    }
    title = re.search(r"<title>(.*?)</title>", html, re.DOTALL)
    return PageSnapshot(url or urls[kind], 200, markup.unescape(title[1]) if title else "", html)


def with_text(platform: Platform, html: str, text: str) -> str:
    """The page with ``text`` where the placeholder stands, escaped as the site escapes it."""
    as_state = markup.escape(json.dumps(text)[1:-1])
    as_text = markup.escape(text)
    if platform not in (Platform.ROOMIES, Platform.RENTHOP):
        as_text = as_text.replace("\n", "<br>")
    state = f"&quot;content&quot;:&quot;{FREE_TEXT}&quot;"
    return html.replace(state, f"&quot;content&quot;:&quot;{as_state}&quot;").replace(FREE_TEXT, as_text)


def reordered(html: str, selectors: Sequence[str], order: Sequence[int]) -> str:
    """The page with its rows in another order; ``order`` is a permutation of as many or more numbers."""
    rows = _rows(html, selectors)
    wanted = [rows[n] for n in order if n < len(rows)]
    assert sorted(wanted) == sorted(rows)
    for number, row in enumerate(rows):
        html = html.replace(row, f"<!--row {number}-->", 1)
    for number, row in enumerate(wanted):
        html = html.replace(f"<!--row {number}-->", row, 1)
    return html


def repeated(html: str, selectors: Sequence[str]) -> str:
    """The page with each row twice."""
    for row in _rows(html, selectors):
        html = html.replace(row, row + row, 1)
    return html


def rebuilt(html: str) -> str:
    """The same page from another build of the site: new attributes and classes, wrappers, blanks, comments."""

    def tag(match: re.Match[str]) -> str:
        return f'\n <!-- v2 -->{match[1]} data-v-7f3a="" data-build="2"'

    changed = re.sub(r"(<(?:div|li|a|span|section|ul|ol|p|dl|dd|h1|h2|h3|form|footer)\b)(?=[\s>])", tag, html)
    changed = changed.replace('class="', 'class="js-x ')
    return changed.replace("<main", "<div class='shell'><main").replace("</main>", "</main></div>")


def _rows(html: str, selectors: Sequence[str]) -> list[str]:
    tree = LexborHTMLParser(html)
    nodes = next(found for s in selectors if (found := tree.css(s)))
    return [str(node.html) for node in nodes]


def parts(platform: Platform) -> tuple[Adapter, str, str]:
    """Adapter, recorded inbox, recorded thread."""
    return ADAPTERS[platform], recorded(platform, "inbox"), recorded(platform, "thread")
