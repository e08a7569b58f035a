"""Fixtures every suite shares: one PostgreSQL server a session, a fresh migrated database a test.

``TEST_DATABASE_URL`` (a superuser's URL) runs the suite on that server instead of one of our own.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Protocol

import hypothesis
import psycopg
import pytest
import structlog
from psycopg import sql
from sqlalchemy import Engine, make_url

from leasebot_pipeline.storage import migrate
from leasebot_pipeline.storage.engine import create_engine
from leasebot_pipeline.storage.server import EmbeddedServer

# A loaded machine is slow, not wrong: pytest's own timeout is the bound of a test.
hypothesis.settings.register_profile("leasebot", deadline=None)
hypothesis.settings.load_profile("leasebot")

# Structlog's own set-up, but for how it draws tracebacks: with all locals of all frames, for seconds each.
structlog.configure(
    processors=[
        *structlog.get_config()["processors"][:-1],
        structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback),
    ]
)

_numbers = count(1)
# Several sessions (xdist workers, two checkouts) may share a given server.
_PREFIX = f"leasebot_test_{os.getpid()}"


class DatabaseServer(Protocol):
    def url(self, database: str) -> str:
        """URL of a database of the server, with its superuser."""
        ...


@dataclass(frozen=True)
class GivenServer:
    """A server that is not ours."""

    address: str

    def url(self, database: str) -> str:
        return make_url(self.address).set(database=database).render_as_string(hide_password=False)


@dataclass(frozen=True)
class Database:
    """A database of its own for one test."""

    url: str
    engine: Engine


def scratch_folder() -> Path | None:
    """Where throw-away servers live: in memory where there is room (clones are 40 times as fast), else None."""
    memory = Path("/dev/shm")
    roomy = memory.is_dir() and os.access(memory, os.W_OK) and shutil.disk_usage(memory).free > 2_000_000_000
    return memory if roomy else None


@pytest.fixture(scope="session")
def database_server() -> Iterator[DatabaseServer]:
    given = os.environ.get("TEST_DATABASE_URL")
    if given:
        yield GivenServer(given)
        return
    with tempfile.TemporaryDirectory(
        prefix="leasebot-pg-", dir=scratch_folder(), ignore_cleanup_errors=True
    ) as folder:
        Path(folder).chmod(0o755)
        with EmbeddedServer(Path(folder), durable=False) as server:
            yield server


def _execute(server: DatabaseServer, statement: sql.Composed) -> None:
    with psycopg.connect(server.url("postgres"), autocommit=True) as conn:
        conn.execute(statement)


@pytest.fixture(scope="session")
def template_database(database_server: DatabaseServer) -> Iterator[str]:
    name = f"{_PREFIX}_template"
    _execute(database_server, sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
    migrate.upgrade(database_server.url(name))
    yield name
    _execute(database_server, sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


@pytest.fixture
def empty_database(database_server: DatabaseServer) -> Iterator[Database]:
    """A database without any table."""
    yield from _fresh(database_server, "template0")


@pytest.fixture
def database(database_server: DatabaseServer, template_database: str) -> Iterator[Database]:
    """A migrated database."""
    yield from _fresh(database_server, template_database)


def copy_database(url: str, template: str, name: str) -> None:
    """Another database like ``template`` on the server of ``url``."""
    with psycopg.connect(url, autocommit=True) as conn:
        conn.execute(
            sql.SQL("CREATE DATABASE {} TEMPLATE {} STRATEGY file_copy").format(
                sql.Identifier(name), sql.Identifier(template)
            )
        )


def _fresh(server: DatabaseServer, template: str) -> Iterator[Database]:
    name = f"{_PREFIX}_{next(_numbers)}"
    _execute(
        server,
        sql.SQL("CREATE DATABASE {} TEMPLATE {} STRATEGY file_copy").format(
            sql.Identifier(name), sql.Identifier(template)
        ),
    )
    engine = create_engine(server.url(name), application_name="tests")
    try:
        yield Database(server.url(name), engine)
    finally:
        engine.dispose()
        _execute(server, sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))
