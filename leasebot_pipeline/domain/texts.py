"""Reading a lead's text: what they wrote now, in comparable words, clause by clause."""

from __future__ import annotations

import re
import unicodedata
from typing import Final

_QUOTE_LINE: Final = re.compile(r"^\s*(?:>|\|)")
_QUOTE_HEAD: Final = re.compile(
    r"^\s*(?:on .{5,80} wrote:|-{2,} ?(?:original|forwarded) message|from: .+|sent from my .+|get outlook for .+)\s*$",
    re.IGNORECASE,
)
_SIGNATURE: Final = re.compile(r"^\s*(?:--|__+)\s*$")
_ZERO_WIDTH: Final = re.compile("[\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff]")
_CLAUSE: Final = re.compile(r"[.!?;\n]+|,? (?:but|however|although)\b")


def own_words(text: str) -> str:
    """The text without quoted earlier mail, forwarded heads and signatures.

    A message that is nothing but a quote is kept whole: better to read too much than nothing.
    """
    kept: list[str] = []
    for line in text.splitlines():
        if _SIGNATURE.match(line) or _QUOTE_HEAD.match(line):
            break
        if not _QUOTE_LINE.match(line):
            kept.append(line)
    own = "\n".join(kept).strip()
    return own or text.strip()


def comparable(text: str) -> str:
    """Lower case, compatibility-normalised, plain apostrophes and spaces, no invisible characters."""
    text = _ZERO_WIDTH.sub("", unicodedata.normalize("NFKC", text))
    text = text.replace("’", "'").replace("‘", "'").replace("“", '"').replace("”", '"')
    return re.sub(r"[^\S\n]+", " ", text).lower().strip()


def clauses(text: str) -> list[str]:
    """Comparable text cut at sentence ends and contrasts; negation reaches no further than its clause."""
    return [clause.strip(" ,") for clause in _CLAUSE.split(text) if clause.strip(" ,")]


_COMMON_ENGLISH: Final = frozenset(
    """a able about am an and any apartment are at available be been book by can confirm could day did do does for from get good got
    great had has have hello help hey hi how i if in interested is it its just know let like look looking me month more move my
    need no not of ok okay on one or our out place please price rent room see she some still sure thank thanks that the there they this
    time to today tomorrow tour u up visit want was we what when where which who will with work works would yes yep yeah you your second
    first third confirmed perfect sounds monday tuesday wednesday thursday friday saturday sunday stop unsubscribe viewing showing
    morning afternoon evening weekend week next after before pm nice cool unit deposit fee cost much pets parking cheers bye""".split()
)


def reads_as_english(text: str) -> bool:
    """True when enough common English words stand in it; short texts need one, longer ones a share."""
    words = re.findall(r"[^\W\d_]+", comparable(text).replace("'", ""))
    if not words:
        return bool(re.search(r"\d", text))
    if sum(not word.isascii() for word in words) > len(words) * 0.3:
        return False
    known = sum(word in _COMMON_ENGLISH for word in words)
    return known >= 1 if len(words) <= 4 else known / len(words) >= 0.2
