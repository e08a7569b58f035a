"""Rows the storage tests start from."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
from sqlalchemy import Connection

from leasebot_pipeline.domain.platforms import REQUIRED_ACCOUNTS, Platform, ReleaseStage, SendMode
from leasebot_pipeline.storage import bootstrap
from tests.conftest import Database

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
ACCOUNT = next(account.id for account in REQUIRED_ACCOUNTS if account.platform is Platform.SPAREROOM)


@pytest.fixture
def conn(database: Database) -> Iterator[Connection]:
    """A connection to a database with the five accounts, all active and sending."""
    with database.engine.begin() as connection:
        choice = bootstrap.AccountChoice({}, True, "login", SendMode.AUTO_SEND)
        bootstrap.ensure_required_accounts(connection, dict.fromkeys(Platform, choice))
        bootstrap.ensure_release_stage(connection, ReleaseStage.FULL, "tests", NOW)
        yield connection
