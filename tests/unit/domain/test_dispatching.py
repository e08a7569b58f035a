"""What a failed attempt does to a reply."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leasebot_pipeline.domain.dispatching import (
    OPERATOR_RULES,
    RETRY_CAP,
    TERMINAL,
    TRANSITIONS,
    ClickFacts,
    DispatchState,
    OperatorAction,
    after_absence,
    after_failure,
    refusal_to_click,
)
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


def test_every_state_has_its_rules_and_only_two_have_no_way_out() -> None:
    assert set(TRANSITIONS) == set(DispatchState)
    assert {state for state, after in TRANSITIONS.items() if not after} == set(TERMINAL)


@pytest.mark.parametrize("action", OperatorAction)
def test_operators_keep_to_the_transitions(action: OperatorAction) -> None:
    rule = OPERATOR_RULES[action]
    assert all(rule.target in TRANSITIONS[source] for source in rule.sources)


def test_no_operator_resends_what_is_in_doubt() -> None:
    assert DispatchState.UNKNOWN not in OPERATOR_RULES[OperatorAction.RETRY].sources


@pytest.mark.parametrize(
    "code", ["SENDING_STOPPED", "REPLY_SUPERSEDED", "REPLY_TAKEN_OVER", "REPLY_NOT_ALLOWED", "ACCOUNT_BUSY"]
)
def test_what_we_call_off_ourselves_costs_no_attempt(code: str) -> None:
    outcome = after_failure(PlatformFailure(code, "x"), attempts=5, max_attempts=5, now=NOW, fraction=0)
    assert not outcome.counts_as_attempt
    assert outcome.state is not DispatchState.DEAD_LETTER


def test_a_platform_that_asks_for_patience_gets_more_of_it() -> None:
    waits = {}
    for code in ("RATE_LIMITED", "PLATFORM_UNAVAILABLE", "NETWORK_ERROR"):
        outcome = after_failure(PlatformFailure(code, "x"), attempts=1, max_attempts=5, now=NOW, fraction=0)
        assert outcome.next_attempt_at is not None
        waits[code] = outcome.next_attempt_at - NOW
    assert waits["RATE_LIMITED"] > waits["PLATFORM_UNAVAILABLE"] > waits["NETWORK_ERROR"]


@given(attempts=st.integers(1, 8), absences=st.integers(1, 8), lost=st.integers(0, 4))
def test_a_click_that_led_to_nothing_gets_one_new_try(attempts: int, absences: int, lost: int) -> None:
    """Attempts whose worker died are not held against the reply; the cap on attempts is."""
    outcome = after_absence(
        attempts=attempts, max_attempts=5, absences=absences, lost_claims=lost, now=NOW, fraction=0
    )
    again = attempts < 5 and absences <= 1 + lost
    assert outcome.state is (DispatchState.RETRY_SCHEDULED if again else DispatchState.DEAD_LETTER)


@given(st.builds(ClickFacts, *[st.booleans()] * 5))
def test_a_click_needs_every_fact_on_its_side(facts: ClickFacts) -> None:
    free = facts.ours and facts.active and facts.allowed and not facts.killed and not facts.superseded
    assert (refusal_to_click(facts) is None) == free
