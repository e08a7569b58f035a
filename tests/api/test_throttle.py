"""The sign-in throttle by itself: windows, and the memory it may take."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from api.auth.throttle import WINDOW, SignInThrottle

NOW = datetime(2026, 3, 2, 12, tzinfo=UTC)


def test_a_client_that_tries_many_logins_is_stopped() -> None:
    throttle = SignInThrottle(per_login=5, per_client=3)
    assert [throttle.wait_s("1.2.3.4", f"user{n}@example.com", NOW) for n in range(4)] == [
        None,
        None,
        None,
        300,
    ]
    assert throttle.wait_s("5.6.7.8", "user9@example.com", NOW) is None, "other clients go on"


def test_another_client_cannot_lock_a_user_out() -> None:
    throttle = SignInThrottle(per_login=2)
    for _ in range(3):
        throttle.wait_s("6.6.6.6", "ann@example.com", NOW)
    assert throttle.wait_s("1.2.3.4", "Ann@example.com", NOW) is None


def test_the_window_slides() -> None:
    throttle = SignInThrottle(per_login=2)
    throttle.wait_s("c", "a@example.com", NOW)
    throttle.wait_s("c", "a@example.com", NOW + timedelta(minutes=4))
    assert throttle.wait_s("c", "a@example.com", NOW + timedelta(minutes=4)) == 60
    assert throttle.wait_s("c", "a@example.com", NOW + WINDOW) is None


def test_success_gives_the_client_its_attempt_back() -> None:
    throttle = SignInThrottle(per_client=1)
    for _ in range(3):
        assert throttle.wait_s("c", "a@example.com", NOW) is None
        throttle.succeeded("c", "a@example.com", NOW)
