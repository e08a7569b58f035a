"""Which offered slot a lead picks. A pick is only a pick when it fits exactly one slot: never a guess. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from leasebot_pipeline.domain.intents_text import Sentence
from leasebot_pipeline.domain.slots import Slot, zone

_WEEKDAYS: Final = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_MONTHS: Final = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_MONTH: Final = re.compile(
    r"(?:jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?|sept?(?:ember)?"
    r"|oct(?:ober)?|nov(?:ember)?|dec(?:ember)?)"
)
_ORDINALS: Final = {"first": 1, "second": 2, "third": 3, "fourth": 4, "fifth": 5, "sixth": 6}
_NUMBER_WORDS: Final = {"one": 1, "two": 2, "three": 3, "four": 4, "five": 5, "six": 6}
_CHOICE_WORDS: Final = frozenset({"one", "option", "slot", "time", "choice", "works", "work"})
_PARTS: Final = {"morning": range(12), "afternoon": range(12, 17), "evening": range(17, 24)}

# With one of these in the sentence a day or time is a condition, not a choice.
_CONDITIONS: Final = frozenset(
    [
        "but",
        "except",
        "besides",
        "rather",
        "instead",
        "before",
        "after",
        "between",
        "until",
        "till",
        "by",
        "around",
        "earlier",
        "later",
        "if",
        "unless",
        "or",
        "either",
        "bad",
        "busy",
        "unavailable",
        "worst",
        "problem",
        "not",
        "no",
        "never",
        "neither",
        "none",
        "than",
        "past",
        "about",
        "today",
        "tomorrow",
        "tonight",
        "weekend",
        "next",
        "was",
        "were",
        "last_week",
        "since",
    ]
)
_FILLERS: Final = frozenset(
    [
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

    def fits(self, position: int, count: int, start: datetime) -> bool:
        if self.positions and not self.positions & {position, position - count - 1}:
            return False
        if self.weekdays and start.weekday() not in self.weekdays:
            return False
        if self.dates and not any(
            day == start.day and month in (None, start.month) for month, day in self.dates
        ):
            return False
        if self.parts and not any(start.hour in _PARTS[part] for part in self.parts):
            return False
        return not self.times or any(
            minute == start.minute and (hour == start.hour or (not known and hour % 12 == start.hour % 12))
            for hour, minute, known in self.times
        )


@dataclass(frozen=True, slots=True)
class Pick:
    """``index`` is 1-based; None when what the lead named fits no slot or several."""

    index: int | None
    words: str
    named_something: bool
    """Whether a position, day, date or time was named at all."""


def pick(sentences: Sequence[tuple[Sentence, bool]], offer: Sequence[Slot]) -> Pick:
    """The slot a lead chooses. Each sentence comes with whether the lead agrees to something in it."""
    said = _Said()
    words: list[str] = []
    conditional = False
    for sentence, agrees in sentences:
        here = _Said()
        _collect(sentence.words, here, bare=_is_bare(sentence.words))
        if not here.anything:
            continue
        if _CONDITIONS & set(sentence.words):
            conditional = True
        elif agrees or _is_bare(sentence.words):
            words.append(sentence.text.strip())
            for name in ("positions", "weekdays", "dates", "times", "parts"):
                getattr(said, name).update(getattr(here, name))
    if conditional or not said.anything:
        return Pick(None, " / ".join(words), conditional or said.anything)
    fitting = [
        number
        for number, slot in enumerate(offer, start=1)
        if said.fits(number, len(offer), slot.starts_at.astimezone(zone(slot.timezone)))
    ]
    return Pick(fitting[0] if len(fitting) == 1 else None, " / ".join(words), True)


def names_a_slot(sentence: Sentence) -> bool:
    """Whether a position, day, date or time is named."""
    said = _Said()
    _collect(sentence.words, said, bare=_is_bare(sentence.words))
    return said.anything


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
