"""Redaction of personal data in free text: e-mail addresses, phone numbers, long digit runs.

Patterns follow the earlier system's prompt rules (domain contract, "Limits and redaction"). Our own ids
and instants, which error texts quote, stay readable.
"""

from __future__ import annotations

import re
from typing import Final

_EMAIL: Final = re.compile(r"[\w.+%-]{1,64}@[\w-]+(?:\.[\w-]+)+")
_DIGITS: Final = re.compile(
    r"""
    (?P<id>\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b)
    | (?P<instant>(?<!\d)\d{4}-\d{2}-\d{2}(?!\d)(?:[T ]\d{2}:\d{2}(?::\d{2}(?:\.\d+)?)?(?:Z|[+-]\d{2}:\d{2})?)?)
    | (?P<phone>(?<![\w-])\+?\(?(?:\d[\s().-]{0,2}){6,14}\d(?![\w-]))
    | (?P<number>\d{9,})
    """,
    re.VERBOSE | re.IGNORECASE,
)
_REPLACED_BY: Final = {"phone": "[REDACTED_PHONE]", "number": "[REDACTED_NUMBER]"}


def redact(text: str) -> str:
    """The text with e-mail addresses, phone-like numbers and runs of nine or more digits replaced."""

    def replacement(match: re.Match[str]) -> str:
        return _REPLACED_BY.get(match.lastgroup or "", match.group(0))

    return _DIGITS.sub(replacement, _EMAIL.sub("[REDACTED_EMAIL]", text))


FREE_TEXT_KEYS: Final = frozenset(
    {"body", "error", "reason", "detail", "text", "message", "inboundBody", "words"}
)
"""Keys of audit details whose values people or platforms wrote; all others hold ids, codes and instants."""


def redact_details(value: object, key: str | None = None) -> object:
    """A JSON value with its free-text strings redacted; ids, codes and instants stay readable."""
    if isinstance(value, dict):
        return {name: redact_details(item, name) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [redact_details(item, key) for item in value]
    if isinstance(value, str) and key in FREE_TEXT_KEYS:
        return redact(value)
    return value
