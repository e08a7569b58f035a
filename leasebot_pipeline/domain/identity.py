"""Identity of messages and the change signal of inbox rows: pure and deterministic.

A message is the platform's own id, else a hash of what stays the same however often the page is
rendered: thread, direction, text and the day it shows, with an ordinal among equals. The time of day is
left out on purpose: pages that say "Today 3:05 pm" say "11/24/2026" a day later.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Final

from leasebot_pipeline.domain.readings import Direction, IdentitySource, InboxRow

# Soft hyphen, zero-width space to joiners and marks, word joiner, byte order mark: never visible, often added.
_INVISIBLE: Final = re.compile("[\u00ad\u180e\u200b-\u200f\u202a-\u202e\u2060-\u2064\u2066-\u2069\ufeff]")
_BLANKS: Final = re.compile(r"\s+")
_RELATIVE: Final = re.compile(
    r"\b(?:just now|now|moments? ago|(?:\d+|an?)\s*(?P<unit>[a-z]+)\.?\s+ago)\b", re.IGNORECASE
)
_SEPARATOR: Final = "\x1f"


@dataclass(frozen=True, slots=True)
class Unidentified:
    """A message as the page shows it, before it has an id.

    ``platform_id`` is the platform's own id or None; ``shown_day`` is the local calendar day the page shows.
    """

    direction: Direction
    body: str
    shown_day: date | None = None
    platform_id: str | None = None


def normalise_text(text: str) -> str:
    """The text for comparison: Unicode NFC, invisible characters removed, blanks collapsed, trimmed."""
    visible = _INVISIBLE.sub("", unicodedata.normalize("NFC", text))
    return _BLANKS.sub(" ", visible).strip()


def text_fingerprint(body: str) -> str:
    """SHA-256 (hex) of the normalised text."""
    return _digest(normalise_text(body))


def message_identities(
    external_thread_id: str, messages: Sequence[Unidentified]
) -> list[tuple[str, IdentitySource]]:
    """One id per message, in the given (page) order, oldest first.

    Two messages that show the same are two: the second of the day gets the next ordinal.
    """
    seen: Counter[str] = Counter()
    identities: list[tuple[str, IdentitySource]] = []
    for message in messages:
        if message.platform_id is not None:
            identities.append((message.platform_id, "platform"))
            continue
        key = _SEPARATOR.join(
            (
                external_thread_id,
                message.direction.value,
                normalise_text(message.body),
                message.shown_day.isoformat() if message.shown_day else "",
            )
        )
        seen[key] += 1
        identities.append((f"h-{_digest(f'{key}{_SEPARATOR}{seen[key]}')[:40]}", "hash"))
    return identities


def inbox_row_fingerprint(row: InboxRow) -> str:
    """What changes when a thread has something new, and stays when the page is only rendered later.

    Of a relative time ("2h ago") only the unit counts: it grows at most a few times in a thread's life,
    and falls back when a new message repeats the old text.
    """
    parts = (
        row.external_thread_id,
        row.last_message_id or "",
        normalise_text(row.preview or ""),
        row.preview_direction.value if row.preview_direction else "",
        "" if row.message_count is None else str(row.message_count),
        _time_signal(row),
    )
    return _digest(_SEPARATOR.join(parts))


def _time_signal(row: InboxRow) -> str:
    relative = _RELATIVE.search(row.sent_at_text or "")
    if relative is not None:
        unit = (relative.group("unit") or "m").lower()
        return f"ago:{'mo' if unit.startswith('mo') else unit[0]}"
    if row.sent_at is not None:
        return row.sent_at.isoformat()
    return normalise_text(row.sent_at_text or "")


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()
