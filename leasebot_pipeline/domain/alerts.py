"""Alerts: what a person is told when an account needs one, and when an equal alert would be one too many."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Final, Literal
from uuid import UUID

from leasebot_pipeline.domain.circuit import Circuit, CircuitState
from leasebot_pipeline.domain.failures import PlatformFailure
from leasebot_pipeline.domain.platforms import Platform
from leasebot_pipeline.domain.redaction import redact

SESSION_REFRESH_REQUESTED: Final = "rpa_session_refresh_requested"
CIRCUIT_OPENED: Final = "rpa_circuit_opened"
ERROR_LENGTH: Final = 500

Source = Literal["api", "worker"]

_CHALLENGE_CODES: Final = frozenset({"CAPTCHA_REQUIRED", "BOT_CHALLENGE", "ACCESS_BLOCKED"})


@dataclass(frozen=True, slots=True)
class AlertEvent:
    """Something a person may have to act on. ``action`` is the platform action, ``error`` is for people."""

    type: str
    platform: Platform
    account_id: UUID
    account_name: str
    action: str
    at: datetime
    source: Source
    reason: str | None = None
    retry_after: timedelta | None = None
    error: str | None = None

    @property
    def cooldown_key(self) -> str:
        """Alerts with the same key are equal: within the cooldown only one of them is sent."""
        return f"{self.type}:{self.platform.value}:{self.account_id}:{self.action}:{self.reason or ''}"

    @property
    def shown_error(self) -> str | None:
        """The error without personal data and of bounded length: an alert leaves for somebody else's server."""
        return redact(self.error)[:ERROR_LENGTH] if self.error else None

    def text(self) -> str:
        """The message for people, one fact a line; what is unknown has no line."""
        lines = [
            f"Lease Bot ({self.source})",
            f"Event: {self.type}",
            f"Platform: {self.platform.value}",
            f"Account: {self.account_name} ({self.account_id})",
            f"Action: {self.action}",
        ]
        if self.reason:
            lines.append(f"Reason: {self.reason}")
        if self.retry_after is not None:
            lines.append(f"Retry after: {_milliseconds(self.retry_after)} ms")
        if self.shown_error:
            lines.append(f"Error: {self.shown_error}")
        lines.append(f"Time: {iso(self.at)}")
        return "\n".join(lines)

    def payload(self) -> dict[str, object]:
        """The event as a JSON object with camelCase keys; what is unknown has no key."""
        facts: dict[str, object | None] = {
            "type": self.type,
            "platform": self.platform.value,
            "accountId": str(self.account_id),
            "accountName": self.account_name,
            "action": self.action,
            "reason": self.reason,
            "retryAfterMs": None if self.retry_after is None else _milliseconds(self.retry_after),
            "error": self.shown_error,
            "at": iso(self.at),
        }
        return {key: value for key, value in facts.items() if value is not None}


class Unsent(StrEnum):
    """Why an alert was not sent, in the order of the checks."""

    DISABLED = "disabled"
    INVALID_EVENT = "invalid_event"
    EVENT_FILTERED = "event_filtered"
    PROVIDER_UNCONFIGURED = "provider_unconfigured"
    COOLDOWN = "cooldown"
    PROVIDER_UNSUPPORTED = "provider_unsupported"


@dataclass(frozen=True, slots=True)
class AlertResult:
    """``reason`` says why nothing was sent; None means the receiver accepted the alert."""

    reason: Unsent | None = None

    @property
    def sent(self) -> bool:
        return self.reason is None


@dataclass(frozen=True, slots=True)
class AlertPolicy:
    """Which events alert, which way, and the least time between two equal alerts."""

    enabled: bool = False
    provider: str | None = None
    event_types: frozenset[str] = frozenset({SESSION_REFRESH_REQUESTED, CIRCUIT_OPENED})
    cooldown: timedelta = timedelta(minutes=5)

    def refusal(self, event: AlertEvent) -> Unsent | None:
        """Why the event does not alert whatever was sent before; None when it does."""
        if not self.enabled:
            return Unsent.DISABLED
        if not event.type.strip():
            return Unsent.INVALID_EVENT
        if event.type not in self.event_types:
            return Unsent.EVENT_FILTERED
        return Unsent.PROVIDER_UNCONFIGURED if self.provider is None else None

    def cools_down(self, last_sent: datetime | None, now: datetime) -> bool:
        """True when an equal alert was sent so recently that this one would say nothing new."""
        return last_sent is not None and now - last_sent < self.cooldown


def failure_alerts(
    failure: PlatformFailure,
    *,
    stopped_now: bool,
    before: Circuit,
    after: Circuit,
    platform: Platform,
    account_id: UUID,
    account_name: str,
    action: str,
    at: datetime,
    source: Source = "worker",
) -> Iterator[AlertEvent]:
    """The events of a failed visit: the account was stopped by it, its circuit opened (again) by it."""

    def event(kind: str, reason: str | None, retry_after: timedelta | None) -> AlertEvent:
        return AlertEvent(
            type=kind,
            platform=platform,
            account_id=account_id,
            account_name=account_name,
            action=action,
            at=at,
            source=source,
            reason=reason,
            retry_after=retry_after,
            error=str(failure),
        )

    if stopped_now:
        yield event(SESSION_REFRESH_REQUESTED, stop_reason(failure.code), None)
    if after.state is CircuitState.OPEN and after != before:
        yield event(CIRCUIT_OPENED, None, None if after.open_until is None else after.open_until - at)


def stop_reason(code: str) -> str:
    """What a person must renew, for the code of a failure that stopped the account."""
    if code in _CHALLENGE_CODES:
        return "captcha_or_bot_challenge"
    # The session is fine there: another browser must be closed, so "expired" would send people the wrong way.
    return "profile_locked" if code == "RPA_PROFILE_LOCKED" else "session_expired"


def iso(instant: datetime) -> str:
    """An instant as UTC text with milliseconds, as in every JSON of the product."""
    return instant.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _milliseconds(length: timedelta) -> int:
    return round(length.total_seconds() * 1000)
