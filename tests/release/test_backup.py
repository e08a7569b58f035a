"""A backup comes back whole, into an empty database only, and sends nothing there."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from sqlalchemy import text
from typer.testing import CliRunner

from leasebot_pipeline.cli import app
from leasebot_pipeline.processes import stack_file
from leasebot_pipeline.processes.stack_plan import embedded_dir
from leasebot_pipeline.storage import kill_switches, migrate
from leasebot_pipeline.storage.engine import create_engine
from leasebot_pipeline.storage.server import EmbeddedServer
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


def test_a_machine_of_its_own_gets_its_database_back(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`leasebot down` ended the server: the command starts it on a new directory, and ends it again."""
    for name, value in {"LEASE_BOT_ENV": "test", "LEASE_BOT_DATA_DIR": str(tmp_path / "var")}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("DATABASE_URL", raising=False)
    folder = embedded_dir(tmp_path / "var", [])
    world.messages(10)
    file = tmp_path / "leasebot.dump"
    leasebot("backup", str(file), "--database-url", world.database.url)
    try:
        with stack_file.hold(tmp_path / "var"):
            leasebot("restore", str(file), code=3)
        assert json.loads(leasebot("restore", str(file)))["revision"] == migrate.head()
        leasebot("restore", str(file), code=3)  # there is a database now
        with EmbeddedServer(folder, durable=False) as server:
            engine = create_engine(server.url("leasebot"), application_name="tests")
            with engine.connect() as conn:
                assert conn.execute(text('SELECT count(*) FROM "Messages"')).scalar_one() == 10
                assert [one.target for one in kill_switches.engaged(conn)] == ["global"]
            engine.dispose()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def test_a_named_database_is_never_restored_into_by_default(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LEASE_BOT_ENV", "test")
    monkeypatch.setenv("DATABASE_URL", "postgresql://127.0.0.1:1/leasebot")
    leasebot("restore", str(tmp_path / "leasebot.dump"), code=2)


def test_a_broken_file_leaves_the_database_empty(empty_database: Database, tmp_path: Path) -> None:
    file = tmp_path / "leasebot.dump"
    file.write_bytes(b"no backup")
    leasebot("restore", str(file), "--database-url", empty_database.url, code=3)
    with empty_database.engine.connect() as conn:
        assert (
            conn.execute(text("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'")).scalar_one() == 0
        )
