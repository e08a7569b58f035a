"""What is said where sending is stopped: that replies wait, who stopped it, when and why."""

from __future__ import annotations

from typing import Final

from api.console.inbox_words import platform_name
from api.console.times import Clock
from leasebot_pipeline.domain.kill_switches import KillScope, KillTarget
from leasebot_pipeline.domain.platforms import Platform
from leasebot_pipeline.storage.kill_switches import Stop

_LONGEST: Final = 200


def stop_text(stop: Stop, clock: Clock, waits: str) -> str:
    """``waits`` says what waits, as "your reply waits and goes out": until when follows it."""
    by = f" by {stop.by}" if stop.by else ""
    why = stop.reason if len(stop.reason) <= _LONGEST else f"{stop.reason[:_LONGEST]} …"
    named = _named(stop.scope, stop.platform, stop.account_name)
    told = f"{named[0].upper()}{named[1:]} is stopped: {waits} when it is resumed. Stopped{by}, {clock.since(stop.since)}: {why}"
    return told if told.endswith((".", "!", "?", "…")) else f"{told}."


def what(target: KillTarget, account_name: str | None = None) -> str:
    """What a switch stops, within a sentence."""
    return _named(target.scope, target.platform, account_name)


def _named(scope: KillScope, platform: Platform | None, account_name: str | None) -> str:
    match scope:
        case KillScope.GLOBAL:
            return "all sending"
        case KillScope.PLATFORM:
            return f"sending on {platform_name(str(platform))}"
        case KillScope.ACCOUNT:
            return f"sending of {account_name or 'one account'}"


def waiting(count: int) -> str:
    return f"{count or 'No'} {'replies wait' if count > 1 else 'reply waits'} to go out."


def question(named: str, count: int) -> str:
    return f"Stop {named} now? {waiting(count)}"
