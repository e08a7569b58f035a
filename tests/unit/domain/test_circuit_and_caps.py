"""Breakers by what failed, and the daily share by the account's own calendar."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leasebot_pipeline.domain.circuit import (
    COOLDOWN,
    FAILURE_THRESHOLD,
    LONGEST_COOLDOWN,
    Circuit,
    CircuitScope,
    CircuitState,
    circuit_scope,
)
from leasebot_pipeline.domain.failures import ACCOUNT_STOPPING_CODES, FAILURE_CLASSES, PlatformFailure
from leasebot_pipeline.domain.kill_switches import KillScope, parse_target
from leasebot_pipeline.domain.pacing_daily import cap_in_force, is_capped, send_day

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
OUTAGE = PlatformFailure("NETWORK_ERROR", "refused")
DRIFT = PlatformFailure("MARKUP_DRIFT", "the landmark is gone")


def test_three_failures_open_it_for_thirty_seconds_and_one_probe_decides() -> None:
    """Behaviour 102."""
    circuit = Circuit()
    for _ in range(FAILURE_THRESHOLD - 1):
        circuit = circuit.after_failure(OUTAGE, NOW)
        assert circuit.admits(NOW)
    circuit = circuit.after_failure(OUTAGE, NOW)
    assert (circuit.state, circuit.code) == (CircuitState.OPEN, "NETWORK_ERROR")
    assert not circuit.admits(NOW + COOLDOWN - timedelta(milliseconds=1))
    probing = NOW + COOLDOWN
    assert circuit.admits(probing)
    assert circuit.shown(probing) is CircuitState.HALF_OPEN
    assert not circuit.after_failure(OUTAGE, probing).admits(probing)
    assert circuit.after_success() == Circuit()


@pytest.mark.parametrize(
    ("code", "scope"),
    [
        ("PLATFORM_UNAVAILABLE", CircuitScope.ACCOUNT),
        ("PAGE_TIMEOUT", CircuitScope.ACCOUNT),
        ("MARKUP_DRIFT", CircuitScope.ACTION),
        ("OUTBOUND_COMPOSER_MISSING", CircuitScope.ACTION),
        ("PAGE_NOT_FOUND", None),
        ("OUTBOUND_BODY_REQUIRED", None),
        ("SENDING_STOPPED", None),
        ("REPLY_SUPERSEDED", None),
        ("INTERNAL_ERROR", None),
        ("OUTBOUND_NOT_IN_THREAD", None),
    ],
)
def test_a_failure_counts_for_what_it_is_about(code: str, scope: CircuitScope | None) -> None:
    """G-37: a missing body or composer says nothing about the account."""
    assert circuit_scope(PlatformFailure(code, "x")) is scope


@pytest.mark.parametrize("code", sorted(ACCOUNT_STOPPING_CODES))
def test_what_stops_the_account_needs_no_breaker(code: str) -> None:
    assert circuit_scope(PlatformFailure(code, "x")) is None


def test_a_page_that_stays_changed_is_probed_ever_more_rarely() -> None:
    circuit, waits = Circuit(), []
    for _ in range(12):
        circuit = circuit.after_failure(DRIFT, NOW, CircuitScope.ACTION)
        if circuit.open_until is not None:
            waits.append(circuit.open_until - NOW)
    assert waits[0] == COOLDOWN
    assert waits == sorted(waits)
    assert waits[-1] == LONGEST_COOLDOWN


@given(st.sampled_from(sorted(FAILURE_CLASSES)), st.sampled_from(CircuitScope))
def test_a_failure_moves_at_most_one_of_the_two_breakers(code: str, scope: CircuitScope) -> None:
    failure = PlatformFailure(code, "x")
    moved = Circuit().after_failure(failure, NOW, scope) != Circuit()
    assert moved == (circuit_scope(failure) is scope)


@pytest.mark.parametrize(
    ("now", "hours"),
    [
        (datetime(2026, 3, 8, 12, tzinfo=UTC), 23),
        (datetime(2026, 11, 1, 12, tzinfo=UTC), 25),
        (NOW, 24),
    ],
)
def test_a_day_is_as_long_as_its_zone_makes_it(now: datetime, hours: int) -> None:
    day = send_day(now, "America/New_York")
    assert day.ends - day.begins == timedelta(hours=hours)
    assert day.begins <= now < day.ends


@given(
    st.datetimes(datetime(2020, 1, 1), datetime(2035, 1, 1)),
    st.sampled_from(["UTC", "Asia/Tokyo", "Europe/London"]),
)
def test_each_instant_is_in_one_day_and_days_follow_each_other(at: datetime, zone: str) -> None:
    day = send_day(at.replace(tzinfo=UTC), zone)
    assert day.begins <= at.replace(tzinfo=UTC) < day.ends
    assert send_day(day.ends, zone).begins == day.ends


@pytest.mark.parametrize(
    ("own", "general", "cap"), [(None, 5, 5), (3, 5, 3), (0, 5, None), (None, 0, None), (None, None, None)]
)
def test_the_accounts_own_cap_comes_first_and_zero_is_none(
    own: int | None, general: int | None, cap: int | None
) -> None:
    assert cap_in_force(own, general) == cap
    assert not is_capped(10**6, None)
    assert is_capped(5, 5)


def test_people_name_what_they_stop() -> None:
    everything, platform = parse_target(" ALL "), parse_target("Roomies")
    account = parse_target("12111111-1111-1111-1111-111111111111")
    assert everything is not None
    assert platform is not None
    assert account is not None
    assert (everything.key, platform.key) == ("global", "platform:roomies")
    assert account.scope is KillScope.ACCOUNT
    assert parse_target("craigslist") is None
