"""The sensors' choices: run or skip, and what the skip says."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Literal

import pytest

from leasebot_pipeline.domain.platforms import Platform
from leasebot_pipeline.stages.poll import AccountPoll, PollResult
from sensors.choices import (
    Run,
    RunSeen,
    Skip,
    choose_inbox,
    choose_outbox,
    cron_every,
    pause_after_failures,
    state_of,
    tick_seconds,
    worth_observing,
)

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
JOB = "inbox_pipeline"
QUIET = AccountPoll("Default Roomies", visited=True, rows=12, latency_s=0.21)


def poll_of(*accounts: AccountPoll, pending: int = 0, waiting: int = 0, due: int = 0) -> PollResult:
    landed = sum(account.landed for account in accounts)
    return PollResult(Platform.ROOMIES, accounts, landed, pending, waiting, due)


def run(state: Literal["active", "succeeded", "failed"], seconds_ago: float = 1, job: str = JOB) -> RunSeen:
    ended = None if state == "active" else NOW - timedelta(seconds=seconds_ago)
    return RunSeen("0a1b2c3d-rest", job, state, ended)


def chosen(result: PollResult, *runs: RunSeen) -> Run | Skip:
    return choose_inbox(result, runs, JOB, NOW)


def test_a_quiet_inbox_is_skipped_with_what_was_seen() -> None:
    assert chosen(poll_of(QUIET)) == Skip("Default Roomies: inbox read in 0.21 s, 12 threads, none changed")


def test_a_platform_without_account_says_so() -> None:
    assert chosen(poll_of()) == Skip("no account of this platform")


def test_a_failed_poll_is_skipped_with_the_failure_and_never_looks_like_an_empty_inbox() -> None:
    failed = AccountPoll("Default Roomies", True, code="PAGE_TIMEOUT", message="inbox not there after 20 s")
    assert chosen(poll_of(failed)) == Skip("Default Roomies: PAGE_TIMEOUT: inbox not there after 20 s")


def test_an_account_only_a_person_can_mend_says_what_must_be_done() -> None:
    stopped = AccountPoll("Default Roomies", True, code="SESSION_EXPIRED", message="login page")
    choice = chosen(poll_of(stopped))
    assert isinstance(choice, Skip)
    assert "SESSION_EXPIRED" in choice.reason
    assert "until its session or credentials are renewed" in choice.reason


@pytest.mark.parametrize(
    ("work", "reason"),
    [
        ({"pending": 1}, "1 landed message"),
        ({"pending": 3, "waiting": 1}, "3 landed messages, 1 waiting conversation"),
        ({"due": 2}, "2 due replies"),
    ],
)
def test_any_work_asks_for_a_run(work: dict[str, int], reason: str) -> None:
    assert chosen(poll_of(QUIET, **work)) == Run(reason)


def test_work_left_from_earlier_runs_even_when_the_poll_failed() -> None:
    failed = AccountPoll("Default Roomies", True, code="PAGE_TIMEOUT", message="late")
    assert isinstance(chosen(poll_of(failed, waiting=1)), Run)


def test_no_second_run_while_one_is_under_way() -> None:
    choice = chosen(poll_of(QUIET, pending=3), run("active"), run("succeeded"))
    assert choice == Skip(
        "3 landed messages, left to run 0a1b2c3d or the one after it; "
        "Default Roomies: inbox read in 0.21 s, 12 threads, none changed"
    )


def test_a_run_of_the_outbox_under_way_counts_too() -> None:
    assert isinstance(chosen(poll_of(QUIET, pending=3), run("active", job="outbox_dispatch")), Skip)


def test_after_a_failure_the_job_rests_and_longer_after_each_one_more() -> None:
    once = chosen(poll_of(QUIET, pending=1), run("failed", 10), run("succeeded"))
    assert isinstance(once, Skip)
    assert "next try in 20 s" in once.reason
    twice = chosen(poll_of(QUIET, pending=1), run("failed", 10), run("failed", 60), run("succeeded"))
    assert isinstance(twice, Skip)
    assert "next try in 50 s" in twice.reason
    assert isinstance(chosen(poll_of(QUIET, pending=1), run("failed", 31), run("succeeded")), Run)


def test_a_rest_is_never_longer_than_a_quarter_of_an_hour() -> None:
    until = pause_after_failures([run("failed", 0)] * 12, JOB)
    assert until == NOW + timedelta(minutes=15)


def test_failures_of_another_job_do_not_rest_this_one() -> None:
    assert isinstance(chosen(poll_of(QUIET, pending=1), run("failed", job="outbox_dispatch")), Run)


@pytest.mark.parametrize(("due", "expected"), [(0, Skip("nothing due")), (1, Run("1 due reply"))])
def test_the_outbox_asks_only_for_due_replies(due: int, expected: Run | Skip) -> None:
    assert choose_outbox(due, [], "outbox_dispatch", NOW) == expected


def test_the_outbox_leaves_due_replies_to_a_run_under_way() -> None:
    assert isinstance(choose_outbox(2, [run("active")], "outbox_dispatch", NOW), Skip)


class TestObservations:
    quiet = poll_of(QUIET)

    def test_news_are_observed(self) -> None:
        changed = poll_of(AccountPoll("Default Roomies", True, rows=12, changed=1, landed=1))
        assert worth_observing(changed, state_of(self.quiet), NOW, NOW)

    def test_quiet_polls_are_observed_only_now_and_then(self) -> None:
        state = state_of(self.quiet)
        assert worth_observing(self.quiet, None, None, NOW)
        assert not worth_observing(self.quiet, state, NOW, NOW + timedelta(minutes=9))
        assert worth_observing(self.quiet, state, NOW, NOW + timedelta(minutes=10))

    def test_a_failure_is_observed_once_and_so_is_its_end(self) -> None:
        failing = poll_of(AccountPoll("Default Roomies", True, code="PAGE_TIMEOUT", message="late"))
        assert worth_observing(failing, state_of(self.quiet), NOW, NOW)
        assert not worth_observing(failing, state_of(failing), NOW, NOW)
        assert worth_observing(self.quiet, state_of(failing), NOW, NOW)

    def test_an_account_that_is_left_alone_for_a_moment_is_no_news_and_keeps_its_state(self) -> None:
        alone = poll_of(AccountPoll("Default Roomies", visited=False, message="next look in 5 s"))
        assert not worth_observing(alone, state_of(self.quiet), NOW, NOW + timedelta(hours=1))
        failing = {"Default Roomies": "PAGE_TIMEOUT"}
        assert not worth_observing(alone, failing, NOW, NOW)
        assert state_of(alone, failing) == failing

    def test_an_account_that_stopped_is_observed_without_a_visit(self) -> None:
        stopped = AccountPoll("Default Roomies", False, code="SESSION_EXPIRED", message="stopped")
        assert worth_observing(poll_of(stopped), state_of(self.quiet), NOW, NOW)


@pytest.mark.parametrize(
    ("milliseconds", "seconds"), [(1, 4), (5_000, 4), (15_000, 14), (20_500, 19), (60_000, 59)]
)
def test_a_sensor_is_due_a_little_before_its_interval_and_never_below_the_daemons_own(
    milliseconds: int, seconds: int
) -> None:
    assert tick_seconds(timedelta(milliseconds=milliseconds)) == seconds


@pytest.mark.parametrize(
    ("interval", "cron"),
    [
        (timedelta(seconds=10), "* * * * *"),
        (timedelta(minutes=1), "* * * * *"),
        (timedelta(minutes=3), "*/3 * * * *"),
        (timedelta(minutes=7), "*/6 * * * *"),
        (timedelta(minutes=59), "*/30 * * * *"),
        (timedelta(hours=1), "0 * * * *"),
        (timedelta(hours=5), "0 */4 * * *"),
        (timedelta(days=1), "0 0 * * *"),
        (timedelta(days=30), "0 0 * * *"),
    ],
)
def test_an_interval_becomes_the_nearest_even_cron_line(interval: timedelta, cron: str) -> None:
    assert cron_every(interval) == cron
