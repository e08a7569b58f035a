"""Circuit breaker of an account: pure transitions; the state lives in the database.

Threshold and cooldown are the earlier system's (3 failed calls, 30 s). Unlike there, only failures
that speak against the account or its platform count; a missing thread or composer does not.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from leasebot_pipeline.domain.failures import FailureClass, PlatformFailure

FAILURE_THRESHOLD: Final = 3
COOLDOWN: Final = timedelta(seconds=30)

_NOT_THE_PLATFORM: Final = frozenset({"ACCOUNT_BUSY", "CIRCUIT_OPEN", "DEADLINE_EXCEEDED"})


class CircuitState(StrEnum):
    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half_open"


@dataclass(frozen=True, slots=True)
class Circuit:
    """Breaker of one account; ``open_until`` is set while open."""

    state: CircuitState = CircuitState.CLOSED
    failures: int = 0
    open_until: datetime | None = None

    def admits(self, now: datetime) -> bool:
        """True when a visit may start (closed, probing, or the cooldown is over)."""
        return self.state is not CircuitState.OPEN or self.open_until is None or now >= self.open_until

    def after_success(self) -> Circuit:
        return Circuit()

    def after_failure(self, failure: PlatformFailure, now: datetime) -> Circuit:
        """The breaker after a failed visit; failures that say nothing of the platform leave it as it is."""
        if failure.failure_class is not FailureClass.TRANSIENT or failure.code in _NOT_THE_PLATFORM:
            return self
        failures = self.failures + 1
        probing = self.state is not CircuitState.CLOSED
        if probing or failures >= FAILURE_THRESHOLD:
            return Circuit(CircuitState.OPEN, max(failures, FAILURE_THRESHOLD), now + COOLDOWN)
        return Circuit(CircuitState.CLOSED, failures, None)
