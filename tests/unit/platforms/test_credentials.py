"""Credentials are references; what they refer to is checked before a browser starts. Behaviours 101, 105."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from pathlib import Path
from uuid import UUID

import pytest

from leasebot_pipeline.domain.failures import PlatformFailure
from leasebot_pipeline.domain.platforms import Platform
from leasebot_pipeline.platforms.credentials import CapturedSession, Login, Profile, resolve
from leasebot_pipeline.platforms.options import RuntimeOptions
from leasebot_pipeline.platforms.protocol import AccountRef
from leasebot_pipeline.platforms.session_store import SessionStore

STATE = {"cookies": [{"name": "s", "value": "v", "domain": "example.org", "path": "/"}], "origins": []}
ACCOUNT = UUID(int=7)


def resolved(
    credentials: Mapping[str, str], tmp_path: Path, **environ: str
) -> Profile | CapturedSession | Login:
    options = RuntimeOptions(data_dir=tmp_path, environ=environ, project_root=tmp_path, secrets_dir=tmp_path)
    return resolve(AccountRef(ACCOUNT, Platform.LEASEBREAK, "lb", credentials), options)


def failure(credentials: Mapping[str, str], tmp_path: Path, **environ: str) -> PlatformFailure:
    with pytest.raises(PlatformFailure) as caught:
        resolved(credentials, tmp_path, **environ)
    return caught.value


def test_login_id_and_password(tmp_path: Path) -> None:
    found = resolved({"loginIdRef": "env:U", "passwordRef": "secret:P"}, tmp_path, U="me", P="hunter2")
    assert found == Login("me", "hunter2")
    assert "hunter2" not in repr(found)


def test_a_secret_file_comes_before_the_environment(tmp_path: Path) -> None:
    (tmp_path / "P").write_text("from the file\n")
    found = resolved(
        {"username": "env:U", "password": "secret:P"}, tmp_path, U="me", P="from the environment"
    )
    assert found == Login("me", "from the file")


@pytest.mark.parametrize("value", ["hunter2", "plain:hunter2", "env:", "env: ", ""])
@pytest.mark.parametrize("key", ["passwordRef", "password", "sessionRef", "userDataDir"])
def test_a_plain_value_is_refused_and_not_repeated(key: str, value: str, tmp_path: Path) -> None:
    caught = failure({"loginIdRef": "env:U", "passwordRef": "env:P", key: value}, tmp_path, U="me", P="x")
    assert caught.code == "CREDENTIAL_PLAINTEXT_FORBIDDEN"
    assert key in caught.detail
    assert "hunter2" not in str(caught)


@pytest.mark.parametrize("value", [None, "", "  ", "change-me", "replace-with-a-password"])
def test_a_missing_target_names_key_and_platform(value: str | None, tmp_path: Path) -> None:
    environ = {"U": "me"} | ({"P": value} if value is not None else {})
    caught = failure({"loginIdRef": "env:U", "passwordRef": "env:P"}, tmp_path, **environ)
    assert caught.code == "CREDENTIAL_MISSING"
    assert "leasebreak" in caught.detail
    assert "passwordRef" in caught.detail


def test_nothing_at_all_is_missing(tmp_path: Path) -> None:
    assert failure({}, tmp_path).code == "CREDENTIAL_MISSING"
    assert "a password" in failure({"loginIdRef": "env:U"}, tmp_path, U="me").detail


def test_a_profile_wins_over_an_unset_session(tmp_path: Path) -> None:
    (tmp_path / "profile").mkdir()
    references = {"sessionRef": "env:UNSET", "userDataDirRef": "env:PROFILE", "loginIdRef": "env:UNSET"}
    assert resolved(references, tmp_path, PROFILE="profile") == Profile((tmp_path / "profile").resolve())


def test_a_profile_that_is_no_directory_is_invalid(tmp_path: Path) -> None:
    assert failure({"userDataDirRef": "env:P"}, tmp_path, P="nowhere").code == "RPA_PROFILE_INVALID"


def test_a_session_comes_as_json_base64_or_path(tmp_path: Path) -> None:
    text = json.dumps(STATE)
    encoded = "base64:" + base64.b64encode(text.encode()).decode()
    (tmp_path / "plain.json").write_text(text)
    (tmp_path / "encoded.txt").write_text(encoded)
    forms = (text, encoded, "plain.json", str(tmp_path / "encoded.txt"))
    assert {resolved({"sessionRef": "env:S"}, tmp_path, S=form).digest for form in forms} == {
        CapturedSession(STATE).digest
    }


@pytest.mark.parametrize(
    "value",
    [
        "{not json",
        "[]",
        "{}",
        '{"cookies": 3}',
        '{"cookies": [3]}',
        "base64:%%%",
        "base64:/w==",
        "no-such-file.json",
        ".",
    ],
)
def test_an_invalid_session_is_told_without_its_value(value: str, tmp_path: Path) -> None:
    caught = failure({"storageStateRef": "env:S"}, tmp_path, S=value)
    assert caught.code == "SESSION_INVALID"
    assert "storageStateRef" in caught.detail
    assert value == "." or value not in caught.detail


def test_saved_sessions_belong_to_a_login_and_a_site(tmp_path: Path) -> None:
    store = SessionStore(tmp_path / "sessions")
    assert store.load(ACCOUNT, "login", "https://a") is None
    store.save(ACCOUNT, "login", "https://a", STATE, "v1")
    loaded = store.load(ACCOUNT, "login", "https://a")
    assert loaded is not None
    assert (loaded.version, loaded.storage_state) == ("v1", STATE)
    assert store.load(ACCOUNT, "other login", "https://a") is None
    assert store.load(ACCOUNT, "login", "https://b") is None
    (tmp_path / "sessions" / f"{ACCOUNT}.json").write_text("{half a fi")
    assert store.load(ACCOUNT, "login", "https://a") is None
