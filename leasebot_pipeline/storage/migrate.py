"""Run the Alembic migrations in-process, under an advisory lock so that two starts never collide."""

from __future__ import annotations

from pathlib import Path

from alembic import command, op
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, text

from leasebot_pipeline.storage.engine import create_engine

_LOCK_KEY = 7_305_002  # arbitrary, ours alone in the database


class MigrationError(RuntimeError):
    """The database can't be brought to the schema of this release; nothing was changed."""


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    return config


def head() -> str:
    """The newest revision the code knows."""
    revision = ScriptDirectory.from_config(_config()).get_current_head()
    assert revision is not None
    return revision


def current(conn: Connection) -> str | None:
    """The revision the database is at; None for a database we never migrated."""
    return MigrationContext.configure(conn).get_current_revision()


def upgrade(database: Engine | str) -> str:
    """Bring a database (engine or URL) to head, in one transaction; returns the revision reached.

    Takes over a database of the earlier system: what exists is kept. Raises MigrationError for a
    database of a newer release, and for one of the earlier system that lacks some of its own migrations.
    """
    if isinstance(database, str):
        engine = create_engine(database, application_name="leasebot-migrate", pool_size=1)
        try:
            return upgrade(engine)
        finally:
            engine.dispose()
    config = _config()
    with database.begin() as conn:
        conn.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK_KEY})
        conn.execute(text("SET LOCAL statement_timeout = 0"))
        known = {script.revision for script in ScriptDirectory.from_config(config).walk_revisions()}
        reached = current(conn)
        if reached is not None and reached not in known:
            raise MigrationError(
                f"the database is at revision {reached}, which this release does not know: "
                f"it was migrated by a newer one (this one ends at {head()})"
            )
        config.attributes["connection"] = conn
        command.upgrade(config, "head")
    return head()


def run_script(path: Path) -> None:
    """Run a file of SQL statements inside the migration's transaction."""
    # Straight to the driver: a script of many statements, with % in it, takes no parameters.
    connection = op.get_bind().connection.driver_connection
    assert connection is not None
    connection.execute(path.read_text(encoding="utf-8"))


_EMPTY = text("""
    SELECT NOT EXISTS (SELECT 1 FROM information_schema.tables
                        WHERE table_schema = :schema AND table_name <> 'alembic_version')
""")
_MISSING = text("""
    WITH existing AS (SELECT table_name FROM information_schema.tables WHERE table_schema = :schema)
    SELECT format('%I.%I %s', table_name, column_name, udt_name) FROM (
      SELECT table_name, column_name, udt_name FROM information_schema.columns
       WHERE table_schema = 'leasebot_expected' AND table_name IN (SELECT table_name FROM existing)
      EXCEPT
      SELECT table_name, column_name, udt_name FROM information_schema.columns WHERE table_schema = :schema) c
    UNION ALL
    SELECT format('%s %s', e.conname, e.definition) FROM (
      SELECT t.relname, c.conname, pg_get_constraintdef(c.oid) AS definition
        FROM pg_constraint c JOIN pg_class t ON t.oid = c.conrelid
       WHERE c.contype = 'x' AND c.connamespace = 'leasebot_expected'::regnamespace
         AND t.relname IN (SELECT table_name FROM existing)
      EXCEPT
      SELECT t.relname, c.conname, pg_get_constraintdef(c.oid)
        FROM pg_constraint c JOIN pg_class t ON t.oid = c.conrelid
       WHERE c.connamespace = CAST(:schema AS regnamespace)) e
    ORDER BY 1
""")


def run_script_over_existing(path: Path) -> None:
    """Run a script of CREATE ... IF NOT EXISTS, after seeing that tables which exist are what it would make.

    A table that is missing altogether is created; columns beyond the script's are welcome. Raises
    MigrationError that names what an existing table lacks.
    """
    conn = op.get_bind()
    schema = conn.scalar(text("SELECT current_schema()"))
    if conn.scalar(_EMPTY, {"schema": schema}):
        run_script(path)
        return
    search_path = conn.scalar(text("SHOW search_path"))
    conn.execute(text("CREATE EXTENSION IF NOT EXISTS btree_gist"))
    conn.execute(text("CREATE SCHEMA leasebot_expected"))
    conn.execute(text(f"SET LOCAL search_path = leasebot_expected, {search_path}"))
    run_script(path)
    conn.execute(text(f"SET LOCAL search_path = {search_path}"))
    missing = list(conn.scalars(_MISSING, {"schema": schema}))
    conn.execute(text("DROP SCHEMA leasebot_expected CASCADE"))
    if missing:
        raise MigrationError(
            "the existing database is not at the earlier system's last migration; finish its own migrations "
            f"first. Missing: {'; '.join(missing)}"
        )
    run_script(path)
