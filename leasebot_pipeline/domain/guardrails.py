"""Inbound guardrails: what a lead wrote that must reach a person, in layers. Pure.

1. phrase rules over the lead's own words (``rules/guardrails.toml``), found while the text is read;
2. patterns over the text (``rules/patterns.toml``): numbers, links, markup, encoded text;
3. instructions to a machine, also where no lead speaks: in quoted text, in the lead's name, in earlier
   messages, and in letters written so that a filter does not know them.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache
from typing import Final, NamedTuple

from leasebot_pipeline.domain.decisions import RiskLevel
from leasebot_pipeline.domain.intents_phrases import Hit, PhraseIndex
from leasebot_pipeline.domain.intents_rulebook import RULES, Rulebook, TextRule
from leasebot_pipeline.domain.intents_text import MAX_CHARS, Reading, normalise_characters

INJECTION: Final = "prompt_injection"
OBFUSCATION: Final = "obfuscated_text"

RISKS: Final[dict[str, RiskLevel]] = {
    "emergency": RiskLevel.CRITICAL,
    "legal_escalation": RiskLevel.CRITICAL,
    "price_negotiation": RiskLevel.MEDIUM,
}
"""Risk per reason code; codes that are not listed are high."""

_HIGHEST_FIRST: Final = tuple(reversed(RiskLevel))
_LONG_WORD: Final = 16
_BITS: Final = re.compile(r"[01]{8} ")
_MORSE: Final = re.compile(r"(?:[.-]+ ){8}")
_MORSE_LETTERS: Final = 8
_HEX: Final = re.compile(r" (?:[0-9a-fA-F]{2} ){3}(?<=[0-9a-fA-F]{2}.{10})")
"""Four pairs, looked for from the blank behind the first: there are fewer blanks than letters."""
_SET_TO: Final = re.compile(r" (?:to|is) (?:1|0|true|false|low|high)\b", re.IGNORECASE)
_TWO_DIGITS: Final = re.compile(r"\d\d")
_TWO_ASCII_DIGITS: Final = re.compile(r"[0-9][0-9]")
_DOTS: Final = re.compile(r"\.(?<=\w\.)\w")
_MARKUP: Final = ('":', "##", "==", "--")
_BRACKETS: Final = re.compile(r"[<\[{`]")


def _shows_assignment(text: str) -> bool:
    return ":" in text or "=" in text or _SET_TO.search(text) is not None


def _shows_digits(text: str) -> bool:
    if (_TWO_ASCII_DIGITS if text.isascii() else _TWO_DIGITS).search(text) is not None:
        return True
    lower = text.lower()
    return "cvv" in lower or "cvc" in lower or "iban" in lower


def _shows_dots(text: str) -> bool:
    return ("." in text and _DOTS.search(text) is not None) or "://" in text


def _shows_markup(text: str) -> bool:
    return _BRACKETS.search(text) is not None or any(map(text.__contains__, _MARKUP))


def _is_long(text: str) -> bool:
    return (
        max(map(len, text.split() or [""])) >= _LONG_WORD
        or _HEX.search(text) is not None
        or (text.count(".") + text.count("-") >= _MORSE_LETTERS and _MORSE.search(text) is not None)
        or (("0" in text or "1" in text) and _BITS.search(text) is not None)
    )


_SIGNS: Final[dict[str, Callable[[str], bool]]] = {
    "assignment": _shows_assignment,
    "digits": _shows_digits,
    "dots": _shows_dots,
    "colon": lambda text: ":" in text,
    "markup": _shows_markup,
    "long": _is_long,
}
"""Cheap signs: a pattern is only tried on a text that shows its own. Each expression begins with a character or
a set of them, which is looked for much faster than one of several alternatives."""


class GuardrailHit(NamedTuple):
    reason: str
    rule: str
    words: str


def check_inbound(
    messages: Sequence[str],
    lead_name: str | None = None,
    earlier: Iterable[str] = (),
    reading: Reading | None = None,
    found: Sequence[Hit] | None = None,
    rules: Rulebook = RULES,
    ours: Iterable[str] = (),
) -> tuple[GuardrailHit, ...]:
    """All guardrails that a burst hits, strongest reason first, one hit per rule.

    Injection is looked for in the text as it came, in the lead's name and in the lead's earlier messages
    (``earlier``), but not in words of ``ours`` that a lead only quotes; everything else only in the lead's
    own new words. ``reading`` and ``found`` (its phrase hits) save doing that work again.
    """
    reading = reading or rules.reader.read(messages)
    if found is None:
        found = [hit for sentence in reading.sentences for hit in rules.index.find(sentence)]
    hits: dict[str, GuardrailHit] = {}
    accepted: list[str] = []
    for hit in found:
        rule = hit.rule
        if rule.kind == "guardrail":
            hits.setdefault(rule.name, GuardrailHit(rule.code, rule.name, hit.words))
        if rule.name == "acceptance_asked":
            accepted.append(hit.words)
    protected = [hit.words for hit in found if hit.rule.name == "mentions_protected"] if accepted else []
    if protected:
        words = f"{protected[-1]}: {accepted[-1]}"
        hits.setdefault("fair_housing", GuardrailHit("fair_housing", "acceptance_asked", words))
    raw = "\n".join([message[:MAX_CHARS] for message in messages])
    plain = normalise_characters(raw)
    shown = [sign for sign, shows in _SIGNS.items() if shows(plain)]
    if shown:
        for pattern in rules.text_rules:
            if pattern.needs not in shown:
                continue
            match = pattern.pattern.search(reading.own_text if pattern.code == "scam_suspected" else plain)
            if match:
                hits.setdefault(pattern.name, GuardrailHit(pattern.code, pattern.name, match.group()[:80]))
    scan = _scan(rules)
    quoted = [raw] if reading.own_text != plain and reading.own_text.strip() != plain.strip() else []
    our_own = {(hit.rule, hit.words) for text in ours for hit in scan.found(text)} if quoted else set()
    for hit_elsewhere in scan.hidden(raw):
        hits.setdefault(hit_elsewhere.rule, hit_elsewhere)
    for text in (*quoted, lead_name or "", *earlier):
        for hit_elsewhere in scan.found(text[:MAX_CHARS]) if text else ():
            if (hit_elsewhere.rule, hit_elsewhere.words) not in our_own:
                hits.setdefault(hit_elsewhere.rule, hit_elsewhere)
    if lead_name and (named_order := scan.order_in_name(lead_name)) and not scan.found(lead_name[:MAX_CHARS]):
        hits["order_as_name"] = GuardrailHit(INJECTION, "order_as_name", named_order)
    if not hits:
        return ()
    if len(hits) == 1:
        return tuple(hits.values())
    return tuple(sorted(hits.values(), key=lambda hit: scan.strength[hit.reason]))


def _matched(rule: TextRule, text: str) -> str | None:
    if not _SIGNS[rule.needs](text):
        return None
    match = rule.pattern.search(text)
    return match.group()[:80] if match else None


def _strength(rules: Rulebook) -> dict[str, int]:
    """Reason codes in the order of the rules' files, the strongest with 0."""
    codes = [rule.code for rule in rules.of_kind("guardrail")] + [rule.code for rule in rules.text_rules]
    return {code: place for place, code in enumerate(dict.fromkeys(codes))}


