"""Circuit breakers: pure transitions; the state lives in the database, shared by all processes.

Threshold and cooldown are the earlier system's (3 failed calls, 30 s). Unlike there, failures are
classified: an outage opens the breaker of the whole account, a page that is no longer what we know the
breaker of that action only, and what is about one thread or one reply opens none. Expired sessions and
challenges stop the account outright (``PlatformFailure.stops_account``): no cooldown mends those.

Only one visit of an account runs at a time (its lease), so the visit that finds the cooldown over is the probe.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from leasebot_pipeline.domain.failures import PAGE_CODES, FailureClass, PlatformFailure

FAILURE_THRESHOLD: Final = 3
COOLDOWN: Final = timedelta(seconds=30)
LONGEST_COOLDOWN: Final = timedelta(minutes=30)
"""A changed page is rarely mended by waiting: each probe in vain doubles the action's cooldown up to this."""

_NOT_THE_PLATFORM: Final = frozenset({"DEADLINE_EXCEEDED", "OUTBOUND_NOT_IN_THREAD", "INTERNAL_ERROR"})


class CircuitState(StrEnum):
    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half_open"


class CircuitScope(StrEnum):
    """Whose breaker a failure counts for."""

    ACCOUNT = "account"
    ACTION = "action"


def circuit_scope(failure: PlatformFailure) -> CircuitScope | None:
    """The breaker a failure counts for; None when it says nothing of account or page."""
    if failure.withdrawn or failure.code in _NOT_THE_PLATFORM:
        return None
    if failure.code in PAGE_CODES:
        return CircuitScope.ACTION
    return CircuitScope.ACCOUNT if failure.failure_class is FailureClass.TRANSIENT else None


@dataclass(frozen=True, slots=True)
class Circuit:
    """One breaker; ``open_until`` is set while open, ``code`` is the failure that opened it."""

    state: CircuitState = CircuitState.CLOSED
    failures: int = 0
    open_until: datetime | None = None
    code: str | None = None

    def admits(self, now: datetime) -> bool:
        """True when a visit may start (closed, probing, or the cooldown is over)."""
        return self.state is not CircuitState.OPEN or self.open_until is None or now >= self.open_until

    def shown(self, now: datetime) -> CircuitState:
        """The state as people see it: half open once the cooldown is over."""
        if self.state is CircuitState.OPEN and self.admits(now):
            return CircuitState.HALF_OPEN
        return self.state

    def after_success(self) -> Circuit:
        return Circuit()

    def after_failure(
        self, failure: PlatformFailure, now: datetime, scope: CircuitScope = CircuitScope.ACCOUNT
    ) -> Circuit:
        """The breaker after a failed visit; a failure of another scope leaves it as it is."""
        if circuit_scope(failure) is not scope:
            return self
        failures = self.failures + 1
        if self.state is CircuitState.CLOSED and failures < FAILURE_THRESHOLD:
            return Circuit(CircuitState.CLOSED, failures, None)
        failures = max(failures, FAILURE_THRESHOLD)
        return Circuit(CircuitState.OPEN, failures, now + _cooldown(scope, failures), failure.code)


def _cooldown(scope: CircuitScope, failures: int) -> timedelta:
    if scope is CircuitScope.ACCOUNT:
        return COOLDOWN
    doublings = min(failures - FAILURE_THRESHOLD, 16)
    grown: timedelta = COOLDOWN * 2**doublings
    return min(LONGEST_COOLDOWN, grown)
