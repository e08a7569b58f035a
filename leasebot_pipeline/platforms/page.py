"""A visited page as a value, and the ways its HTML is read: pure, no browser."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final
from urllib.parse import parse_qsl, unquote, urlsplit

from selectolax.lexbor import LexborHTMLParser, LexborNode, SelectolaxError

HIDDEN_ATTRIBUTE: Final = "data-lb-hidden"
"""Put on challenge and captcha elements nobody can see, before the page's HTML is taken."""

MESSAGE_ATTRIBUTE: Final = "data-lb-message"
"""Holds a message's runtime state as JSON, where a page keeps it outside its HTML."""

_SILENT_TAGS: Final = ["script", "style", "noscript", "template", "head"]
_BLOCK: Final = re.compile(
    r"address|article|aside|blockquote|dd|div|dl|dt|fieldset|figure|footer|form|h[1-6]|header|hr|li|main|nav"
    r"|ol|p|pre|section|table|tr|ul"
)
_BLANK: Final = re.compile(r"[^\S\n]+")
_BLANK_LINES: Final = re.compile(r"\n{3,}")
_DATE_IN_TITLE: Final = re.compile(r"\d{4}-\d{2}-\d{2}")


@dataclass(frozen=True, slots=True)
class PageSnapshot:
    """What the browser showed: final URL, HTTP status (None when served without one), title, HTML."""

    url: str
    status: int | None
    title: str
    html: str


class Document:
    """The parsed HTML of a snapshot, without scripts and styles."""

    def __init__(self, html: str) -> None:
        self._tree = LexborHTMLParser(html)
        title = self._tree.css_first("title")
        self.title = one_line(title.text()) if title is not None else ""
        self._tree.strip_tags(_SILENT_TAGS)

    def all(self, selectors: Sequence[str]) -> list[LexborNode]:
        """Elements that match, selector by selector, then in document order; each once."""
        return _unique(node for selector in selectors for node in self._tree.css(selector))

    def first(self, selectors: Sequence[str]) -> LexborNode | None:
        """The first match of the first selector that has one."""
        return next((node for s in selectors if (node := self._tree.css_first(s)) is not None), None)

    def has(self, selectors: Sequence[str]) -> bool:
        """True when any selector matches."""
        return self.first(selectors) is not None

    def members(self, selectors: Sequence[str]) -> frozenset[int]:
        """Identity of every matching element, to ask of an element whether it matches itself."""
        return frozenset(node.mem_id for selector in selectors for node in self._tree.css(selector))

    def positions(self) -> dict[int, int]:
        """Document order of every element by identity."""
        return {node.mem_id: index for index, node in enumerate(self._tree.css("*"))}

    def text_without(self, selectors: Sequence[str]) -> str:
        """The page's text outside of matching elements, blanks collapsed."""
        body = self._tree.body
        return one_line(" ".join(_texts(body, self.members(selectors)))) if body is not None else ""


def is_selector(selector: str) -> bool:
    """True when the parser understands the selector."""
    try:
        LexborHTMLParser("<p></p>").css(selector)
    except SelectolaxError:
        return False
    return True


def find(node: LexborNode, selectors: Sequence[str]) -> Iterator[LexborNode]:
    """Matches below ``node``, selector by selector."""
    for selector in selectors:
        for found in node.css(selector):
            if found.mem_id != node.mem_id:
                yield found


def field_text(node: LexborNode, selectors: Sequence[str]) -> str | None:
    """A field in one line: the first match with content.

    Content is a ``datetime`` attribute, else a ``title`` attribute with a date, else the text.
    """
    for found in find(node, selectors):
        value = _attribute_time(found) or one_line(block_text(found))
        if value:
            return value
    return None


def field_block(node: LexborNode, selectors: Sequence[str]) -> str | None:
    """A field with its line breaks: the first match with text."""
    return next((text for found in find(node, selectors) if (text := block_text(found))), None)


def attribute(node: LexborNode, *names: str) -> str | None:
    """The first of the attributes that has a value, trimmed."""
    attributes = node.attributes
    return next((text for name in names if (text := (attributes.get(name) or "").strip())), None)


def block_text(node: LexborNode) -> str:
    """Text as a reader sees it: ``br`` and blocks break lines, other blanks collapse, trimmed."""
    parts: list[str] = []
    _collect(node, parts)
    lines = (_BLANK.sub(" ", line).strip() for line in "".join(parts).split("\n"))
    return _BLANK_LINES.sub("\n\n", "\n".join(lines)).strip()


def one_line(text: str) -> str:
    """Blanks and line breaks collapsed."""
    return " ".join(text.split())


def clean(text: str) -> str:
    """Text that every store takes: no NUL, no lone surrogate."""
    return text.replace("\x00", "").encode("utf-8", "replace").decode("utf-8")


def path_segment_after(url: str, *parts: str) -> str | None:
    """The path segment that follows one of ``parts`` (each like ``/rooms/``), decoded."""
    path = urlsplit(url).path
    for part in parts:
        _, found, rest = path.partition(part)
        segment = rest.split("/", 1)[0]
        if found and segment:
            return unquote(segment)
    return None


def query_value(url: str, *names: str) -> str | None:
    """The first query parameter with a value among ``names``, in their order."""
    values = dict(reversed(parse_qsl(urlsplit(url).query)))
    return next((values[name] for name in names if values.get(name)), None)


def _attribute_time(node: LexborNode) -> str | None:
    attributes = node.attributes
    title = attributes.get("title") or ""
    return (attributes.get("datetime") or "").strip() or (title if _DATE_IN_TITLE.search(title) else None)


def _collect(node: LexborNode, parts: list[str]) -> None:
    child = node.first_child
    while child is not None:
        if child.is_text_node:
            text = child.text_content or ""
            if text.isspace():
                text = " "  # the template's own line breaks between elements
            elif parts and parts[-1] == "\n":
                text = text.removeprefix("\n")  # the markup's line break after a br
            parts.append(text)
        elif child.tag == "br":
            parts.append("\n")
        elif child.is_element_node:
            block = _BLOCK.fullmatch(child.tag or "") is not None
            if block and parts and not parts[-1].endswith("\n"):
                parts.append("\n")
            _collect(child, parts)
            if block:
                parts.append("\n")
        child = child.next


def _texts(root: LexborNode, left_out: frozenset[int]) -> Iterator[str]:
    waiting: list[LexborNode | None] = [root.first_child]
    while waiting:
        node = waiting.pop()
        if node is None:
            continue
        waiting.append(node.next)
        if node.is_text_node:
            yield node.text_content or ""
        elif node.is_element_node and node.mem_id not in left_out:
            waiting.append(node.first_child)


def _unique(nodes: Iterator[LexborNode]) -> list[LexborNode]:
    seen: dict[int, LexborNode] = {}
    for node in nodes:
        seen.setdefault(node.mem_id, node)
    return list(seen.values())
