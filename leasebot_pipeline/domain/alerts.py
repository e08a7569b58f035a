"""Alerts: what a person is told when an account needs one, and when an equal alert would be one too many."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
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
DEAD_LETTER: Final = "reply_dead_letter"
DELIVERY_UNKNOWN: Final = "reply_delivery_unknown"
SEND_CAP_REACHED: Final = "send_cap_reached"

EVENT_TYPES: Final = (
    SESSION_REFRESH_REQUESTED,
    CIRCUIT_OPENED,
    DEAD_LETTER,
    DELIVERY_UNKNOWN,
    SEND_CAP_REACHED,
)
"""Everything that alerts unless it is told otherwise; the first two are the earlier system's."""

RECOVERIES: Final[Mapping[str, str]] = {
    SESSION_REFRESH_REQUESTED: "rpa_session_renewed",
    CIRCUIT_OPENED: "rpa_circuit_closed",
    DEAD_LETTER: "reply_dead_letter_settled",
    DELIVERY_UNKNOWN: "reply_delivery_settled",
    SEND_CAP_REACHED: "send_cap_over",
}
"""What people are told when the incident is over."""

ERROR_LENGTH: Final = 500

Source = Literal["api", "worker"]

_CLOSED: Final = Circuit()
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
    def incident_key(self) -> str:
        """Events with the same key are about the same incident, whichever visit met it.

        A stopped account and an open breaker of a whole account are one incident whatever the action.
        """
        parts = [self.type, self.platform.value, str(self.account_id)]
        if self.type == SESSION_REFRESH_REQUESTED or (self.type == CIRCUIT_OPENED and self.reason is None):
            return ":".join(parts)
        if self.type == CIRCUIT_OPENED:
            return ":".join([*parts, self.action])
        return ":".join([*parts, self.action, self.reason or ""])

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
    TOLD_BEFORE = "told_before"  # the same incident goes on


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
    event_types: frozenset[str] = frozenset(EVENT_TYPES)
    cooldown: timedelta = timedelta(minutes=5)
    also: tuple[str, ...] = ()
    """Further ways every alert goes besides the provider, such as mail to the team."""

    @property
    def channels(self) -> tuple[str, ...]:
        """Every way an alert goes; each is told once per incident."""
        return tuple(dict.fromkeys(way for way in (self.provider, *self.also) if way is not None))

    def refusal(self, event: AlertEvent) -> Unsent | None:
        """Why the event does not alert whatever was sent before; None when it does."""
        if not self.enabled:
            return Unsent.DISABLED
        if not event.type.strip():
            return Unsent.INVALID_EVENT
        if event.type not in self.event_types:
            return Unsent.EVENT_FILTERED
        return None if self.channels else Unsent.PROVIDER_UNCONFIGURED

    def cools_down(self, last_sent: datetime | None, now: datetime) -> bool:
        """True when an equal alert was sent so recently that this one would say nothing new."""
        return last_sent is not None and now - last_sent < self.cooldown

    @classmethod
    def retry_delay(cls, failures: int) -> timedelta:
        """How long a channel that failed ``failures`` times in a row is left alone."""
        doubled: timedelta = timedelta(seconds=15) * 2 ** min(max(failures - 1, 0), 10)
        return min(timedelta(minutes=15), doubled)


def recovery_of(event: AlertEvent, at: datetime) -> AlertEvent:
    """The notice that the event's incident is over."""
    kind = RECOVERIES.get(event.type, f"{event.type}_over")
    return replace(event, type=kind, at=at, retry_after=None, error=None)


def event_from_payload(payload: Mapping[str, object], source: Source) -> AlertEvent:
    """The event of a stored payload (the inverse of ``AlertEvent.payload``)."""
    retry_after = payload.get("retryAfterMs")
    reason, error = payload.get("reason"), payload.get("error")
    return AlertEvent(
        type=str(payload["type"]),
        platform=Platform(str(payload["platform"])),
        account_id=UUID(str(payload["accountId"])),
        account_name=str(payload["accountName"]),
        action=str(payload["action"]),
        at=datetime.fromisoformat(str(payload["at"])),
        source=source,
        reason=None if reason is None else str(reason),
        retry_after=timedelta(milliseconds=retry_after) if isinstance(retry_after, int) else None,
        error=None if error is None else str(error),
    )


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
    action_before: Circuit = _CLOSED,
    action_after: Circuit = _CLOSED,
) -> Iterator[AlertEvent]:
    """The events of a failed visit: the account was stopped by it, a breaker (its own, or that of the
    action) opened, or opened again, by it."""

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
    if action_after.state is CircuitState.OPEN and action_after != action_before:
        until = action_after.open_until
        yield event(CIRCUIT_OPENED, action_after.code, None if until is None else until - at)


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
