"""Engines and URLs: one database URL in, the driver each user of it needs out."""

from __future__ import annotations

from datetime import timedelta

import psycopg
from psycopg import sql
from sqlalchemy import URL, Engine, make_url
from sqlalchemy import create_engine as sqlalchemy_engine


class DatabaseUrlError(ValueError):
    """DATABASE_URL can't be used; the message names the rule, never the password."""


def sqlalchemy_url(url: str, driver: str = "psycopg") -> URL:
    """``postgres://`` or ``postgresql[+driver]://`` as a SQLAlchemy URL for ``driver``.

    Raises DatabaseUrlError for anything that is not PostgreSQL.
    """
    try:
        parsed = make_url(url)
    except Exception:
        raise DatabaseUrlError("DATABASE_URL must be a postgresql:// URL") from None
    if parsed.drivername.split("+")[0] not in ("postgres", "postgresql"):
        raise DatabaseUrlError(f"DATABASE_URL must be a postgresql:// URL, not {parsed.drivername}://")
    return parsed.set(drivername=f"postgresql+{driver}")


def dagster_url(url: str, database: str | None = None) -> str:
    """URL of Dagster's own database: same server, ``<name>_dagster`` unless told, psycopg2.

    dagster-postgres sends statements psycopg 3 cannot bind, so its URL names the driver.
    """
    parsed = sqlalchemy_url(url, "psycopg2")
    name = database or f"{parsed.database or 'postgres'}_dagster"
    return parsed.set(database=name).render_as_string(hide_password=False)


def create_engine(
    url: str,
    *,
    application_name: str,
    pool_size: int = 5,
    statement_timeout: timedelta = timedelta(seconds=30),
) -> Engine:
    """An engine in UTC with bounded statements and idle transactions.

    Compiling expressions costs more than it saves here: a page of the inbox 40 ms of 48.
    """
    timeout_ms = int(statement_timeout.total_seconds() * 1000)
    return sqlalchemy_engine(
        sqlalchemy_url(url),
        pool_size=pool_size,
        max_overflow=5,
        pool_pre_ping=True,
        pool_recycle=1800,
        connect_args={
            "application_name": application_name,
            "connect_timeout": 10,
            "options": (
                f"-c timezone=UTC -c jit=off -c statement_timeout={timeout_ms}"
                " -c idle_in_transaction_session_timeout=60000"
            ),
        },
    )


def ensure_database(url: str) -> bool:
    """Create the URL's database on its server when it is missing; True when it was created."""
    parsed = sqlalchemy_url(url)
    name = parsed.database or "postgres"
    admin = parsed.set(drivername="postgresql", database="postgres").render_as_string(hide_password=False)
    with psycopg.connect(admin, autocommit=True) as conn:
        if conn.execute("SELECT 1 FROM pg_database WHERE datname = %s", (name,)).fetchone():
            return False
        try:
            conn.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
        except psycopg.errors.DuplicateDatabase:
            return False
    return True
