"""Whether an account is visited now, and in words why not: a pure choice over its shared state."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from uuid import UUID

from leasebot_pipeline.domain.circuit import Circuit
from leasebot_pipeline.domain.platforms import Platform


@dataclass(frozen=True, slots=True)
class AccountState:
    """What all processes know of an account before a visit."""

    id: UUID
    name: str
    is_active: bool
    stop_code: str | None
    stop_reason: str | None
    stopped_at: datetime | None
    circuit: Circuit
    lease_owner: str | None
    lease_expires_at: datetime | None
    action_circuits: Mapping[str, Circuit] = field(default_factory=dict)
    """Breakers of single actions that are not simply closed, by action."""


def seconds_until_due(
    last_polled_at: datetime | None, now: datetime, interval: timedelta, platform: Platform
) -> float:
    """Seconds until the account's next look; 0 when it is due.

    Looks happen once per interval, on a beat of the platform's own: the platforms' beats are spread over
    the interval, so that five browsers never start at once on a small machine.
    """
    if last_polled_at is None or interval <= timedelta(0):
        return 0.0
    span = interval.total_seconds()
    offset = span * list(Platform).index(platform) / len(Platform)
    beat = math.floor((now.timestamp() - offset) / span)
    if math.floor((last_polled_at.timestamp() - offset) / span) < beat:
        return 0.0
    return (beat + 1) * span + offset - now.timestamp()


def reason_not_to_visit(account: AccountState, now: datetime, action: str | None = None) -> str | None:
    """Why this account is left alone (for this action), or None when it may be visited."""
    if not account.is_active:
        return f"{account.name}: inactive"
    if account.stop_code is not None:
        since = f" since {account.stopped_at:%Y-%m-%d %H:%M} UTC" if account.stopped_at else ""
        return (
            f"{account.name}: stopped{since} with {account.stop_code}: {account.stop_reason or 'no detail'}"
        )
    if not account.circuit.admits(now):
        until = account.circuit.open_until
        assert until is not None
        return f"{account.name}: CIRCUIT_OPEN, next try in {(until - now).total_seconds():.0f} s"
    page = account.action_circuits.get(action) if action else None
    if page is not None and not page.admits(now):
        assert page.open_until is not None
        wait = (page.open_until - now).total_seconds()
        return f"{account.name}: CIRCUIT_OPEN for {action} after {page.code}, next try in {wait:.0f} s"
    if account.lease_owner and account.lease_expires_at and account.lease_expires_at > now:
        return f"{account.name}: busy, another visit of this account is under way"
    return None
