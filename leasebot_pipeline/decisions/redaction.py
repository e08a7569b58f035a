"""Personal data out of what a model is shown: addresses of any kind, numbers, and the lead's name. Pure.

``domain.redaction`` knows e-mail addresses and digits; here names and street addresses follow. A name that is
also an everyday word ("Will", "May") is only taken where it is written as a name.
"""

from __future__ import annotations

import re
from typing import Final

from leasebot_pipeline.domain.intents_rulebook import RULES
from leasebot_pipeline.domain.redaction import redact

LEAD: Final = "[LEAD]"
_ADDRESS: Final = re.compile(
    r"""\b\d{1,6}[A-Za-z]?(?:-\d{1,4})?\s+
        (?:(?:N|S|E|W|NE|NW|SE|SW|North|South|East|West)\.?\s+)?
        (?:[A-Z0-9][\w'.-]*\s+){0,3}?[A-Z0-9][\w'.-]*\s+
        (?:Street|St|Avenue|Ave|Road|Rd|Boulevard|Blvd|Lane|Ln|Drive|Dr|Court|Ct|Place|Pl|Terrace|Ter|Way|Parkway|Pkwy|
           Highway|Hwy|Square|Sq|Circle|Cir)\b\.?
        (?:,?\s*(?:Apt|Apartment|Unit|Suite|Ste|Floor|Fl|\#)\.?\s*[\w-]{1,6})?
        (?:,\s*[A-Z][A-Za-z .]{1,30},?\s*[A-Z]{2}\b)?(?:,?\s+\d{5}(?:-\d{4})?\b)?""",
    re.VERBOSE | re.IGNORECASE,
)
_INTRODUCES: Final = re.compile(
    r"\b((?:[Mm]y name(?:'s| is)|[Mm]y full name is|[Tt]his is|[Ii]'?m called|[Nn]ame:)\s+)((?:[A-Z][\w'’-]+)(?:\s+[A-Z][\w'’-]+){0,2})"
)
_NOT_A_NAME: Final = frozenset(
    {"The", "A", "An", "My", "Our", "Your", "In", "Regarding", "About", "For", "Still"}
)


def redacted(text: str, lead_name: str | None) -> str:
    """The text without personal data."""
    return without_names(_ADDRESS.sub("[REDACTED_ADDRESS]", redact(text)), lead_name)


def without_names(text: str, lead_name: str | None) -> str:
    """The text without the lead's name and names somebody introduces themselves by."""

    def introduced(match: re.Match[str]) -> str:
        first = match.group(2).split()[0]
        return (
            match.group(0)
            if first in _NOT_A_NAME or first.casefold() in RULES.known
            else match.group(1) + LEAD
        )

    text = _INTRODUCES.sub(introduced, text)
    for part in re.findall(r"[^\W\d_][\w'’-]+", lead_name or ""):
        as_written = len(part) < 3 or part.casefold() in RULES.known
        text = re.sub(rf"\b{re.escape(part)}\b", LEAD, text, flags=0 if as_written else re.IGNORECASE)
    return text
