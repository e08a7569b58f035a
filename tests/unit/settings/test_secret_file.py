"""The signing secret a development installation makes for itself."""

from __future__ import annotations

import os
import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from leasebot_pipeline.settings import SettingsError, load_settings
from leasebot_pipeline.settings.secret_file import kept_secret


def test_it_is_made_once_on_first_use_and_readable_by_its_owner_only(tmp_path: Path) -> None:
    folder = tmp_path / "var"
    environ = {"LEASE_BOT_DATA_DIR": str(folder), "BETTER_AUTH_SECRET": "change-me"}
    settings = load_settings(environ)
    assert not folder.exists(), "loading alone writes nothing"
    secret = settings.auth.secret.get_secret_value()
    assert len(secret) >= 32
    assert load_settings(environ).auth.secret.get_secret_value() == secret
    assert [path.name for path in folder.iterdir()] == ["auth-secret"]
    assert stat.S_IMODE((folder / "auth-secret").stat().st_mode) == 0o600
    assert secret not in repr(settings)


def test_a_given_secret_is_used_and_nothing_is_written(tmp_path: Path) -> None:
    given = load_settings({"LEASE_BOT_DATA_DIR": str(tmp_path / "var"), "BETTER_AUTH_SECRET": "dev"})
    assert given.auth.secret.get_secret_value() == "dev"
    assert not (tmp_path / "var").exists()


def test_processes_that_start_together_agree_on_it(tmp_path: Path) -> None:
    path = tmp_path / "var" / "auth-secret"
    with ThreadPoolExecutor(16) as pool:
        found = set(pool.map(lambda _: kept_secret(path), range(64)))
    assert len(found) == 1
    assert os.listdir(path.parent) == ["auth-secret"]


@pytest.mark.parametrize("content", [b"", b"short\n", b"\xff" * 40])
def test_an_unusable_file_is_an_error_that_names_it(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "auth-secret"
    path.write_bytes(content)
    with pytest.raises(SettingsError, match=r"BETTER_AUTH_SECRET: .*auth-secret.*delete that file") as caught:
        kept_secret(path)
    assert caught.value.__context__ is None


def test_a_data_directory_that_can_not_be_written_is_an_error_that_names_it(tmp_path: Path) -> None:
    (tmp_path / "var").write_text("a file", encoding="utf-8")
    with pytest.raises(SettingsError, match=r"none can be kept in .*auth-secret"):
        kept_secret(tmp_path / "var" / "auth-secret")
