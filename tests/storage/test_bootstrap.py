"""What must exist is created when missing and never changed (G-46)."""

from __future__ import annotations

import pytest
from sqlalchemy import Connection, text

from leasebot_pipeline.domain.platforms import Platform, ReleaseStage
from leasebot_pipeline.storage import bootstrap
from leasebot_pipeline.storage.bootstrap import AccountChoice
from tests.conftest import Database
from tests.storage.conftest import NOW

CHOICES = {
    platform: AccountChoice({"sessionRef": f"env:{platform.env_prefix}_RPA_SESSION"}, False, "session")
    for platform in Platform
}


@pytest.fixture
def fresh(database: Database) -> object:
    with database.engine.begin() as connection:
        yield connection


def test_five_accounts_come_into_being_once(fresh: Connection) -> None:
    first = bootstrap.ensure_required_accounts(fresh, CHOICES)
    second = bootstrap.ensure_required_accounts(fresh, CHOICES)
    assert (len(first.created), len(second.created)) == (5, 0)
    assert first.as_details()["created"] == 5
    assert second.as_details()["results"][2] == {  # type: ignore[index]
        "platform": "leasebreak",
        "inserted": False,
        "updated": False,
        "isActive": False,
        "authMode": "session",
        "authEnvVar": "LEASEBREAK_RPA_SESSION",
    }


def test_new_accounts_draft_only_until_a_person_says_otherwise(fresh: Connection) -> None:
    bootstrap.ensure_required_accounts(fresh, CHOICES)
    modes = fresh.scalars(text('SELECT DISTINCT send_mode FROM "PlatformAccounts"'))
    assert list(modes) == ["draft_only"]


def test_what_an_admin_set_survives_every_start(fresh: Connection) -> None:
    bootstrap.ensure_required_accounts(fresh, CHOICES)
    fresh.execute(
        text(
            """UPDATE "PlatformAccounts" SET is_active = true, send_mode = NULL, credentials = '{"loginId": "env:X"}',
                      account_name = 'Ours' WHERE platform = 'roomies'"""
        )
    )
    result = bootstrap.ensure_required_accounts(fresh, CHOICES)
    row = fresh.execute(
        text(
            """SELECT is_active, send_mode, credentials, account_name FROM "PlatformAccounts"
                WHERE platform = 'roomies'"""
        )
    ).one()
    assert tuple(row) == (True, None, {"loginId": "env:X"}, "Ours")
    assert [one.is_active for one in result.results] == [False, True, False, False, False]


def test_every_account_has_its_shared_state(fresh: Connection) -> None:
    fresh.execute(
        text(
            """INSERT INTO "PlatformAccounts" (platform, account_name, account_external_id)
               VALUES ('renthop', 'A second one', 'rh_002')"""
        )
    )
    bootstrap.ensure_required_accounts(fresh, CHOICES)
    assert fresh.execute(text('SELECT count(*) FROM "AccountRuntime"')).scalar_one() == 6


def test_the_first_release_stage_is_opened_once(fresh: Connection) -> None:
    assert bootstrap.ensure_release_stage(fresh, ReleaseStage.SHADOW, "first start", NOW)
    assert not bootstrap.ensure_release_stage(fresh, ReleaseStage.FULL, "second start", NOW)
    assert list(fresh.scalars(text('SELECT stage FROM "ReleaseStages"'))) == ["shadow"]
