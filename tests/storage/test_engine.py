"""One database URL in; engines that are bounded, in UTC and on the right driver out."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from leasebot_pipeline.storage.engine import (
    DatabaseUrlError,
    create_engine,
    dagster_url,
    ensure_database,
    sqlalchemy_url,
)
from tests.conftest import Database

PLAIN = "postgresql://ada:p%40ss@db:5433/leasebot?sslmode=require"


@pytest.mark.parametrize("scheme", ["postgres", "postgresql", "postgresql+psycopg", "postgresql+psycopg2"])
def test_every_way_to_write_a_postgres_url_is_taken(scheme: str) -> None:
    url = sqlalchemy_url(PLAIN.replace("postgresql", scheme, 1))
    assert url.render_as_string(hide_password=False) == PLAIN.replace("postgresql", "postgresql+psycopg", 1)


def test_dagster_gets_a_database_of_its_own_on_its_driver() -> None:
    assert dagster_url(PLAIN) == "postgresql+psycopg2://ada:p%40ss@db:5433/leasebot_dagster?sslmode=require"
    assert dagster_url(PLAIN, "other").endswith("/other?sslmode=require")


@pytest.mark.parametrize("url", ["sqlite:///x:secret", "not a url with secret", "", "mysql://u:secret@h/d"])
def test_another_url_is_refused_without_showing_it(url: str) -> None:
    with pytest.raises(DatabaseUrlError) as refused:
        sqlalchemy_url(url)
    assert "DATABASE_URL" in str(refused.value)
    assert "secret" not in str(refused.value)


def test_connections_are_in_utc_named_and_bounded(database: Database) -> None:
    engine = create_engine(
        database.url, application_name="leasebot-test", statement_timeout=timedelta(milliseconds=50)
    )
    with engine.connect() as conn:
        assert conn.execute(text("SHOW timezone")).scalar_one() == "UTC"
        assert conn.execute(text("SHOW application_name")).scalar_one() == "leasebot-test"
        assert conn.execute(text("SHOW jit")).scalar_one() == "off"
        assert conn.execute(text("SHOW idle_in_transaction_session_timeout")).scalar_one() == "1min"
        with pytest.raises(DBAPIError, match="statement timeout"):
            conn.execute(text("SELECT pg_sleep(5)"))
    engine.dispose()


def test_a_connection_the_server_closed_is_replaced(database: Database) -> None:
    with database.engine.connect() as conn:
        pid = conn.execute(text("SELECT pg_backend_pid()")).scalar_one()
    other = create_engine(database.url, application_name="killer")
    with other.connect() as conn:
        conn.execute(text("SELECT pg_terminate_backend(:pid, 5000)"), {"pid": pid})
    other.dispose()
    with database.engine.connect() as conn:
        assert conn.execute(text("SELECT pg_backend_pid()")).scalar_one() != pid


def test_a_missing_database_is_created_once(database: Database) -> None:
    name = f"{sqlalchemy_url(database.url).database}_second"
    url = dagster_url(database.url, name)
    try:
        assert ensure_database(url)
        assert not ensure_database(url)
    finally:
        with database.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as conn:
            conn.execute(text(f'DROP DATABASE "{name}"'))
