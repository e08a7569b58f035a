"""Guardrails on every text that is about to go out, also a person's. Pure.

Links, addresses, phone numbers and amounts are allowed only where the template itself holds them: the
owner of the account wrote those. A person may also name an amount that the database holds, the listing's rent.
Identity numbers are never allowed.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from typing import Final

from leasebot_pipeline.domain.intents_rulebook import RULES


def check_outbound(
    text: str, template_body: str | None = None, known_cents: Collection[int] = ()
) -> tuple[str, ...]:
    """Reason codes of all rules the text breaks; empty when it may go out.

    ``template_body`` is the template the text came from: what it holds literally is allowed, where a rule
    permits that. A person's or a model's free text has none. ``known_cents`` are amounts, in hundredths, that the
    database holds about what is talked of: a person may name them.
    """
    reasons: list[str] = []
    for rule in RULES.outbound_rules:
        for match in rule.pattern.finditer(text):
            words = _whole_words(text, match)
            from_template = rule.allowed_from_template and template_body and words in template_body
            if not (from_template or (rule.reason == _MONEY and _cents(words) in known_cents)):
                reasons.append(rule.reason)
                break
    return tuple(reasons)


_MONEY: Final = "outbound_contains_money"
_AMOUNT: Final = re.compile(
    r"\$?\s?(\d{1,3}(?:,\d{3})+|\d+)(?:\.(\d\d))?"
    r"(?:\s?(?:dollars?|usd|bucks))?(?:\s?(?:/|per |a )\s?(?:month|mo))?[.,;:!?)]*",
    re.I,
)


def _cents(words: str) -> int | None:
    """The one amount the words are, in cents; None for anything else."""
    found = _AMOUNT.fullmatch(words)
    return None if found is None else int(found[1].replace(",", "")) * 100 + int(found[2] or 0)


def _whole_words(text: str, match: re.Match[str]) -> str:
    """The match together with the rest of its word, so that an extended link or number does not pass."""
    start, end = match.span()
    while start > 0 and not text[start - 1].isspace():
        start -= 1
    while end < len(text) and not text[end].isspace():
        end += 1
    return text[start:end]


TIME_NOT_OFFERED: Final = "outbound_time_not_offered"
_CLOCK: Final = re.compile(
    r"(?<![\d:])(\d{1,2})(?::(\d{2}))?\s*([ap])\.?m\b|(?<![\d:.])(\d{1,2}):(\d{2})(?![\d:])", re.I
)
_DAY: Final = re.compile(r"\b(mon|tue|wed|thu|fri|sat|sun)(?:s|sday|nesday|rsday|urday|day)?s?\b", re.I)
_DATE: Final = re.compile(
    r"\b(jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]*\.? (\d{1,2})(?:st|nd|rd|th)?\b", re.I
)
_RELATIVE: Final = re.compile(r"\b(today|tonight|tomorrow)\b", re.I)


def check_times(text: str, offered: Iterable[str], template_body: str | None = None) -> tuple[str, ...]:
    """``outbound_time_not_offered`` when the text names a day, date or time that no offered slot has.

    ``offered`` are the labels of the slots the reply may name; what the template itself says is allowed.
    A model's text may word a slot in its own way, but not invent one.
    """
    allowed = _times(" ".join((*offered, template_body or "")))
    return () if _times(text) <= allowed else (TIME_NOT_OFFERED,)


def _times(text: str) -> set[tuple[str, ...]]:
    found: set[tuple[str, ...]] = set()
    for hour, minute, half, hour24, minute24 in _CLOCK.findall(text):
        if hour24:
            found.add(("clock", str(int(hour24) % 12), minute24))
        else:
            found.add(("clock", str(int(hour) % 12), minute or "00"))
            found.add(("half", str(int(hour) % 12), minute or "00", half.lower()))
    found |= {("day", day.lower()) for day in _DAY.findall(text)}
    found |= {("date", month.lower(), str(int(day))) for month, day in _DATE.findall(text)}
    found |= {("relative", word.lower()) for word in _RELATIVE.findall(text)}
    return found
