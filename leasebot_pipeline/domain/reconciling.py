"""Settling a reply in doubt: what a reading of its thread proves about it. Pure.

Proof of delivery is one more message of ours with the reply's text than stood there before the click, in
the window of time in which the click happened. Proof of absence needs a reading that would show it: the
thread as the baseline knew it, some time after the click, and nothing of ours in it that might be the
reply in other words. Everything between is no proof of anything.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from difflib import SequenceMatcher
from enum import StrEnum
from typing import Final

from leasebot_pipeline.domain.failures import PlatformFailure
from leasebot_pipeline.domain.identity import normalise_text, text_fingerprint
from leasebot_pipeline.domain.readings import Direction, SendBaseline, ThreadMessage, ThreadReading

SETTLE: Final = timedelta(seconds=20)
"""A page may show a message late, and a click may still be under way: absence is proof only of a reply that has
been in doubt this long, by the database's clock alone. Workers' clocks differ."""
FIRST_LOOK: Final = SETTLE + timedelta(seconds=1)
"""When a reply that was clicked and not proven is looked for first: an absence is proof by then."""
RECONCILE_EVERY: Final = timedelta(seconds=30)
RECONCILE_FOR: Final = timedelta(minutes=10)
"""How long a reply in doubt is looked for before a person is asked."""

_THREAD_GONE: Final = frozenset({"PAGE_NOT_FOUND", "THREAD_ID_REQUIRED"})
_SKEW: Final = timedelta(minutes=3)  # platforms round to minutes, and their clocks are not ours
_DATE_ONLY_SKEW: Final = timedelta(hours=36)
_LOOK_ALIKE_RATIO: Final = 0.85
_CONTAINED_LENGTH: Final = 16
_COMPARED: Final = 2000


class Proof(StrEnum):
    DELIVERED = "delivered"
    ABSENT = "absent"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class Reconciliation:
    """What the thread proves. ``external_message_id`` with DELIVERED; ``reason`` says why NONE."""

    proof: Proof
    external_message_id: str | None = None
    reason: str | None = None


def reconcile(
    thread: ThreadReading,
    body: str,
    baseline: SendBaseline | None,
    sending_at: datetime | None,
    now: datetime,
    in_doubt_for: timedelta | None,
) -> Reconciliation:
    """Judge a reading of the thread, oldest message first, against the thread before the click.

    ``in_doubt_for`` is how long the reply had been in doubt when the reading began.
    """
    if baseline is None or sending_at is None:
        return Reconciliation(Proof.NONE, reason="nothing is known of the thread before the click")
    ours = [message for message in thread.messages if message.direction is Direction.OUTBOUND]
    wanted = text_fingerprint(body)
    same = [message for message in ours if text_fingerprint(message.body) == wanted]
    new = _after_baseline(thread.messages, baseline)
    fitting = [m for m in same if (new is None or m in new) and _in_window(m, sending_at, now)]
    if fitting and len(same) > baseline.same_text_count:
        return Reconciliation(Proof.DELIVERED, external_message_id=fitting[-1].external_message_id)
    if new is None and len(ours) < baseline.outbound_count:
        return Reconciliation(Proof.NONE, reason="the page shows less of the thread than before the click")
    if len(same) > baseline.same_text_count:
        return Reconciliation(Proof.NONE, reason="the same text is there, but from another time")
    known = ours[: baseline.outbound_count] if new is None else [m for m in ours if m not in new]
    if any(_looks_like(m.body, body) for m in ours if m not in known and _in_window(m, sending_at, now)):
        return Reconciliation(Proof.NONE, reason="a message of ours resembles the reply without being it")
    if in_doubt_for is None or in_doubt_for < SETTLE:
        return Reconciliation(Proof.NONE, reason="the page may not show it yet")
    return Reconciliation(Proof.ABSENT)


def recheck_at(in_doubt_for: timedelta | None, now: datetime) -> datetime | None:
    """When a reply that nothing was proven of is looked for again; None gives it to a person."""
    if in_doubt_for is None or in_doubt_for > RECONCILE_FOR:
        return None
    return now + RECONCILE_EVERY


def recheck_after_failure(failure: PlatformFailure, now: datetime) -> datetime | None:
    """When a thread that could not be read is tried again; None when it is gone, and a person is asked."""
    return None if failure.code in _THREAD_GONE else now + RECONCILE_EVERY


def _after_baseline(
    messages: Sequence[ThreadMessage], baseline: SendBaseline
) -> Sequence[ThreadMessage] | None:
    """The messages after the last one known before the click; None when that one is not on the page."""
    if baseline.last_external_message_id is None:
        return messages
    for position, message in enumerate(messages):
        if message.external_message_id == baseline.last_external_message_id:
            return messages[position + 1 :]
    return None


def _in_window(message: ThreadMessage, sending_at: datetime, now: datetime) -> bool:
    """Whether the message's own time fits the click; an unknown time speaks neither way."""
    if message.sent_at is None:
        return True
    skew = _SKEW if message.sent_at_has_time else _DATE_ONLY_SKEW
    return sending_at - skew <= message.sent_at <= now + skew


def _looks_like(shown: str, body: str) -> bool:
    one, other = normalise_text(shown).casefold(), normalise_text(body).casefold()
    if min(len(one), len(other)) >= _CONTAINED_LENGTH and (one in other or other in one):
        return True
    matcher = SequenceMatcher(None, one[:_COMPARED], other[:_COMPARED], autojunk=False)
    return matcher.real_quick_ratio() > _LOOK_ALIKE_RATIO and matcher.ratio() > _LOOK_ALIKE_RATIO
