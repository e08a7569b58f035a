"""The real application on a database of its own, driven through HTTP, with a clock the test moves."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from urllib.parse import quote

import pytest
from sqlalchemy import text
from starlette.testclient import TestClient

from api.app import create_app
from api.auth.access import SESSION_LIFETIME
from api.auth.cookies import CookieJar, sign
from api.auth.passwords import hash_password
from api.config import ApiConfig
from leasebot_pipeline.storage import auth as logins
from leasebot_pipeline.storage.server import EmbeddedServer
from leasebot_pipeline.storage.tables import metadata
from tests.conftest import Database
from tests.conftest import _fresh as fresh_database

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


@pytest.fixture
def clock() -> MovableClock:
    return MovableClock()


@pytest.fixture(scope="session")
def shared_database(database_server: EmbeddedServer, template_database: str) -> Iterator[Database]:
    yield from fresh_database(database_server, template_database)


@pytest.fixture
def database(shared_database: Database) -> Iterator[Database]:
    """One database for this folder, emptied after each test: much cheaper than a clone for each."""
    yield shared_database
    with shared_database.engine.begin() as conn:
        conn.execute(text("SET LOCAL session_replication_role = replica"))
        for table in metadata.tables.values():
            conn.execute(table.delete())


@pytest.fixture
def config(database: Database) -> ApiConfig:
    return ApiConfig(database_url=database.url, auth_secret=SECRET)


@pytest.fixture
def client(config: ApiConfig, clock: MovableClock) -> Iterator[TestClient]:
    with TestClient(create_app(config, clock=clock), base_url="http://localhost:3001") as client:
        yield client


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


@pytest.fixture
def admin(client: TestClient, database: Database, clock: MovableClock) -> TestClient:
    """The client with an administrator's session."""
    hold_session(client, database, add_user(database, "admin@example.com", "admin", clock()), clock())
    return client


@pytest.fixture
def agent(client: TestClient, database: Database, clock: MovableClock) -> TestClient:
    """The client with an agent's session."""
    hold_session(client, database, add_user(database, "agent@example.com", "agent", clock()), clock())
    return client
