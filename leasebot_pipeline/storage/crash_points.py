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
    "ingest.after_commit": "messages are stored; nothing is linked or decided",
    "decide.before_commit": "the decision and its effects are written but not committed",
    "decide.after_commit": "the decision and its outbox row are stored; nothing is claimed",
    "dispatch.after_claim": "a reply is claimed; nothing is typed",
    "dispatch.before_click": "the intent is committed; the click has not happened",
    "dispatch.after_click": "the reply was clicked and seen; the receipt is not stored",
    "dispatch.after_receipt": "the receipt is stored; the account's lease is still held",
}
"""Every crash point, with what is true there."""

VARIABLE: Final = "LEASE_BOT_CRASH_POINT"

_passed: Counter[str] = Counter()


class CrashPointReached(RuntimeError):
    """Raised at a crash point armed with ``raise``."""


def crash_point(name: str) -> None:
    """Die here when a chaos test armed this point. Raises KeyError for an undeclared name."""
    CRASH_POINTS[name]
    armed = os.environ.get(VARIABLE)
    if not armed:
        return
    target, _, how = armed.partition(":")
    if target != name:
        return
    how, _, nth = how.partition(":")
    _passed[name] += 1
    if _passed[name] != int(nth or 1):
        return
    if how == "kill":
        os.kill(os.getpid(), signal.SIGKILL)
    raise CrashPointReached(name)
