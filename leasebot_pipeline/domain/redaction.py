"""Redaction of personal data in free text: e-mail addresses, phone numbers, long digit runs.

Patterns follow the earlier system's prompt rules (domain contract, "Limits and redaction").
"""

from __future__ import annotations

import re
from typing import Final

_EMAIL: Final = re.compile(r"[\w.+%-]+@[\w-]+(?:\.[\w-]+)+")
_PHONE: Final = re.compile(r"(?<![\w-])\+?(?:\d[\s().-]{0,2}){6,14}\d{1,4}(?![\w-])")
_NUMBER: Final = re.compile(r"\d{9,}")
_DATE_OR_ID: Final = re.compile(r"\d{4}-\d{2}-\d{2}|\d{1,2}/\d{1,2}/\d{2,4}")


def redact(text: str) -> str:
    """The text with e-mail addresses, phone-like numbers and runs of nine or more digits replaced."""

    def phone(match: re.Match[str]) -> str:
        found = match.group(0)
        return found if _DATE_OR_ID.match(found.strip()) else "[REDACTED_PHONE]"

    text = _EMAIL.sub("[REDACTED_EMAIL]", text)
    text = _PHONE.sub(phone, text)
    return _NUMBER.sub("[REDACTED_NUMBER]", text)


FREE_TEXT_KEYS: Final = frozenset({"body", "error", "reason", "detail", "text", "message", "inboundBody", "words"})


def redact_details(value: object, key: str | None = None) -> object:
    """A JSON value with its free-text strings redacted; ids, codes and instants stay readable."""
    if isinstance(value, dict):
        return {name: redact_details(item, name) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [redact_details(item, key) for item in value]
    if isinstance(value, str) and key in FREE_TEXT_KEYS:
        return redact(value)
    return value
