"""A lead's personal data: all of it handed out, or all of it gone."""

from __future__ import annotations

import json
from uuid import UUID, uuid4

from sqlalchemy import text

from leasebot_pipeline.storage.audit import AuditEntry, record
from leasebot_pipeline.storage.tables import metadata
from tests.api.house import SPAREROOM, House
from tests.storage import rows

SECRET = "Zanzibar-Quux"
DIGEST = "0f1e2d3c4b5a69788796a5b4"


def lead(house: House) -> tuple[UUID, UUID]:
    """Two conversations of one person whose name, words and contact hold the secret word, and a stranger's."""
    with house.rows() as conn:
        told = {"platform_account_id": SPAREROOM, "lead_external_id": "p1", "lead_name": f"Ann {SECRET}"}
        first = rows.conversation(conn, **told, lead_contact={"email": f"{SECRET}@example.com"})
        second = rows.conversation(conn, **told)
        rows.conversation(conn, platform_account_id=SPAREROOM, lead_external_id="p2", lead_name="Bob")
        thread = rows.value(conn, 'SELECT external_thread_id FROM "Conversations" WHERE id = :id', id=first)
        rows.event(
            conn, platform_account_id=SPAREROOM, external_thread_id=thread, body=SECRET, payload={"a": SECRET}
        )
        message = rows.message(
            conn, first, body=f"I am {SECRET}", metadata={"leadName": SECRET, "intent": "unknown"}
        )
        decision = rows.decision(
            conn,
            first,
            message,
            platform_account_id=SPAREROOM,
            evidence={"w": SECRET},
            reply_body=f"Hi {SECRET}",
            record={"texts": DIGEST, "new": [1]},
        )
        draft = {
            "decision_id": decision,
            "body": f"Hi {SECRET}",
            "state": "draft",
            "platform_account_id": SPAREROOM,
        }
        rows.dispatch(conn, first, **draft)
        rows.message(conn, second, body=SECRET)
        entry = AuditEntry(
            "worker", "message", "1", "ai_reply_decision", {"evidence": [SECRET]}, conversation_id=first
        )
        record(conn, [entry])
    return first, second


def everything(house: House) -> str:
    with house.rows() as conn:
        tables = [name for name in metadata.tables if name not in ("user", "session", "account")]
        found = [
            conn.execute(text(f'SELECT to_jsonb(x)::text FROM "{name}" x')).scalars().all() for name in tables
        ]
    return json.dumps(found)


def test_an_export_has_all_of_a_lead_and_nothing_of_others(house: House) -> None:
    first, second = lead(house)
    answer = house.ask("admin", "GET", f"/api/admin/leads/{first}/export")
    assert answer.headers["content-disposition"].startswith("attachment")
    told = answer.json()
    assert {row["id"] for row in told["conversations"]} == {str(first), str(second)}
    assert [len(told[name]) for name in ("messages", "landedMessages", "decisions", "replies")] == [
        2,
        1,
        1,
        1,
    ]
    assert "Bob" not in answer.text
    assert len(house.audits("lead_data_exported")) == 2


def test_an_erased_lead_is_nowhere(house: House) -> None:
    first, second = lead(house)
    address = f"/api/admin/leads/{second}/erase"
    assert house.ask("admin", "POST", address, {"reason": "asked for it"}).status_code == 400
    done = house.ask("admin", "POST", address, {"reason": "asked for it", "confirm": True})
    assert done.status_code == 200, done.text
    assert set(done.json()["conversations"]) == {str(first), str(second)}
    assert SECRET not in everything(house)
    assert DIGEST not in everything(house), "short texts can be guessed from their digest"
    with house.rows() as conn:
        assert rows.value(conn, 'SELECT record FROM "Decisions"') == {"new": [1]}
        assert rows.value(conn, 'SELECT state FROM "OutboundDispatches"') == "cancelled"
        assert rows.value(conn, """SELECT count(*) FROM "Conversations" WHERE lead_name = 'Bob'""") == 1
        assert rows.value(conn, 'SELECT outcome FROM "Decisions"') == "send", "what happened stays"
    assert len(house.audits("lead_data_erased")) == 2


def test_nothing_is_erased_while_a_reply_is_under_way(house: House) -> None:
    first, _ = lead(house)
    with house.rows() as conn:
        rows.dispatch(conn, first, state="unknown", platform_account_id=SPAREROOM)
    body = {"reason": "asked for it", "confirm": True}
    refused = house.ask("admin", "POST", f"/api/admin/leads/{first}/erase", body)
    assert (refused.status_code, refused.json()["error"]) == (409, "reply_under_way")
    assert SECRET in everything(house)


def test_personal_data_is_for_administrators(house: House) -> None:
    first, _ = lead(house)
    for method, path in (("GET", "export"), ("POST", "erase")):
        address = f"/api/admin/leads/{first}/{path}"
        assert house.ask("agent", method, address, {}).status_code == 403
        assert house.ask("stranger", method, address, {}).status_code == 401
    assert house.ask("admin", "GET", f"/api/admin/leads/{uuid4()}/export").status_code == 404
