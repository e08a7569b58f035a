"""Whether a session was renewed, when it ends, where a captured one goes."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

import pytest

from leasebot_pipeline.domain.platforms import Platform
from leasebot_pipeline.platforms.credentials import Login, resolve
from leasebot_pipeline.platforms.options import RuntimeOptions
from leasebot_pipeline.platforms.protocol import AccountRef
from leasebot_pipeline.platforms.session_expiry import cookies_expire_at
from leasebot_pipeline.platforms.session_mark import PROFILE_MARK, session_mark
from leasebot_pipeline.platforms.session_store import SessionStore
from leasebot_pipeline.platforms.session_target import target_of

SITE = "https://www.renthop.com"
STATE = {"cookies": [{"name": "s", "value": "1", "domain": "www.renthop.com"}], "origins": []}
LOGIN = {"loginIdRef": "env:LOGIN", "passwordRef": "env:PASSWORD"}


def account(**credentials: str) -> AccountRef:
    return AccountRef(uuid4(), Platform.RENTHOP, "main", credentials)


def options(tmp_path: Path, **environ: str) -> RuntimeOptions:
    return RuntimeOptions(data_dir=tmp_path / "data", environ=environ, project_root=tmp_path)


def mark(ref: AccountRef, given: RuntimeOptions) -> str:
    return session_mark(ref, given, SITE)


def test_a_captured_session_has_another_mark_once_its_file_was_replaced(tmp_path: Path) -> None:
    file = tmp_path / "state.json"
    ref, given = account(sessionRef="env:S"), options(tmp_path, S="state.json")
    missing = mark(ref, given)
    file.write_text(json.dumps(STATE))
    first = mark(ref, given)
    file.write_text(json.dumps(STATE))
    assert mark(ref, given) == first
    file.write_text(json.dumps({**STATE, "cookies": [{"name": "s", "value": "2"}]}))
    assert len({missing, first, mark(ref, given)}) == 3
    assert missing.startswith("none:")


def test_a_profile_has_another_mark_once_a_login_on_it_was_verified(tmp_path: Path) -> None:
    (tmp_path / "profile").mkdir()
    ref, given = account(userDataDirRef="env:P"), options(tmp_path, P="profile")
    first = mark(ref, given)
    (tmp_path / "profile" / "Cookies").write_text("changes all the time")
    assert mark(ref, given) == first
    (tmp_path / "profile" / PROFILE_MARK).write_text("{}")
    assert mark(ref, given) != first


def test_a_login_has_another_mark_with_another_password_or_a_login_by_hand(tmp_path: Path) -> None:
    ref, given = account(**LOGIN), options(tmp_path, LOGIN="me", PASSWORD="first-secret")
    first = mark(ref, given)
    assert "first-secret" not in first
    assert mark(ref, options(tmp_path, LOGIN="me", PASSWORD="second")) != first
    assert mark(replace(ref, id=uuid4()), given) != first

    login, store = resolve(ref, given), SessionStore(given.data_dir / "sessions")
    assert isinstance(login, Login)
    store.save(ref.id, login.digest, SITE, STATE, "1")  # leasebot itself logged in again
    assert mark(ref, given) == first
    store.save(ref.id, login.digest, SITE, STATE, "2", captured=True)
    by_hand = mark(ref, given)
    assert by_hand != first
    store.save(ref.id, login.digest, SITE, STATE, "3")
    assert mark(ref, given) == by_hand


def cookie(domain: str, expires: object) -> dict[str, object]:
    return {"name": "n", "value": "v", "domain": domain, "expires": expires}


@pytest.mark.parametrize(
    ("cookies", "ends"),
    [
        ([], None),
        ([cookie("www.renthop.com", 1_800_000_000)], 1_800_000_000),
        (
            [cookie(".renthop.com", 1_700_000_000), cookie("www.renthop.com", 1_800_000_000.5)],
            1_800_000_000.5,
        ),
        ([cookie(".renthop.com", 1_800_000_000), cookie("www.renthop.com", -1)], None),
        ([cookie("evilrenthop.com", 1_800_000_000)], None),
        ([cookie(".google.com", -1), cookie("renthop.com", 1_800_000_000)], 1_800_000_000),
        ([cookie("renthop.com", 1e30)], None),
    ],
)
def test_when_cookies_end(cookies: list[Mapping[str, object]], ends: float | None) -> None:
    expected = None if ends is None else datetime.fromtimestamp(ends, UTC)
    assert cookies_expire_at({"cookies": cookies}, "www.renthop.com") == expected


def test_a_captured_login_goes_where_the_account_looks_for_it(tmp_path: Path) -> None:
    given = options(tmp_path, FILE="s/state.json", INLINE="base64:e30=", P="own", LOGIN="me", PASSWORD="pw")
    default_profile = tmp_path / ".playwright/profiles/renthop"
    default_file = tmp_path / ".playwright/sessions/renthop.json"

    def target(**credentials: str) -> tuple[str, Path, Path, str | None]:
        found = target_of(account(**credentials), given)
        return found.kind, found.profile, found.path, found.to_set

    assert target(sessionRef="env:FILE") == ("file", default_profile, tmp_path / "s/state.json", None)
    assert target(sessionRef="env:INLINE") == ("file", default_profile, default_file, "INLINE")
    assert target(sessionRef="env:UNSET") == ("file", default_profile, default_file, "UNSET")
    assert target() == ("file", default_profile, default_file, "RENTHOP_RPA_SESSION")
    assert target(userDataDirRef="env:P", sessionRef="env:FILE")[:2] == ("profile", tmp_path / "own")
    assert target(userDataDirRef="env:UNSET") == (
        "profile",
        default_profile,
        default_profile / PROFILE_MARK,
        "UNSET",
    )
    assert target(**LOGIN)[0] == "store"
    assert target(loginIdRef="env:LOGIN", passwordRef="env:UNSET")[0] == "file"
    wished = target_of(account(sessionRef="env:FILE"), given, profile=Path("p"), out=Path("o.json"))
    assert (wished.profile, wished.path, wished.to_set) == (tmp_path / "p", tmp_path / "o.json", None)
