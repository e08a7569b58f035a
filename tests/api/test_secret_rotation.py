"""Rotating the secret of the session cookies: nobody is signed out while both are known, and the old one ends."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from datetime import timedelta
from http.cookies import SimpleCookie
from urllib.parse import quote

import pytest
from starlette.testclient import TestClient

from api.app import create_app
from api.auth.cookies import CookieJar, sign
from api.config import ApiConfig
from tests.api.conftest import SECRET, MovableClock, add_user, hold_session
from tests.conftest import Database

NEW = "the-secret-that-follows-it-is-long-enough-too"
COOKIE = "better-auth.session_token"
Restart = Callable[..., TestClient]


@pytest.fixture
def restart(config: ApiConfig, clock: MovableClock) -> Iterator[Restart]:
    """Start the API anew with other secrets."""
    with ExitStack() as stack:

        def start(secret: str, *previous: str) -> TestClient:
            changed = replace(config, auth_secret=secret, previous_secrets=previous)
            app = create_app(changed, clock=clock)
            return stack.enter_context(TestClient(app, base_url="http://localhost:3001"))

        yield start


def held(client: TestClient) -> dict[str, str]:
    return {"cookie": client.headers["cookie"]}


def test_a_session_moves_to_the_new_secret_and_survives_the_old_one(
    restart: Restart, database: Database, clock: MovableClock
) -> None:
    before = restart(SECRET)
    hold_session(before, database, add_user(database, "ann@example.com", "admin", clock()), clock())
    old = held(before)
    clock.forward(timedelta(hours=2))

    rotating = restart(NEW, SECRET)
    answer = rotating.get("/api/me", headers=old)
    assert answer.json()["authenticated"] is True
    cookie = SimpleCookie(answer.headers["set-cookie"])[COOKIE]
    assert int(cookie["max-age"]) == (7 * 24 - 2) * 3600, "the session is no longer than before"
    moved = {"cookie": f"{COOKIE}={cookie.value}"}
    assert "set-cookie" not in rotating.get("/api/me", headers=moved).headers

    after = restart(NEW)
    assert after.get("/api/me", headers=moved).status_code == 200
    assert after.get("/api/me", headers=old).status_code == 401


def test_without_the_overlap_everybody_is_signed_out(
    restart: Restart, database: Database, clock: MovableClock
) -> None:
    before = restart(SECRET)
    hold_session(before, database, add_user(database, "ann@example.com", "admin", clock()), clock())
    assert restart(NEW).get("/api/me", headers=held(before)).status_code == 401


def test_a_session_that_ends_with_the_browser_keeps_doing_so(
    restart: Restart, database: Database, clock: MovableClock
) -> None:
    before = restart(SECRET)
    hold_session(before, database, add_user(database, "ann@example.com", "admin", clock()), clock())
    unremembered = f"better-auth.dont_remember={quote(sign('true', SECRET))}"
    cookies = {"cookie": f"{before.headers['cookie']}; {unremembered}"}
    lines = restart(NEW, SECRET).get("/api/me", headers=cookies).headers.get_list("set-cookie")
    assert [line.partition("=")[0] for line in lines] == [COOKIE, "better-auth.dont_remember"]
    assert not any("Max-Age" in line for line in lines)


def test_a_jar_signs_with_the_current_secret_and_reads_the_others() -> None:
    jar = CookieJar(NEW, secure=False, previous=("older" * 8, SECRET))
    [line] = jar.signed_in("token", remember=True, max_age_s=60)
    assert CookieJar(NEW, secure=False).read(line.partition(";")[0], COOKIE) == "token"
    for secret, value in ((SECRET, "token"), ("older" * 8, "token"), ("unknown" * 8, None)):
        header = f"{COOKIE}={quote(sign('token', secret))}"
        assert jar.read(header, COOKIE) == value
        assert not jar.is_current(header, COOKIE)
