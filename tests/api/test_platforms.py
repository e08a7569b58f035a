"""Accounts' switches and health."""

from __future__ import annotations

from datetime import timedelta
from uuid import uuid4

import pytest
from sqlalchemy import text

from leasebot_pipeline.storage.audit import AuditEntry, record
from tests.api.house import SPAREROOM, House
from tests.storage import rows

POLICY = f"/api/admin/platform-policies/{SPAREROOM}"


def test_all_five_platforms_are_there(house: House) -> None:
    """Behaviours 16 and 18."""
    found = house.ask("admin", "GET", "/api/admin/platform-policies").json()
    assert found["requiredPlatforms"] == ["spareroom", "roomies", "leasebreak", "renthop", "furnishedfinder"]
    assert (found["missingPlatforms"], found["globalDefaultSendMode"]) == ([], "draft_only")
    assert [item["platform"] for item in found["items"]] == sorted(found["requiredPlatforms"])
    assert {item["integrationMode"] for item in found["items"]} == {"rpa"}
    assert found["items"][0]["credentials"] == {"sessionRef": "env:SESSION"}


def test_a_platform_without_account_is_missing(house: House) -> None:
    """Behaviour 17."""
    with house.rows() as conn:
        conn.execute(
            text("""DELETE FROM "PlatformAccounts" WHERE platform IN ('renthop', 'furnishedfinder')""")
        )
    found = house.ask("admin", "GET", "/api/admin/platform-policies").json()
    assert found["missingPlatforms"] == ["renthop", "furnishedfinder"]


def test_every_faulty_field_of_a_policy_is_named(house: House) -> None:
    """Behaviour 19."""
    body = {"sendMode": "send_now", "credentials": {"password": "hunter2"}, "integrationMode": "api"}
    refused = house.ask("admin", "PUT", POLICY, body)
    assert (refused.status_code, refused.json()["error"]) == (400, "validation_error")
    assert {detail.split(":")[0] for detail in refused.json()["details"]} == {
        "sendMode",
        "credentials.password",
        "integrationMode",
    }
    assert "hunter2" not in refused.text


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"isActive": None},
        {"isActive": "perhaps"},
        {"credentials": {}},
        {"credentials": {"token": "env:X"}},
        {"credentials": {"loginId": "env:X"}},
        {"credentials": {"sessionRef": "env:"}},
    ],
)
def test_a_useless_policy_is_refused(house: House, body: dict[str, object]) -> None:
    assert house.ask("admin", "PUT", POLICY, body).status_code == 400


def test_an_account_is_switched_off_with_a_reason(house: House) -> None:
    """Behaviours 20, 22; the credentials' values stay references, the audit has their names only."""
    body = {
        "isActive": False,
        "sendMode": None,
        "integrationMode": "rpa",
        "credentials": {"loginIdRef": "env:LOGIN", "passwordRef": "secret:PASSWORD"},
        "disableReason": "captcha",
    }
    answer = house.ask("admin", "PUT", POLICY, body)
    assert answer.status_code == 200
    policy = answer.json()
    assert (policy["isActive"], policy["sendModeOverride"], policy["sendMode"]) == (False, None, "draft_only")
    assert policy["credentials"] == body["credentials"]
    [audit] = house.audits("platform_policy_updated")
    assert (audit["actor_type"], audit["platform"], audit["details"]["isActive"]) == (
        "user",
        "spareroom",
        False,
    )
    assert audit["details"]["updates"]["credentialKeys"] == ["loginIdRef", "passwordRef"]
    assert "LOGIN" not in str(audit["details"])
    health = {
        h["platform"]: h for h in house.ask("admin", "GET", "/api/admin/platform-health").json()["items"]
    }
    assert (health["spareroom"]["health"], health["spareroom"]["disableReason"]) == ("inactive", "captcha")
    assert house.ask("admin", "PUT", POLICY, {"isActive": True}, if_match='"1"').status_code == 412
    assert (
        house.ask("admin", "PUT", POLICY, {"isActive": True}, if_match=answer.headers["etag"]).status_code
        == 200
    )
    assert (
        house.ask("admin", "PUT", f"/api/admin/platform-policies/{uuid4()}", {"isActive": True}).status_code
        == 404
    )


def test_health_counts_the_errors_of_a_day(house: House) -> None:
    """Behaviour 23."""
    with house.rows() as conn:
        record(conn, [AuditEntry("worker", "message", "1", "ai_reply_error", platform="roomies")])
        conn.execute(
            text('UPDATE "AuditLogs" SET created_at = :at'), {"at": house.clock() - timedelta(hours=1)}
        )
        conversation = rows.conversation(conn, platform_account_id=SPAREROOM)
        rows.message(conn, conversation, sent_at=house.clock() - timedelta(hours=2))
    answer = house.ask("admin", "GET", "/api/admin/platform-health").json()
    health = {item["platform"]: item for item in answer["items"]}
    assert answer["generatedAt"] == "2026-03-02T12:00:00.000Z"
    assert (health["roomies"]["health"], health["roomies"]["errorCount24h"]) == ("degraded", 1)
    assert health["roomies"]["error"] == {"count24h": 1, "lastErrorAt": "2026-03-02T11:00:00.000Z"}
    assert (health["spareroom"]["health"], health["spareroom"]["error"]) == (
        "healthy",
        {"count24h": 0, "lastErrorAt": None},
    )
    assert health["spareroom"]["lastSuccessfulIngestAt"] == "2026-03-02T10:00:00.000Z"


@pytest.mark.parametrize(
    ("method", "path"),
    [("GET", "/api/admin/platform-policies"), ("PUT", POLICY), ("GET", "/api/admin/platform-health")],
)
def test_accounts_are_for_administrators(house: House, method: str, path: str) -> None:
    assert house.ask("stranger", method, path, {}).status_code == 401
    assert house.ask("agent", method, path, {}).status_code == 403
