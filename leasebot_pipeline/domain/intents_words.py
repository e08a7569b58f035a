"""Word tables: how leads spell, which words tell a language, which ask for nothing. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

_SHORTEST_KNOWN = 5
_SHORTEST_CORRECTED = 4
_WHO_ONE_IS = ("protected", "relation")
"""Classes whose words ask for nothing by themselves: whoever says one of them reads like whoever says another."""


@dataclass(frozen=True)
class Words:
    """The tables of one version of the rules."""

    classes: Mapping[str, tuple[str, ...]]
    """Name of a class -> its words; the words of one expression are joined by ``_``."""
    spelling: Mapping[str, str]
    """Variant -> the spelling the rules use."""
    languages_of: Mapping[str, tuple[str, ...]]
    """Frequent word, without accents -> ISO 639-1 codes of the languages it is frequent in."""
    plain: frozenset[str]
    """Words that ask for nothing."""
    light: frozenset[str]
    """Words of guardrails and topics that mean nothing by themselves."""
    weighty: frozenset[str]
    """Ordinary words a person should read whoever tells them."""
    trade: frozenset[str]
    """Weighty words that may name what somebody does for a living."""
    english: frozenset[str]
    """Ordinary English words."""


def load_words(tables: Mapping[str, Any], weights: Mapping[str, Any], english: str) -> Words:
    """The tables of ``words.toml`` and ``weights.toml`` and the list ``english.txt``, one word a line.

    Raises ``ValueError`` for a class that is not there.
    """
    raw = {name: text.split() for name, text in tables["classes"].items()}

    def members(name: str) -> list[str]:
        found: list[str] = []
        for word in raw.get(name) or _unknown(name):
            found.extend(members(word[1:]) if word.startswith("@") else [word])
        return found

    classes = {name: tuple(dict.fromkeys(members(name))) for name in raw}
    return Words(
        classes=classes,
        spelling={
            variant: spelling.replace("_", " ")
            for spelling, variants in tables["spelling"].items()
            for variant in variants.split()
        },
        languages_of=_by_word({code: text.split() for code, text in tables["languages"].items()}),
        plain=frozenset(word for text in tables["plain"].values() for word in text.split())
        | {part for name in _WHO_ONE_IS for word in classes[name] for part in word.split("_")},
        light=frozenset(weights["light"]["words"].split()),
        weighty=frozenset(word for text in weights["weighty"].values() for word in text.split()),
        trade=frozenset(weights["trade"]["words"].split()),
        english=frozenset(english.split()),
    )


def _by_word(languages: Mapping[str, Iterable[str]]) -> dict[str, tuple[str, ...]]:
    found: dict[str, tuple[str, ...]] = {}
    for code, words in languages.items():
        for word in dict.fromkeys(words):
            found[word] = (*found.get(word, ()), code)
    return found


def _unknown(name: str) -> list[str]:
    raise ValueError(f"words.toml: no class {name!r}")


class Speller:
    """Corrects one slip in a word nobody knows: a letter too many, too few, changed or swapped.

    Only words of four letters and more, and only towards longer words the rules know; among several the first in
    alphabetical order, so that the same text always reads the same.
    """

    def __init__(self, known: Iterable[str], english: Iterable[str] = ()) -> None:
        self.known = frozenset(known)
        self.english = frozenset(english)
        by_shortened: dict[str, list[str]] = {}
        for word in sorted(self.known):
            if len(word) >= _SHORTEST_KNOWN and word.isalpha():
                for shortened in _shortened(word):
                    by_shortened.setdefault(shortened, []).append(word)
        # Tuples of words need no look of the garbage collector, tens of thousands of lists do.
        self._by_shortened = {shortened: tuple(words) for shortened, words in by_shortened.items()}

    def correct(self, word: str) -> str:
        """The known word one slip away, else the word itself."""
        if len(word) < _SHORTEST_CORRECTED or word in self.known or not word.isascii():
            return word
        single = _fewer_repeats(word)
        if single in self.known:
            return single
        found = {
            known
            for shortened in _shortened(word)
            for known in self._by_shortened.get(shortened, ())
            if known[0] == word[0] and _one_slip(word, known)
        }
        if word in self.english:
            found = {known for known in found if _same_stem(word, known)}
        return min(found, default=word)


def _same_stem(left: str, right: str) -> bool:
    """``scam`` and ``scams``, ``leases`` and ``leased``: no slip, but another form of the same word."""
    short, long = sorted((left, right), key=len)
    if len(short) == len(long):
        return short[:-1] == long[:-1] and {short[-1], long[-1]} == {"s", "d"}
    return long in (f"{short}s", f"{short}d")


def _shortened(word: str) -> set[str]:
    return {word, *(word[:n] + word[n + 1 :] for n in range(len(word)))}


def _one_slip(left: str, right: str) -> bool:
    if abs(len(left) - len(right)) > 1:
        return False
    if len(left) != len(right):
        long, short = (left, right) if len(left) > len(right) else (right, left)
        return any(long[:n] + long[n + 1 :] == short for n in range(len(long)))
    different = [n for n in range(len(left)) if left[n] != right[n]]
    if len(different) == 1:
        return True
    return (
        len(different) == 2
        and different[1] == different[0] + 1
        and left[different[0]] == right[different[1]]
        and left[different[1]] == right[different[0]]
    )


def _fewer_repeats(word: str) -> str:
    """``soooon`` -> ``soon`` -> ``son``: letters said three times or more, once."""
    out: list[str] = []
    for number, letter in enumerate(word):
        if number >= 2 and letter == word[number - 1] == word[number - 2]:
            continue
        out.append(letter)
    text = "".join(out)
    while text and len(text) > 1 and text[-1] == text[-2] and text != word:
        text = text[:-1]
    return text
