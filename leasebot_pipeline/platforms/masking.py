"""A page without what people wrote on it: its structure stays, names, texts, contacts and ids go.

Words the sites' own interfaces are made of stay readable, for they tell a login page from an inbox. Every
other letter becomes x, every digit 9; what scripts and comments hold is dropped.
"""

from __future__ import annotations

import re
from html import escape
from html.parser import HTMLParser
from typing import Final
from urllib.parse import parse_qsl, urlsplit

_WORD: Final = re.compile(r"\w+")
_DIGIT: Final = re.compile(r"\d")
_LONGEST_TEXT: Final = 400
_VOCABULARY: Final = frozenset(
    """
    a access account accounts active ad advert adverts again all an and apartment apartments archive archived are as at
    attention author back be beta block blocked body bot browser but button by captcha challenge check checking closed
    cloudflare code complete composer connection content continue conversation conversations created_at data dashboard
    deactivated delivered_at denied direction display div draft edit either email empty entries error expired false
    filter find footer for form forgot forbidden found from has have header help here home https http human id if in
    inactive inbound inbox is issender item items just lead li link list listing listings load loaded loading log login
    logon logout main manage me message message_id messages messaging moment more my mythreads_beta mythreads name need
    needs new newer next no not now null number of off older on one or our out outbound own owner page pages password
    paused performance phone pl platform please preview prev previous properties property protection ray read read_at
    received rel remember rent reply request required results review robot room roommate rooms safety save search
    security see self send sender sent service session settings show sign sign_in signin signup site sorry span status
    submit system text than thread thread_id threads title to today too true try type unable unavailable unit unread
    user username users uuid verify verifying view wait was we website write x yesterday you your
    furnishedfinder leasebreak renthop roomies spareroom
    """.split()
)
_KEPT_ATTRIBUTES: Final = frozenset(
    {
        "class", "type", "role", "rel", "name", "method", "for", "lang", "charset", "data-testid", "data-qa", "data-cy",
        "x-data", "x-text", "x-for", "x-if", "autocomplete", "aria-hidden", "hidden", "disabled", "required", "checked",
        "data-lb-hidden", "data-state", "data-loading",
    }
)  # fmt: skip
_ADDRESSES: Final = frozenset({"href", "src", "action", "formaction", "data-source", "poster"})
_DROPPED_CONTENT: Final = frozenset({"script", "style", "noscript", "template"})
_VOID: Final = frozenset(
    {"area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source", "track", "wbr"}
)


def masked_text(text: str) -> str:
    """The text with all words but the interface's own made unreadable."""
    return _WORD.sub(_masked_word, text)


def masked_url(url: str) -> str:
    """The address with ids and values made unreadable; scheme and host stay."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return masked_text(url)
    if parts.scheme not in ("", "http", "https"):
        return f"{parts.scheme}:…"
    query = "&".join(
        f"{masked_text(name)}={masked_text(value)}"
        for name, value in parse_qsl(parts.query, keep_blank_values=True)
    )
    host = f"{parts.scheme}://{parts.hostname or ''}" if parts.netloc else ""
    return f"{host}{masked_text(parts.path)}{f'?{query}' if query else ''}"


def masked_html(html: str) -> str:
    """The page's markup with everything people wrote made unreadable."""
    masker = _Masker()
    masker.feed(html)
    masker.close()
    return "".join(masker.parts)


def skeleton(html: str) -> str:
    """What of a page's structure stays when only texts change: its kinds of elements with their classes."""
    collector = _Skeleton()
    collector.feed(html)
    collector.close()
    return "\n".join(sorted(collector.seen))


def _masked_word(match: re.Match[str]) -> str:
    word = match.group()
    if word.lower() in _VOCABULARY:
        return word
    return "".join("9" if char.isdigit() else "_" if char == "_" else "x" for char in word)


class _Masker(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.parts: list[str] = []
        self._silent: list[str] = []

    def handle_decl(self, decl: str) -> None:
        self.parts.append("<!doctype html>")

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in _DROPPED_CONTENT:
            self._silent.append(tag)
        shown = "".join(f" {_attribute(name, value)}" for name, value in attrs)
        self.parts.append(f"<{tag}{shown}>")

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        shown = "".join(f" {_attribute(name, value)}" for name, value in attrs)
        self.parts.append(f"<{tag}{shown}/>")

    def handle_endtag(self, tag: str) -> None:
        if self._silent and tag == self._silent[-1]:
            self._silent.pop()
        if tag not in _VOID:
            self.parts.append(f"</{tag}>")

    def handle_data(self, data: str) -> None:
        if self._silent:
            return
        more = len(data) - _LONGEST_TEXT
        text = masked_text(data[:_LONGEST_TEXT]) + (f"…({more} more)" if more > 0 else "")
        self.parts.append(escape(text, quote=False))


class _Skeleton(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.seen: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        known = dict(attrs)
        classes = " ".join(sorted((known.get("class") or "").split()))
        names = " ".join(sorted(name for name, _ in attrs))
        self.seen.add(f"{tag}|{classes}|{known.get('data-testid') or ''}|{names}")


def _attribute(name: str, value: str | None) -> str:
    if value is None:
        return name
    if name in _ADDRESSES:
        shown = masked_url(value)
    elif name == "id":
        shown = _DIGIT.sub("9", value)
    else:
        shown = value if name in _KEPT_ATTRIBUTES else masked_text(value[:_LONGEST_TEXT])
    return f'{name}="{escape(shown)}"'
