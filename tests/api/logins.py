"""Logins of the tests, and a clock they move."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from urllib.parse import quote

from sqlalchemy import text
from starlette.testclient import TestClient

from api.auth.access import SESSION_LIFETIME
from api.auth.cookies import CookieJar, sign
from api.auth.passwords import hash_password
from leasebot_pipeline.storage import auth as logins
from tests.conftest import Database

SECRET = "a-secret-of-the-tests-that-is-long-enough"
PASSWORD = "correct horse battery"
# Hashing costs 0.1 s; every login of the tests has the same password.
PASSWORD_HASH = hash_password(PASSWORD)


@dataclass
class MovableClock:
    now: datetime = field(default_factory=lambda: datetime(2026, 3, 2, 12, 0, tzinfo=UTC))

    def __call__(self) -> datetime:
        return self.now

    def forward(self, step: timedelta) -> None:
        self.now += step


def add_user(database: Database, email: str, role: str, now: datetime) -> logins.User:
    with database.engine.begin() as conn:
        user = logins.create_user(
            conn, name=email.split("@")[0], email=email, password_hash=PASSWORD_HASH, now=now
        )
        conn.execute(text('UPDATE "user" SET role = :role WHERE id = :id'), {"role": role, "id": user.id})
    return user


def sign_in(client: TestClient, email: str, password: str = PASSWORD) -> None:
    answer = client.post("/api/auth/sign-in/email", json={"email": email, "password": password})
    assert answer.status_code == 200, answer.text


def hold_session(client: TestClient, database: Database, user: logins.User, now: datetime) -> None:
    """Give the client a session without the cost of checking a password."""
    with database.engine.begin() as conn:
        session = logins.create_session(
            conn, user_id=user.id, expires_at=now + SESSION_LIFETIME, now=now, ip_address="", user_agent=""
        )
    jar = CookieJar(SECRET, secure=False)
    client.headers["cookie"] = f"{jar.session_token}={quote(sign(session.token, SECRET))}"
