"""States of an outbound reply, who may move it where, and what a failed attempt does to it: pure.

``queued -> claimed -> sending -> sent``; see TRANSITIONS for the rest. The intent (``sending``) is
committed before the click, so a reply found in ``sending`` after a crash may or may not be out there:
it becomes ``unknown`` and leaves that state only by reading the thread back or by a person. A trigger
of the database holds the same table (a test compares the two).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from leasebot_pipeline.domain.failures import FailureClass, PlatformFailure, SendPhase


class DispatchState(StrEnum):
    DRAFT = "draft"  # waits for a person's approval
    HELD = "held"  # taken out by policy or a person
    QUEUED = "queued"  # due as soon as the account is free
    CLAIMED = "claimed"  # a worker has it; nothing typed yet
    SENDING = "sending"  # intent committed, the click may happen any moment
    SENT = "sent"  # proven by reading the thread back, or by a person's word
    UNKNOWN = "unknown"  # clicked or nearly, not proven
    RETRY_SCHEDULED = "retry_scheduled"  # failed before the click, due again later
    DEAD_LETTER = "dead_letter"  # given up; an operator may retry or discard
    CANCELLED = "cancelled"  # superseded or discarded


_S = DispatchState
TRANSITIONS: Final[dict[DispatchState, frozenset[DispatchState]]] = {
    # Approved, rejected, superseded or discarded.
    _S.DRAFT: frozenset({_S.QUEUED, _S.HELD, _S.CANCELLED}),
    # Released, given back to be approved, discarded, or sent by hand.
    _S.HELD: frozenset({_S.QUEUED, _S.DRAFT, _S.CANCELLED, _S.SENT}),
    _S.QUEUED: frozenset({_S.CLAIMED, _S.HELD, _S.DRAFT, _S.CANCELLED}),
    # Called off before the click (queued, held, draft, cancelled), failed before it, or found in the
    # thread after all from an attempt before (unknown, to be read back).
    _S.CLAIMED: frozenset(
        {
            _S.QUEUED,
            _S.SENDING,
            _S.RETRY_SCHEDULED,
            _S.DEAD_LETTER,
            _S.UNKNOWN,
            _S.HELD,
            _S.DRAFT,
            _S.CANCELLED,
        }
    ),
    # Besides proof and doubt: the attempt itself says that it did not click.
    _S.SENDING: frozenset(
        {
            _S.SENT,
            _S.UNKNOWN,
            _S.RETRY_SCHEDULED,
            _S.DEAD_LETTER,
            _S.QUEUED,
            _S.HELD,
            _S.DRAFT,
            _S.CANCELLED,
        }
    ),
    _S.SENT: frozenset(),
    # Found; provably absent (once more, or given up); a person's word. Never simply queued again.
    _S.UNKNOWN: frozenset({_S.SENT, _S.RETRY_SCHEDULED, _S.CANCELLED, _S.DEAD_LETTER}),
    _S.RETRY_SCHEDULED: frozenset({_S.CLAIMED, _S.QUEUED, _S.HELD, _S.DRAFT, _S.CANCELLED}),
    # Only an operator: retried, discarded, sent by hand.
    _S.DEAD_LETTER: frozenset({_S.QUEUED, _S.CANCELLED, _S.SENT}),
    _S.CANCELLED: frozenset(),
}
"""Every allowed change of state; staying in a state is always allowed."""

TERMINAL: Final = frozenset({DispatchState.SENT, DispatchState.CANCELLED})

PERSONAL_PURPOSES: Final = ("manual_reply", "approved_draft")
"""Replies a person wrote or approved: the send mode is about replies that nobody looked at."""


class OperatorAction(StrEnum):
    """What an operator may do to a reply."""

    RETRY = "retry"
    DISCARD = "discard"
    CANCEL = "cancel"
    HOLD = "hold"
    MARK_SENT = "mark-sent"


@dataclass(frozen=True, slots=True)
class OperatorRule:
    """From which states the action is possible, and where it leads."""

    sources: frozenset[DispatchState]
    target: DispatchState


OPERATOR_RULES: Final[Mapping[OperatorAction, OperatorRule]] = {
    # An unknown reply is not retried by a person either: discard it and write anew, or mark it sent.
    OperatorAction.RETRY: OperatorRule(
        frozenset({_S.DEAD_LETTER, _S.HELD, _S.RETRY_SCHEDULED}), DispatchState.QUEUED
    ),
    OperatorAction.DISCARD: OperatorRule(
        frozenset({_S.DEAD_LETTER, _S.UNKNOWN, _S.HELD, _S.DRAFT}), DispatchState.CANCELLED
    ),
    OperatorAction.CANCEL: OperatorRule(
        frozenset({_S.QUEUED, _S.RETRY_SCHEDULED, _S.HELD, _S.DRAFT}), DispatchState.CANCELLED
    ),
    OperatorAction.HOLD: OperatorRule(frozenset({_S.QUEUED, _S.RETRY_SCHEDULED}), DispatchState.HELD),
    OperatorAction.MARK_SENT: OperatorRule(
        frozenset({_S.UNKNOWN, _S.DEAD_LETTER, _S.HELD}), DispatchState.SENT
    ),
}


@dataclass(frozen=True, slots=True)
class Backoff:
    """Waiting time after a failed attempt: ``base``, doubled with each attempt, at most ``cap``."""

    base: timedelta
    cap: timedelta

    def delay(self, attempts: int, fraction: float) -> timedelta:
        """The wait after attempt ``attempts``; ``fraction`` in [0, 1) adds up to 20 % jitter."""
        doubled: timedelta = self.base * 2 ** min(max(attempts - 1, 0), 20)
        return min(self.cap, doubled) * (1 + 0.2 * fraction)


RETRY_CAP: Final = timedelta(minutes=10)
DEFAULT_BACKOFF: Final = Backoff(timedelta(seconds=5), RETRY_CAP)
BACKOFFS: Final[Mapping[str, Backoff]] = {
    "RATE_LIMITED": Backoff(timedelta(seconds=60), timedelta(minutes=30)),
    "PLATFORM_UNAVAILABLE": Backoff(timedelta(seconds=15), RETRY_CAP),
}
"""How long a reply waits after a transient failure of that code."""

STOPPED_ACCOUNT_RECHECK: Final = timedelta(seconds=60)
BUSY_RECHECK: Final = timedelta(seconds=5)
_AT_ONCE: Final = timedelta(0)
_CALLED_OFF: Final[Mapping[str, tuple[DispatchState, timedelta | None, str | None]]] = {
    "SENDING_STOPPED": (_S.QUEUED, _AT_ONCE, None),  # goes out as soon as the switch is lifted
    "REPLY_SUPERSEDED": (_S.CANCELLED, None, "superseded"),
    "REPLY_TAKEN_OVER": (_S.HELD, None, "taken_over_by_person"),
    "REPLY_NOT_ALLOWED": (_S.DRAFT, None, "policy_draft_required"),
    "ACCOUNT_INACTIVE": (_S.HELD, None, "policy_platform_inactive"),
    "REPLY_ALREADY_SHOWN": (_S.UNKNOWN, _AT_ONCE, None),
}
"""Where a reply goes that we called off before the click: state, when it is due again, its reason code."""
MAX_LOST_CLAIMS: Final = 10
"""How often a worker may die with the same reply in hand before the reply itself is suspected."""
NEW_TRIES_AFTER_ABSENCE: Final = 1
"""A reply that was clicked and provably did not arrive is clicked once more; then a person is asked."""


@dataclass(frozen=True, slots=True)
class AfterFailure:
    """Where a failed attempt leaves the reply. ``code`` replaces the failure's own where it is more telling."""

    state: DispatchState
    next_attempt_at: datetime | None
    counts_as_attempt: bool
    exhausted: bool = False
    code: str | None = None


