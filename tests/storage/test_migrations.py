"""The migrations build the declared schema and can be run again."""

from __future__ import annotations

from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext

from leasebot_pipeline.storage import migrate
from leasebot_pipeline.storage.tables import metadata
from tests.conftest import Database


def test_schema_equals_migrations(database: Database) -> None:
    with database.engine.connect() as conn:
        context = MigrationContext.configure(conn, opts={"compare_type": True, "compare_server_default": False})
        assert compare_metadata(context, metadata) == []


def test_upgrade_twice_changes_nothing(database: Database) -> None:
    assert migrate.upgrade(database.engine) == migrate.head()
    with database.engine.connect() as conn:
        assert migrate.current(conn) == migrate.head()
