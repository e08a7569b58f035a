"""Reliability events in the log, with the earlier system's names and fields: log searches and dashboards keep working.

What happened is stored in our own tables and in the audit log; these lines are for those who watch the log.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

import structlog

from leasebot_pipeline.domain.alerts import CIRCUIT_OPENED, SESSION_REFRESH_REQUESTED, stop_reason
from leasebot_pipeline.domain.circuit import FAILURE_THRESHOLD, Circuit, CircuitState
from leasebot_pipeline.domain.failures import PlatformFailure
from leasebot_pipeline.storage.accounts_circuits import Circuits
from leasebot_pipeline.storage.accounts_runtime import AccountRow

CIRCUIT_CLOSED: Final = "rpa_circuit_closed"
RETRY_SCHEDULED: Final = "rpa_retry_scheduled"
LATENCY_MEASURED: Final = "rpa_ingest_latency_measured"
LATENCY_EXCEEDED: Final = "rpa_ingest_latency_target_exceeded"

_log: structlog.stdlib.BoundLogger = structlog.get_logger("leasebot.reliability")


def _of(account: AccountRow, action: str) -> structlog.stdlib.BoundLogger:
    return _log.bind(platform=account.platform.value, accountId=str(account.state.id), action=action)


def circuits_changed(
    account: AccountRow, action: str, before: Circuits, after: Circuits, failure: PlatformFailure | None
) -> None:
    """A breaker opened (again) or closed; a count alone is no event."""
    for old, new in ((before.account, after.account), (before.action, after.action)):
        if new.state is CircuitState.OPEN and new != old:
            _of(account, action).info(
                CIRCUIT_OPENED,
                failureCount=new.failures,
                failureThreshold=FAILURE_THRESHOLD,
                error=None if failure is None else str(failure),
            )
        elif old.state is not CircuitState.CLOSED and new == Circuit():
            _of(account, action).info(CIRCUIT_CLOSED)


def account_stopped(account: AccountRow, action: str, failure: PlatformFailure) -> None:
    """A session or challenge needs a person."""
    reason = stop_reason(failure.code)
    _of(account, action).info(SESSION_REFRESH_REQUESTED, attempt=1, reason=reason, error=str(failure))


def retry_scheduled(
    account: AccountRow, failure: PlatformFailure, attempt: int, due: datetime | None, now: datetime
) -> None:
    """A reply is tried again later."""
    delay = 0 if due is None else round((due - now).total_seconds() * 1000)
    log = _of(account, "send")
    log.info(RETRY_SCHEDULED, attempt=attempt, delayMs=delay, reason=failure.code, error=str(failure))


def inbox_read(account: AccountRow, took: timedelta, target_ms: int) -> None:
    """How long reading an inbox took, against the target."""
    duration_ms = round(took.total_seconds() * 1000)
    exceeded = duration_ms > target_ms
    log = _of(account, "ingest").bind(durationMs=duration_ms, p95TargetMs=target_ms)
    log.info(LATENCY_MEASURED, targetExceeded=exceeded)
    if exceeded:
        log.info(LATENCY_EXCEEDED)
