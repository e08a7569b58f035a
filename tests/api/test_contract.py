"""Every endpoint of the contract, asked by whom and in ways it must refuse: one table, so that none is left out.

What each does when it is asked rightly, with its audit rows and conflicts, is tested subject by subject beside this file.
"""

from __future__ import annotations

import re
from itertools import product
from typing import Any
from uuid import uuid4

import pytest
from starlette.testclient import TestClient

from tests.api.house import House
from tests.api.logins import PASSWORD, add_user
from tests.api.test_openapi import CONTRACT as WRITTEN

ADMIN = "admin"  # administrators only
SCOPED = "scoped"  # agents within their scope, administrators
ANY = "any"  # whoever signed in
RULE = {"dayOfWeek": 1, "startTime": "09:00", "endTime": "10:00", "timezone": "UTC"}
DAY = {"date": "2026-03-05", "startTime": "09:00", "endTime": "10:00", "timezone": "UTC"}
UNKNOWN = str(uuid4())
NO_404 = "an unknown id is nobody's calendar, and empty"

# Method, path, who may, a body that is right but for the ids of the path.
CONTRACT: list[tuple[str, str, str, Any]] = [
    ("GET", "/api/protected/admin", ADMIN, None),
    ("GET", "/api/admin/observability", ADMIN, None),
    ("GET", "/api/admin/platform-policies", ADMIN, None),
    ("PUT", "/api/admin/platform-policies/{id}", ADMIN, {"isActive": True}),
    ("GET", "/api/admin/platform-health", ADMIN, None),
    ("GET", "/api/admin/users", ADMIN, None),
    ("POST", "/api/admin/users/invitations", ADMIN, {"email": "new@example.com", "role": "agent"}),
    ("POST", "/api/admin/users/invitations/{id}/revoke", ADMIN, {}),
    ("PUT", "/api/message-automation", ADMIN, {}),
    ("POST", "/api/templates", ADMIN, {}),
    ("PUT", "/api/templates/{id}", ADMIN, {"body": "Hello"}),
    ("POST", "/api/units", ADMIN, {}),
    ("PUT", "/api/units/{id}", ADMIN, {"propertyName": "Oak House"}),
    ("DELETE", "/api/units/{id}", ADMIN, None),
    ("PUT", "/api/units/{id}/assignment", ADMIN, {"agentId": None}),
    ("PUT", "/api/units/{id}/agents", ADMIN, {"agentId": UNKNOWN}),
    ("DELETE", "/api/units/{id}/agents/{agentId}", ADMIN, None),
    ("POST", "/api/listings", ADMIN, {}),
    ("PUT", "/api/listings/{id}", ADMIN, {"rentCents": 100}),
    ("DELETE", "/api/listings/{id}", ADMIN, None),
    ("POST", "/api/listings/sync", ADMIN, {}),
    ("POST", "/api/units/{id}/availability/weekly-rules", ADMIN, RULE),
    ("PUT", "/api/units/{id}/availability/weekly-rules/{ruleId}", ADMIN, RULE),
    ("DELETE", "/api/units/{id}/availability/weekly-rules/{ruleId}", ADMIN, None),
    ("POST", "/api/units/{id}/availability/daily-overrides", ADMIN, DAY),
    ("PUT", "/api/availability/{slotId}", ADMIN, DAY),
    ("DELETE", "/api/availability/{slotId}", ADMIN, None),
    ("GET", "/api/inbox", SCOPED, None),
    ("GET", "/api/inbox/{id}", SCOPED, None),
    ("POST", "/api/inbox/{id}/sync", SCOPED, {}),
    ("POST", "/api/inbox/{id}/draft", SCOPED, {"body": "Hello"}),
    ("POST", "/api/inbox/messages/{id}/approve", SCOPED, {}),
    ("POST", "/api/inbox/messages/{id}/reject", SCOPED, {}),
    ("POST", "/api/conversations/{id}/workflow-state", SCOPED, {"workflowState": "lead"}),
    ("GET", "/api/units", SCOPED, None),
    ("GET", "/api/units/{id}", SCOPED, None),
    ("GET", "/api/units/{id}/agents", SCOPED, None),
    ("GET", "/api/units/{id}/agent-slot-candidates", SCOPED, None),
    ("GET", "/api/showing-appointments", SCOPED, None),
    ("POST", "/api/showing-appointments/book", SCOPED, {}),
    ("GET", "/api/listings", SCOPED, None),
    ("GET", "/api/listings/{id}", SCOPED, None),
    ("GET", "/api/units/{id}/availability", SCOPED, None),
    ("GET", "/api/units/{id}/availability/weekly-rules", SCOPED, None),
    ("GET", "/api/agents/{id}/availability", SCOPED, NO_404),
    ("GET", "/api/agents/{id}/availability/weekly-rules", SCOPED, NO_404),
    ("POST", "/api/agents/{id}/availability/weekly-rules", SCOPED, RULE),
    ("PUT", "/api/agents/{id}/availability/weekly-rules/{ruleId}", SCOPED, RULE),
    ("DELETE", "/api/agents/{id}/availability/weekly-rules/{ruleId}", SCOPED, None),
    ("POST", "/api/agents/{id}/availability/daily-overrides", SCOPED, DAY),
    ("PUT", "/api/agent-availability/{slotId}", SCOPED, DAY),
    ("DELETE", "/api/agent-availability/{slotId}", SCOPED, None),
    ("GET", "/api/agents", ANY, None),
    ("GET", "/api/templates", ANY, None),
    ("GET", "/api/message-automation", ANY, None),
    ("GET", "/api/protected/agent", ANY, None),
]
_PARAMETER = re.compile(r"\{[^}]+\}")


