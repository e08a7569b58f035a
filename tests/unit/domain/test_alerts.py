"""Alerts as values: which events pass, which are equal, what people read."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from leasebot_pipeline.domain.alerts import (
    AlertEvent,
    AlertPolicy,
    Unsent,
    failure_alerts,
    stop_reason,
)
from leasebot_pipeline.domain.circuit import COOLDOWN, Circuit, CircuitState
from leasebot_pipeline.domain.failures import ACCOUNT_STOPPING_CODES, PlatformFailure
from leasebot_pipeline.domain.platforms import REQUIRED_ACCOUNTS, Platform

NOW = datetime(2026, 11, 24, 12, 0, 0, 250_000, tzinfo=UTC)
ACCOUNT = next(account.id for account in REQUIRED_ACCOUNTS if account.platform is Platform.ROOMIES)
EVENT = AlertEvent(
    type="rpa_session_refresh_requested",
    platform=Platform.ROOMIES,
    account_id=ACCOUNT,
    account_name="Roomies",
    action="ingest",
    at=NOW,
    source="worker",
    reason="session_expired",
    error="SESSION_EXPIRED: the login page came up",
)
POLICY = AlertPolicy(enabled=True, provider="webhook")


@pytest.mark.parametrize(
    ("policy", "event", "refusal"),
    [
        # Each case breaks its own rule and every later one: the first rule broken is the answer.
        (AlertPolicy(), replace(EVENT, type=" "), Unsent.DISABLED),
        (AlertPolicy(enabled=True), replace(EVENT, type=" "), Unsent.INVALID_EVENT),
        (AlertPolicy(enabled=True), replace(EVENT, type="rpa_circuit_closed"), Unsent.EVENT_FILTERED),
        (AlertPolicy(enabled=True), EVENT, Unsent.PROVIDER_UNCONFIGURED),
        (POLICY, EVENT, None),
        (POLICY, replace(EVENT, type="rpa_circuit_opened"), None),
    ],
)
def test_the_first_rule_an_event_breaks_is_the_reason(
    policy: AlertPolicy, event: AlertEvent, refusal: Unsent | None
) -> None:
    """Behaviours 109 and 111."""
    assert policy.refusal(event) == refusal


def test_an_equal_alert_waits_for_the_end_of_the_cooldown() -> None:
    policy = replace(POLICY, cooldown=timedelta(seconds=60))
    assert not policy.cools_down(None, NOW)
    assert policy.cools_down(NOW, NOW + timedelta(seconds=59))
    assert not policy.cools_down(NOW, NOW + timedelta(seconds=60))


def test_alerts_are_equal_by_type_platform_account_action_and_reason() -> None:
    assert EVENT.cooldown_key == f"rpa_session_refresh_requested:roomies:{ACCOUNT}:ingest:session_expired"
    assert (
        replace(EVENT, at=NOW + timedelta(1), error="other", source="api").cooldown_key == EVENT.cooldown_key
    )
    assert replace(EVENT, action="send").cooldown_key != EVENT.cooldown_key


def test_people_read_one_fact_a_line_and_nothing_that_is_unknown() -> None:
    full = replace(EVENT, retry_after=timedelta(seconds=30))
    assert full.text().splitlines() == [
        "Lease Bot (worker)",
        "Event: rpa_session_refresh_requested",
        "Platform: roomies",
        f"Account: Roomies ({ACCOUNT})",
        "Action: ingest",
        "Reason: session_expired",
        "Retry after: 30000 ms",
        "Error: SESSION_EXPIRED: the login page came up",
        "Time: 2026-11-24T12:00:00.250Z",
    ]
    bare = replace(EVENT, reason=None, error=None)
    assert [line.split(":")[0] for line in bare.text().splitlines()[1:]] == [
        "Event",
        "Platform",
        "Account",
        "Action",
        "Time",
    ]
    assert not {"reason", "error", "retryAfterMs"} & bare.payload().keys()


def test_an_error_leaves_short_and_without_personal_data() -> None:
    shown = replace(EVENT, error="ana@example.com " + "x" * 600).shown_error
    assert shown is not None
    assert len(shown) == 500
    assert "ana@example.com" not in shown


@pytest.mark.parametrize("code", sorted(ACCOUNT_STOPPING_CODES))
def test_every_stop_tells_what_to_renew(code: str) -> None:
    challenge = {"CAPTCHA_REQUIRED", "BOT_CHALLENGE", "ACCESS_BLOCKED"}
    locked = {"RPA_PROFILE_LOCKED"}
    expected = (
        "captcha_or_bot_challenge"
        if code in challenge
        else "profile_locked"
        if code in locked
        else "session_expired"
    )
    assert stop_reason(code) == expected


def _alerts(failure: PlatformFailure, before: Circuit, *, stopped_now: bool = False) -> list[AlertEvent]:
    return list(
        failure_alerts(
            failure,
            stopped_now=stopped_now,
            before=before,
            after=before.after_failure(failure, NOW),
            platform=Platform.ROOMIES,
            account_id=ACCOUNT,
            account_name="Roomies",
            action="ingest",
            at=NOW,
        )
    )


def test_a_circuit_alerts_when_it_opens_and_when_its_probe_fails() -> None:
    outage = PlatformFailure("NETWORK_ERROR", "connection refused")
    assert _alerts(outage, Circuit(failures=1)) == []
    (opened,) = _alerts(outage, Circuit(failures=2))
    assert (opened.type, opened.retry_after) == ("rpa_circuit_opened", COOLDOWN)
    (again,) = _alerts(outage, Circuit(CircuitState.OPEN, 3, NOW - timedelta(seconds=1)))
    assert again.type == "rpa_circuit_opened"


def test_a_failure_that_leaves_an_open_circuit_as_it_is_does_not_alert() -> None:
    thread_gone = PlatformFailure("PAGE_NOT_FOUND", "the thread was deleted")
    assert _alerts(thread_gone, Circuit(CircuitState.OPEN, 3, NOW)) == []


def test_an_account_alerts_when_it_stops_not_while_it_is_stopped() -> None:
    expired = PlatformFailure("SESSION_EXPIRED", "the login page came up")
    (event,) = _alerts(expired, Circuit(), stopped_now=True)
    assert event == EVENT
    assert _alerts(expired, Circuit()) == []
