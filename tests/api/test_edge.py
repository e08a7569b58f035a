"""What holds for every request: errors, CORS, origins, limits, ids, headers, audit of failures."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
import structlog
from sqlalchemy import text
from starlette.testclient import TestClient

from api.app import create_app
from api.config import ApiConfig
from api.logs import without_secrets
from tests.api.conftest import PASSWORD, MovableClock
from tests.conftest import Database

METHODS = "GET,POST,PUT,DELETE,OPTIONS"


def test_health_is_exact(client: TestClient) -> None:
    answer = client.get("/health")
    assert answer.json() == {"status": "ok", "service": "api", "timestamp": "2026-03-02T12:00:00.000Z"}
    assert client.get("/health?x=1").status_code == 404


@pytest.mark.parametrize(
    ("method", "path"),
    [("GET", "/nowhere"), ("DELETE", "/health"), ("GET", "/api/auth/sign-out"), ("GET", "/health/")],
)
def test_unknown_paths_and_methods_are_not_found(client: TestClient, method: str, path: str) -> None:
    answer = client.request(method, path)
    assert (answer.status_code, answer.json()) == (404, {"error": "not_found"})


def test_every_answer_forbids_caching_and_framing(client: TestClient) -> None:
    for path in ("/health", "/nowhere", "/api/me"):
        headers = client.get(path).headers
        assert headers["cache-control"] == "no-store"
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["x-frame-options"] == "DENY"
        assert headers["access-control-allow-methods"] == METHODS
        assert headers["access-control-allow-headers"] == "content-type,authorization"
        assert "access-control-allow-origin" not in headers


def test_a_trusted_origin_may_read_with_cookies(client: TestClient) -> None:
    headers = client.get("/api/me", headers={"origin": "http://localhost:5173"}).headers
    assert headers["access-control-allow-origin"] == "http://localhost:5173"
    assert headers["access-control-allow-credentials"] == "true"
    assert headers["vary"] == "Origin"
    foreign = client.get("/api/me", headers={"origin": "https://evil.example"}).headers
    assert "access-control-allow-origin" not in foreign
    assert "access-control-allow-credentials" not in foreign


def test_a_preflight_has_no_body(client: TestClient) -> None:
    answer = client.options("/api/admin/observability", headers={"origin": "http://localhost:5173"})
    assert (answer.status_code, answer.content) == (204, b"")
    assert answer.headers["access-control-allow-origin"] == "http://localhost:5173"
    assert answer.headers["access-control-allow-methods"] == METHODS


@pytest.mark.parametrize(
    ("headers", "allowed"),
    [
        ({}, True),
        ({"origin": "http://localhost:5173"}, True),
        ({"origin": "http://localhost:3001"}, True),
        ({"referer": "http://localhost:5173/login"}, True),
        ({"origin": "http://127.0.0.1:3001", "sec-fetch-site": "same-origin"}, True),
        ({"origin": "https://evil.example"}, False),
        ({"origin": "null"}, False),
        ({"referer": "https://evil.example/x"}, False),
        ({"sec-fetch-site": "cross-site"}, False),
        ({"origin": "http://localhost:5173.evil.example"}, False),
    ],
)
def test_a_page_of_a_foreign_origin_cannot_write(
    agent: TestClient, headers: dict[str, str], allowed: bool
) -> None:
    answer = agent.post("/api/auth/sign-out", headers=headers)
    if allowed:
        assert answer.status_code == 200
    else:
        assert answer.status_code == 403
        assert answer.json() == {"code": "INVALID_ORIGIN", "message": "Invalid origin"}
        assert agent.get("/api/me").status_code == 200, "the session lives on"


def test_a_foreign_write_outside_auth_has_the_api_s_error_body(client: TestClient) -> None:
    answer = client.post("/api/anything", headers={"origin": "https://evil.example"})
    assert (answer.status_code, answer.json()) == (403, {"error": "forbidden", "message": "Invalid origin"})


def test_a_body_that_is_not_json_is_a_bad_request(client: TestClient) -> None:
    for content_type in ("application/json", "text/plain"):
        answer = client.post(
            "/api/auth/sign-in/email", content="{not json", headers={"content-type": content_type}
        )
        assert (answer.status_code, answer.json()["code"]) == (400, "VALIDATION_ERROR")


def test_a_body_has_a_limit_declared_or_streamed(client: TestClient) -> None:
    large = b" " * 1_000_001

    def stream() -> Iterator[bytes]:
        yield large[:600_000]
        yield large[600_000:]

    for content in (large, stream()):
        answer = client.post(
            "/api/auth/sign-in/email", content=content, headers={"content-type": "application/json"}
        )
        assert (answer.status_code, answer.json()["error"]) == (413, "payload_too_large")


@pytest.mark.parametrize("headers", [{"accept": "text/html,*/*"}, {"hx-request": "true"}])
def test_a_person_is_answered_with_a_page(
    config: ApiConfig, clock: MovableClock, headers: dict[str, str]
) -> None:
    """Where a program gets the API's body: before any route, and after one that failed."""
    app = create_app(config, clock=clock)

    @app.get("/broken")
    async def broken() -> None:
        raise RuntimeError("not for people")

    with TestClient(app) as client:
        failed = client.get("/broken", headers={**headers, "x-request-id": "req-8"})
        large = client.post("/login", content=b" " * 1_000_001, headers=headers)
        foreign = client.post("/login", headers={**headers, "origin": "https://evil.example"})
    for answer, status, said in (
        (failed, 500, "under request req-8"),
        (large, 413, "too much text"),
        (foreign, 403, "not trusted here"),
    ):
        assert answer.status_code == status
        assert '<main id="main" tabindex="-1" data-error>' in answer.text
        assert said in answer.text
    assert "not for people" not in failed.text