class _InjectionScan:
    """Looks for instructions to a machine in any text."""

    def __init__(self, rules: Rulebook) -> None:
        chosen = [rule for rule in rules.of_kind("guardrail") if rule.code == INJECTION]
        self._index = PhraseIndex(chosen, rules.words.classes)
        self._patterns = [rule for rule in rules.text_rules if rule.code == INJECTION]
        self._reader = rules.reader
        self._known = rules.known
        self._orders = rules.orders
        self.strength = _strength(rules)
        self._machine = frozenset(rules.words.classes["machine"])
        self._commanding = self._machine | self._orders
        self.found = lru_cache(maxsize=8192)(self._found)
        """Phrases and patterns of injection in a text that is not the lead's own new message. Kept, since
        a conversation's earlier messages are looked at again with each new one."""

    def _found(self, text: str) -> tuple[GuardrailHit, ...]:
        words = text.casefold().split()
        if (
            len(words) <= _WORDS_OF_A_NAME
            and all(map(str.isalpha, words))
            and not self._index.may_find(words)
        ):
            return ()  # a name like others
        plain = normalise_characters(text)
        hits = self._phrases(plain)
        for rule in self._patterns:
            if matched := _matched(rule, plain):
                hits.append(GuardrailHit(INJECTION, rule.name, matched))
        return (*hits, *self.hidden(text))

    def order_in_name(self, name: str) -> str | None:
        """A name that is an order: what the software is made of beside another word of the rules, or a verb
        that commands with what it commands. "Mark Grant" and "Will Sign" are people."""
        words = name.casefold().replace(":", " ").split()
        if self._commanding.isdisjoint(words):
            return None
        for number, word in enumerate(words):
            after = words[number + 1] if number + 1 < len(words) else ""
            if word in self._machine and any(w in self._known for w in words if w != word):
                return name[:80]
            if word in self._orders and after in _COMMANDED:
                return name[:80]
        return None

    def hidden(self, text: str) -> Sequence[GuardrailHit]:
        """Letters written so that a filter does not know them."""
        if words := disguised(text):
            return (GuardrailHit(INJECTION, OBFUSCATION, words),)
        clear = _without_leet(text)
        return self._phrases(clear) if clear is not None else ()

    def _phrases(self, text: str) -> list[GuardrailHit]:
        return [
            GuardrailHit(INJECTION, hit.rule.name, hit.words)
            for sentence in self._reader.sentences(text)
            for hit in self._index.find(sentence)
        ]


