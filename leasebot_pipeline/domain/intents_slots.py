"""Whether a sentence names a time, or speaks of the times on offer. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from leasebot_pipeline.domain.intents_text import Sentence

_WEEKDAYS: Final = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_MONTHS: Final = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_MONTH: Final = re.compile(
    r"(?:jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?|sept?(?:ember)?"
    r"|oct(?:ober)?|nov(?:ember)?|dec(?:ember)?)"
)
_ORDINALS: Final = {"first": 1, "second": 2, "third": 3, "fourth": 4, "fifth": 5, "sixth": 6}
_NUMBER_WORDS: Final = {"one": 1, "two": 2, "three": 3, "four": 4, "five": 5, "six": 6}
_CHOICE_WORDS: Final = frozenset({"one", "option", "slot", "time", "choice", "works", "work"})
_PARTS: Final = frozenset({"morning", "afternoon", "evening"})

_OF_AN_OFFER: Final = frozenset(
    {"those", "these", "them", "any", "either", "neither", "none", "earlier", "later", "another", "instead"}
)
_FILLERS: Final = frozenset(
    [
        "not",
        "the",
        "a",
        "please",
        "one",
        "option",
        "slot",
        "time",
        "at",
        "on",
        "for",
        "i",
        "we",
        "would",
        "like",
        "let",
        "us",
        "do",
        "go",
        "with",
        "thanks",
        "thank",
        "you",
        "hi",
        "hello",
        "hey",
        "can",
        "my",
        "choice",
        "is",
        "it",
        "and",
        "that",
        "ok",
        "yes",
        "great",
        "good",
        "perfect",
        "works",
        "work",
        "me",
        "number",
        "of",
        "in",
        "will",
        "take",
        "am",
        "pm",
        ",",
        "?",
        "#",
        "this",
    ]
)


@dataclass(slots=True)
class _Said:
    """What the lead's choosing sentences name, by kind."""

    positions: set[int] = field(default_factory=set)
    weekdays: set[int] = field(default_factory=set)
    dates: set[tuple[int | None, int]] = field(default_factory=set)
    times: set[tuple[int, int, bool]] = field(default_factory=set)  # hour, minute, whether am/pm is known
    parts: set[str] = field(default_factory=set)

    @property
    def anything(self) -> bool:
        return bool(self.positions or self.weekdays or self.dates or self.times or self.parts)


def names_a_slot(sentence: Sentence) -> bool:
    """Whether a position, day, date or time is named, or the offered ones are spoken of."""
    if _OF_AN_OFFER & set(sentence.words):
        return True
    said = _Said()
    _collect(sentence.words, said, bare=_is_bare(sentence.words))
    return said.anything


_NEAR_DAYS: Final = frozenset({"today", "tonight", "tomorrow", "week", "weekend", "after", "afterwards"})
_PROPOSING: Final = _NEAR_DAYS | {
    *("next", "this", "the", "following", "that", "then", "or", "maybe", "perhaps", "instead", "how", "what"),
    *("about", "in", "on", "at", "?", ","),
}


_WHEN: Final = frozenset({"when", "then", "so", "and", "exactly", "?"})


def proposes_a_time(sentence: Sentence) -> bool:
    """Whether a question is nothing but a time near now: "next week?", "after that?", or asks only for one."""
    if "when" in sentence.words and _WHEN.issuperset(sentence.words):
        return True
    return not _NEAR_DAYS.isdisjoint(sentence.words) and _PROPOSING.issuperset(sentence.words)


def _is_bare(words: Sequence[str]) -> bool:
    """Whether a sentence is nothing but the name of a slot, e.g. "Tuesday at 3 please"."""
    return all(
        word in _FILLERS
        or word in _WEEKDAYS
        or word in _ORDINALS
        or word in _NUMBER_WORDS
        or word in _PARTS
        or word in ("noon", "last")
        or word[0].isdigit()
        or _MONTH.fullmatch(word) is not None
        for word in words
    )


def _collect(words: Sequence[str], said: _Said, *, bare: bool) -> None:
    for number, word in enumerate(words):
        before = words[number - 1] if number else ""
        after = words[number + 1] if number + 1 < len(words) else ""
        if word.rstrip("s") in _WEEKDAYS:
            said.weekdays.add(_WEEKDAYS.index(word.rstrip("s")))
        elif word in _PARTS:
            said.parts.add(word)
        elif word == "noon":
            said.times.add((12, 0, True))
        elif word in _ORDINALS and (after in _CHOICE_WORDS or bare):
            said.positions.add(_ORDINALS[word])
        elif word == "last" and (after in _CHOICE_WORDS or bare):
            said.positions.add(-1)
        elif word in _NUMBER_WORDS and before in ("option", "number", "slot", "choice"):
            said.positions.add(_NUMBER_WORDS[word])
        elif word[0].isdigit():
            _collect_number(word, before, after, said)


def _collect_number(word: str, before: str, after: str, said: _Said) -> None:
    ordinal = re.fullmatch(r"(\d{1,2})(?:st|nd|rd|th)", word)
    clock = re.fullmatch(r"(\d{1,2})(?::(\d{2}))?", word)
    slashed = re.fullmatch(r"(\d{1,2})/(\d{1,2})(?:/\d{2,4})?", word)
    if slashed:
        said.dates.add((int(slashed[1]), int(slashed[2])))
    elif ordinal and after in _CHOICE_WORDS:
        said.positions.add(int(ordinal[1]))
    elif ordinal or (clock and not clock[2] and _MONTH.fullmatch(before)):
        month = _MONTHS.index(before[:3]) + 1 if _MONTH.fullmatch(before) else None
        said.dates.add((month, int((ordinal or clock)[1])))  # type: ignore[index]
    elif clock and before in ("option", "number", "slot", "choice", "#"):
        said.positions.add(int(clock[1]))
    elif clock and (clock[2] or after in ("am", "pm") or before == "at"):
        hour, minute = int(clock[1]), int(clock[2] or 0)
        if after in ("am", "pm"):
            said.times.add((hour % 12 + (12 if after == "pm" else 0), minute, True))
        else:
            said.times.add((hour, minute, hour > 12))
