"""A database is made ready by one call that can be repeated, and play data never meets real data."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from sqlalchemy import text

from leasebot_pipeline.processes.accounts import account_choices
from leasebot_pipeline.processes.database import DatabaseUnusable, prepare_database
from leasebot_pipeline.settings import load_settings
from tests.conftest import Database

_NOW = datetime(2026, 11, 24, tzinfo=UTC)


def _prepare(url: str, *, sandbox: bool = False):
    return prepare_database(
        url, choices=account_choices(load_settings({}), sandbox=sandbox), sandbox=sandbox, now=_NOW
    )


def _stage(database: Database) -> str:
    with database.engine.connect() as conn:
        return conn.execute(text('SELECT stage FROM "ReleaseStages" WHERE ended_at IS NULL')).scalar_one()


def test_first_start_makes_the_accounts_in_shadow_and_a_second_changes_nothing(
    empty_database: Database,
) -> None:
    first = _prepare(empty_database.url)
    assert first.accounts is not None
    assert len(first.accounts.created) == 5
    assert _stage(empty_database) == "shadow"
    again = _prepare(empty_database.url)
    assert again.accounts is not None
    assert again.accounts.created == ()
    assert again.revision == first.revision


def test_a_sandbox_database_is_refused_for_real_work(empty_database: Database) -> None:
    _prepare(empty_database.url, sandbox=True)
    assert _stage(empty_database) == "full"
    _prepare(empty_database.url, sandbox=True)
    with pytest.raises(DatabaseUnusable, match="play data"):
        _prepare(empty_database.url)


def test_the_sandbox_keeps_off_a_database_with_conversations(empty_database: Database) -> None:
    _prepare(empty_database.url)
    with empty_database.engine.begin() as conn:
        conn.execute(
            text("""INSERT INTO "Conversations" (platform_account_id, external_thread_id)
                    SELECT id, 't1' FROM "PlatformAccounts" LIMIT 1""")
        )
    with pytest.raises(DatabaseUnusable, match="conversations of real platforms"):
        _prepare(empty_database.url, sandbox=True)


def test_an_unreachable_database_is_said_without_its_password() -> None:
    with pytest.raises(DatabaseUnusable) as refused:
        _prepare("postgresql://me:hidden-word@127.0.0.1:1/none")
    assert "hidden-word" not in str(refused.value)
    assert refused.value.__cause__ is None
