"""Fixtures every suite shares: one PostgreSQL server a session, a fresh migrated database a test."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count
from pathlib import Path

import psycopg
import pytest
from psycopg import sql
from sqlalchemy import Engine

from leasebot_pipeline.storage import migrate
from leasebot_pipeline.storage.engine import create_engine
from leasebot_pipeline.storage.server import EmbeddedServer

_numbers = count(1)


@dataclass(frozen=True)
class Database:
    """A database of its own for one test."""

    url: str
    engine: Engine


@pytest.fixture(scope="session")
def database_server() -> Iterator[EmbeddedServer]:
    with (
        tempfile.TemporaryDirectory(prefix="leasebot-pg-", ignore_cleanup_errors=True) as folder,
    ):
        os.chmod(folder, 0o755)
        with EmbeddedServer(Path(folder), durable=False) as server:
            yield server


def _execute(server: EmbeddedServer, statement: sql.Composed) -> None:
    with psycopg.connect(server.url("postgres"), autocommit=True) as conn:
        conn.execute(statement)


@pytest.fixture(scope="session")
def template_database(database_server: EmbeddedServer) -> str:
    name = "leasebot_template"
    _execute(database_server, sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
    engine = create_engine(database_server.url(name), application_name="tests")
    migrate.upgrade(engine)
    engine.dispose()
    return name


@pytest.fixture
def empty_database(database_server: EmbeddedServer) -> Iterator[Database]:
    """A database without any table."""
    yield from _fresh(database_server, "template0")


@pytest.fixture
def database(database_server: EmbeddedServer, template_database: str) -> Iterator[Database]:
    """A migrated database."""
    yield from _fresh(database_server, template_database)


def _fresh(server: EmbeddedServer, template: str) -> Iterator[Database]:
    name = f"test_{next(_numbers)}"
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
