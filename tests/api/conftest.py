"""The real application on a database of its own, driven through HTTP, with a clock the test moves."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from sqlalchemy import text
from starlette.testclient import TestClient

from api.app import create_app
from api.config import ApiConfig
from leasebot_pipeline.storage.server import EmbeddedServer
from leasebot_pipeline.storage.tables import metadata
from tests.api.house import House, build_house
from tests.api.logins import PASSWORD, PASSWORD_HASH, SECRET, MovableClock, add_user, hold_session, sign_in
from tests.conftest import Database
from tests.conftest import _fresh as fresh_database

__all__ = ["PASSWORD", "PASSWORD_HASH", "SECRET", "MovableClock", "add_user", "hold_session", "sign_in"]


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


@pytest.fixture
def house(client: TestClient, database: Database, clock: MovableClock) -> House:
    """Accounts, agents, a unit and logins of every kind."""
    return build_house(client, database, clock)
