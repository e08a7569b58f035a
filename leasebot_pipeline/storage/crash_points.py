"""Named places at which a process may die: nothing in production, a kill or an exception in chaos tests.

``LEASE_BOT_CRASH_POINT="dispatch.after_click:kill"`` kills the process with SIGKILL at that point,
``:raise`` raises; ``:kill:3`` does it the third time the point is passed.
"""

from __future__ import annotations

import os
import signal
from collections import Counter
from typing import Final

CRASH_POINTS: Final[dict[str, str]] = {
    "poll.after_landing": "a thread's messages are landed and marked read; no run was asked for yet",
    "ingest.before_commit": "conversations and messages are written but not committed",
    "availability.before_commit": "a calendar's rules and occurrences are written but not committed",
    "decide.before_commit": "the decision and its effects are written but not committed",
    "decide.after_commit": "the decision and its outbox row are stored; nothing is claimed",
    "book.before_commit": "a showing is held, booked or moved, with all that follows, but not committed",
    "follow_up.before_commit": "steps, their texts and conversations are written but not committed",
    "follow_up.after_commit": "steps and their outbox rows are stored; nothing is claimed",
    "lease.after_acquire": "the account's lease is taken; nothing is visited yet",
    "lease.after_renewal": "the lease, and the claim under it, were extended; the browser may be at work",
    "dispatch.after_sweep": "overtaken, forbidden and expired replies were moved; nothing is claimed",
    "reply.before_commit": "a person's approval, rejection, edit or reply is written but not committed",
    "privacy.before_commit": "a lead's personal data is removed but not committed",
    "dispatch.after_claim": "a reply is claimed; nothing is typed",
    "dispatch.before_click": "the intent is committed; the click has not happened",
    "dispatch.after_click": "the reply was clicked and seen; the receipt is not stored",
    "dispatch.after_receipt": "the receipt is stored; the account's lease is still held",
    "dispatch.after_failure": "a failed attempt is stored; the account's lease is still held",
    "reconcile.after_claim": "a reply in doubt is taken for reading back; its thread is not read",
    "reconcile.after_reading": "the thread of a reply in doubt was read; what it proves is not stored",
    "reconcile.after_verdict": "what the thread proved is stored; the account's lease is still held",
    "alert.after_incident": "an incident is stored; nobody was told of it",
    "alert.after_send": "a receiver accepted an alert; that it did is not stored",
}
"""Every crash point, with what is true there."""

VARIABLE: Final = "LEASE_BOT_CRASH_POINT"

_HOW: Final = ("kill", "raise")
_passed: Counter[str] = Counter()


class CrashPointReached(RuntimeError):
    """Raised at a crash point armed with ``raise``."""


def crash_point(name: str) -> None:
    """Die here when a chaos test armed this point. Raises KeyError for an undeclared name.

    Raises ValueError when the variable names no crash point, no way to crash or no number: a chaos test
    whose crash never happens would pass for the wrong reason.
    """
    CRASH_POINTS[name]
    armed = os.environ.get(VARIABLE)
    if not armed or _in_production():
        return
    target, _, rest = armed.partition(":")
    how, _, nth = rest.partition(":")
    if target not in CRASH_POINTS or how not in _HOW or not (nth or "1").isdigit():
        raise ValueError(f"{VARIABLE} must be <crash point>:kill|raise[:<nth time>], not {armed!r}")
    if target != name:
        return
    _passed[name] += 1
    if _passed[name] != int(nth or 1):
        return
    if how == "kill":
        os.kill(os.getpid(), signal.SIGKILL)
    raise CrashPointReached(name)


def _in_production() -> bool:
    return (os.environ.get("LEASE_BOT_ENV") or os.environ.get("NODE_ENV")) == "production"
