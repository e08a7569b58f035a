"""One sandbox, one browser for the whole session; every test gets accounts of its own."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

import pytest

from leasebot_pipeline.domain.platforms import Platform
from leasebot_pipeline.domain.readings import SendBaseline
from leasebot_pipeline.platforms.browser_launch import find_executable
from leasebot_pipeline.platforms.options import PlatformOptions, RuntimeOptions
from leasebot_pipeline.platforms.protocol import AccountRef
from leasebot_pipeline.platforms.registry import BrowserConnectors
from leasebot_pipeline.sandbox import LOGIN_PASSWORD, LOGIN_USER
from leasebot_pipeline.sandbox.testing import SandboxServer

LOGIN: Mapping[str, str] = {"loginIdRef": "env:LOGIN", "passwordRef": "env:PASSWORD"}
DEADLINE_S = 20.0

AccountOf = Callable[[Platform], AccountRef]


def clock() -> datetime:
    return datetime.now(UTC)


def commit_nothing(baseline: SendBaseline) -> None:
    """The intent of a test that does not care about it."""


@pytest.fixture(scope="session")
def shared_sandbox() -> Iterator[SandboxServer]:
    with SandboxServer() as server:
        yield server


@pytest.fixture
def sandbox(shared_sandbox: SandboxServer) -> Iterator[SandboxServer]:
    """The session's sandbox with all faults off."""
    shared_sandbox.clear_faults()
    yield shared_sandbox
    shared_sandbox.clear_faults()


@pytest.fixture(scope="session")
def options(shared_sandbox: SandboxServer, tmp_path_factory: pytest.TempPathFactory) -> RuntimeOptions:
    base = RuntimeOptions(
        data_dir=tmp_path_factory.mktemp("data"),
        environ={"LOGIN": LOGIN_USER, "PASSWORD": LOGIN_PASSWORD, "WRONG": "not the password"},
        runtime="playwright",
        platforms={p: PlatformOptions(base_url=url) for p, url in shared_sandbox.base_urls.items()},
        landmark_wait_s=0.3,
        thread_ready_timeout_s=1.0,
        proof_timeout_s=3.0,
    )
    if find_executable(base, headless=True) is None:
        pytest.skip("no browser on this machine")
    return base


@pytest.fixture(scope="session")
def connectors(options: RuntimeOptions) -> Iterator[BrowserConnectors]:
    opened = BrowserConnectors(options, clock)
    yield opened
    opened.close()


@pytest.fixture(scope="session")
def logged_in(options: RuntimeOptions) -> AccountOf:
    """The account of a platform that logs in by the form; the same one for all tests, so it is warm."""
    accounts = {p: AccountRef(uuid4(), p, f"{p.value}-shared", LOGIN) for p in Platform}
    return accounts.__getitem__


@pytest.fixture
def fresh_account() -> AccountOf:
    """An account nobody used before, with login id and password."""
    return lambda platform: AccountRef(uuid4(), platform, "fresh", LOGIN)


@pytest.fixture
def own_connectors(options: RuntimeOptions, tmp_path: Path) -> Iterator[Callable[..., BrowserConnectors]]:
    """Connectors as another process would have them: their own browser, options of choice."""
    opened: list[BrowserConnectors] = []

    def build(**changes: object) -> BrowserConnectors:
        opened.append(BrowserConnectors(replace(options, **changes), clock))  # type: ignore[arg-type]
        return opened[-1]

    yield build
    for connectors in opened:
        connectors.close()
