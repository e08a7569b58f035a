"""What is behind, in words: queues that wait too long, platforms that are not read. It never makes the API unready."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from leasebot_pipeline.domain.platforms import Platform
from leasebot_pipeline.storage.figures import Depth, PlatformStand

QUEUE_MAY_WAIT: Final = timedelta(minutes=10)
POLL_MAY_BE_OLD: Final = timedelta(minutes=5)
"""Or ten polls, where those are further apart."""
_OF_THE_PIPELINE: Final = ("inbound", "decide", "dispatch")


@dataclass(frozen=True, slots=True)
class Finding:
    ok: bool
    detail: str


def queues(depths: Sequence[Depth], now: datetime) -> Finding:
    """The oldest thing the pipeline has to do. People's own queue is theirs."""
    waiting = [one for one in depths if one.queue in _OF_THE_PIPELINE and one.waiting]
    if not waiting:
        return Finding(True, "nothing waits")
    aged = [one for one in waiting if one.oldest is not None]
    total = sum(one.waiting for one in waiting)
    if not aged:
        return Finding(True, f"{total} wait")
    oldest = min(aged, key=lambda one: one.oldest or now)
    age = now - (oldest.oldest or now)
    detail = f"{total} wait, the oldest for {_span(age)} ({oldest.queue}, {oldest.platform})"
    return Finding(age <= QUEUE_MAY_WAIT, detail)


def platforms(
    stands: Sequence[PlatformStand], read: Sequence[Platform], poll_interval: timedelta, now: datetime
) -> dict[str, Finding]:
    """Each of the five: is its inbox looked at?"""
    by_name = {one.platform: one for one in stands}
    allowed = max(POLL_MAY_BE_OLD, 10 * poll_interval)
    return {
        platform.value: _platform(by_name.get(platform.value), platform in read, allowed, now)
        for platform in Platform
    }


def _platform(stand: PlatformStand | None, is_read: bool, allowed: timedelta, now: datetime) -> Finding:
    if not is_read:
        return Finding(True, "not read by this installation")
    if stand is None or stand.active == 0:
        return Finding(True, "no active account")
    polled = "never polled"
    if stand.last_polled_at is not None:
        polled = f"polled {_span(now - stand.last_polled_at)} ago"
    if stand.stopped:
        codes = ", ".join(stand.stop_codes) or "no code"
        return Finding(False, f"{stand.stopped} of {stand.active} accounts stopped ({codes}), {polled}")
    if stand.last_polled_at is None or now - stand.last_polled_at > allowed:
        return Finding(False, polled)
    if stand.circuit_open:
        return Finding(False, f"{polled}, circuit open for {stand.circuit_open} of {stand.active} accounts")
    return Finding(True, polled)


def _span(age: timedelta) -> str:
    seconds = max(0, int(age.total_seconds()))
    for size, unit in ((86_400, "d"), (3_600, "h"), (60, "min")):
        if seconds >= 2 * size:
            return f"{seconds // size} {unit}"
    return f"{seconds} s"
