"""Audit rows carry their dimensions in columns and details, and no lead's address or number."""

from __future__ import annotations

from uuid import UUID

from sqlalchemy import Connection, event, text

from leasebot_pipeline.storage import audit
from leasebot_pipeline.storage.audit import AuditEntry
from tests.storage.conftest import ACCOUNT

CONVERSATION = UUID("61111111-1111-1111-1111-111111111101")


def entry(action: str = "ai_reply_decision", **details: object) -> AuditEntry:
    return AuditEntry(
        actor_type="worker",
        entity_type="message",
        entity_id="m1",
        action=action,
        details=details,
        platform="spareroom",
        platform_account_id=ACCOUNT,
        conversation_id=CONVERSATION,
        agent_id="agent-1",
        run_id="run-1",
    )


def stored(conn: Connection) -> dict[str, object]:
    details: dict[str, object] = conn.execute(text('SELECT details FROM "AuditLogs"')).scalar_one()
    return details


def test_dimensions_stand_in_columns_and_details(conn: Connection) -> None:
    audit.record(conn, [entry(intent="tour_request")])
    row = conn.execute(
        text(
            'SELECT platform, platform_account_id, conversation_id, agent_id, run_id, details FROM "AuditLogs"'
        )
    ).one()
    assert tuple(row)[:5] == ("spareroom", ACCOUNT, CONVERSATION, "agent-1", "run-1")
    assert row.details == {
        "platform": "spareroom",
        "platformAccountId": str(ACCOUNT),
        "conversationId": str(CONVERSATION),
        "agentId": "agent-1",
        "runId": "run-1",
        "intent": "tour_request",
    }


def test_unknown_dimensions_are_left_out(conn: Connection) -> None:
    audit.record(conn, [AuditEntry("system", "request", "GET /x", "api_error", {"error": "boom"})])
    assert stored(conn) == {"error": "boom"}


def test_any_number_of_entries_is_one_statement(conn: Connection) -> None:
    statements: list[str] = []
    event.listen(conn, "before_cursor_execute", lambda *args: statements.append(args[2]))
    audit.record(conn, [entry() for _ in range(1000)])
    audit.record(conn, [])
    assert len(statements) == 1
    assert conn.execute(text('SELECT count(*) FROM "AuditLogs"')).scalar_one() == 1000


def test_free_text_is_redacted_wherever_it_stands(conn: Connection) -> None:
    audit.record(
        conn,
        [
            entry(
                error="no answer from ana@example.org, +1 (212) 555-0187",
                retry={"reason": "call 2125550187"},
                evidence=[{"words": "mail me: ana@example.org"}],
                email="admin@example.org",
                messageId="12345678901234",
            )
        ],
    )
    details = stored(conn)
    assert details["error"] == "no answer from [REDACTED_EMAIL], [REDACTED_PHONE]"
    assert details["retry"] == {"reason": "call [REDACTED_PHONE]"}
    assert details["evidence"] == [{"words": "mail me: [REDACTED_EMAIL]"}]
    assert (details["email"], details["messageId"]) == ("admin@example.org", "12345678901234")


def test_text_with_quotes_and_percent_signs_is_stored_as_it_is(conn: Connection) -> None:
    hostile = """100% "sure"; '); DROP TABLE "Messages"; -- \\u0041 {braces} :name"""
    audit.record(conn, [entry(text=hostile)])
    assert stored(conn)["text"] == hostile
