"""Guardrails on every text that is about to go out, also a person's. Pure.

Links, addresses, phone numbers and amounts are allowed only where the template itself holds them: the
owner of the account wrote those. Identity numbers are never allowed.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class OutboundRule:
    """A pattern no reply may hold. ``examples`` must hit, ``near_misses`` must not."""

    reason: str
    pattern: re.Pattern[str]
    allowed_from_template: bool
    examples: tuple[str, ...]
    near_misses: tuple[str, ...]


OUTBOUND_RULES: Final[tuple[OutboundRule, ...]] = (
    OutboundRule(
        "outbound_contains_ssn_pattern",
        re.compile(r"(?<!\d)\d{3}[- ]?\d{2}[- ]?\d{4}(?!\d)"),
        False,
        ("My number is 123-45-6789.", "123 45 6789", "123456789"),
        ("Fri, Feb 13 6:00 PM - 7:00 PM UTC", "Unit 12345", "Call 212-555-0100"),
    ),
    OutboundRule(
        "outbound_contains_card_number",
        re.compile(r"(?<!\d)(?:\d[ -]?){13,18}\d(?!\d)"),
        False,
        ("4111 1111 1111 1111", "5500-0000-0000-0004"),
        ("Unit 4111, 2026", "2026-02-13"),
    ),
    OutboundRule(
        "outbound_contains_link",
        re.compile(
            r"https?://|www\.|(?<![\w@.])[\w-]+(?:\.[\w-]+)*"
            r"\.(?:com|net|org|io|co|ru|xyz|info|biz|link|me|ly|app|site|online|top|club|us|uk)\b",
            re.I,
        ),
        True,
        ("See https://example.test/a", "go to www.example.test", "visit bit.ly/abc", "pay at rent-now.com"),
        ("It is open at 6.30 p.m.", "Sure.Come by on Friday", "Ask for Dana. Us two will be there."),
    ),
    OutboundRule(
        "outbound_contains_email",
        re.compile(r"[\w.+%-]+@[\w-]+(?:\.[\w-]+)+|\b\w+\s*(?:\(at\)|\[at\])\s*\w+", re.I),
        True,
        ("Write to dana@example.test", "dana (at) example dot com"),
        ("We meet @ 6 PM", "Fri @ 5th Ave"),
    ),
    OutboundRule(
        "outbound_contains_phone",
        re.compile(r"(?<![\w$])\+?(?:\d[ ().-]{0,2}){9,13}\d(?!\w)|(?<![\w$-])\d{3}[-.]\d{4}(?![\w-])"),
        True,
        ("Call 212-555-0100", "+1 (212) 555 0100", "555-0100", "2125550100"),
        ("Unit 4021", "Fri, Feb 13 6:00 PM - 7:00 PM", "2026-02-13", "Feb 13 - Feb 14 2026"),
    ),
    OutboundRule(
        "outbound_contains_money",
        re.compile(
            r"[$\u20ac\u00a3]\s?\d|\b\d[\d,.]*\s?(?:dollars?|bucks|usd|eur|euros?)\b|\b\d[\d,]*\s?(?:per|a|/)\s?month\b",
            re.I,
        ),
        True,
        ("The rent is $2,400", "2400 USD", "it is 2,400 a month", "only 300 dollars"),
        ("Fri, Feb 13 6:00 PM", "2 bedrooms", "one of 3 times"),
    ),
)


def check_outbound(text: str, template_body: str | None = None) -> tuple[str, ...]:
    """Reason codes of all rules the text breaks; empty when it may go out.

    ``template_body`` is the template the text came from: what it holds literally is allowed, where a rule
    permits that. A person's or a model's free text has none.
    """
    reasons: list[str] = []
    for rule in OUTBOUND_RULES:
        for match in rule.pattern.finditer(text):
            if not (
                rule.allowed_from_template and template_body and _whole_words(text, match) in template_body
            ):
                reasons.append(rule.reason)
                break
    return tuple(reasons)


def _whole_words(text: str, match: re.Match[str]) -> str:
    """The match together with the rest of its word, so that an extended link or number does not pass."""
    start, end = match.span()
    while start > 0 and not text[start - 1].isspace():
        start -= 1
    while end < len(text) and not text[end].isspace():
        end += 1
    return text[start:end]
