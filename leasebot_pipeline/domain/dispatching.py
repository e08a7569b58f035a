"""States of an outbound reply and what a failed attempt does to it: pure.

``queued -> claimed -> sending -> sent``; see TRANSITIONS for the rest. The intent (``sending``) is
committed before the click, so a reply found in ``sending`` after a crash may or may not be out there:
it becomes ``unknown`` and leaves that state only by reading the thread back or by a person.
"""

from __future__ import annotations

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
    SENT = "sent"  # proven by reading the thread back
    UNKNOWN = "unknown"  # clicked or nearly, not proven
    RETRY_SCHEDULED = "retry_scheduled"  # failed before the click, due again later
    DEAD_LETTER = "dead_letter"  # given up; an operator may retry or discard
    CANCELLED = "cancelled"  # superseded or discarded


_S = DispatchState
TRANSITIONS: Final[dict[DispatchState, frozenset[DispatchState]]] = {
    _S.DRAFT: frozenset({_S.QUEUED, _S.HELD, _S.CANCELLED}),
    _S.HELD: frozenset({_S.QUEUED, _S.CANCELLED}),
    _S.QUEUED: frozenset({_S.CLAIMED, _S.HELD, _S.DRAFT, _S.CANCELLED}),
    _S.CLAIMED: frozenset(
        {_S.QUEUED, _S.SENDING, _S.RETRY_SCHEDULED, _S.DEAD_LETTER, _S.DRAFT, _S.CANCELLED}
    ),
    _S.SENDING: frozenset({_S.SENT, _S.UNKNOWN, _S.RETRY_SCHEDULED, _S.DEAD_LETTER}),
    _S.SENT: frozenset(),
    _S.UNKNOWN: frozenset({_S.SENT, _S.RETRY_SCHEDULED, _S.CANCELLED, _S.DEAD_LETTER}),
    _S.RETRY_SCHEDULED: frozenset({_S.CLAIMED, _S.HELD, _S.DRAFT, _S.CANCELLED}),
    _S.DEAD_LETTER: frozenset({_S.QUEUED, _S.CANCELLED}),
    _S.CANCELLED: frozenset(),
}

RETRY_BASE: Final = timedelta(seconds=5)
RETRY_CAP: Final = timedelta(minutes=10)
STOPPED_ACCOUNT_RECHECK: Final = timedelta(seconds=60)


@dataclass(frozen=True, slots=True)
class AfterFailure:
    """Where a failed attempt leaves the reply."""

    state: DispatchState
    next_attempt_at: datetime | None
    counts_as_attempt: bool
    exhausted: bool = False


def after_failure(
    failure: PlatformFailure, *, attempts: int, max_attempts: int, now: datetime, fraction: float
) -> AfterFailure:
    """Decide a failed attempt. ``attempts`` includes this one; ``fraction`` in [0, 1) is jitter.

    After the click nothing is resent blindly. Before it, transient failures retry with exponential
    backoff up to ``max_attempts``; a failure that stops the account costs the reply no attempt.
    """
    if failure.phase is SendPhase.AFTER_CLICK:
        return AfterFailure(DispatchState.UNKNOWN, None, counts_as_attempt=True)
    if failure.stops_account or failure.code in ("ACCOUNT_BUSY", "CIRCUIT_OPEN"):
        return AfterFailure(
            DispatchState.RETRY_SCHEDULED, now + STOPPED_ACCOUNT_RECHECK, counts_as_attempt=False
        )
    if failure.failure_class is FailureClass.TRANSIENT and attempts < max_attempts:
        delay = min(RETRY_CAP, RETRY_BASE * 2 ** (attempts - 1))
        return AfterFailure(
            DispatchState.RETRY_SCHEDULED, now + delay * (1 + 0.2 * fraction), counts_as_attempt=True
        )
    exhausted = failure.failure_class is FailureClass.TRANSIENT
    return AfterFailure(DispatchState.DEAD_LETTER, None, counts_as_attempt=True, exhausted=exhausted)
