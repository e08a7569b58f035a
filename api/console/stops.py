"""What is said where sending is stopped: that replies wait, who stopped it, when and why."""

from __future__ import annotations

from typing import Final

from api.console.inbox_words import platform_name
from api.console.times import Clock
from leasebot_pipeline.domain.kill_switches import KillScope, KillTarget
from leasebot_pipeline.storage.kill_switches import Stop

_LONGEST: Final = 200


def stop_text(stop: Stop, clock: Clock, waits: str) -> str:
    """``waits`` says what waits, as "your reply waits and goes out": until when follows it."""
    by = f" by {stop.by}" if stop.by else ""
    why = stop.reason if len(stop.reason) <= _LONGEST else f"{stop.reason[:_LONGEST]} …"
    told = f"{_stopped(stop)}: {waits} when it is resumed. Stopped{by}, {clock.since(stop.since)}: {why}"
    return told if told.endswith((".", "!", "?", "…")) else f"{told}."


def what(target: KillTarget, account_name: str | None = None) -> str:
    match target.scope:
        case KillScope.GLOBAL:
            return "all sending"
        case KillScope.PLATFORM:
            return f"sending on {platform_name(str(target.platform))}"
        case KillScope.ACCOUNT:
            return f"sending of {account_name or 'one account'}"


def waiting(count: int) -> str:
    return f"{count or 'No'} {'replies wait' if count > 1 else 'reply waits'} to go out."


def question(named: str, count: int) -> str:
    return f"Stop {named} now? {waiting(count)}"


def _stopped(stop: Stop) -> str:
    match stop.scope:
        case KillScope.GLOBAL:
            return "All sending is stopped"
        case KillScope.PLATFORM:
            return f"Sending on {platform_name(str(stop.platform))} is stopped"
        case KillScope.ACCOUNT:
            return f"Sending of {stop.account_name} is stopped"
