"""Requests made up from the OpenAPI document, as administrator, agent and stranger.

Whatever comes in: never a 500, and neither an agent nor a stranger ever reads what is not theirs.
``LEASEBOT_FUZZ_EXAMPLES`` sets how many requests each operation gets from each caller (default 4).
"""

from __future__ import annotations

import os
from collections import Counter
from typing import Any
from uuid import UUID

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, seed, settings

from api.app import create_app
from api.config import ApiConfig
from leasebot_pipeline.storage.audit import AuditEntry, record
from leasebot_pipeline.storage.tables import accounts, scheduling
from tests.api.house import SPAREROOM, House
from tests.api.test_privacy import SECRET
from tests.storage import rows

EXAMPLES = int(os.environ.get("LEASEBOT_FUZZ_EXAMPLES", "4"))
# Signing in costs a tenth of a second of hashing, signing out ends the caller's session.
SKIPPED = {
    "signInEmail",
    "signUpEmail",
    "signOut",
    "changePassword",
    "revokeSession",
    "revokeSessions",
    "revokeOtherSessions",
    "acceptInvitation",
    "getReady",
}


def _operations() -> list[Any]:
    app = create_app(ApiConfig(database_url="postgresql://nowhere/none", auth_secret="s" * 40))
    schema = schemathesis.openapi.from_dict(app.openapi())
    found = [result.ok() for result in schema.get_all_operations()]
    return [op for op in found if op.definition.raw["operationId"] not in SKIPPED]


OPERATIONS = _operations()


@pytest.fixture
def foreign(house: House) -> House:
    """Rows of another agent, each with the secret word; their ids are what the requests may hit."""
    with house.rows() as conn:
        unit = rows.unit(conn, property_name=SECRET)
        values = {"unit_id": unit, "agent_id": house.marco}
        rows.add(conn, accounts.unit_agent_assignments, **values)
        each = rows.conversation(
            conn, platform_account_id=SPAREROOM, lead_name=SECRET, assigned_agent_id=house.marco
        )
        message = rows.message(conn, each, body=SECRET)
        rows.message(conn, each, "outbound", body=SECRET, metadata={"reviewStatus": "draft"})
        rows.decision(conn, each, message, platform_account_id=SPAREROOM, reply_body=SECRET)
        rows.dispatch(conn, each, platform_account_id=SPAREROOM, body=SECRET, state="dead_letter")
        rows.showing(
            conn,
            house.marco,
            unit,
            platform_account_id=SPAREROOM,
            conversation_id=each,
            notes=SECRET,
            busy_from=rows.NOW,
            busy_until=rows.NOW + rows.HOUR,
        )
        span = {"starts_at": rows.NOW, "ends_at": rows.NOW + rows.HOUR, "timezone": "UTC", "notes": SECRET}
        slot = rows.add(conn, scheduling.agent_availability_slots, agent_id=house.marco, **span)
        record(conn, [AuditEntry("worker", "message", "1", "note", {"word": SECRET}, conversation_id=each)])
    ids = {"unit": unit, "conversation": each, "message": message, "slot": slot, "agent": house.marco}
    house.__dict__["foreign"] = ids
    return house


@pytest.mark.timeout(600)
def test_no_request_breaks_the_api_or_leaks(foreign: House) -> None:
    answered: Counter[str] = Counter()
    broken: list[str] = []
    known: list[UUID] = list(foreign.__dict__["foreign"].values())

    def send(who: str, case: Any, number: int) -> None:
        values = dict(case.path_parameters or {})
        for name in values:
            # Half of the requests hit a row that exists.
            if number % 2 and name.lower().endswith("id"):
                values[name] = str(known[number // 2 % len(known)])
        case.path_parameters = values
        arguments = case.as_transport_kwargs(base_url="http://localhost:3001")
        arguments.pop("timeout", None)
        headers = {
            k: v for k, v in dict(arguments.pop("headers", None) or {}).items() if k.lower() != "cookie"
        }
        if who != "stranger":
            headers["cookie"] = foreign.cookies[who]
        arguments.pop("cookies", None)
        answer = foreign.client.request(headers=headers, **arguments)
        answered[f"{who} {answer.status_code // 100}xx"] += 1
        place = f"{who} {case.method} {case.operation.path}: {answer.status_code}"
        if answer.status_code >= 500 and "invite_delivery_failed" not in answer.text:
            broken.append(f"{place} {answer.text[:200]}")
        if who != "admin" and SECRET in answer.text:
            broken.append(f"{place} leaks")
        if who == "stranger" and answer.status_code < 300 and not _is_public(case.operation.path):
            broken.append(f"{place} is open to strangers")

    for operation in OPERATIONS:
        numbers = iter(range(10_000))
        for who in ("admin", "agent", "stranger"):

            @seed(20261125)
            @settings(
                max_examples=EXAMPLES,
                deadline=None,
                database=None,
                phases=[Phase.generate],
                suppress_health_check=list(HealthCheck),
            )
            @given(case=operation.as_strategy())
            def try_some(case: Any) -> None:
                send(who, case, next(numbers))  # noqa: B023 - called before the next turn

            try_some()
    print(f"\n{sum(answered.values())} requests: {dict(sorted(answered.items()))}")  # noqa: T201
    assert broken == []
    assert answered["admin 2xx"] > 20


def _is_public(path: str) -> bool:
    return path.startswith(("/health", "/ready", "/metrics", "/api/auth/", "/api/invitations/"))
