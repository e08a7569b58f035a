"""Whether a model's proposed text may stand as a draft: nothing in it that no fact of ours bears out. Pure.

It never goes out alone; still, a person who approves drafts quickly must not be handed an invented time, a
price, a link or another lead's words.
"""

from __future__ import annotations

import re
from typing import Final

from leasebot_pipeline.domain.decisions import DecisionInput
from leasebot_pipeline.domain.guardrails_outbound import check_outbound
from leasebot_pipeline.domain.slots import label

_LONGEST: Final = 1500
_COPIED_WORDS: Final = 7
_CLOCK: Final = re.compile(
    r"\b(\d{1,2})(?::(\d{2}))?\s*([ap])\.?m\b\.?|\b([01]?\d|2[0-3]):([0-5]\d)\b", re.IGNORECASE
)


def what_is_wrong(question: DecisionInput, text: str | None) -> tuple[str, ...]:
    """Codes of what speaks against the text; empty when it may stand, or when there is none."""
    body = (text or "").strip()
    if not body:
        return ()
    wrong = list(check_outbound(body))
    if len(body) > _LONGEST:
        wrong.append("too_long")
    if "[REDACTED" in body or "[LEAD" in body:
        wrong.append("placeholder")
    offered = {time for slot in question.open_offer or question.slots for time in _times(label(slot))}
    if any(time not in offered for time in _times(body)):
        wrong.append("time_not_offered")
    if _copies(body, [example.inbound for example in question.examples]):
        wrong.append("words_of_another_lead")
    return tuple(wrong)


def _times(text: str) -> set[int]:
    """Clock times in a text, as minutes of the day."""
    found = set()
    for match in _CLOCK.finditer(text):
        hour, minute, half, hour24, minute24 = match.groups()
        if hour24 is not None:
            found.add(int(hour24) * 60 + int(minute24))
        else:
            found.add((int(hour) % 12 + (12 if half.lower() == "p" else 0)) * 60 + int(minute or 0))
    return found


def _copies(body: str, others: list[str]) -> bool:
    runs = _runs(body)
    return any(runs & _runs(other) for other in others)


def _runs(text: str) -> set[tuple[str, ...]]:
    words = re.findall(r"\w+", text.casefold())
    return {tuple(words[n : n + _COPIED_WORDS]) for n in range(len(words) - _COPIED_WORDS + 1)}
