"""A server, a browser, and a house with a leasing team's day in it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright
from starlette.testclient import TestClient

from api.app import create_app
from api.config import ApiConfig
from leasebot_pipeline.platforms.browser_launch import find_executable
from leasebot_pipeline.platforms.options import RuntimeOptions
from leasebot_pipeline.storage.server import EmbeddedServer
from tests.api.house import House, build_house
from tests.api.logins import SECRET, MovableClock
from tests.conftest import Database
from tests.conftest import _fresh as fresh_database
from tests.console.day import fill_day
from tests.console.people import Person, Watched
from tests.console.server import ConsoleServer


# Not longer: while it is open, nothing else in this process may run an event loop of its own.
@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    found = find_executable(
        RuntimeOptions(data_dir=Path("var"), environ={}, runtime="playwright"), headless=True
    )
    if found is None:
        pytest.skip("no browser on this machine")
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=found, args=["--no-sandbox"])
        yield opened
        opened.close()


@pytest.fixture
def clock() -> MovableClock:
    return MovableClock()


@pytest.fixture
def database(database_server: EmbeddedServer, template_database: str) -> Iterator[Database]:
    yield from fresh_database(database_server, template_database)


@pytest.fixture
def config(database: Database) -> ApiConfig:
    return ApiConfig(database_url=database.url, auth_secret=SECRET)


@pytest.fixture
def server(config: ApiConfig, clock: MovableClock) -> Iterator[ConsoleServer]:
    with ConsoleServer(config, clock) as server:
        yield server


@pytest.fixture
def house(config: ApiConfig, database: Database, clock: MovableClock) -> Iterator[House]:
    """Accounts, agents, a unit and logins, asked in this process; the browser's server has the same database."""
    with TestClient(create_app(config, clock=clock), base_url="http://localhost:3001") as client:
        yield build_house(client, database, clock)


@pytest.fixture
def day(house: House) -> House:
    """The house with a whole day in it."""
    fill_day(house)
    return house


@pytest.fixture
def person(browser: Browser, server: ConsoleServer, house: House) -> Iterator[Person]:
    """Opens pages as somebody; at its end no page may have complained or asked another host."""
    opened: list[BrowserContext] = []

    def open_as(who: str, width: int = 375, **options: object) -> Page:
        context = browser.new_context(
            base_url=server.url,
            viewport={"width": width, "height": 812},
            **options,  # type: ignore[arg-type]
        )
        opened.append(context)
        if who != "stranger":
            name, _, value = house.cookies[who].partition("=")
            context.add_cookies([{"name": name, "value": value, "url": server.url}])
        page = context.new_page()
        page.set_default_timeout(10_000)
        watched.follow(page, server.url)
        return page

    watched = Watched()
    yield open_as
    for context in opened:
        context.close()
    assert watched.complaints == []
