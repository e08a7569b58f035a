"""Audit rows, visits and decisions as people look for them."""

from __future__ import annotations

import csv
import io
import json
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import text

from api.paging import encode
from leasebot_pipeline.storage.audit import AuditEntry, record
from leasebot_pipeline.storage.tables import operations
from tests.api.house import SPAREROOM, House
from tests.storage import rows

AUDIT = "/api/admin/audit"


@pytest.fixture
def told(house: House) -> House:
    """Six rows, a minute apart, the last one at the clock's time."""
    with house.rows() as conn:
        conversation = rows.conversation(conn, platform_account_id=SPAREROOM, assigned_agent_id=house.dana)
        entries = [
            AuditEntry("worker", "message", f"m{n}", action, {"n": n}, platform=platform, run_id=run)
            for n, (action, platform, run) in enumerate(
                [
                    ("ai_reply_decision", "spareroom", "r1"),
                    ("ai_reply_created", "spareroom", "r1"),
                    ("ai_reply_decision", "roomies", "r2"),
                    ("platform_dispatch_sent", "roomies", "r2"),
                    ("api_error", None, None),
                ]
            )
        ]
        entries.append(
            AuditEntry(
                "worker",
                "message",
                "m5",
                "ai_reply_escalated",
                {"words": "=1+1"},
                conversation_id=conversation,
                agent_id=str(house.dana),
                platform_account_id=SPAREROOM,
            )
        )
        record(conn, entries)
        conn.execute(
            text("""UPDATE "AuditLogs" SET created_at = CAST(:now AS timestamptz)
                      - make_interval(mins => 5 - right(entity_id, 1)::int)"""),
            {"now": house.clock()},
        )
    return house


def found(house: House, query: str) -> list[str]:
    answer = house.ask("admin", "GET", f"{AUDIT}?{query}")
    assert answer.status_code == 200, answer.text
    return [item["entityId"] for item in answer.json()["items"]]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("", ["m5", "m4", "m3", "m2", "m1", "m0"]),
        ("action=ai_reply_decision", ["m2", "m0"]),
        ("action=ai_reply_decision&action=api_error", ["m4", "m2", "m0"]),
        ("platform=roomies", ["m3", "m2"]),
        ("runId=r1", ["m1", "m0"]),
        (f"platformAccountId={SPAREROOM}", ["m5"]),
        ("entityId=m3&entityType=message", ["m3"]),
        ("since=2026-03-02T11:58:00Z&until=2026-03-02T12:00:00Z", ["m4", "m3"]),
        ("action=nothing", []),
    ],
)
def test_rows_are_found_by_any_dimension(told: House, query: str, expected: list[str]) -> None:
    assert found(told, query) == expected


def test_rows_are_found_by_agent_and_conversation(told: House) -> None:
    [row] = told.ask("admin", "GET", f"{AUDIT}?agentId={told.dana}").json()["items"]
    assert found(told, f"conversationId={row['conversationId']}") == ["m5"]


def test_pages_of_rows_join_up(told: House) -> None:
    seen: list[str] = []
    cursor: str | None = ""
    while cursor is not None:
        page = told.ask("admin", "GET", f"{AUDIT}?limit=4&cursor={cursor}").json()
        seen += [item["entityId"] for item in page["items"]]
        cursor = page["nextCursor"]
    assert seen == ["m5", "m4", "m3", "m2", "m1", "m0"]


@pytest.mark.parametrize(
    "query",
    [
        "platform=zillow",
        "conversationId=1",
        "since=yesterday",
        "since=2026-03-02T11:58:00",
        "agentId=%00",
        f"cursor={encode(('x', 1))}",
        f"cursor={encode(('2026-03-02T11:58:00+00:00', -1))}",
    ],
)
def test_a_faulty_search_is_refused(told: House, query: str) -> None:
    assert told.ask("admin", "GET", f"{AUDIT}?{query}").status_code == 400


