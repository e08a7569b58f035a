"""The real better-auth package on the same database: sessions and passwords are good on both sides.

Needs Node and npm's registry, and says so when it skips: the formats themselves are pinned by
``test_auth_formats.py`` without them.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import httpx2
import pytest
from starlette.testclient import TestClient

from tests.api.logins import PASSWORD, SECRET, MovableClock, add_user, sign_in
from tests.conftest import Database

HERE = Path(__file__).parent / "better_auth"
BASE_URL = "http://localhost:3001"
ANN = {"email": "ann@example.com", "password": PASSWORD}
COOKIE = "better-auth.session_token"


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The peer with the library installed, once for all tests of this file."""
    if shutil.which("node") is None or shutil.which("npm") is None:
        pytest.skip("Node and npm are not installed")
    folder = tmp_path_factory.mktemp("better-auth")
    for file in HERE.iterdir():
        shutil.copy(file, folder)
    install = ["npm", "install", "--no-audit", "--no-fund", "--prefer-offline", "--loglevel=error"]
    try:
        done = subprocess.run(install, cwd=folder, capture_output=True, text=True, timeout=150)
    except subprocess.TimeoutExpired:
        pytest.skip("npm's registry did not answer in time")
    if done.returncode:
        pytest.skip(f"npm could not install better-auth: {done.stderr.strip()[-200:]}")
    return folder


@pytest.fixture
def peer(package: Path, database: Database) -> Iterator[httpx2.Client]:
    """A client of the library's own server."""
    environment = {
        "PATH": os.environ["PATH"],
        "DATABASE_URL": database.url.replace("postgresql+psycopg://", "postgresql://"),
        "BETTER_AUTH_SECRET": SECRET,
        "BASE_URL": BASE_URL,
    }
    process = subprocess.Popen(
        ["node", "peer.mjs"],
        cwd=package,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        assert line.startswith("listening "), line + process.stdout.read()
        base = f"http://127.0.0.1:{line.split()[1]}"
        with httpx2.Client(base_url=base, headers={"origin": BASE_URL}, timeout=30) as client:
            yield client
    finally:
        process.kill()
        process.communicate()


def cookie_of(answer: httpx2.Response) -> dict[str, str]:
    assert answer.status_code == 200, answer.text
    [line] = [line for line in answer.headers.get_list("set-cookie") if line.startswith(COOKIE)]
    return {"cookie": line.split(";")[0]}


# better-auth judges sessions by the real time.
@pytest.fixture
def clock() -> MovableClock:
    return MovableClock(datetime.now(UTC))


def test_a_session_of_the_library_opens_our_api(
    peer: httpx2.Client, client: TestClient, database: Database, clock: MovableClock
) -> None:
    add_user(database, "ann@example.com", "admin", clock())
    cookie = cookie_of(peer.post("/api/auth/sign-in/email", json=ANN))
    me = client.get("/api/me", headers=cookie)
    assert (me.status_code, me.json()["user"]["email"]) == (200, "ann@example.com")
    assert client.get("/api/admin/platform-policies", headers=cookie).status_code == 200
    assert client.post("/api/auth/sign-out", headers=cookie).status_code == 200
    assert peer.get("/api/auth/get-session", headers=cookie).json() is None


def test_a_session_of_ours_is_good_there(
    peer: httpx2.Client, client: TestClient, database: Database, clock: MovableClock
) -> None:
    add_user(database, "ann@example.com", "agent", clock())
    sign_in(client, "ann@example.com")
    cookie = {"cookie": f"{COOKIE}={client.cookies[COOKIE]}"}
    theirs = peer.get("/api/auth/get-session", headers=cookie).json()
    assert (theirs["user"]["email"], theirs["user"]["role"]) == ("ann@example.com", "agent")
    ours = client.get("/api/auth/get-session").json()
    assert ours.keys() == theirs.keys()
    assert set(theirs["user"]) <= set(ours["user"])
    assert set(theirs["session"]) <= set(ours["session"])
    listed = peer.get("/api/auth/list-sessions", headers=cookie).json()
    assert [s["token"] for s in client.get("/api/auth/list-sessions").json()] == [s["token"] for s in listed]
    assert peer.post("/api/auth/sign-out", headers=cookie, json={}).status_code == 200
    assert client.get("/api/auth/get-session").json() is None


def test_a_password_stored_by_the_library_signs_in_here(peer: httpx2.Client, client: TestClient) -> None:
    body = {**ANN, "name": "Ann"}
    cookie = cookie_of(peer.post("/api/auth/sign-up/email", json=body))
    sign_in(client, "ann@example.com")
    change = {"currentPassword": PASSWORD, "newPassword": "a new and longer one", "revokeOtherSessions": True}
    changed = client.post("/api/auth/change-password", json=change)
    assert (changed.status_code, len(changed.json()["token"])) == (200, 32)
    assert peer.get("/api/auth/get-session", headers=cookie).json() is None, "the other session is over"
    again = {**ANN, "password": "a new and longer one"}
    assert peer.post("/api/auth/sign-in/email", json=again).status_code == 200


def test_refusals_read_alike(
    peer: httpx2.Client, client: TestClient, database: Database, clock: MovableClock
) -> None:
    add_user(database, "ann@example.com", "agent", clock())
    for path, body in (
        ("sign-in/email", {**ANN, "password": "wrong password"}),
        ("sign-in/email", {**ANN, "email": "nobody@example.com"}),
        ("sign-in/email", {**ANN, "email": "no address"}),
        ("change-password", {"currentPassword": "x", "newPassword": "long enough"}),
    ):
        theirs, ours = (side.post(f"/api/auth/{path}", json=body) for side in (peer, client))
        assert theirs.status_code == ours.status_code
        if theirs.content:  # the library tells a stranger nothing
            assert theirs.json()["code"] == ours.json()["code"]
