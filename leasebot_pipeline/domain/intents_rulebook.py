"""One version of the rules, loaded: word tables, phrase rules, patterns, and the index that finds them. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from leasebot_pipeline.domain.decisions import ANSWERABLE_INTENTS
from leasebot_pipeline.domain.intents_files import parse, shipped, version_of
from leasebot_pipeline.domain.intents_phrases import PhraseIndex, PhraseRule, RuleKind, rules_of
from leasebot_pipeline.domain.intents_text import Reader
from leasebot_pipeline.domain.intents_words import Speller, Words, load_words

_KINDS: Final[dict[str, RuleKind]] = {
    "intents.toml": "intent",
    "acts.toml": "act",
    "remarks.toml": "remark",
    "topics.toml": "topic",
    "guardrails.toml": "guardrail",
}


_ANSWERABLE: Final = frozenset(intent.value for intent in ANSWERABLE_INTENTS)


@dataclass(frozen=True, slots=True)
class TextRule:
    """A pattern over the whole text. ``examples`` must hit and ``near_misses`` must not."""

    name: str
    code: str
    pattern: re.Pattern[str]
    needs: str
    """The cheap sign a text must show before the pattern is tried."""
    examples: tuple[str, ...]
    near_misses: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class OutboundRule:
    """A pattern no reply may hold. ``examples`` must hit, ``near_misses`` must not."""

    reason: str
    pattern: re.Pattern[str]
    allowed_from_template: bool
    examples: tuple[str, ...]
    near_misses: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class Rulebook:
    """Everything that is read from the data files of one version."""

    version: str
    words: Words
    rules: tuple[PhraseRule, ...]
    text_rules: tuple[TextRule, ...]
    outbound_rules: tuple[OutboundRule, ...]
    index: PhraseIndex
    reader: Reader
    known: frozenset[str]
    """Every word of the tables and rules; what is not here says something no rule has thought of."""
    sensitive: frozenset[str]
    """Words of guardrails and of subjects no template answers, the plain ones left out: where one of them
    stands and no rule speaks, the subject is near and the message is not understood."""
    heavy: frozenset[str]
    """Weighty words that are not plain: a free place in a phrase does not account for them."""
    named: Mapping[str, frozenset[str]]
    """Name of an act or remark -> the words that stand in its phrases."""
    orders: frozenset[str]
    """A sentence that begins with one of these wants something done."""

    def of_kind(self, kind: RuleKind) -> tuple[PhraseRule, ...]:
        return tuple(rule for rule in self.rules if rule.kind == kind)


def load_rulebook(data: Mapping[str, bytes]) -> Rulebook:
    """The rules in these files (names as in ``intents_files.DATA_FILES``).

    Raises ``ValueError`` that names the file or the rule when something in them is wrong.
    """
    tables: dict[str, dict[str, Any]] = {
        name: parse(name, content) for name, content in data.items() if name.endswith(".toml")
    }
    words = load_words(tables["words.toml"], tables["weights.toml"], data["english.txt"].decode("utf-8"))
    rules = tuple(rule for name, kind in _KINDS.items() for rule in rules_of(kind, tables[name]))
    index = PhraseIndex(rules, words.classes)
    spelled = {word for text in words.spelling.values() for word in text.split()}
    known = index.vocabulary | words.plain | spelled
    return Rulebook(
        version=version_of(data),
        words=words,
        rules=rules,
        text_rules=tuple(_text_rule(row) for row in tables["patterns.toml"]["pattern"]),
        outbound_rules=tuple(_outbound_rule(row) for row in tables["outbound.toml"]["rule"]),
        index=index,
        reader=Reader(words, Speller(known, words.english)),
        known=known,
        sensitive=_words_of([rule for rule in rules if rule.kind in ("guardrail", "topic")], words)
        - _words_of([r for r in rules if r.kind == "intent" and r.code in _ANSWERABLE and not r.hints], words)
        - words.plain
        - words.light
        - {part for word in words.classes["protected"] for part in word.split("_")},
        heavy=words.weighty - words.plain,
        named={
            rule.name: _words_of([replace(rule, unless=()) if rule.hints else rule], words)
            for rule in rules
            if rule.kind in ("act", "remark", "intent")
        },
        orders=frozenset(words.classes["order"]),
    )


def _words_of(rules: list[PhraseRule], words: Words) -> frozenset[str]:
    return PhraseIndex(rules, words.classes).vocabulary


def _text_rule(row: Mapping[str, Any]) -> TextRule:
    pattern = _pattern(row["name"], row["pattern"], row["name"] != "encoded_text")
    return TextRule(
        row["name"], row["code"], pattern, row["needs"], tuple(row["examples"]), tuple(row["near_misses"])
    )


def _outbound_rule(row: Mapping[str, Any]) -> OutboundRule:
    pattern = _pattern(row["reason"], row["pattern"], True)
    return OutboundRule(
        row["reason"], pattern, row["template_may"], tuple(row["examples"]), tuple(row["near_misses"])
    )


def _pattern(name: str, pattern: str, ignore_case: bool) -> re.Pattern[str]:
    try:
        return re.compile(pattern, re.MULTILINE | (re.IGNORECASE if ignore_case else 0))
    except re.error as failure:
        raise ValueError(f"rule {name}: {failure}") from failure


RULES: Final = load_rulebook(shipped())
"""The rules in force."""
RULES_VERSION: Final = RULES.version