def after_failure(
    failure: PlatformFailure,
    *,
    attempts: int,
    max_attempts: int,
    now: datetime,
    fraction: float,
) -> AfterFailure:
    """Decide a failed attempt. ``attempts`` includes this one; ``fraction`` in [0, 1) is jitter.

    After the click nothing is resent blindly. Before it, transient failures retry with exponential
    backoff up to ``max_attempts``; a permanent failure costs one attempt; a failure that stops the
    account, and one with which we called the attempt off ourselves, cost none.
    """
    if failure.phase is SendPhase.AFTER_CLICK:
        return AfterFailure(DispatchState.UNKNOWN, None, counts_as_attempt=True)
    if failure.withdrawn:
        return _called_off(failure, now)
    if failure.stops_account:
        return AfterFailure(
            DispatchState.RETRY_SCHEDULED, now + STOPPED_ACCOUNT_RECHECK, counts_as_attempt=False
        )
    if failure.failure_class is FailureClass.TRANSIENT and attempts < max_attempts:
        backoff = BACKOFFS.get(failure.code, DEFAULT_BACKOFF)
        return AfterFailure(
            DispatchState.RETRY_SCHEDULED, now + backoff.delay(attempts, fraction), counts_as_attempt=True
        )
    exhausted = failure.failure_class is FailureClass.TRANSIENT
    return AfterFailure(DispatchState.DEAD_LETTER, None, counts_as_attempt=True, exhausted=exhausted)


