"""Phrase rules: reviewable data and the small matcher that finds them in a sentence. Pure.

A phrase is words between blanks:

=============  ====================================================================
``see``        that word
``see|view``   either word; ``_`` joins words of one alternative: ``look_at|see``
``the?``       that word or nothing
``tour*``      any word beginning so (not as the first word of a phrase)
``~``          up to three words, not across a comma
``#``          a number or time, ``$`` an amount of money
``^`` / ``.``  the beginning / the end of the sentence
``?``          the question mark (a question or request has one at its end)
=============  ====================================================================

A comma of the lead may stand between any two words.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from leasebot_pipeline.domain.intents_text import Sentence


@dataclass(frozen=True, slots=True)
class PhraseRule:
    """A named rule. ``examples`` must hit and ``near_misses`` must not: the tests run over all of them."""

    name: str
    code: str
    """What a hit stands for: an intent, a reason code or a speech act."""
    phrases: tuple[str, ...]
    unless: tuple[str, ...] = ()
    """Phrases that take a hit back where they overlap it."""
    only_asked: bool = False
    """Count only in a question or request."""
    negation_counts: bool = False
    """A "not" before the phrase, in a statement, takes the hit back."""
    weak: bool = False
    examples: tuple[str, ...] = ()
    near_misses: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Hit:
    """A rule found in a sentence."""

    rule: PhraseRule
    words: str
    start: int
    end: int
    negated: bool
    """A "not" stands before it (kept for rules that do not mind)."""


_NUMBER: Final = r"\d[\d,.:/]*(?:st|nd|rd|th)?"
_MONEY: Final = r"[$\u20ac\u00a3] ?\d[\d,.]*"
_NEGATORS: Final = frozenset({"not", "no", "never", "without", "nor", "neither", "none", "hardly", "stopped"})
_NEGATION_REACH: Final = 4
_SCOPE_ENDS: Final = frozenset(
    {",", "but", "and", "so", "because", "however", "though", "although", "if", "?"}
)
_HARMLESS_NEGATION: Final = re.compile(
    r" (?:(?:can|could) not wait|not only|not just|why not|whether or not|if not|no problem|no worries|no doubt) "
)


class PhraseIndex:
    """Finds the hits of many rules in one pass: phrases are kept by their first word."""

    def __init__(self, rules: Sequence[PhraseRule]) -> None:
        self._by_first: dict[str, list[tuple[PhraseRule, bool, re.Pattern[str]]]] = {}
        for rule in rules:
            for unless, phrases in ((False, rule.phrases), (True, rule.unless)):
                for phrase in phrases:
                    self._add(rule, unless, phrase.split())

    def _add(self, rule: PhraseRule, unless: bool, parts: list[str]) -> None:
        anchored = parts[0] == "^"
        body = parts[1:] if anchored else parts
        if body[0].endswith("?") and body[0] != "?":
            self._add(rule, unless, ["^"] * anchored + body[1:])
            body = [body[0][:-1], *body[1:]]
        pattern = ("(?<=^ )" if anchored else "") + _compile(body)
        compiled = re.compile(pattern)
        for alternative in body[0].split("|"):
            first = alternative.split("_")[0]
            if first == "~" or first.endswith("*"):
                raise ValueError(f"rule {rule.name}: a phrase cannot begin with {first!r}")
            self._by_first.setdefault(first, []).append((rule, unless, compiled))

    def find(self, sentence: Sentence) -> list[Hit]:
        """All hits in the sentence, in order; at most one per rule and place."""
        text = sentence.text
        hits: dict[tuple[str, int], Hit] = {}
        refused: list[tuple[str, int, int]] = []
        position = 1
        for word in text.split():
            for rule, unless, pattern in self._entries(word):
                match = pattern.match(text, position)
                if match is None:
                    continue
                start, end = match.span()
                if unless:
                    refused.append((rule.name, start, end))
                elif sentence.is_question or not rule.only_asked:
                    known = hits.get((rule.name, start))
                    if known is None or known.end < end:
                        hits[rule.name, start] = Hit(
                            rule, match.group().strip(), start, end, _negated(text, start)
                        )
            position += len(word) + 1
        return [
            hit
            for hit in hits.values()
            if not any(name == hit.rule.name and s < hit.end and hit.start < e for name, s, e in refused)
            and not (hit.rule.negation_counts and hit.negated and not sentence.is_question)
        ]

    def _entries(self, word: str) -> Iterable[tuple[PhraseRule, bool, re.Pattern[str]]]:
        yield from self._by_first.get(word, ())
        if word[0].isdigit():
            yield from self._by_first.get("#", ())
        elif word[0] in "$\u20ac\u00a3":
            yield from self._by_first.get("$", ())


def _compile(parts: list[str]) -> str:
    pattern = ""
    for number, part in enumerate(parts):
        comma = "(?:, )?" if number else ""
        if part == "~":
            pattern += "(?:[^ ,?]+ ){0,3}"
        elif part == "?":
            pattern += r"\? "
        elif part == ".":
            pattern += r"(?:\? )?$"
        elif part.endswith("?"):
            pattern += f"(?:{comma}{_alternatives(part[:-1])} )?"
        else:
            pattern += f"{comma}{_alternatives(part)} "
    return pattern


def _alternatives(part: str) -> str:
    options = [_word(option) for option in part.split("|")]
    return options[0] if len(options) == 1 else f"(?:{'|'.join(options)})"


def _word(option: str) -> str:
    if option == "#":
        return _NUMBER
    if option == "$":
        return _MONEY
    if option.endswith("*"):
        return re.escape(option[:-1].replace("_", " ")) + "[^ ,?]*"
    return re.escape(option.replace("_", " ")).replace(r"\ ", " ")


def _negated(text: str, start: int) -> bool:
    before = text[:start].split()[-_NEGATION_REACH:]
    for word in reversed(before):
        if word in _SCOPE_ENDS:
            return False
        if word in _NEGATORS:
            return _HARMLESS_NEGATION.search(text) is None
    return False
