"""Signing in and out over HTTP, on a real database."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import text
from starlette.testclient import TestClient

from api.app import create_app
from api.auth.cookies import sign
from api.config import ApiConfig, DevAdmin
from leasebot_pipeline.storage import auth as logins
from tests.api.conftest import PASSWORD, PASSWORD_HASH, SECRET, MovableClock, add_user, sign_in
from tests.conftest import Database

COOKIE = "better-auth.session_token"
REFUSED = {"code": "INVALID_EMAIL_OR_PASSWORD", "message": "Invalid email or password"}


def sessions(database: Database) -> list[dict[str, object]]:
    with database.engine.connect() as conn:
        return [dict(row) for row in conn.execute(text("SELECT * FROM session")).mappings()]


def test_signing_in_opens_a_session_of_seven_days(
    client: TestClient, database: Database, clock: MovableClock
) -> None:
    user = add_user(database, "ann@example.com", "agent", clock())
    answer = client.post(
        "/api/auth/sign-in/email",
        json={"email": "Ann@Example.com", "password": PASSWORD},
        headers={"user-agent": "Firefox"},
    )
    assert answer.status_code == 200
    [session] = sessions(database)
    assert answer.json() == {
        "redirect": False,
        "token": session["token"],
        "user": {
            "id": user.id,
            "name": "ann",
            "email": "ann@example.com",
            "emailVerified": False,
            "image": None,
            "role": "agent",
            "banned": False,
            "banReason": None,
            "banExpires": None,
            "createdAt": "2026-03-02T12:00:00.000Z",
            "updatedAt": "2026-03-02T12:00:00.000Z",
        },
    }
    assert session["expiresAt"] == clock() + timedelta(days=7)
    assert (session["userId"], session["userAgent"]) == (user.id, "Firefox")
    assert len(str(session["token"])) == 32
    assert str(session["token"]).isalnum()
    cookie = answer.headers["set-cookie"]
    assert cookie.startswith(f"{COOKIE}={session['token']}.")
    assert cookie.endswith("; Max-Age=604800; Path=/; HttpOnly; SameSite=Lax")
    assert client.get("/api/me").json() == {
        "authenticated": True,
        "user": {"id": user.id, "email": "ann@example.com", "name": "ann", "role": "agent"},
    }


def test_get_session_tells_session_and_user_or_null(agent: TestClient, database: Database) -> None:
    body = agent.get("/api/auth/get-session").json()
    [session] = sessions(database)
    assert body["session"]["token"] == session["token"]
    assert body["session"]["expiresAt"] == "2026-03-09T12:00:00.000Z"
    assert body["user"]["email"] == "agent@example.com"
    del agent.headers["cookie"]
    answer = agent.get("/api/auth/get-session")
    assert (answer.status_code, answer.json()) == (200, None)


def test_signing_out_ends_the_session_and_removes_the_cookie(agent: TestClient, database: Database) -> None:
    answer = agent.post("/api/auth/sign-out")
    assert answer.json() == {"success": True}
    assert f"{COOKIE}=; Max-Age=0; Path=/; HttpOnly; SameSite=Lax" in answer.headers.get_list("set-cookie")
    assert sessions(database) == []
    assert agent.get("/api/me").status_code == 401


def test_wrong_password_unknown_mail_and_login_without_password_answer_alike(
    client: TestClient, database: Database, clock: MovableClock
) -> None:
    add_user(database, "ann@example.com", "agent", clock())
    add_user(database, "social@example.com", "agent", clock())
    with database.engine.begin() as conn:
        conn.execute(
            text(
                'DELETE FROM account WHERE "userId" = (SELECT id FROM "user" WHERE email = \'social@example.com\')'
            )
        )
    for email in ("ann@example.com", "nobody@example.com", "social@example.com"):
        answer = client.post("/api/auth/sign-in/email", json={"email": email, "password": "wrong password"})
        assert (answer.status_code, answer.json()) == (401, REFUSED)
        assert "set-cookie" not in answer.headers
    assert sessions(database) == []


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"email": "not-an-address", "password": "x"}, "INVALID_EMAIL"),
        ({"email": "a@example.com"}, "VALIDATION_ERROR"),
        ({"password": "x"}, "VALIDATION_ERROR"),
        ({"email": 5, "password": "x"}, "VALIDATION_ERROR"),
        ([], "VALIDATION_ERROR"),
    ],
)
def test_a_malformed_sign_in_names_the_rule(client: TestClient, body: object, code: str) -> None:
    answer = client.post("/api/auth/sign-in/email", json=body)
    assert answer.status_code == 400
    assert answer.json()["code"] == code


def test_a_session_ends_after_seven_days_and_the_cookie_is_removed(
    agent: TestClient, clock: MovableClock
) -> None:
    clock.forward(timedelta(days=7))
    assert agent.get("/api/me").status_code == 401
    answer = agent.get("/api/auth/get-session")
    assert answer.json() is None
    assert any(line.startswith(f"{COOKIE}=; Max-Age=0") for line in answer.headers.get_list("set-cookie"))


def test_a_used_session_is_renewed_once_a_day(
    agent: TestClient, database: Database, clock: MovableClock
) -> None:
    clock.forward(timedelta(hours=23))
    assert "set-cookie" not in agent.get("/api/me").headers
    clock.forward(timedelta(hours=1))
    answer = agent.get("/api/me")
    assert answer.headers["set-cookie"].startswith(COOKIE)
    assert sessions(database)[0]["expiresAt"] == clock() + timedelta(days=7)
    assert "set-cookie" not in agent.get("/api/me").headers


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/api/admin/audit/export", 200),  # an answer of its own
        ("/api/admin/leads/00000000-0000-4000-8000-000000000001/export", 404),
        ("/api/admin/audit?platform=zillow", 400),
    ],
)
def test_whatever_is_answered_a_renewed_session_goes_with_it(
    admin: TestClient, clock: MovableClock, path: str, status: int
) -> None:
    """A renewal is made once a day: a cookie that is lost then is not sent again before the next."""
    clock.forward(timedelta(days=2))
    answer = admin.get(path)
    assert answer.status_code == status
    assert [line.partition("=")[0] for line in answer.headers.get_list("set-cookie")] == [COOKIE]
    assert "set-cookie" not in admin.get(path).headers


def test_a_session_that_is_not_remembered_lasts_a_day_and_is_not_renewed(
    client: TestClient, database: Database, clock: MovableClock
) -> None:
    add_user(database, "ann@example.com", "agent", clock())
    body = {"email": "ann@example.com", "password": PASSWORD, "rememberMe": False}
    answer = client.post("/api/auth/sign-in/email", json=body)
    assert not any("Max-Age" in line for line in answer.headers.get_list("set-cookie"))
    assert sessions(database)[0]["expiresAt"] == clock() + timedelta(days=1)
    clock.forward(timedelta(hours=20))
    assert "set-cookie" not in client.get("/api/me").headers
    clock.forward(timedelta(hours=4))
    assert client.get("/api/me").status_code == 401


def test_a_banned_user_is_shut_out_until_the_ban_ends(
    agent: TestClient, database: Database, clock: MovableClock
) -> None:
    with database.engine.begin() as conn:
        conn.execute(
            text('UPDATE "user" SET banned = true, "banExpires" = :until'),
            {"until": clock() + timedelta(hours=1)},
        )
    assert agent.get("/api/me").status_code == 401
    body = {"email": "agent@example.com", "password": PASSWORD}
    answer = agent.post("/api/auth/sign-in/email", json=body)
    assert (answer.status_code, answer.json()["code"]) == (403, "BANNED_USER")
    clock.forward(timedelta(hours=1))
    assert agent.post("/api/auth/sign-in/email", json=body).status_code == 200


def test_a_cookie_that_was_tampered_with_is_nobody(agent: TestClient, database: Database) -> None:
    token = sessions(database)[0]["token"]
    del agent.headers["cookie"]
    for forged in (str(token), sign(str(token), "another secret"), sign("A" * 32, SECRET)):
        answer = agent.get("/api/me", headers={"cookie": f"{COOKIE}={forged}"})
        assert (answer.status_code, answer.json()) == (401, {"authenticated": False, "error": "unauthorized"})


def test_roles_open_their_own_doors_only(client: TestClient, database: Database, clock: MovableClock) -> None:
    add_user(database, "agent@example.com", "agent", clock())
    sign_in(client, "agent@example.com")
    assert client.get("/api/protected/agent").json() == {"ok": True, "scope": "agent", "role": "agent"}
    answer = client.get("/api/protected/admin")
    assert (answer.status_code, answer.json()) == (
        403,
        {"error": "forbidden", "requiredRoles": ["admin"], "currentRole": "agent"},
    )
    add_user(database, "root@example.com", "admin", clock())
    sign_in(client, "root@example.com")
    assert client.get("/api/protected/admin").json() == {"ok": True, "scope": "admin", "role": "admin"}
    assert client.get("/api/protected/agent").json()["role"] == "admin"
    add_user(database, "odd@example.com", "superuser", clock())
    sign_in(client, "odd@example.com")
    assert client.get("/api/me").json()["user"]["role"] == "agent"


def test_guessing_is_slowed_down_and_a_success_forgets(
    client: TestClient, database: Database, clock: MovableClock
) -> None:
    add_user(database, "ann@example.com", "agent", clock())
    right = {"email": "ann@example.com", "password": PASSWORD}
    wrong = {"email": "ann@example.com", "password": "wrong password"}
    for _ in range(4):
        assert client.post("/api/auth/sign-in/email", json=wrong).status_code == 401
    assert client.post("/api/auth/sign-in/email", json=right).status_code == 200
    for _ in range(5):
        assert client.post("/api/auth/sign-in/email", json=wrong).status_code == 401
    answer = client.post("/api/auth/sign-in/email", json=right)
    assert answer.status_code == 429
    assert answer.json()["message"] == "Too many requests. Please try again later."
    assert answer.headers["retry-after"] == answer.headers["x-retry-after"] == "300"
    clock.forward(timedelta(minutes=5))
    assert client.post("/api/auth/sign-in/email", json=right).status_code == 200


@pytest.mark.parametrize("path", ["/api/auth/sign-up/email", "/api/auth/sign-up", "/api/auth/sign-up/social"])
def test_registration_is_closed(client: TestClient, path: str) -> None:
    body = {"name": "Eve", "email": "eve@example.com", "password": PASSWORD}
    answer = client.post(path, json=body)
    assert answer.status_code == 403
    assert answer.json()["error"] == "registration_disabled"


@pytest.fixture
def open_client(config: ApiConfig, clock: MovableClock) -> Iterator[TestClient]:
    with TestClient(create_app(replace(config, allow_public_signup=True), clock=clock)) as client:
        yield client


def test_open_registration_creates_an_agent_and_signs_in(open_client: TestClient) -> None:
    body = {"name": "Eve", "email": "Eve@example.com", "password": PASSWORD, "role": "admin"}
    answer = open_client.post("/api/auth/sign-up/email", json=body)
    assert answer.status_code == 200
    assert answer.json()["user"]["email"] == "eve@example.com"
    assert open_client.get("/api/me").json()["user"]["role"] == "agent"
    again = open_client.post("/api/auth/sign-up/email", json=body)
    assert (again.status_code, again.json()["code"]) == (422, "USER_ALREADY_EXISTS_USE_ANOTHER_EMAIL")


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"email": "eve"}, "INVALID_EMAIL"),
        ({"password": "short"}, "PASSWORD_TOO_SHORT"),
        ({"password": "x" * 129}, "PASSWORD_TOO_LONG"),
    ],
)
def test_open_registration_refuses_what_the_library_refuses(
    open_client: TestClient, change: dict[str, str], code: str
) -> None:
    body = {"name": "Eve", "email": "eve@example.com", "password": PASSWORD, **change}
    answer = open_client.post("/api/auth/sign-up/email", json=body)
    assert (answer.status_code, answer.json()["code"]) == (400, code)


def test_a_callback_must_stay_on_a_trusted_site(
    client: TestClient, database: Database, clock: MovableClock
) -> None:
    add_user(database, "ann@example.com", "agent", clock())
    body = {"email": "ann@example.com", "password": PASSWORD}
    for url in (
        "https://evil.example/x",
        "//evil.example",
        "javascript:alert(1)",
        "http://localhost:5173.evil.example/",
    ):
        answer = client.post("/api/auth/sign-in/email", json={**body, "callbackURL": url})
        assert (answer.status_code, answer.json()["message"]) == (403, "Invalid callbackURL"), url
    answer = client.post("/api/auth/sign-in/email", json={**body, "callbackURL": "/inbox?tab=new"})
    assert (answer.json()["redirect"], answer.json()["url"]) == (True, "/inbox?tab=new")
    assert answer.headers["location"] == "/inbox?tab=new"


def test_an_https_site_gets_a_secure_cookie(
    config: ApiConfig, database: Database, clock: MovableClock
) -> None:
    add_user(database, "ann@example.com", "agent", clock())
    secure = replace(config, base_url="https://api.example.com")
    with TestClient(create_app(secure, clock=clock), base_url="https://api.example.com") as client:
        body = {"email": "ann@example.com", "password": PASSWORD}
        answer = client.post("/api/auth/sign-in/email", json=body)
        assert answer.headers["set-cookie"].startswith("__Secure-better-auth.session_token=")
        assert "; Secure;" in answer.headers["set-cookie"]
        assert client.get("/api/me").status_code == 200
        assert "strict-transport-security" in answer.headers


def test_no_development_admin_unless_asked(client: TestClient, database: Database) -> None:
    """Behaviour 3."""
    assert client.get("/health").status_code == 200
    with database.engine.connect() as conn:
        assert conn.execute(text('SELECT count(*) FROM "user"')).scalar_one() == 0


def test_the_development_admin_can_sign_in(
    config: ApiConfig, database: Database, clock: MovableClock
) -> None:
    """Behaviour 4."""
    admin = DevAdmin("Dev@Example.com", "a development password", "Dev Admin")
    with TestClient(create_app(replace(config, dev_admin=admin), clock=clock)) as client:
        sign_in(client, "dev@example.com", "a development password")
        assert client.get("/api/protected/admin").status_code == 200
        assert client.get("/api/auth/get-session").json()["user"]["emailVerified"] is True


def test_an_existing_user_is_promoted_and_keeps_the_password(database: Database, clock: MovableClock) -> None:
    """Behaviour 5."""
    add_user(database, "dev@example.com", "agent", clock())

    def never() -> str:
        raise AssertionError("an existing login is not given a new password")

    with database.engine.begin() as conn:
        created = logins.ensure_dev_admin(
            conn, email="dev@example.com", name="Dev Admin", password_hash=never, now=clock()
        )
        credential = logins.find_credential(conn, "dev@example.com")
    assert not created
    assert credential is not None
    assert (credential.user.role, credential.user.name) == ("admin", "Dev Admin")
    assert credential.password_hash == PASSWORD_HASH
