"""Run or skip, and why: the sensors' choices, pure. Each skip says what was seen."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Literal

from leasebot_pipeline.domain.failures import ACCOUNT_STOPPING_CODES
from leasebot_pipeline.stages.poll import AccountPoll, PollResult

SHORTEST_TICK: Final = timedelta(seconds=5)
"""Dagster's daemon looks at its sensors this often and no oftener."""
FIRST_PAUSE: Final = timedelta(seconds=30)
LONGEST_PAUSE: Final = timedelta(minutes=15)
OBSERVE_EVERY: Final = timedelta(minutes=10)
"""An observation without news is stored only this often: Dagster never forgets them by itself."""

READ: Final = "read"


@dataclass(frozen=True, slots=True)
class RunSeen:
    """A run of a platform as Dagster shows it; ``ended_at`` is None while it is queued or at work."""

    run_id: str
    job: str
    state: Literal["active", "succeeded", "failed"]
    ended_at: datetime | None


@dataclass(frozen=True, slots=True)
class Run:
    """Ask for one run."""

    reason: str


@dataclass(frozen=True, slots=True)
class Skip:
    """Ask for none."""

    reason: str


def choose_inbox(result: PollResult, runs: Sequence[RunSeen], job: str, now: datetime) -> Run | Skip:
    """After a poll. ``runs`` are the platform's latest runs, newest first."""
    seen = "; ".join(describe(account) for account in result.accounts) or "no account of this platform"
    work = _work(result.pending, result.waiting, result.due_dispatches)
    if not work:
        return Skip(seen)
    return unless_busy(work, runs, job, now, seen)


def choose_outbox(due: int, runs: Sequence[RunSeen], job: str, now: datetime) -> Run | Skip:
    """For one platform's due replies."""
    work = _work(0, 0, due)
    return unless_busy(work, runs, job, now) if work else Skip("nothing due")


def unless_busy(
    work: str, runs: Sequence[RunSeen], job: str, now: datetime, seen: str | None = None
) -> Run | Skip:
    """Run for that work, unless a run of the platform is under way or the job's latest ones failed."""
    after = f"; {seen}" if seen else ""
    active = next((run for run in runs if run.state == "active"), None)
    if active is not None:
        return Skip(f"{work}, left to run {active.run_id[:8]} or the one after it{after}")
    paused_until = pause_after_failures(runs, job)
    if paused_until is not None and paused_until > now:
        wait = (paused_until - now).total_seconds()
        return Skip(f"{work}, but the last runs of {job} failed; next try in {wait:.0f} s{after}")
    return Run(work)


def pause_after_failures(runs: Sequence[RunSeen], job: str) -> datetime | None:
    """Until when a job whose latest runs failed is left alone; doubles with each failure in a row.

    What makes a run fail (a page that changed, a broken plan) is rarely gone at the next tick.
    """
    ended = [run for run in runs if run.job == job and run.state != "active"]
    failures = next((n for n, run in enumerate(ended) if run.state != "failed"), len(ended))
    if not failures or ended[0].ended_at is None:
        return None
    pause: timedelta = min(LONGEST_PAUSE, FIRST_PAUSE * 2 ** (failures - 1))
    return ended[0].ended_at + pause


def _work(events: int, conversations: int, replies: int) -> str:
    parts = (
        (events, "landed message", "landed messages"),
        (conversations, "waiting conversation", "waiting conversations"),
        (replies, "due reply", "due replies"),
    )
    return ", ".join(f"{count} {one if count == 1 else many}" for count, one, many in parts if count)


def describe(account: AccountPoll) -> str:
    """What a poll saw of one account, and what a person must do when only a person can help."""
    if account.code in ACCOUNT_STOPPING_CODES:
        return f"{account.summary} (stopped until its session or credentials are renewed)"
    return account.summary


def state_of(result: PollResult, before: Mapping[str, str] | None = None) -> dict[str, str]:
    """Per account whether it could be read: what an observation is about.

    An account that was left alone this time (busy, or not due yet) is in the state it was in ``before``.
    """
    known = before or {}
    return {
        account.account_name: account.code
        or (READ if account.visited else known.get(account.account_name, READ))
        for account in result.accounts
    }


def worth_observing(
    result: PollResult, before: Mapping[str, str] | None, last_at: datetime | None, now: datetime
) -> bool:
    """Whether this poll is reported: when it brought news, when an account's state changed, or after a while."""
    visited = [account for account in result.accounts if account.visited]
    if any(account.changed or account.landed for account in visited):
        return True
    known = before or {}
    if any(state != known.get(name, READ) for name, state in state_of(result, before).items()):
        return True
    return bool(visited) and (last_at is None or now - last_at >= OBSERVE_EVERY)


def tick_seconds(interval: timedelta) -> int:
    """Dagster's minimum interval for a sensor that should tick this often.

    One second less than wanted: a tick that is due a moment after the daemon looked waits for another round.
    """
    return max(1, int(max(interval, SHORTEST_TICK).total_seconds()) - 1)


def cron_every(interval: timedelta) -> str:
    """The cron line nearest to an interval that divides the hour or the day evenly, never rarer than asked for."""
    minutes = max(1, int(interval.total_seconds() // 60))
    if minutes < 60:
        step = max(n for n in range(1, minutes + 1) if 60 % n == 0)
        return "* * * * *" if step == 1 else f"*/{step} * * * *"
    hours = max(n for n in range(1, min(24, minutes // 60) + 1) if 24 % n == 0)
    return {1: "0 * * * *", 24: "0 0 * * *"}.get(hours, f"0 */{hours} * * *")