def test_the_export_has_every_row_and_no_formula(told: House) -> None:
    answer = told.ask("admin", "GET", f"{AUDIT}/export?until=2026-03-02T12:00:01Z")
    assert answer.headers["content-disposition"] == 'attachment; filename="audit-20260302T120000Z.csv"'
    exported = list(csv.DictReader(io.StringIO(answer.text)))
    assert [row["entityId"] for row in exported] == ["m5", "m4", "m3", "m2", "m1", "m0"]
    assert exported[0]["createdAt"] == "2026-03-02T12:00:00.000Z"
    assert not exported[0]["details"].startswith("=")
    answer = told.ask("admin", "GET", f"{AUDIT}/export?format=json&runId=r1")
    lines = [json.loads(line) for line in answer.text.splitlines()]
    assert [line["details"]["n"] for line in lines] == [1, 0]
    assert len(told.audits("audit_exported")) == 2
    assert told.ask("admin", "GET", f"{AUDIT}/export?format=xml").status_code == 400


def test_a_spreadsheet_takes_no_words_for_a_formula(told: House) -> None:
    with told.rows() as conn:
        record(conn, [AuditEntry("worker", "message", "=cmd()", "note")])
    text_ = told.ask("admin", "GET", f"{AUDIT}/export?action=note").text
    [row] = csv.DictReader(io.StringIO(text_))
    assert row["entityId"] == "'=cmd()"


def test_visits_are_listed_by_platform_action_and_outcome(house: House) -> None:
    with house.rows() as conn:
        for n, (action, outcome) in enumerate(
            [("ingest", "succeeded"), ("send", "failed"), ("ingest", "running")]
        ):
            values: dict[str, Any] = {
                "platform_account_id": SPAREROOM,
                "platform": "spareroom",
                "triggered_by": "test",
            }
            values |= {
                "action": action,
                "outcome": outcome,
                "started_at": house.clock() + timedelta(minutes=n),
            }
            rows.add(conn, operations.platform_runs, **values)

    def seen(query: str) -> list[tuple[str, str]]:
        items = house.ask("admin", "GET", f"/api/admin/platform-runs?{query}").json()["items"]
        return [(item["action"], item["outcome"]) for item in items]

    assert seen("") == [("ingest", "running"), ("send", "failed"), ("ingest", "succeeded")]
    assert seen("action=ingest&outcome=succeeded") == [("ingest", "succeeded")]
    assert seen("platform=roomies") == []
    first = house.ask("admin", "GET", "/api/admin/platform-runs?limit=1").json()
    assert seen(f"limit=1&cursor={first['nextCursor']}") == [("send", "failed")]
    assert house.ask("admin", "GET", "/api/admin/platform-runs?outcome=lost").status_code == 400


def test_a_decision_tells_all_its_reasons(house: House) -> None:
    with house.rows() as conn:
        own = rows.conversation(conn, platform_account_id=SPAREROOM, assigned_agent_id=house.dana)
        foreign = rows.conversation(conn, platform_account_id=SPAREROOM)
        decided = []
        for conversation, outcome in ((own, "send"), (foreign, "escalate")):
            message = rows.message(conn, conversation)
            values = {
                "platform_account_id": SPAREROOM,
                "outcome": outcome,
                "reasons": ["b", "a"],
                "reason": "b",
            }
            decided.append(rows.decision(conn, conversation, message, **values))
        rows.dispatch(conn, own, decision_id=decided[0], state="queued", platform_account_id=SPAREROOM)
    told = house.ask("agent", "GET", f"/api/decisions/{decided[0]}").json()
    assert (told["reasons"], told["outcome"], told["dispatchState"]) == (["b", "a"], "send", "queued")
    assert house.ask("agent", "GET", f"/api/decisions/{decided[1]}").status_code == 404
    assert house.ask("admin", "GET", f"/api/decisions/{uuid4()}").status_code == 404

    def seen(who: str, query: str = "") -> set[str]:
        return {item["id"] for item in house.ask(who, "GET", f"/api/decisions?{query}").json()["items"]}

    assert seen("agent") == {str(decided[0])}
    assert seen("admin") == {str(d) for d in decided}
    assert seen("admin", "outcome=escalate") == {str(decided[1])}
    assert seen("admin", f"conversationId={own}&reason=b") == {str(decided[0])}


@pytest.mark.parametrize("path", [AUDIT, f"{AUDIT}/export", "/api/admin/platform-runs"])
def test_these_are_for_administrators(house: House, path: str) -> None:
    assert house.ask("stranger", "GET", path).status_code == 401
    assert house.ask("agent", "GET", path).status_code == 403
