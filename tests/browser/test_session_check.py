"""`leasebot session check` with a database: under the account's lease, recorded, a failure stops the account."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace

import pytest
from sqlalchemy import text

from leasebot_pipeline.domain.platforms import Platform
from leasebot_pipeline.platforms.options import RuntimeOptions
from leasebot_pipeline.platforms.registry import BrowserConnectors
from leasebot_pipeline.processes import sessions
from leasebot_pipeline.sandbox.faults import Fault
from leasebot_pipeline.sandbox.testing import SandboxServer
from leasebot_pipeline.settings import load_settings
from leasebot_pipeline.stages.visits import leased
from leasebot_pipeline.storage import bootstrap
from leasebot_pipeline.storage.accounts_runtime import AccountRow
from tests.browser.conftest import clock
from tests.conftest import Database

PLATFORM = Platform.RENTHOP


class Desk:
    """One account in a database, and the check a person makes of it."""

    def __init__(self, database: Database, options: RuntimeOptions, connectors: BrowserConnectors) -> None:
        self.database, self.options = database, options
        choice = bootstrap.AccountChoice({"sessionRef": "env:STATE"}, True, "session")
        with database.engine.begin() as conn:
            bootstrap.ensure_required_accounts(conn, dict.fromkeys(Platform, choice))
        self.pipeline = sessions.pipeline_over(load_settings({}), database.engine, connectors)

    @property
    def row(self) -> AccountRow:
        (account,) = sessions.accounts_of(load_settings({}), self.database.engine, [PLATFORM])
        assert isinstance(account, AccountRow)
        return account

    def check(self) -> sessions.SessionCheck:
        return sessions.check_in_database(self.pipeline, self.options, self.row)

    def run(self, statement: str) -> None:
        with self.database.engine.begin() as conn:
            conn.execute(text(statement))


@pytest.fixture
def desk(
    database: Database,
    sandbox: SandboxServer,
    options: RuntimeOptions,
    own_connectors: Callable[..., BrowserConnectors],
) -> Desk:
    environ = {"STATE": json.dumps(sandbox.storage_state(PLATFORM))}
    return Desk(
        database, replace(options, environ=environ), own_connectors(environ=environ, inbox_page_limit=1)
    )


def test_an_account_that_gets_in(desk: Desk) -> None:
    checked = desk.check()
    assert (checked.state, checked.code) == ("ok", None)
    assert checked.expires_at is not None
    assert checked.expires_at > clock()
    assert desk.row.state.lease_owner is None
    with desk.database.engine.connect() as conn:
        run = conn.execute(text('SELECT triggered_by, outcome FROM "PlatformRuns"')).one()
    assert tuple(run) == ("session_check", "succeeded")


def test_an_account_that_does_not_get_in_stops_and_says_what_to_do(
    desk: Desk, sandbox: SandboxServer
) -> None:
    sandbox.fault(PLATFORM, Fault.CHALLENGE)
    checked = desk.check()
    assert (checked.state, checked.code) == ("failed", "BOT_CHALLENGE")
    assert checked.next is not None
    assert "leasebot session capture renthop" in checked.line
    assert desk.row.state.stop_code == "BOT_CHALLENGE"
    sandbox.clear_faults()
    again = desk.check()
    assert (again.state, again.code) == ("ok", "BOT_CHALLENGE")
    assert "leasebot account resume renthop" in again.line


def test_a_busy_or_inactive_account_is_left_alone(desk: Desk) -> None:
    other = replace(desk.pipeline, worker="another")
    with leased(other, desk.row) as lease:
        assert lease is not None
        assert desk.check().state == "busy"
    desk.run('UPDATE "PlatformAccounts" SET is_active = false')
    assert desk.check().state == "inactive"
    with desk.database.engine.connect() as conn:
        assert conn.execute(text('SELECT count(*) FROM "PlatformRuns"')).scalar_one() == 0


def test_which_account_is_meant_must_be_clear(desk: Desk) -> None:
    desk.run(
        """INSERT INTO "PlatformAccounts" (platform, account_name, account_external_id) VALUES ('renthop', 'b', 'b')"""
    )
    accounts = sessions.accounts_of(load_settings({}), desk.database.engine, [PLATFORM])
    with pytest.raises(sessions.SessionRefused, match=r"--account.*b"):
        sessions.chosen_account(accounts, None)
    assert sessions.chosen_account(accounts, "b").account_external_id == "b"
