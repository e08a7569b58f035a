"""Guardrails on every text that is about to go out, also a person's. Pure.

Links, addresses, phone numbers and amounts are allowed only where the template itself holds them: the
owner of the account wrote those. Identity numbers are never allowed.
"""

from __future__ import annotations

import re

from leasebot_pipeline.domain.intents_rulebook import RULES


def check_outbound(text: str, template_body: str | None = None) -> tuple[str, ...]:
    """Reason codes of all rules the text breaks; empty when it may go out.

    ``template_body`` is the template the text came from: what it holds literally is allowed, where a rule
    permits that. A person's or a model's free text has none.
    """
    reasons: list[str] = []
    for rule in RULES.outbound_rules:
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
