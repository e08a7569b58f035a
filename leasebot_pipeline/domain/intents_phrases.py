"""Phrase rules: reviewable data and the small matcher that finds them in a sentence. Pure.

A phrase is words between blanks:

=============  ====================================================================
``see``        that word
``see|view``   either word; ``_`` joins words of one alternative: ``look_at|see``
``@place``     any word of that class (``words.toml``)
``the?``       that word or nothing
``tour*``      any word beginning so
``~``          up to three words, not across a comma
``~~``         up to six words, not across a comma
``#``          a number or time, ``$`` an amount of money
``^`` / ``.``  the beginning / the end of the sentence (``.`` also as an alternative)
``?``          the question mark (a question or request has one at its end)
=============  ====================================================================

A comma of the lead may stand between any two words.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final, Literal, NamedTuple

from leasebot_pipeline.domain.intents_text import Sentence

RuleKind = Literal["intent", "act", "remark", "topic", "guardrail"]


@dataclass(frozen=True, slots=True)
class PhraseRule:
    """A named rule. ``examples`` must hit and ``near_misses`` must not: the tests run over all of them."""

    name: str
    kind: RuleKind
    code: str
    """What a hit stands for: an intent, a reason code, a subject or a speech act."""
    phrases: tuple[str, ...]
    unless: tuple[str, ...] = ()
    """Phrases that take a hit back where they overlap it."""
    only_asked: bool = False
    """Count only in a question or request."""
    negation_counts: bool = False
    """A "not" before the phrase, in a statement, takes the hit back."""
    weak: bool = False
    covers: bool = True
    """A hit accounts for its words; else it only says what the sentence is for."""
    hints: bool = False
    """An intent in ordinary words: outside its phrases they weigh what they weighed without it."""
    examples: tuple[str, ...] = ()
    near_misses: tuple[str, ...] = ()


class Hit(NamedTuple):
    """A rule found in a sentence."""

    rule: PhraseRule
    words: str
    start: int
    end: int
    negated: bool
    """A "not" stands before it (kept for rules that do not mind)."""


class _Pattern:
    """A pattern that is compiled when it is first looked for: of thousands a process needs few, and starts sooner."""

    __slots__ = ("search", "source")

    def __init__(self, source: str) -> None:
        self.source = source
        self.search: Callable[..., re.Match[str] | None] = self._first

    def compile(self) -> None:
        self.search = re.compile(self.source).search

    def _first(self, text: str, *from_: int) -> re.Match[str] | None:
        self.compile()
        return self.search(text, *from_)


@dataclass(frozen=True, slots=True)
class _Phrase:
    """A phrase as it is looked for; ``groups`` are sets of words of which one each must stand in the sentence, the rarest
    first: where that one is found by its word, only the ``others`` are left to be looked for."""

    rule: PhraseRule
    pattern: _Pattern
    groups: tuple[frozenset[str], ...]
    others: tuple[frozenset[str], ...]


_Lacks = Callable[[Iterable[object]], bool]
_Candidate = tuple[_Lacks, tuple[_Lacks, ...], _Pattern, PhraseRule]
"""A phrase as it is tried where its rarest word stands: whether the sentence lacks its second group, its other ones."""


def _lacks_nothing(_words: Iterable[object]) -> bool:
    return False


def _candidate(phrase: _Phrase) -> _Candidate:
    second, *others = [group.isdisjoint for group in phrase.others] or [_lacks_nothing]
    return second, tuple(others), phrase.pattern, phrase.rule


_NUMBER: Final = r"\d[\d,.:/]*(?:st|nd|rd|th)?"
_MONEY: Final = r"[$\u20ac\u00a3] ?\d[\d,.]*"
_NEGATORS: Final = frozenset({"not", "no", "never", "without", "nor", "neither", "none", "hardly", "stopped"})
_NEGATION_REACH: Final = 4
_SCOPE_ENDS: Final = frozenset(
    {",", "but", "and", "so", "because", "however", "though", "although", "if", "?"}
)
_HARMLESS_NEGATION: Final = re.compile(
    r" (?:(?:can|could) not wait|not only|not just|why not|whether or not|if not|no problem|no worries|no doubt"
    r"|no rush|no hurry) "
)
_COMMON_WORDS: Final = (
    "a an the i we you it is are am was were be been to of in on at for with my me your our us this that and or"
    " do does did have has can could will would not no any if so but as from there they what when how which"
    " please some all about out up by ?"
)
_COMMON: Final = frozenset(_COMMON_WORDS.split())
"""Poor signs to look a phrase up by."""


def rules_of(kind: RuleKind, tables: Mapping[str, Any]) -> tuple[PhraseRule, ...]:
    """The rules of one data file. Raises ``ValueError`` for a key that is none of a rule's."""
    rules = []
    for row in tables["rule"]:
        known = {
            "name",
            "code",
            "phrases",
            "unless",
            "only_asked",
            "negation_counts",
            "weak",
            "covers",
            "hints",
        }
        if strange := set(row) - known - {"examples", "near_misses"}:
            raise ValueError(f"rule {row.get('name')}: unknown keys {sorted(strange)}")
        rules.append(
            PhraseRule(
                name=row["name"],
                kind=kind,
                code=row["code"],
                phrases=tuple(row["phrases"]),
                unless=tuple(row.get("unless", ())),
                only_asked=row.get("only_asked", False),
                negation_counts=row.get("negation_counts", False),
                weak=row.get("weak", False),
                covers=row.get("covers", True),
                hints=row.get("hints", False),
                examples=tuple(row.get("examples", ())),
                near_misses=tuple(row.get("near_misses", ())),
            )
        )
    return tuple(rules)


