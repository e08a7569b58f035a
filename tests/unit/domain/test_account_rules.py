"""Pacing, circuit breaker, the choice to visit, canary membership."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from uuid import UUID, uuid4

from hypothesis import given
from hypothesis import strategies as st

from leasebot_pipeline.domain.circuit import COOLDOWN, Circuit, CircuitState
from leasebot_pipeline.domain.cohort import in_canary
from leasebot_pipeline.domain.failures import PlatformFailure
from leasebot_pipeline.domain.pacing import Pace, wait_seconds
from leasebot_pipeline.domain.platforms import Platform
from leasebot_pipeline.domain.polling import AccountState, reason_not_to_visit, seconds_until_due

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)


@given(elapsed_ms=st.integers(0, 5000), fraction=st.floats(0, 0.999))
def test_actions_are_never_closer_than_the_minimum_interval(elapsed_ms: int, fraction: float) -> None:
    last = NOW - timedelta(milliseconds=elapsed_ms)
    wait = wait_seconds(last, NOW, Pace(1400, 400), fraction)
    assert elapsed_ms / 1000 + wait >= 1.4 - 1e-6
    assert wait <= 1.8


def test_the_first_action_waits_for_nothing() -> None:
    assert wait_seconds(None, NOW, Pace(1400, 400), 0.9) == 0


def test_circuit_opens_after_three_failures_and_probes_after_the_cooldown() -> None:
    """Behaviour 102."""
    failure = PlatformFailure("PLATFORM_UNAVAILABLE", "503")
    circuit = Circuit()
    for _ in range(2):
        circuit = circuit.after_failure(failure, NOW)
        assert circuit.admits(NOW)
    circuit = circuit.after_failure(failure, NOW)
    assert circuit.state is CircuitState.OPEN
    assert not circuit.admits(NOW + COOLDOWN - timedelta(seconds=1))
    assert circuit.admits(NOW + COOLDOWN)
    reopened = circuit.after_failure(failure, NOW + COOLDOWN)
    assert not reopened.admits(NOW + COOLDOWN)
    assert reopened.after_success() == Circuit()


def test_failures_that_say_nothing_of_the_platform_do_not_count() -> None:
    circuit = Circuit()
    for code in ("OUTBOUND_COMPOSER_MISSING", "PAGE_NOT_FOUND", "ACCOUNT_BUSY", "SESSION_EXPIRED"):
        circuit = circuit.after_failure(PlatformFailure(code, "x"), NOW)
    assert circuit == Circuit()


def _account(**changes: object) -> AccountState:
    values: dict[str, object] = {
        "id": uuid4(),
        "name": "Default SpareRoom",
        "is_active": True,
        "stop_code": None,
        "stop_reason": None,
        "stopped_at": None,
        "circuit": Circuit(),
        "lease_owner": None,
        "lease_expires_at": None,
    }
    return AccountState(**{**values, **changes})  # type: ignore[arg-type]


def test_an_account_left_alone_says_why() -> None:
    assert reason_not_to_visit(_account(), NOW) is None
    stopped = _account(stop_code="CAPTCHA_REQUIRED", stop_reason="a captcha is shown", stopped_at=NOW)
    assert "CAPTCHA_REQUIRED: a captcha is shown" in (reason_not_to_visit(stopped, NOW) or "")
    assert "inactive" in (reason_not_to_visit(_account(is_active=False), NOW) or "")
    busy = _account(lease_owner="other", lease_expires_at=NOW + timedelta(seconds=5))
    assert "busy" in (reason_not_to_visit(busy, NOW) or "")
    assert reason_not_to_visit(busy, NOW + timedelta(seconds=6)) is None
    opened = _account(circuit=Circuit(CircuitState.OPEN, 3, NOW + timedelta(seconds=12)))
    assert "CIRCUIT_OPEN, next try in 12 s" in (reason_not_to_visit(opened, NOW) or "")


def test_canary_membership_is_stable_and_roughly_the_percentage() -> None:
    accounts = [UUID(int=number) for number in range(4000)]
    ten = {account for account in accounts if in_canary(account, {"percentage": 10})}
    thirty = {account for account in accounts if in_canary(account, {"percentage": 30})}
    assert ten <= thirty
    assert 300 < len(ten) < 500
    assert not any(in_canary(account, {}) for account in accounts[:50])
    assert in_canary(accounts[3], {"accounts": [str(accounts[3])], "percentage": 0})


def test_an_account_is_looked_at_once_per_interval_and_platforms_take_turns() -> None:
    interval = timedelta(seconds=15)
    for platform in Platform:
        looks, last = [], None
        for second in range(300):
            now = NOW + timedelta(seconds=second)
            if seconds_until_due(last, now, interval, platform) == 0:
                looks.append(second)
                last = now
        gaps = {later - earlier for earlier, later in pairwise(looks[1:])}
        assert gaps == {15}, platform
    firsts = {
        platform: next(
            second
            for second in range(1, 16)
            if seconds_until_due(NOW, NOW + timedelta(seconds=second), interval, platform) == 0
        )
        for platform in Platform
    }
    assert len(set(firsts.values())) == len(Platform), "their beats are spread over the interval"


def test_the_time_to_the_next_look_is_told() -> None:
    interval = timedelta(seconds=15)
    wait = seconds_until_due(NOW, NOW + timedelta(seconds=1), interval, Platform.SPAREROOM)
    assert 0 < wait <= 15
    assert seconds_until_due(NOW, NOW + timedelta(seconds=1 + wait), interval, Platform.SPAREROOM) == 0
    assert seconds_until_due(None, NOW, interval, Platform.ROOMIES) == 0
