"""`leasebot account list`: a stopped account says since when, why and what to do."""

from __future__ import annotations

import json
from datetime import timedelta

from typer.testing import CliRunner

from leasebot_pipeline.cli import app
from leasebot_pipeline.storage import accounts_runtime
from tests.conftest import Database
from tests.stages.conftest import ACCOUNT, NOON, OfficeMaker


def test_every_account_is_listed_with_what_a_person_needs(
    database: Database, make_office: OfficeMaker
) -> None:
    """G-35: last successes are stored and shown, a stop has a time, a reason and a next step."""
    make_office()
    with database.engine.begin() as conn:
        accounts_runtime.note_success(
            conn, ACCOUNT, "ingest", NOON - timedelta(hours=2), NOON - timedelta(hours=2), 7
        )
        accounts_runtime.stop_account(conn, ACCOUNT, "SESSION_EXPIRED", "sent to the login page", NOON)

    def listed(*flags: str) -> str:
        result = CliRunner().invoke(app, ["account", "list", "--database-url", database.url, *flags])
        assert result.exit_code == 0, result.output
        return result.output

    text = listed()
    assert "inbox read 2026-11-24 15:00 UTC, reply sent never" in text
    assert "since 2026-11-24 17:00 UTC: SESSION_EXPIRED: sent to the login page" in text
    assert "next: log in by hand: leasebot session capture spareroom" in text
    stopped, *others = json.loads(listed("--json"))["accounts"]
    assert stopped["platform"] == "spareroom"
    assert stopped["nextStep"].endswith("leasebot session capture spareroom")
    assert stopped["lastSuccessIngestAt"].startswith("2026-11-24T15:00")
    assert len(others) == 4
    assert all(account["stopCode"] is None and account["nextStep"] is None for account in others)
