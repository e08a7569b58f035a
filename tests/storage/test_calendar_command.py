"""``leasebot calendar`` against a database: what it prints, and its exit codes."""

from __future__ import annotations

import json
from uuid import uuid4

import pytest
from sqlalchemy import text
from typer.testing import CliRunner, Result

from leasebot_pipeline.cli import app
from leasebot_pipeline.domain.platforms import Platform, SendMode
from leasebot_pipeline.storage import bootstrap
from tests.conftest import Database
from tests.storage import rows


def call(database: Database, *arguments: object) -> Result:
    return CliRunner().invoke(app, ["calendar", *map(str, arguments), "--database-url", database.url])


@pytest.fixture(autouse=True)
def _accounts(database: Database) -> None:
    with database.engine.begin() as conn:
        choice = bootstrap.AccountChoice({}, True, "login", SendMode.AUTO_SEND)
        bootstrap.ensure_required_accounts(conn, dict.fromkeys(Platform, choice))


def test_a_feed_is_made_and_revoked(database: Database) -> None:
    with database.engine.begin() as conn:
        agent = rows.agent(conn)
    made = call(database, "feed", agent, "--json")
    assert made.exit_code == 0, made.output
    shown = json.loads(made.stdout)
    assert f"/api/calendar-feeds/{shown['feedId']}.ics?token=" in shown["url"]
    revoked = call(database, "revoke", agent)
    assert (revoked.exit_code, revoked.stdout.strip()) == (0, "revoked")
    with database.engine.connect() as conn:
        actors = conn.execute(text('SELECT DISTINCT actor_type, actor_id FROM "AuditLogs"')).all()
    assert [tuple(actor) for actor in actors] == [("system", "cli")]
    assert call(database, "feed", uuid4()).exit_code == 2


def test_a_time_that_is_not_offered_is_explained(database: Database) -> None:
    with database.engine.begin() as conn:
        agent, unit = rows.agent(conn), rows.unit(conn)
    found = call(database, "why", unit, agent, "2020-01-01T15:00-05:00", "--json")
    assert found.exit_code == 1, found.output
    assert [reason["code"] for reason in json.loads(found.stdout)["reasons"]] == [
        "agent_not_assigned",
        "in_the_past",
        "unit_not_open",
        "agent_not_available",
    ]
    assert call(database, "why", unit, agent, "2020-01-01T15:00").exit_code == 2, "no offset"
