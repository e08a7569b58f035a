"""The house with a day in it, built once for a module that only looks: its fixtures take the place of conftest's."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from starlette.testclient import TestClient

from api.app import create_app
from api.config import ApiConfig
from leasebot_pipeline.storage.server import EmbeddedServer
from tests.api.house import House, build_house
from tests.api.logins import SECRET, MovableClock
from tests.conftest import Database
from tests.conftest import _fresh as fresh_database
from tests.console.day import fill_day
from tests.console.server import ConsoleServer

__all__ = ["clock", "config", "database", "day", "house", "server"]


@pytest.fixture(scope="module")
def clock() -> MovableClock:
    return MovableClock()


@pytest.fixture(scope="module")
def database(database_server: EmbeddedServer, template_database: str) -> Iterator[Database]:
    yield from fresh_database(database_server, template_database)


@pytest.fixture(scope="module")
def config(database: Database) -> ApiConfig:
    return ApiConfig(database_url=database.url, auth_secret=SECRET)


@pytest.fixture(scope="module")
def server(config: ApiConfig, clock: MovableClock) -> Iterator[ConsoleServer]:
    with ConsoleServer(config, clock) as server:
        yield server


@pytest.fixture(scope="module")
def house(config: ApiConfig, database: Database, clock: MovableClock) -> Iterator[House]:
    with TestClient(create_app(config, clock=clock), base_url="http://localhost:3001") as client:
        yield build_house(client, database, clock)


@pytest.fixture(scope="module")
def day(house: House) -> House:
    fill_day(house)
    return house
