"""What a lead wrote, made readable for rules: quotes and signatures off, words in one spelling. Pure.

A sentence becomes `` is it still available ? ``: lower-case words between single blanks, contractions
written out, commas and the question mark as words of their own.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from leasebot_pipeline.domain.intents_words import LANGUAGE_WORDS, SPELLINGS

MAX_CHARS: Final = 8000
"""Longer messages are cut before reading; the rules note that in ``Reading.cut``."""


@dataclass(frozen=True, slots=True)
class Sentence:
    """One sentence; ``text`` has a blank before and after every word."""

    text: str
    is_question: bool

    @property
    def words(self) -> list[str]:
        return self.text.split()


@dataclass(frozen=True, slots=True)
class Reading:
    """All sentences of a burst, oldest first."""

    sentences: tuple[Sentence, ...]
    has_letters: bool
    cut: bool

    @property
    def words(self) -> list[str]:
        return [word for sentence in self.sentences for word in sentence.words]


_INVISIBLE: Final = re.compile("[\u00ad\u200b-\u200f\u202a-\u202e\u2060-\u2064\ufeff]")
_APOSTROPHES: Final = str.maketrans({"\u2019": "'", "\u2018": "'", "\u02bc": "'", "`": "'", "\u00b4": "'"})
_QUOTE_HEADER: Final = re.compile(
    r"^\s*(?:on .{4,100} wrote:|-{2,}\s*(?:original|forwarded) message\s*-{2,}|from: .+@.+|_{10,})\s*$", re.I
)
_SIGNATURE_LINE: Final = re.compile(
    r"^\s*(?:--|__)\s*$|^\s*(?:sent from my .{2,40}|get outlook for .{2,20}|sent via .{2,30})\s*$", re.I
)
_SIGN_OFF: Final = re.compile(
    r"^\s*(?:best|best regards|kind regards|warm regards|regards|cheers|sincerely|yours|yours truly)\s*[,.!]?\s*$",
    re.I,
)
_SIGNATURE_LINES: Final = 6
_MERIDIEM: Final = re.compile(r"\b([ap])\.?\s?m\b\.?", re.I)
_SPLIT: Final = re.compile(r"(\?[?!.]*|!+|\.(?=\s|$)\.*|\n+|;)")
_WORD: Final = re.compile(
    r"\d{1,2}(?:st|nd|rd|th)\b|[$\u20ac\u00a3]\s?\d[\d,.]*|\d[\d,.:/]*\d|\d|[^\W\d_]+(?:'[^\W\d_]+)*|[,#&]"
)

_ENDINGS: Final = (("n't", " not"), ("'re", " are"), ("'ve", " have"), ("'ll", " will"), ("'d", " would"))
_IS_WORDS: Final = frozenset(
    {"it", "that", "what", "where", "when", "who", "how", "there", "here", "he", "she", "this", "which"}
)
_QUESTION_STARTS: Final = frozenset(
    {"what", "when", "where", "which", "who", "whose", "how", "why", "is", "are", "was", "can", "could", "do"}
    | {"does", "did", "will", "would", "may", "should", "has", "have", "am", "any"}
)
_REQUEST: Final = re.compile(
    r" (?:(?:i|we) (?:am|are|was|were) (?:just )?(?:wondering|curious|hoping to know)|wondering (?:if|whether|what|when)"
    r"|let me know|tell me|send me|(?:need|want|like|love) to (?:know|ask|confirm whether)|can you|could you"
    r"|would you|please (?:send|share|advise|confirm whether|tell)|(?:a|one|my|some|quick|few) questions?|confirm (?:if|whether|that)) "
)


@lru_cache(maxsize=4096)
def _spelling(word: str) -> str:
    if word in SPELLINGS:
        return SPELLINGS[word]
    for ending, written in _ENDINGS:
        if word.endswith(ending) and len(word) > len(ending):
            return word[: -len(ending)] + written
    if word.endswith("'s"):
        return word[:-2] + (" is" if word[:-2] in _IS_WORDS else "")
    return word


def normalise_characters(text: str) -> str:
    """Compatibility forms folded, invisible characters gone, one apostrophe."""
    return _INVISIBLE.sub("", unicodedata.normalize("NFKC", text)).translate(_APOSTROPHES)


def strip_quotes_and_signature(text: str) -> str:
    """What the lead wrote now: without quoted mail, its header and the signature below."""
    own: list[str] = []
    for line in text.splitlines():
        if _QUOTE_HEADER.match(line) or _SIGNATURE_LINE.match(line):
            break
        if not line.lstrip().startswith(">"):
            own.append(line)
    while own and not own[-1].strip():
        own.pop()
    for number, line in enumerate(own):
        if number and _SIGN_OFF.match(line) and len(own) - number <= _SIGNATURE_LINES:
            return "\n".join(own[:number]).strip()
    return "\n".join(own).strip()


def read(messages: Iterable[str]) -> Reading:
    """The sentences of a burst of messages."""
    sentences: list[Sentence] = []
    cut = False
    for message in messages:
        cut = cut or len(message) > MAX_CHARS
        body = strip_quotes_and_signature(normalise_characters(message[:MAX_CHARS]))
        sentences.extend(_sentences(_MERIDIEM.sub(r" \1m ", body.casefold())))
    has_letters = any(char.isalpha() for sentence in sentences for char in sentence.text)
    return Reading(tuple(sentences), has_letters, cut)


def _sentences(body: str) -> Iterable[Sentence]:
    pieces = _SPLIT.split(body)
    for piece, stop in zip(pieces[::2], [*pieces[1::2], ""], strict=True):
        words = " ".join(_spelling(word) for word in _WORD.findall(piece))
        words = words.strip(" ,")
        if not words:
            continue
        text = f" {words} "
        first = words.split(" ", 1)[0]
        asked = stop.startswith("?") or first in _QUESTION_STARTS or _REQUEST.search(text) is not None
        yield Sentence(text + "? " if asked else text, asked)


_CLEARLY_FOREIGN: Final = 2


def language(reading: Reading) -> str | None:
    """ISO 639-1 code of the language most frequent words belong to; None when they are too few to tell.

    A sentence clearly in another language counts for the whole text: nobody would answer it. ``und``
    stands for a script the rules cannot read.
    """
    words = reading.words
    letters = "".join(word for word in words if word[0].isalpha())
    if letters and sum(char.isascii() for char in letters) < 0.7 * len(letters):
        return "und"
    for sentence in reading.sentences:
        code, score, english = _best_language(sentence.words)
        if score >= _CLEARLY_FOREIGN and english == 0:
            return code
    code, score, _ = _best_language(words)
    return code if score else None


def _best_language(words: Iterable[str]) -> tuple[str, int, int]:
    """The language with most frequent words in the text, how many, and how many English ones; English
    wins a tie."""
    plain = {_without_accents(word) for word in words}
    scores = {code: len(plain & known) for code, known in LANGUAGE_WORDS.items()}
    best = max(scores, key=lambda code: (scores[code], code == "en"))
    return best, scores[best], scores["en"]


def _without_accents(word: str) -> str:
    if word.isascii():
        return word
    return "".join(c for c in unicodedata.normalize("NFD", word) if not unicodedata.combining(c))