_WORDS_OF_A_NAME: Final = 4
_COMMANDED: Final = frozenset(
    {
        "all",
        "any",
        "every",
        "everything",
        "the",
        "this",
        "that",
        "me",
        "my",
        "us",
        "it",
        "them",
        "yes",
        "your",
    }
)
_SCANS: Final[dict[str, _InjectionScan]] = {}


def _scan(rules: Rulebook) -> _InjectionScan:
    scan = _SCANS.get(rules.version)
    if scan is None:
        scan = _SCANS[rules.version] = _InjectionScan(rules)
    return scan


_HIDDEN_BETWEEN_LETTERS: Final = re.compile("[A-Za-z][\u00ad\u200b-\u200f\u2060-\u2064\ufeff]+[A-Za-z]")
_STEERING_MARKS: Final = re.compile("[\u202a-\u202e\u2066-\u2069\U000e0020-\U000e007f]")
_SPACED: Final = re.compile(r"[ .*_-][A-Za-z][ .*_-](?<=[A-Za-z]...)[ .*_-]?[A-Za-z][ .*_-]")
"""Three single letters, looked for from what stands behind the first."""
_WIDELY_SPACED: Final = re.compile(r"[A-Za-z]  [A-Za-z]  [A-Za-z]  ")
_SPACED_OUT: Final = re.compile(r"(?<!\w)(?:[^\W\d_][ .*_-]{1,2}){7,}[^\W\d_](?!\w)")
_WORDS_BEYOND_ASCII: Final = re.compile(r"[^\W\d_]*[A-Za-z][^\W\d_]*")


def disguised(text: str) -> str | None:
    """The words of a text that were written to look like others, or None.

    Letters of two alphabets in one word, characters nobody sees between letters, letters spaced out.
    """
    if not text.isascii():
        if match := _HIDDEN_BETWEEN_LETTERS.search(text) or _STEERING_MARKS.search(text):
            return f"hidden characters: {normalise_characters(match.group())}"
        for match in _WORDS_BEYOND_ASCII.finditer(text):
            word = match.group()
            if not word.isascii() and any(_other_alphabet(char) for char in word):
                return word
    if _SPACED.search(text) or ("  " in text and _WIDELY_SPACED.search(text)):
        match = _SPACED_OUT.search(text)
        return match.group()[:80] if match else None
    return None


def _other_alphabet(char: str) -> bool:
    return not char.isascii() and unicodedata.name(char, "").startswith(("CYRILLIC", "GREEK", "ARMENIAN"))


_LEET_WORD: Final = re.compile(
    r"(?<![\w@$])(?=[\w@$!|]*[A-Za-z])(?=[\w@$!|]*[0-9@$!|][A-Za-z])[A-Za-z0-9@$!|]{4,}(?![\w@$])"
)
_LEET_LETTER: Final = re.compile(r"[0-9@$|][A-Za-z]")
_LEET: Final = str.maketrans("013457@$!|", "oieastasil")
_LEET_WORDS: Final = 2


def _without_leet(text: str) -> str | None:
    """The text with digits in words read as letters, when at least two words have some."""
    found = 0
    if not _LEET_LETTER.search(text):
        return None

    def clear(match: re.Match[str]) -> str:
        nonlocal found
        found += 1
        return match.group().translate(_LEET)

    cleared = _LEET_WORD.sub(clear, text)
    return cleared if found >= _LEET_WORDS else None


def risk_of(reasons: Iterable[str]) -> RiskLevel | None:
    """The highest risk among guardrail reasons; None without any."""
    risks = {RISKS.get(reason, RiskLevel.HIGH) for reason in reasons}
    return next((risk for risk in _HIGHEST_FIRST if risk in risks), None)