def _called_off(failure: PlatformFailure, now: datetime) -> AfterFailure:
    state, at, code = _CALLED_OFF.get(failure.code, (DispatchState.RETRY_SCHEDULED, BUSY_RECHECK, None))
    return AfterFailure(state, None if at is None else now + at, counts_as_attempt=False, code=code)


def after_absence(
    *, attempts: int, max_attempts: int, absences: int, lost_claims: int, now: datetime, fraction: float
) -> AfterFailure:
    """Decide a reply that was read back and is provably not in its thread.

    ``absences`` counts the proofs, this one included. One new try after a click that led to nothing, then
    a person; attempts whose worker died may never have clicked and are not held against the reply.
    """
    if attempts >= max_attempts or absences > NEW_TRIES_AFTER_ABSENCE + lost_claims:
        return AfterFailure(DispatchState.DEAD_LETTER, None, counts_as_attempt=True, exhausted=True)
    wait = DEFAULT_BACKOFF.base * 0.2 * fraction
    return AfterFailure(DispatchState.RETRY_SCHEDULED, now + wait, counts_as_attempt=True)


@dataclass(frozen=True, slots=True)
class ClickFacts:
    """What is true of a reply and its account the moment before the click."""

    ours: bool
    """State, fence, claim and the account's lease are still this worker's."""
    killed: bool
    active: bool
    allowed: bool
    """The stage is not shadow, and the send mode fits the purpose."""
    superseded: bool
    """The lead, or one of us on the platform itself, wrote after what the reply answers."""
    groundless: bool = False
    """What a follow-up or reminder was planned on no longer holds, or the lead opted out."""
    taken_over: bool = False
    """A person answers this conversation now, and nobody approved this reply."""


def refusal_to_click(facts: ClickFacts) -> str | None:
    """Code why this reply must not be clicked now; None when it may."""
    if not facts.ours:
        return "CLAIM_LOST"
    if facts.killed:
        return "SENDING_STOPPED"
    if not facts.active:
        return "ACCOUNT_INACTIVE"
    if not facts.allowed:
        return "REPLY_NOT_ALLOWED"
    if facts.superseded:
        return "REPLY_SUPERSEDED"
    if facts.taken_over:
        return "REPLY_TAKEN_OVER"
    return "REPLY_GROUNDLESS" if facts.groundless else None