def statuses(house: House, who: str, rows: list[tuple[str, str, str, Any]]) -> dict[str, int]:
    """What each endpoint answers, asked for unknown ids with a right body."""
    return {
        f"{method} {path}": house.ask(
            who, method, _PARAMETER.sub(UNKNOWN, path), body if isinstance(body, dict) else None
        ).status_code
        for method, path, _, body in rows
    }


def test_a_stranger_is_told_nothing(house: House) -> None:
    told = statuses(house, "stranger", CONTRACT)
    assert {name: status for name, status in told.items() if status != 401} == {}


def test_what_is_an_administrator_s_is_no_agent_s(house: House) -> None:
    told = statuses(house, "agent", [row for row in CONTRACT if row[2] == ADMIN])
    assert {name: status for name, status in told.items() if status != 403} == {}


def test_a_login_no_agent_is_linked_to_has_no_scope(house: House) -> None:
    told = statuses(house, "unlinked", [row for row in CONTRACT if row[2] == SCOPED])
    assert {name: status for name, status in told.items() if status != 403} == {}


@pytest.mark.parametrize("who", ["admin", "agent"])
def test_what_is_not_there_is_not_found(house: House, who: str) -> None:
    """An agent's own calendar is another matter: a foreign agent's id is refused before it is looked up."""
    rows = [
        row for row in CONTRACT if "{" in row[1] and row[3] != NO_404 and (who == "admin" or row[2] == SCOPED)
    ]
    if who == "agent":
        rows = [row for row in rows if not row[1].startswith("/api/agents/{id}")]
    told = statuses(house, who, rows)
    assert {name: status for name, status in told.items() if status != 404} == {}


def test_another_agent_s_calendar_is_refused(house: House) -> None:
    rows = [row for row in CONTRACT if row[1].startswith("/api/agents/{id}")]
    told = statuses(house, "agent", rows)
    assert {name: status for name, status in told.items() if status != 403} == {}


def test_a_malformed_id_names_its_parameter(house: House) -> None:
    wrong = {}
    for method, path, _, body in CONTRACT:
        for parameter in _PARAMETER.findall(path):
            address = _PARAMETER.sub(UNKNOWN, path.replace(parameter, "7"))
            answer = house.ask("admin", method, address, body if isinstance(body, dict) else None)
            told = answer.json()
            if answer.status_code != 400 or told.get("details") != [
                f"{parameter.strip('{}')}: must be a UUID"
            ]:
                wrong[f"{method} {path}"] = (answer.status_code, told)
    assert wrong == {}


def test_a_body_that_is_no_object_is_refused(house: House) -> None:
    day = house.ask("admin", "POST", f"/api/agents/{house.dana}/availability/daily-overrides", DAY)
    there = {"/api/agent-availability/{slotId}": day.json()["id"]}  # looked up before the body
    documented = house.client.app.openapi()["paths"]  # type: ignore[attr-defined]
    wrong = {}
    for (method, path, _, _), body in product(CONTRACT, ([1], "text", 7)):
        if "requestBody" not in documented[path].get(method.lower(), {}):
            continue
        answer = house.ask("admin", method, _PARAMETER.sub(there.get(path, UNKNOWN), path), body)
        if answer.status_code != 400 or answer.json()["error"] != "validation_error":
            wrong[f"{method} {path}"] = (body, answer.status_code, answer.text)
    assert wrong == {}


def test_the_table_is_the_contract() -> None:
    """Against the list of what an existing front end calls; what strangers may ask is tested beside sign-in."""
    public = re.compile(r"/health|/api/auth/.+|/api/me|/api/invitations/(verify|accept)")
    wanted = {(method, path) for method, path in WRITTEN if not public.fullmatch(path)}
    assert {(method, path) for method, path, _, _ in CONTRACT} == wanted


def test_one_s_own_sessions_and_password(client: TestClient, house: House) -> None:
    add_user(house.database, "ann@example.com", "agent", house.clock())

    def signed_in(password: str) -> str:
        client.cookies.clear()
        body = {"email": "ann@example.com", "password": password}
        answer = client.post("/api/auth/sign-in/email", json=body)
        assert answer.status_code == 200, answer.text
        token: str = answer.json()["token"]
        return token

    first, second = signed_in(PASSWORD), signed_in(PASSWORD)
    assert {one["token"] for one in client.get("/api/auth/list-sessions").json()} == {first, second}
    revoked = client.post("/api/auth/revoke-session", json={"token": first})
    assert (revoked.status_code, revoked.json()) == (200, {"status": True})
    assert [one["token"] for one in client.get("/api/auth/list-sessions").json()] == [second]
    assert client.post("/api/auth/revoke-session", json={}).status_code == 400
    change = {"currentPassword": "not the one", "newPassword": "a new and longer one"}
    assert client.post("/api/auth/change-password", json=change).json()["code"] == "INVALID_PASSWORD"
    short = {"currentPassword": PASSWORD, "newPassword": "x"}
    assert client.post("/api/auth/change-password", json=short).json()["code"] == "PASSWORD_TOO_SHORT"
    change["currentPassword"] = PASSWORD
    assert client.post("/api/auth/change-password", json=change).status_code == 200
    client.cookies.clear()
    assert client.get("/api/auth/list-sessions").status_code == 401
    signed_in("a new and longer one")
