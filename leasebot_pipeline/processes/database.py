"""The database before anything else uses it: created, migrated, with the rows that must exist."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final

import psycopg
from psycopg import sql
from sqlalchemy.exc import SQLAlchemyError

from leasebot_pipeline.domain.platforms import Platform, ReleaseStage
from leasebot_pipeline.processes import practice
from leasebot_pipeline.processes.dagster_home import libpq_url
from leasebot_pipeline.storage import migrate
from leasebot_pipeline.storage.bootstrap import (
    AccountChoice,
    BootstrapResult,
    ensure_release_stage,
    ensure_required_accounts,
)
from leasebot_pipeline.storage.engine import DatabaseUrlError, create_engine, ensure_database

SANDBOX_MARK: Final = "leasebot sandbox: play data"


class DatabaseUnusable(RuntimeError):
    """The database can't be reached or must not be used for this; the message says why, without the URL."""


@dataclass(frozen=True, slots=True)
class Prepared:
    """What preparing did; ``accounts`` is None when the account bootstrap is switched off."""

    created: bool
    revision: str
    accounts: BootstrapResult | None


def prepare_database(
    url: str, *, choices: Mapping[Platform, AccountChoice] | None, sandbox: bool, now: datetime
) -> Prepared:
    """Create ``url``'s database if it is missing, migrate it, add the rows every start relies on.

    The first release stage is shadow, which can't send; for the sandbox it is full. Raises DatabaseUnusable.
    """
    try:
        created = ensure_database(url)
        _keep_play_data_apart(url, sandbox=sandbox)
        engine = create_engine(url, application_name="leasebot migrate", pool_size=1)
        try:
            revision = migrate.upgrade(engine)
            with engine.begin() as conn:
                accounts = ensure_required_accounts(conn, choices) if choices is not None else None
                if sandbox:
                    ensure_release_stage(conn, ReleaseStage.FULL, "sandbox: replies go to local sites", now)
                    practice.prepare(conn, now)
                else:
                    ensure_release_stage(conn, ReleaseStage.SHADOW, "first start", now)
        finally:
            engine.dispose()
    except (psycopg.Error, SQLAlchemyError, DatabaseUrlError) as error:
        raise DatabaseUnusable(f"the database can't be prepared: {_first_line(error)}") from None
    return Prepared(created, revision, accounts)


def _keep_play_data_apart(url: str, *, sandbox: bool) -> None:
    """Sandbox conversations look like real ones: never let the two share a database."""
    with psycopg.connect(libpq_url(url), autocommit=True, connect_timeout=10) as conn:
        name, mark = _one(
            conn,
            "SELECT datname, shobj_description(oid, 'pg_database') FROM pg_database"
            " WHERE datname = current_database()",
        )
        marked = mark == SANDBOX_MARK
        if marked and not sandbox:
            raise DatabaseUnusable(
                f"database {name} holds the sandbox's play data: use another one, or start with --sandbox"
            )
        if sandbox and not marked:
            (table,) = _one(conn, """SELECT to_regclass('"Conversations"')""")
            if table is not None and _one(conn, 'SELECT EXISTS (SELECT FROM "Conversations")')[0]:
                raise DatabaseUnusable(
                    f"database {name} holds conversations of real platforms: the sandbox needs a database of its own "
                    "(unset DATABASE_URL to use the embedded server)"
                )
            conn.execute(
                sql.SQL("COMMENT ON DATABASE {} IS {}").format(sql.Identifier(str(name)), SANDBOX_MARK)
            )


def _one(conn: psycopg.Connection[tuple[object, ...]], statement: str) -> tuple[object, ...]:
    row = conn.execute(statement.encode()).fetchone()
    assert row is not None
    return row


def _first_line(error: Exception) -> str:
    """Reason without the statement and its parameters, which SQLAlchemy appends."""
    original = getattr(error, "orig", None) or error
    return str(original).strip().splitlines()[0] if str(original).strip() else type(original).__name__
