"""What a failed attempt does to a reply."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leasebot_pipeline.domain.dispatching import RETRY_CAP, TRANSITIONS, DispatchState, after_failure
from leasebot_pipeline.domain.failures import FAILURE_CLASSES, FailureClass, PlatformFailure, SendPhase

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)


@given(
    code=st.sampled_from(sorted(FAILURE_CLASSES)),
    attempts=st.integers(1, 10),
    fraction=st.floats(0, 0.999),
)
def test_after_the_click_nothing_is_ever_resent_blindly(code: str, attempts: int, fraction: float) -> None:
    failure = PlatformFailure(code, "x", phase=SendPhase.AFTER_CLICK)
    outcome = after_failure(failure, attempts=attempts, max_attempts=5, now=NOW, fraction=fraction)
    assert outcome.state is DispatchState.UNKNOWN
    assert outcome.next_attempt_at is None


@given(code=st.sampled_from(sorted(FAILURE_CLASSES)), attempts=st.integers(1, 10))
def test_before_the_click_every_outcome_is_an_allowed_transition(code: str, attempts: int) -> None:
    outcome = after_failure(
        PlatformFailure(code, "x"), attempts=attempts, max_attempts=5, now=NOW, fraction=0.5
    )
    assert outcome.state in TRANSITIONS[DispatchState.CLAIMED]
    assert outcome.state in TRANSITIONS[DispatchState.SENDING]


def test_transient_failures_back_off_and_end() -> None:
    failure = PlatformFailure("NETWORK_ERROR", "reset")
    delays = []
    for attempt in range(1, 5):
        outcome = after_failure(failure, attempts=attempt, max_attempts=5, now=NOW, fraction=0)
        assert outcome.state is DispatchState.RETRY_SCHEDULED
        assert outcome.next_attempt_at is not None
        delays.append(outcome.next_attempt_at - NOW)
    assert delays == sorted(delays)
    assert max(delays) <= RETRY_CAP
    last = after_failure(failure, attempts=5, max_attempts=5, now=NOW, fraction=0)
    assert (last.state, last.exhausted) == (DispatchState.DEAD_LETTER, True)


def test_a_permanent_failure_costs_one_attempt() -> None:
    outcome = after_failure(
        PlatformFailure("OUTBOUND_COMPOSER_MISSING", "x"), attempts=1, max_attempts=5, now=NOW, fraction=0
    )
    assert (outcome.state, outcome.exhausted) == (DispatchState.DEAD_LETTER, False)


@pytest.mark.parametrize("code", ["SESSION_EXPIRED", "CAPTCHA_REQUIRED", "BOT_CHALLENGE"])
def test_a_stopped_account_costs_the_reply_no_attempt(code: str) -> None:
    outcome = after_failure(PlatformFailure(code, "x"), attempts=5, max_attempts=5, now=NOW, fraction=0)
    assert outcome.state is DispatchState.RETRY_SCHEDULED
    assert not outcome.counts_as_attempt


def test_terminal_states_are_never_left() -> None:
    assert not TRANSITIONS[DispatchState.SENT]
    assert not TRANSITIONS[DispatchState.CANCELLED]
    assert DispatchState.QUEUED not in TRANSITIONS[DispatchState.UNKNOWN]


def test_an_unknown_code_needs_a_person() -> None:
    assert PlatformFailure("SOMETHING_NEW", "x").failure_class is FailureClass.NEEDS_PERSON
