"""Named places at which a process may die: nothing in production, a kill or an exception in chaos tests.

Every transaction the pipeline commits has one on each side of its commit (``transaction``), every click and
every alert has its own (``crash_point``). ``LEASE_BOT_CRASH_POINT="dispatch.after_click:kill"`` kills the process
with SIGKILL there, ``:raise`` raises, ``:stall`` freezes it (SIGSTOP) until somebody wakes it;
``:kill:3`` does it the third time the point is passed.
"""

from __future__ import annotations

import os
import signal
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from sqlalchemy import Connection, Engine

CRASH_POINTS: Final[dict[str, str]] = {
    "poll.before_notes": "what an inbox showed beside its threads is written but not committed",
    "poll.after_notes": "marks, fingerprints and where to read on are stored; the rest of the reading goes on",
    "poll.before_inbox": "the inbox's rows are written but not committed: no thread of it was read",
    "poll.after_inbox": "the inbox's rows are stored; changed threads still count as unread",
    "poll.before_thread_failure": "that a thread page could not be read is written but not committed",
    "poll.after_thread_failure": "that a thread page could not be read is stored; it stays unread",
    "poll.before_landing": "a thread's messages are written but not committed: the thread is unread",
    "poll.after_landing": "a thread's messages are landed and marked read; no run was asked for yet",
    "ingest.before_commit": "conversations and messages are written but not committed",
    "ingest.after_commit": "conversations and messages are stored; nothing is linked or decided",
    "link.before_commit": "listings and agents of conversations are written but not committed",
    "link.after_commit": "conversations know what they are about; nothing is decided",
    "availability.before_commit": "a calendar's rules and occurrences are written but not committed",
    "availability.after_commit": "occurrences are written out up to the horizon",
    "decide.before_parts": "the parts decisions are recorded with are written but not committed",
    "decide.after_parts": "those parts are stored; nothing is decided",
    "decide.before_commit": "the decision and its effects are written but not committed",
    "decide.after_commit": "the decision and its outbox row are stored; nothing is claimed",
    "book.before_commit": "a showing is held, booked, moved or freed, with all that follows, but not committed",
    "book.after_settling": "holds and offers that ran out are freed",
    "listings.before_commit": "units and listings of a sync are written but not committed",
    "listings.after_commit": "units and listings of a sync are stored",
    "follow_up.before_commit": "steps, their texts and conversations are written but not committed",
    "follow_up.after_commit": "steps and their outbox rows are stored; nothing is claimed",
    "lease.before_expiry": "leases of dead workers are marked as over, not committed",
    "lease.after_expiry": "leases of dead workers are over; nobody has taken them",
    "lease.before_acquire": "the account's lease is taken but not committed",
    "lease.after_acquire": "the account's lease is taken; nothing is visited yet",
    "lease.before_renewal": "the lease is extended but not committed; the browser may be at work",
    "lease.after_renewal": "the lease, and the claim under it, were extended; the browser may be at work",
    "lease.before_pacing": "the instant of the next action is reserved but not committed",
    "lease.after_pacing": "the instant of the next action is reserved; the action has not begun",
    "lease.before_release": "the lease is given back but not committed: it still counts as held",
    "lease.after_release": "the lease is given back; the visit is over",
    "visit.before_begin": "the visit's row is written but not committed",
    "visit.after_begin": "the visit is on record as running; no page was opened",
    "visit.before_end": "outcome, breakers, stop and incidents of a visit are written but not committed",
    "visit.after_end": "outcome, breakers, stop and incidents of a visit are stored; nobody was told",
    "account.before_change": "an account's stop, breaker or limit is changed but not committed",
    "account.after_change": "an account's stop, breaker or limit is changed",
    "dispatch.before_sweep": "overtaken, forbidden and expired replies are moved but not committed",
    "dispatch.after_sweep": "overtaken, forbidden and expired replies were moved; nothing is claimed",
    "reply.before_commit": "a person's approval, rejection, edit or reply is written but not committed",
    "rollups.before_commit": "new audit rows or landed messages are counted but not committed",
    "rollups.after_commit": "new audit rows or landed messages are counted",
    "rollups.before_merge": "small tallies are merged but not committed",
    "rollups.after_merge": "small tallies are merged",
    "model.before_admission": "a batch of questions has its share of the budget, not committed",
    "model.after_admission": "a batch of questions has its share of the budget; nothing was asked",
    "model.before_settlement": "what a batch of questions cost is written but not committed",
    "model.after_settlement": "what a batch of questions cost is stored; nothing is decided",
    "retention.before_archive": "old audit rows are in their file and deleted, but not committed: both are there",
    "retention.after_archive": "old audit rows are in their file only",
    "retention.before_erasure": "silent leads' personal data is removed but not committed",
    "retention.after_erasure": "silent leads' personal data is removed",
    "privacy.before_commit": "a lead's personal data is removed but not committed",
    "dispatch.before_claim": "a reply is claimed but not committed: it is still queued",
    "dispatch.after_claim": "a reply is claimed; nothing is typed",
    "dispatch.before_intent": "the reply is typed, its intent written but not committed",
    "dispatch.after_intent": "the intent is committed; the sender does not know it yet",
    "dispatch.before_click": "the sender knows that the intent is committed; the click has not happened",
    "dispatch.after_click": "the reply was clicked and seen; the receipt is not stored",
    "dispatch.before_receipt": "the receipt is written but not committed",
    "dispatch.after_receipt": "the receipt is stored; the account's lease is still held",
    "dispatch.before_failure": "a failed attempt is written but not committed",
    "dispatch.after_failure": "a failed attempt is stored; the account's lease is still held",
    "dispatch.before_cap": "that the day's share is spent is written but not committed",
    "dispatch.after_cap": "that the day's share is spent is stored; nobody was told",
    "reconcile.before_claim": "a reply in doubt is taken for reading back, not committed",
    "reconcile.after_claim": "a reply in doubt is taken for reading back; its thread is not read",
    "reconcile.after_reading": "the thread of a reply in doubt was read; what it proves is not stored",
    "reconcile.before_verdict": "what the thread proved is written but not committed",
    "reconcile.after_verdict": "what the thread proved is stored; the account's lease is still held",
    "alert.before_incident": "an incident is written but not committed",
    "alert.after_incident": "an incident is stored; nobody was told of it",
    "alert.after_send": "a receiver accepted an alert; that it did is not stored",
    "alert.before_told": "who was told of an incident is written but not committed",
    "alert.after_told": "who was told of an incident is stored",
    "alert.before_sweep": "incidents that are over are closed, not committed",
    "alert.after_sweep": "incidents that are over are closed; nobody was told",
}
"""Every crash point, with what is true there."""