class PhraseIndex:
    """Finds the hits of many rules in one pass.

    Each phrase is kept under the rarest words it cannot do without, and tried only where all its other
    necessary words stand in the sentence too: most phrases cost nothing on most sentences.
    """

    def __init__(self, rules: Sequence[PhraseRule], classes: Mapping[str, Sequence[str]]) -> None:
        self._classes = classes
        self._groups: dict[frozenset[str], frozenset[str]] = {}
        self._by_word: dict[str, list[_Candidate]] = {}
        self._unless: dict[str, dict[str, list[_Candidate]]] = {}
        self._vocabulary: set[str] = set()
        self._compiled_all = False
        for rule in rules:
            for phrase in rule.phrases:
                read = self._read(rule, phrase)
                if not read.groups:
                    raise ValueError(f"rule {rule.name}: phrase {phrase!r} needs one word of its own")
                candidate = _candidate(read)
                for word in read.groups[0]:
                    self._by_word.setdefault(word, []).append(candidate)
            refusals = self._unless[rule.name] = {}
            for phrase in rule.unless:
                read = self._read(rule, phrase)
                candidate = _candidate(read)
                for word in read.groups[0] if read.groups else ("",):
                    refusals.setdefault(word, []).append(candidate)
        self._find = lru_cache(maxsize=16384)(self._search)  # leads write the same sentences again and again

    @property
    def vocabulary(self) -> frozenset[str]:
        """Every word that stands in a phrase."""
        return frozenset(self._vocabulary)

    def compile(self) -> None:
        """Compile every pattern now (about a second, once), for a process that reads many messages."""
        if self._compiled_all:
            return
        refusals = [candidates for by_word in self._unless.values() for candidates in by_word.values()]
        found = (*self._by_word.values(), *refusals)
        for pattern in {pattern for candidates in found for _, _, pattern, _ in candidates}:
            pattern.compile()
        self._compiled_all = True

    def may_find(self, words: Iterable[str]) -> bool:
        """Whether any of these words could be part of a hit; cheap."""
        return not self._by_word.keys().isdisjoint(words)

    def find(self, sentence: Sentence) -> tuple[Hit, ...]:
        """All hits in the sentence, in order; at most one per rule and place."""
        return self._find(sentence.text, sentence.is_question)

    def _search(self, text: str, asked: bool) -> tuple[Hit, ...]:
        words = set(text.split())
        if _FIGURE.search(text):
            words |= {"#" if word[0].isdigit() else "$" for word in words if word[0] in _FIGURE_SIGNS}
        denied = not _NEGATORS.isdisjoint(words)
        by_word = self._by_word
        hits: dict[tuple[str, int], Hit] = {}
        for word in words:
            for lacks_second, lacks_others, pattern, rule in by_word.get(word, ()):
                if lacks_second(words) or (rule.only_asked and not asked):
                    continue
                for lacks in lacks_others:
                    if lacks(words):
                        break
                else:
                    for start, end in _places(pattern, text):
                        known = hits.get((rule.name, start))
                        if known is None or known.end < end:
                            hits[rule.name, start] = Hit(
                                rule, text[start:end].strip(), start, end, denied and _negated(text, start)
                            )
        if not hits:
            return ()
        refused = {name: self._refusals(name, words, text) for name in {name for name, _ in hits}}
        stand = [
            hit
            for hit in hits.values()
            if not (
                (places := refused[hit.rule.name]) and any(s < hit.end and hit.start < e for s, e in places)
            )
            and not (hit.rule.negation_counts and hit.negated and not asked)
        ]
        return tuple(sorted(stand, key=_order))

    def _refusals(self, rule: str, words: set[str], text: str) -> list[tuple[int, int]]:
        """Where something stands that takes hits of a rule back."""
        by_word = self._unless[rule]
        places: list[tuple[int, int]] = []
        for word in by_word.keys() & words if by_word else ():
            for lacks_second, lacks_others, pattern, _ in by_word[word]:
                if lacks_second(words):
                    continue
                for lacks in lacks_others:
                    if lacks(words):
                        break
                else:
                    places += _places(pattern, text)
        for _, _, pattern, _ in by_word.get("", ()):
            places += _places(pattern, text)
        return places

    def _read(self, rule: PhraseRule, phrase: str) -> _Phrase:
        parts = phrase.split()
        groups: list[frozenset[str]] = []
        pattern = " "  # the blank before the phrase: fewer places to try than with a look-behind
        for number, part in enumerate(parts):
            comma = "(?:, )?" if number else ""
            if part == "^":
                pattern = "^ "
            elif part == "~":
                pattern += "(?:[^ ,?]+ ){0,3}?"
            elif part == "~~":
                pattern += "(?:[^ ,?]+ ){0,6}"
            elif part.endswith("?") and part != "?" and not part.endswith("|?"):
                pattern += f"(?:{comma}{_alternatives(self._options(rule, part[:-1]))})?"
            else:
                options = self._options(rule, part)
                pattern += f"{comma}{_alternatives(options)}"
                if "." not in options and not any(option.endswith("*") for option in options):
                    groups.append(frozenset(_sign(option) for option in options))
        # Equal groups are one object: many phrases share them.
        shared = tuple(self._groups.setdefault(group, group) for group in sorted(groups, key=_commonness))
        return _Phrase(rule, _Pattern(pattern), shared, tuple(dict.fromkeys(shared[1:])))

    def _options(self, rule: PhraseRule, part: str) -> list[str]:
        options: list[str] = []
        for option in part.split("|"):
            if option.startswith("@"):
                if option[1:] not in self._classes:
                    raise ValueError(f"rule {rule.name}: no class {option!r}")
                options.extend(self._classes[option[1:]])
            else:
                options.append(option)
        for option in options:
            self._vocabulary.update(word for word in option.split("_") if word.isalpha())
        return options


