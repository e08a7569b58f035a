"""SQL about conversations `c` and their messages `m`: what a message's status is, and which conversations have one.

The conditions are scalar subqueries on purpose: they are asked of one conversation after the other, in the list's order,
and only until a page is full. Flattened into joins they would be computed for the whole inbox first.
"""

from __future__ import annotations

from typing import Final

UNIT: Final = """CASE WHEN u.id IS NULL THEN NULLIF(c.external_thread_label, '')
                ELSE concat_ws(' ', u.property_name, u.unit_number) END"""
STATUS: Final = """CASE WHEN m.metadata ->> 'reviewStatus' IN ('new', 'draft', 'hold', 'sent') THEN m.metadata ->> 'reviewStatus'
            WHEN m.direction = 'inbound' THEN 'new' ELSE 'sent' END"""
JOINS: Final = """
      JOIN "PlatformAccounts" a ON a.id = c.platform_account_id
      LEFT JOIN "Listings" li ON li.id = c.listing_id
      LEFT JOIN "Units" u ON u.id = li.unit_id
"""

SENT: Final = "m.direction = 'outbound' AND COALESCE(m.metadata ->> 'reviewStatus', 'sent') = 'sent'"
_KEPT: Final = "NOT m.metadata ? 'discarded'"
# As the small indexes have them, word by word.
_DRAFT: Final = f"m.metadata ->> 'reviewStatus' = 'draft' AND {_KEPT}"
_HOLD: Final = f"m.metadata ->> 'reviewStatus' = 'hold' AND {_KEPT}"
_TO_REVIEW: Final = f"m.metadata ->> 'reviewStatus' IN ('draft', 'hold') AND {_KEPT}"
_UNDECIDED: Final = (
    "NOT m.metadata ? 'aiProcessedAt' AND (m.direction = 'inbound' OR m.metadata ->> 'reviewStatus' = 'new')"
    f" AND {_KEPT}"
)
_UNANSWERED: Final = f"""m.seq > COALESCE((SELECT s.seq FROM "Messages" s WHERE s.conversation_id = c.id
      AND {SENT.replace("m.", "s.")} AND {_KEPT.replace("m.", "s.")} ORDER BY s.seq DESC LIMIT 1), 0)"""


def _has(condition: str) -> str:
    return f'(SELECT true FROM "Messages" m WHERE m.conversation_id = c.id AND {condition} LIMIT 1)'


_HAS_DRAFT: Final = _has(_DRAFT)
_HAS_HOLD: Final = _has(f"{_HOLD} AND {_UNANSWERED}")
_HAS_NEW: Final = _has(f"{_UNDECIDED} AND {STATUS} = 'new' AND {_UNANSWERED}")

HAVING: Final = {
    "draft": (f"{_HAS_DRAFT} IS NOT NULL",),
    "hold": (f"{_HAS_DRAFT} IS NULL", f"{_HAS_HOLD} IS NOT NULL"),
    "new": (f"{_HAS_DRAFT} IS NULL", f"{_HAS_HOLD} IS NULL", f"{_HAS_NEW} IS NOT NULL"),
    "sent": (f"{_HAS_DRAFT} IS NULL", f"{_HAS_HOLD} IS NULL", f"{_HAS_NEW} IS NULL"),
    "review": (f"COALESCE({_HAS_DRAFT}, {_HAS_HOLD}) IS NOT NULL",),
}
"""What a conversation of the message status is like; ``review``: a reply waits for a person."""

ONE_OF: Final = {"draft": _DRAFT, "hold": _HOLD, "new": _UNDECIDED, "review": _TO_REVIEW}
"""Messages of which such a conversation must have one, by an index of exactly those: where to look when they are few."""
