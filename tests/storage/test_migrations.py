"""The migrations build the declared schema, once, whoever starts them."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from uuid import uuid4

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Engine, make_url, text

from leasebot_pipeline.storage import migrate
from leasebot_pipeline.storage.inbox import InboxFilter, list_inbox
from leasebot_pipeline.storage.tables import metadata
from tests.conftest import Database

_DEFINITIONS = (
    """SELECT conrelid::regclass::text, conname, pg_get_constraintdef(oid) FROM pg_constraint
        WHERE connamespace = 'public'::regnamespace AND conrelid <> 0 AND contype <> 't'
          AND conrelid::regclass::text <> 'alembic_version'""",
    """SELECT tablename, indexname, indexdef FROM pg_indexes
        WHERE schemaname = 'public' AND tablename <> 'alembic_version'""",
    """SELECT table_name, column_name, concat_ws(' ', udt_name, is_nullable, is_identity, numeric_precision,
              numeric_scale, column_default)
         FROM information_schema.columns WHERE table_schema = 'public' AND table_name <> 'alembic_version'""",
)


def _definitions(engine: Engine) -> set[tuple[str, str, str]]:
    with engine.connect() as conn:
        return {tuple(row) for query in _DEFINITIONS for row in conn.execute(text(query))}  # type: ignore[misc]


def test_alembic_finds_no_difference_between_tables_and_migrations(database: Database) -> None:
    with database.engine.connect() as conn:
        context = MigrationContext.configure(
            conn, opts={"compare_type": True, "compare_server_default": False}
        )
        assert compare_metadata(context, metadata) == []


def test_checks_exclusions_and_indexes_are_the_declared_ones(
    database: Database, empty_database: Database
) -> None:
    """What Alembic's comparison does not look at: definitions of constraints, indexes and defaults."""
    with empty_database.engine.begin() as conn:
        conn.execute(text("CREATE EXTENSION btree_gist"))
        conn.execute(text("CREATE EXTENSION pg_trgm"))
        metadata.create_all(conn)
    assert _definitions(database.engine) == _definitions(empty_database.engine)


def test_a_second_upgrade_changes_nothing(database: Database) -> None:
    before = _definitions(database.engine)
    assert migrate.upgrade(database.engine) == migrate.head()
    assert _definitions(database.engine) == before
    with database.engine.connect() as conn:
        assert migrate.current(conn) == migrate.head()


def test_processes_that_start_together_migrate_once(empty_database: Database) -> None:
    with ThreadPoolExecutor(3) as pool:
        reached = list(pool.map(migrate.upgrade, [empty_database.url] * 3))
    assert reached == [migrate.head()] * 3


def test_a_database_of_a_newer_release_is_refused(database: Database) -> None:
    with database.engine.begin() as conn:
        conn.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(migrate.MigrationError, match="9999"):
        migrate.upgrade(database.url)


def test_a_failing_migration_leaves_nothing_behind(empty_database: Database) -> None:
    """One transaction owns the whole upgrade."""
    with empty_database.engine.begin() as conn:
        conn.execute(text('CREATE TABLE "ReleaseStages" (nothing_of_ours int)'))
    with pytest.raises(Exception, match="ended_at"):
        migrate.upgrade(empty_database.url)
    with empty_database.engine.connect() as conn:
        assert conn.execute(text("""SELECT to_regclass('"Messages"')""")).scalar_one() is None
        assert migrate.current(conn) is None


def test_where_no_extension_may_be_created_the_inbox_search_has_no_index(empty_database: Database) -> None:
    """What the earlier system needed was put there by an administrator; pg_trgm was not."""
    role = f"plain_{uuid4().hex}"
    with empty_database.engine.begin() as conn:
        conn.execute(text("CREATE EXTENSION btree_gist"))
        if conn.scalar(text("SELECT 1 FROM pg_available_extensions WHERE name = 'pgcrypto'")):
            conn.execute(text("CREATE EXTENSION pgcrypto"))
        conn.execute(text(f"CREATE ROLE {role} LOGIN"))
        conn.execute(text(f"GRANT ALL ON SCHEMA public TO {role}"))
    url = make_url(empty_database.url).set(username=role).render_as_string(hide_password=False)
    try:
        assert migrate.upgrade(url) == migrate.head()
        with empty_database.engine.connect() as conn:
            assert conn.scalar(text("SELECT to_regclass('idx_conversations_inbox')")) is not None
            assert conn.scalar(text("SELECT to_regclass('idx_conversations_search')")) is None
            assert list_inbox(conn, InboxFilter(search="ann"), 5) == []
    finally:
        with empty_database.engine.begin() as conn:
            conn.execute(text(f"DROP OWNED BY {role} CASCADE"))
            conn.execute(text(f"DROP ROLE {role}"))