_FIGURE: Final = re.compile("[0-9$\u20ac\u00a3]")
_FIGURE_SIGNS: Final = frozenset("0123456789$\u20ac\u00a3")


def _order(hit: Hit) -> tuple[int, str]:
    return hit.start, hit.rule.name


def _places(pattern: _Pattern, text: str) -> Sequence[tuple[int, int]]:
    """Where the phrase stands, without the blank before it; two may share the blank between them."""
    match = pattern.search(text)
    if match is None:
        return ()
    places: list[tuple[int, int]] = []
    while match is not None:
        start, end = match.span()
        places.append((start + 1, end))
        match = pattern.search(text, max(end - 1, start + 1))
    return places


def _commonness(group: Iterable[str]) -> tuple[int, int]:
    words = list(group)
    return sum(word in _COMMON for word in words), len(words)


def _sign(option: str) -> str:
    """The word of an expression that tells most."""
    return min(option.split("_"), key=lambda word: (word in _COMMON, -len(word)))


def _alternatives(options: Sequence[str]) -> str:
    """Each option with the blank after it; longer ones first, so that the most words are taken."""
    ends = [_END for option in options if option == "."]
    words = sorted(
        {_word(option) for option in options if option != "."}, key=lambda word: (-len(word), word)
    )
    if not ends and len(words) == 1:
        return f"{words[0]} "
    if not words:
        return _END
    body = f"(?:{'|'.join(words)}) "
    return f"(?:{body}|{_END})" if ends else body


_END: Final = r"(?:\? )?$"


def _word(option: str) -> str:
    if option == "#":
        return _NUMBER
    if option == "$":
        return _MONEY
    if option.endswith("*"):
        return re.escape(option[:-1].replace("_", " ")).replace(r"\ ", " ") + "[^ ,?]*"
    return re.escape(option.replace("_", " ")).replace(r"\ ", " ")


def _negated(text: str, start: int) -> bool:
    before = text[:start].split()[-_NEGATION_REACH:]
    for word in reversed(before):
        if word in _SCOPE_ENDS:
            return False
        if word in _NEGATORS:
            return _HARMLESS_NEGATION.search(text) is None
    return False
