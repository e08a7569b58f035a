"""A page without what people wrote on it: its structure stays, names, texts, contacts and ids go.

The few phrases the sites' own interfaces are made of stay readable where they stand alone, for they tell a
login page from an inbox. Every other letter becomes x, every digit 9; what scripts and comments hold is dropped.
"""

from __future__ import annotations

import re
from html import escape
from html.parser import HTMLParser
from typing import Final
from urllib.parse import parse_qsl, urlsplit

_WORD: Final = re.compile(r"\w+")
_NO_WORD: Final = re.compile(r"[\W_]+")
_DIGIT: Final = re.compile(r"\d")
_LONGEST_TEXT: Final = 400
_SEPARATOR: Final = re.compile(r"([|·•–—])")
_PHRASES: Final = frozenset(
    {
        "inbox", "messages", "my messages", "all messages", "back to my messages", "conversation", "conversations", "listings",
        "my listings", "your listings", "manage listings", "log in", "login", "log out", "logout", "sign in", "sign out",
        "forgot password", "remember me", "password", "email", "send", "send message", "send reply", "reply", "your reply",
        "next", "prev", "previous", "older", "newer", "more", "page", "loading messages", "not found", "forbidden",
        "access denied", "attention required", "just a moment", "request blocked", "service unavailable",
        "too many requests", "security check", "verify", "continue", "search", "home", "help",
        "furnished finder", "furnishedfinder", "leasebreak", "renthop", "roomies", "spareroom",
    }
)  # fmt: skip
_TOKENS: Final = frozenset(
    {
        "account", "apartment", "apartments", "archived", "author", "dashboard", "entries", "false", "for-rent", "html", "inbound",
        "inbox", "lead", "listing", "listing_id", "listings", "login", "logon", "logon.pl", "logout", "manage", "me", "message",
        "message_id", "messages", "messaging", "my", "my-listings", "mylistings.pl", "mythreads_beta.pl", "null", "offset",
        "outbound", "owner", "page", "properties", "property", "register", "roommate", "rooms", "self", "session", "sign_in",
        "thread", "thread_id", "threads", "true", "users",
    }
)  # fmt: skip
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
    """The text made unreadable, but for interface phrases that stand alone in it."""
    return "".join(part if _plain(part) in _PHRASES else _masked(part) for part in _SEPARATOR.split(text))


def masked_url(url: str) -> str:
    """The address with ids and values made unreadable; scheme, host and the site's own path names stay."""
    try:
        parts = urlsplit(url)
        host = f"{parts.scheme}://{parts.hostname or ''}" if parts.netloc else ""
    except ValueError:
        return _masked(url)
    if parts.scheme not in ("", "http", "https"):
        return f"{parts.scheme}:…"
    path = "/".join(_token(segment) for segment in parts.path.split("/"))
    query = "&".join(
        f"{_token(name)}={_masked(value)}" for name, value in parse_qsl(parts.query, keep_blank_values=True)
    )
    return f"{host}{path}{f'?{query}' if query else ''}"


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


def _masked(text: str) -> str:
    return _WORD.sub(_masked_word, text)


def _masked_word(match: re.Match[str]) -> str:
    return "".join("9" if char.isdigit() else "_" if char == "_" else "x" for char in match.group())


def _token(text: str) -> str:
    return text if text.lower() in _TOKENS else _masked(text)


def _plain(text: str) -> str:
    return " ".join(_NO_WORD.sub(" ", text).lower().split())


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
        shown = value if name in _KEPT_ATTRIBUTES else _token(value[:_LONGEST_TEXT])
    return f'{name}="{escape(shown)}"'
