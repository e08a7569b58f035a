"""Limits on guessing and floods, counted in the database for all processes."""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy import text
from starlette.testclient import TestClient

from api.auth.throttle import PER_CLIENT, PER_LOGIN, WINDOW, WRITES
from leasebot_pipeline.storage import rate_limits
from leasebot_pipeline.storage.rate_limits import Bucket
from tests.api.conftest import MovableClock, add_user
from tests.conftest import Database

MINUTE = timedelta(minutes=1)


def take(database: Database, clock: MovableClock, *buckets: Bucket) -> int | None:
    with database.engine.begin() as conn:
        return rate_limits.take(conn, buckets, clock())


def test_a_full_bucket_says_how_long_to_wait(database: Database, clock: MovableClock) -> None:
    login = Bucket("c:ann", 2, 5 * MINUTE)
    assert [take(database, clock, login) for _ in range(3)] == [None, None, 300]
    clock.forward(4 * MINUTE)
    assert take(database, clock, login) == 60
    assert take(database, clock, Bucket("c:bob", 2, 5 * MINUTE)) is None, "others go on"
    clock.forward(MINUTE)
    assert take(database, clock, login) is None, "a flood of refused attempts prolongs nothing"


def test_the_fullest_bucket_decides(database: Database, clock: MovableClock) -> None:
    wide, narrow = Bucket("client", 50, 5 * MINUTE), Bucket("login", 1, MINUTE)
    assert take(database, clock, wide, narrow) is None
    assert take(database, clock, wide, narrow) == 60


def test_success_starts_a_login_anew_and_does_not_count(database: Database, clock: MovableClock) -> None:
    login, client = Bucket("login", 1, MINUTE), Bucket("client", 1, MINUTE)
    for _ in range(3):
        assert take(database, clock, login, client) is None
        with database.engine.begin() as conn:
            rate_limits.forget(conn, [login])
            rate_limits.give_back(conn, [client])


def test_no_address_is_stored_and_old_counters_go(database: Database, clock: MovableClock) -> None:
    take(database, clock, Bucket("sign-in:1.2.3.4:ann@example.com", 5, WINDOW))
    with database.engine.begin() as conn:
        [key] = conn.execute(text('SELECT key FROM "RateLimits"')).scalars()
        assert "ann" not in key
        assert "1.2.3.4" not in key
        assert rate_limits.purge(conn, clock()) == 0
        assert rate_limits.purge(conn, clock() + WINDOW + rate_limits.KEPT + MINUTE) == 1


def guess(client: TestClient, email: str) -> int:
    body = {"email": email, "password": "wrong password"}
    return client.post("/api/auth/sign-in/email", json=body).status_code


def test_guessing_one_login_ends_in_a_wait(
    client: TestClient, database: Database, clock: MovableClock
) -> None:
    add_user(database, "ann@example.com", "agent", clock())
    assert [guess(client, "ann@example.com") for _ in range(PER_LOGIN + 1)] == [401] * PER_LOGIN + [429]


def test_trying_many_logins_ends_in_a_wait(
    client: TestClient, database: Database, clock: MovableClock
) -> None:
    with database.engine.begin() as conn:
        for _ in range(PER_CLIENT):
            rate_limits.take(conn, [Bucket("sign-in-client:testclient", PER_CLIENT, WINDOW)], clock())
    assert guess(client, "somebody@example.com") == 429


def test_a_flood_of_writes_is_stopped(admin: TestClient, database: Database, clock: MovableClock) -> None:
    with database.engine.begin() as conn:
        [user] = conn.execute(text('SELECT id FROM "user"')).scalars()
        for _ in range(WRITES):
            rate_limits.take(conn, [Bucket(f"write:{user}", WRITES, MINUTE)], clock())
    answer = admin.post("/api/templates", json={"name": "x"})
    assert (answer.status_code, answer.json()["error"]) == (429, "rate_limited")
    assert answer.headers["retry-after"] == "60"
    assert admin.get("/api/me").status_code == 200