VARIABLE: Final = "LEASE_BOT_CRASH_POINT"

HOW: Final = ("kill", "raise", "stall")
_passed: Counter[str] = Counter()


class CrashPointReached(RuntimeError):
    """Raised at a crash point armed with ``raise``."""


@contextmanager
def transaction(engine: Engine, before: str, after: str) -> Iterator[Connection]:
    """A transaction with a crash point on each side of its commit.

    What raises inside the block, or dies there or at ``before``, leaves nothing behind.
    """
    with engine.begin() as conn:
        yield conn
        crash_point(before)
    crash_point(after)


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
    if target not in CRASH_POINTS or how not in HOW or not (nth or "1").isdigit():
        raise ValueError(f"{VARIABLE} must be <crash point>:{'|'.join(HOW)}[:<nth time>], not {armed!r}")
    if target != name:
        return
    _passed[name] += 1
    if _passed[name] != int(nth or 1):
        return
    match how:
        case "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        case "stall":
            os.kill(os.getpid(), signal.SIGSTOP)
        case _:
            raise CrashPointReached(name)


def arm(armed: str | None) -> None:
    """Arm (or with None disarm) a point in this process; what was passed before does not count."""
    _passed.clear()
    if armed is None:
        os.environ.pop(VARIABLE, None)
    else:
        os.environ[VARIABLE] = armed


def times_passed(name: str) -> int:
    """How often the armed point was passed since it was armed."""
    return _passed[name]


def _in_production() -> bool:
    return (os.environ.get("LEASE_BOT_ENV") or os.environ.get("NODE_ENV")) == "production"
