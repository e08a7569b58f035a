"""The OpenAPI document against its reviewed copy: each change of the contract shows up in a diff.

``UPDATE_GOLDEN=1`` writes ``docs/openapi.json`` anew; review the difference like code.
"""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from typing import Any

import pytest

from api.app import create_app
from api.config import ApiConfig

COPY = Path(__file__).parents[2] / "docs" / "openapi.json"


_WRITTEN = """
    GET /health | GET /api/me | GET /api/protected/agent | GET /api/protected/admin
    GET /api/admin/observability | GET /api/admin/platform-policies | PUT /api/admin/platform-policies/{id}
    GET /api/admin/platform-health | GET /api/admin/users | POST /api/admin/users/invitations
    POST /api/admin/users/invitations/{id}/revoke | GET /api/invitations/verify | POST /api/invitations/accept
    GET /api/message-automation | PUT /api/message-automation | GET /api/templates | POST /api/templates
    PUT /api/templates/{id} | GET /api/inbox | GET /api/inbox/{id} | POST /api/inbox/{id}/sync
    POST /api/inbox/{id}/draft | POST /api/inbox/messages/{id}/approve | POST /api/inbox/messages/{id}/reject
    POST /api/conversations/{id}/workflow-state | GET /api/agents | GET /api/units | POST /api/units
    GET /api/units/{id} | PUT /api/units/{id} | DELETE /api/units/{id} | PUT /api/units/{id}/assignment
    GET /api/units/{id}/agents | PUT /api/units/{id}/agents | DELETE /api/units/{id}/agents/{agentId}
    GET /api/units/{id}/agent-slot-candidates | GET /api/showing-appointments
    POST /api/showing-appointments/book | GET /api/listings | POST /api/listings | GET /api/listings/{id}
    PUT /api/listings/{id} | DELETE /api/listings/{id} | POST /api/listings/sync
    GET /api/units/{id}/availability | GET /api/units/{id}/availability/weekly-rules
    POST /api/units/{id}/availability/weekly-rules | PUT /api/units/{id}/availability/weekly-rules/{ruleId}
    DELETE /api/units/{id}/availability/weekly-rules/{ruleId} | POST /api/units/{id}/availability/daily-overrides
    PUT /api/availability/{slotId} | DELETE /api/availability/{slotId} | GET /api/agents/{id}/availability
    GET /api/agents/{id}/availability/weekly-rules | POST /api/agents/{id}/availability/weekly-rules
    PUT /api/agents/{id}/availability/weekly-rules/{ruleId}
    DELETE /api/agents/{id}/availability/weekly-rules/{ruleId} | POST /api/agents/{id}/availability/daily-overrides
    PUT /api/agent-availability/{slotId} | DELETE /api/agent-availability/{slotId}
    POST /api/auth/sign-in/email | POST /api/auth/sign-out | GET /api/auth/get-session | POST /api/auth/sign-up/email
    POST /api/auth/change-password | GET /api/auth/list-sessions | POST /api/auth/revoke-session
"""
CONTRACT = {tuple(one.split()) for line in _WRITTEN.strip().splitlines() for one in line.split(" | ")}
"""Behaviour 150: what an existing front end calls."""


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    app = create_app(ApiConfig(database_url="postgresql://nowhere/none", auth_secret="s" * 40))
    found: dict[str, Any] = json.loads(json.dumps(app.openapi()))
    return found


def operations(document: dict[str, Any]) -> list[tuple[str, str, dict[str, Any]]]:
    return [(path, method, op) for path, ops in document["paths"].items() for method, op in ops.items()]


def test_the_document_is_the_reviewed_one(document: dict[str, Any]) -> None:
    if os.environ.get("UPDATE_GOLDEN"):
        COPY.write_text(json.dumps(document, indent=1, sort_keys=True) + "\n", encoding="utf-8")
    assert json.loads(COPY.read_text(encoding="utf-8")) == document


def test_every_operation_has_an_id_a_tag_and_a_summary(document: dict[str, Any]) -> None:
    found = operations(document)
    ids = [op["operationId"] for _, _, op in found]
    assert len(set(ids)) == len(ids)
    assert all(re.fullmatch(r"[a-z][A-Za-z]+", one) for one in ids)
    known = {tag["name"] for tag in document["tags"]}
    assert {tag for _, _, op in found for tag in op["tags"]} == known
    assert all(op.get("summary") for _, _, op in found)


def test_every_endpoint_of_the_contract_is_there(document: dict[str, Any]) -> None:
    served = {(method.upper(), path) for path, method, _ in operations(document)}
    assert CONTRACT - served == set()