def test_a_request_keeps_a_plain_id_and_gets_one_otherwise(client: TestClient) -> None:
    assert client.get("/health", headers={"x-request-id": "abc-1"}).headers["x-request-id"] == "abc-1"
    made = client.get("/health", headers={"x-request-id": "no spaces; please"}).headers["x-request-id"]
    assert len(made) == 32


def test_an_unexpected_error_is_audited_and_its_text_stays_inside(
    config: ApiConfig, database: Database, clock: MovableClock
) -> None:
    app = create_app(config, clock=clock)

    @app.get("/api/broken")
    async def broken() -> None:
        raise RuntimeError("call +44 20 7946 0958 about it")

    with TestClient(app) as client:
        answer = client.get("/api/broken?token=abc&page=2", headers={"x-request-id": "req-7"})
    assert answer.status_code == 500
    assert answer.json()["error"] == "internal_error"
    assert "req-7" in answer.json()["message"]
    assert "RuntimeError" not in answer.text
    assert answer.headers["cache-control"] == "no-store"
    with database.engine.connect() as conn:
        row = conn.execute(text('SELECT * FROM "AuditLogs"')).one()
    assert (row.action, row.actor_type, row.entity_type) == ("api_error", "system", "request")
    assert row.entity_id == "GET /api/broken"
    assert row.details == {
        "method": "GET",
        "path": "/api/broken",
        "query": {"token": "[REDACTED]", "page": "2"},
        "error": "RuntimeError: call [REDACTED_PHONE] about it",
        "requestId": "req-7",
    }


def test_without_a_database_the_api_starts_says_so_and_waits(clock: MovableClock) -> None:
    config = ApiConfig(database_url="postgresql://nobody@127.0.0.1:1/none", auth_secret="x" * 32)
    with TestClient(create_app(config, clock=clock)) as client:
        assert client.get("/health").status_code == 200
        answer = client.get("/ready")
        assert answer.status_code == 503
        assert answer.json()["status"] == "not_ready"
        assert answer.json()["dependencies"]["database"]["ok"] is False
        sign_in = client.post(
            "/api/auth/sign-in/email", json={"email": "a@example.com", "password": PASSWORD}
        )
        assert (sign_in.status_code, sign_in.json()["error"]) == (503, "database_unavailable")


def test_ready_when_the_database_is_migrated(client: TestClient) -> None:
    answer = client.get("/ready")
    assert (answer.status_code, answer.json()["status"]) == (200, "ready")
    assert {name: entry["ok"] for name, entry in answer.json()["dependencies"].items()} == {
        "database": True,
        "migrations": True,
        "queue": True,
    }


def test_not_ready_before_the_migrations(empty_database: Database, clock: MovableClock) -> None:
    config = ApiConfig(database_url=empty_database.url, auth_secret="x" * 32)
    with TestClient(create_app(config, clock=clock)) as client:
        answer = client.get("/ready")
    assert answer.status_code == 503
    dependencies = answer.json()["dependencies"]
    assert dependencies["database"]["ok"] is True
    assert dependencies["migrations"]["ok"] is False
    assert "leasebot migrate" in dependencies["migrations"]["detail"]


def test_log_lines_carry_no_secret_and_no_personal_data() -> None:
    event = without_secrets(
        structlog.get_logger(),
        "info",
        {
            "event": "mail from ann@example.com",
            "set_cookie": "better-auth.session_token=abc",
            "Authorization": "Bearer abc",
            "error": "call 020 7946 0958",
            "path": "/api/me",
            "details": {"body": "write to bob@example.com", "conversationId": "c-1"},
        },
    )
    assert event == {
        "event": "mail from [REDACTED_EMAIL]",
        "set_cookie": "[REDACTED]",
        "Authorization": "[REDACTED]",
        "error": "call [REDACTED_PHONE]",
        "path": "/api/me",
        "details": {"body": "write to [REDACTED_EMAIL]", "conversationId": "c-1"},
    }


def test_the_document_is_served(client: TestClient) -> None:
    """``test_openapi.py`` looks into it."""
    document = client.get("/api/openapi.json").json()
    assert "/api/inbox/{id}" in document["paths"]
    assert "HTTPValidationError" not in json.dumps(document)
