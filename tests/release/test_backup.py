"""A backup comes back whole, into an empty database only, and sends nothing there."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from sqlalchemy import text
from typer.testing import CliRunner

from leasebot_pipeline.cli import app
from leasebot_pipeline.storage import kill_switches, migrate
from tests.conftest import Database
from tests.release.conftest import World


def leasebot(*arguments: str, code: int = 0) -> str:
    result = CliRunner().invoke(app, [*arguments, "--json"])
    assert result.exit_code == code, result.output
    return result.stdout


def test_what_is_backed_up_comes_back_and_does_not_send(
    world: World, empty_database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LEASE_BOT_ENV", "test")
    world.messages(10)
    file = tmp_path / "leasebot.dump"
    made = json.loads(leasebot("backup", str(file), "--database-url", world.database.url))
    assert made["bytes"] == file.stat().st_size
    assert file.stat().st_mode & 0o077 == 0
    leasebot("backup", str(file), "--database-url", world.database.url, code=3)

    back = json.loads(leasebot("restore", str(file), "--database-url", empty_database.url))
    assert back["revision"] == migrate.head()
    count = text('SELECT count(*) FROM "Messages"')
    with world.database.engine.connect() as before, empty_database.engine.connect() as after:
        assert before.execute(count).scalar_one() == after.execute(count).scalar_one() == 10
        assert [one.target for one in kill_switches.engaged(after)] == ["global"]
        assert kill_switches.engaged(before) == []
    leasebot("restore", str(file), "--database-url", empty_database.url, code=3)


def test_a_broken_file_leaves_the_database_empty(empty_database: Database, tmp_path: Path) -> None:
    file = tmp_path / "leasebot.dump"
    file.write_bytes(b"no backup")
    leasebot("restore", str(file), "--database-url", empty_database.url, code=3)
    with empty_database.engine.connect() as conn:
        assert (
            conn.execute(text("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'")).scalar_one() == 0
        )
