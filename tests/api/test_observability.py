"""The observability snapshot over HTTP: each number against rows written by hand."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from sqlalchemy import event, text
from starlette.testclient import TestClient

from api.routes.observability import clamp_integer
from leasebot_pipeline.storage.observability import SnapshotRequest, take_snapshot
from tests.api.conftest import MovableClock
from tests.api.observability_rows import Rows
from tests.conftest import Database

URL = "/api/admin/observability"
PLATFORMS = ["spareroom", "roomies", "leasebreak", "renthop", "furnishedfinder"]


@pytest.fixture
def rows(database: Database, clock: MovableClock) -> Iterator[Rows]:
    with database.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as conn:
        yield Rows(conn, clock())


@pytest.fixture
def snapshot(admin: TestClient) -> Callable[..., dict[str, Any]]:
    def get(**query: object) -> dict[str, Any]:
        answer = admin.get(URL, params={name: str(value) for name, value in query.items()})
        assert answer.status_code == 200, answer.text
        body: dict[str, Any] = answer.json()
        return body

    return get


Get = Callable[..., dict[str, Any]]


def test_strangers_and_agents_see_nothing(client: TestClient) -> None:
    """Behaviour 9, the stranger."""
    answer = client.get(URL)
    assert (answer.status_code, answer.json()) == (401, {"error": "unauthorized"})


def test_agents_are_told_which_role_they_lack(agent: TestClient) -> None:
    """Behaviour 9, the agent."""
    answer = agent.get(URL)
    assert answer.status_code == 403
    assert answer.json() == {"error": "forbidden", "requiredRoles": ["admin"], "currentRole": "agent"}


@pytest.mark.parametrize(
    ("given", "used"),
    [
        ("24", 24),
        ("0", 1),
        ("999", 168),
        ("abc", 8),
        (None, 8),
        ("", 8),
        ("2.5", 8),
        ("-3", 1),
        ("1_0", 8),
        ("9" * 30, 168),
    ],
)
def test_a_limit_is_clamped_or_has_its_default(given: str | None, used: int) -> None:
    """Behaviour 12, and fault G-33: a missing parameter is not zero."""
    assert clamp_integer(given, 1, 168, 8) == used


def test_parameters_reach_the_snapshot_clamped(snapshot: Get, rows: Rows) -> None:
    """Behaviour 10."""
    for number in range(230):
        rows.audit("ai_reply_error", entity=("message", f"m-{number}"), platform=f"p{number}")
    body = snapshot(windowHours=0, auditLimit=999, errorLimit="bad", signalLimit=999)
    assert body["windowHours"] == 1
    assert len(body["recentAudit"]) == 200
    assert len(body["recentErrors"]) == 25
    assert len(body["signals"]["auditByPlatform"]) == 100
    assert snapshot()["windowHours"] == 24
    assert len(snapshot()["recentAudit"]) == 50
    assert len(snapshot()["signals"]["auditByPlatform"]) == 25


def test_an_empty_system_has_zeros_and_no_invented_values(snapshot: Get) -> None:
    body = snapshot()
    assert set(body["coreMetrics"].values()) == {0}
    assert len(body["coreMetrics"]) == 18
    signals = body["signals"]
    assert signals.pop("humanRequiredQueue") == {"open": 0, "oldestWaitingSeconds": None, "byPlatform": []}
    assert signals.pop("ingestLinkage") == {
        "resolved": 0,
        "unresolved": 0,
        "byStrategy": [],
        "coverage": None,
    }
    lists = [
        "escalationReasons",
        "bookingsByStatus",
        "bookingsByPlatform",
        "platformFailures",
        "auditByPlatform",
        "auditByAgent",
        "auditByConversation",
        "workflowTransitions",
        "slotSource",
    ]
    assert signals == {name: [] for name in lists}
    assert [entry["platform"] for entry in body["ingestLatency"]] == PLATFORMS
    assert body["ingestLatency"][0] == {
        "platform": "spareroom",
        "p50Ms": None,
        "p95Ms": None,
        "count": 0,
        "targetMs": 60_000,
        "exceeded": False,
    }
    assert [entry["platform"] for entry in body["platformRuns"]] == PLATFORMS
    assert body["dispatch"] == {"queued": 0, "inFlight": 0, "unknown": 0, "deadLetter": 0}
    assert (body["recentErrors"], body["recentAudit"]) == ([], [])


def test_messages_are_counted_by_direction_and_review(snapshot: Get, rows: Rows) -> None:
    conversation = rows.conversation(rows.account("spareroom"))
    for _ in range(3):
        rows.message(conversation, "inbound")
    rows.message(conversation, "inbound", hours=25)
    rows.message(conversation, "inbound", hours=2, sent_at_known=False)
    rows.message(conversation, "inbound", hours=30, sent_at_known=False)
    rows.message(conversation, "outbound")
    rows.message(conversation, "outbound", review="sent")
    rows.message(conversation, "outbound", review="draft")
    rows.message(conversation, "outbound", review="draft", sent_at_known=False)
    rows.message(conversation, "outbound", review="hold")
    rows.message(conversation, "outbound", review="hold", hours=400)
    metrics = snapshot()["coreMetrics"]
    assert metrics["inboundMessages"] == 4
    assert metrics["outboundMessages"] == 5
    assert (metrics["outboundSent"], metrics["outboundDraft"], metrics["outboundHold"]) == (2, 2, 1)
    assert metrics["outboundPendingReview"] == 4, "of all time"


@pytest.mark.parametrize(
    ("metric", "actions"),
    [
        ("aiDecisions", ["ai_reply_decision"]),
        ("aiRepliesCreated", ["ai_reply_created"]),
        ("aiRepliesSkipped", ["ai_reply_skipped"]),
        ("aiEscalations", ["ai_reply_escalated"]),
        ("aiReplyErrors", ["ai_reply_error"]),
        ("platformDispatchErrors", ["platform_dispatch_error"]),
        ("platformDispatchDlq", ["platform_dispatch_dlq"]),
        ("bookingCreated", ["showing_booking_created"]),
        ("bookingReplayed", ["showing_booking_replayed"]),
        (
            "bookingConflicts",
            ["showing_booking_conflict", "showing_booking_idempotency_conflict", "showing_booking_failed"],
        ),
        ("adminReviewDecisions", ["inbox_message_approved", "inbox_message_rejected"]),
    ],
)
def test_audits_are_counted_by_action(snapshot: Get, rows: Rows, metric: str, actions: list[str]) -> None:
    """Behaviours 13 and 15."""
    for action in actions:
        rows.audit(action)
        rows.audit(action, hours=23.9)
        rows.audit(action, hours=24.1)
    metrics = snapshot()["coreMetrics"]
    assert metrics[metric] == 2 * len(actions)
    assert metrics["auditEvents"] == 2 * len(actions)
    assert sum(metrics.values()) == 4 * len(actions), "no other counter moves"
    assert snapshot(windowHours=36)["coreMetrics"][metric] == 3 * len(actions)


def test_an_escalation_counts_once_however_many_rows_tell_of_it(snapshot: Get, rows: Rows) -> None:
    """Fault G-34."""
    low = {"escalationReasonCode": "escalate_low_confidence", "outcome": "escalate"}
    for action in ("ai_reply_decision", "ai_reply_escalated", "ai_reply_skipped"):
        rows.audit(action, entity=("message", "m-1"), details=low)
    rows.audit("ai_reply_decision", entity=("message", "m-2"), details=low)
    rows.audit(
        "ai_reply_escalated",
        entity=("message", "m-3"),
        details={"decision": {"reason": "escalate_unsubscribe", "outcome": "escalate"}},
    )
    rows.audit("ai_reply_skipped", entity=("message", "m-4"), details={"outcome": "escalate"})
    rows.audit(
        "ai_reply_decision",
        entity=("message", "m-5"),
        details={"decision": {"reason": "eligible"}, "outcome": "send"},
    )
    rows.audit("ai_reply_decision", entity=("message", "m-6"), details=low, hours=25)
    rows.audit("ai_reply_error", entity=("message", "m-7"), details=low)
    assert snapshot()["signals"]["escalationReasons"] == [
        {"reasonCode": "escalate_low_confidence", "count": 2},
        {"reasonCode": "escalate_unsubscribe", "count": 1},
        {"reasonCode": "unknown", "count": 1},
    ]


def test_bookings_are_summed_by_status_and_by_platform(snapshot: Get, rows: Rows) -> None:
    """Behaviour 13."""
    spareroom, roomies = rows.account("spareroom"), rows.account("roomies")
    rows.booking(spareroom, "confirmed")
    rows.booking(roomies, "confirmed")
    rows.booking(roomies, "pending")
    rows.booking(spareroom, "cancelled")
    rows.booking(spareroom, "confirmed", hours=25)
    signals = snapshot()["signals"]
    assert signals["bookingsByStatus"] == [
        {"status": "confirmed", "count": 2},
        {"status": "cancelled", "count": 1},
        {"status": "pending", "count": 1},
    ]
    assert signals["bookingsByPlatform"] == [
        {"platform": "roomies", "count": 2},
        {"platform": "spareroom", "count": 2},
    ]


def test_failures_are_grouped_by_platform_stage_and_action(snapshot: Get, rows: Rows) -> None:
    """Behaviour 15: booking and API failures are among them."""
    stage: dict[str, object] = {"stage": "dispatch_outbound_message"}
    rows.audit("platform_dispatch_error", details=stage, platform="renthop")
    rows.audit("platform_dispatch_error", details={**stage, "platform": "renthop"})
    rows.audit("platform_dispatch_dlq", details=stage, platform="renthop")
    rows.audit("showing_booking_failed", platform="roomies")
    rows.audit("api_error", actor=("system", None), entity=("request", "GET /x"))
    rows.audit("platform_dispatch_error", details=stage, platform="renthop", hours=25)
    rows.audit("inbox_message_error", platform="renthop")
    assert snapshot()["signals"]["platformFailures"] == [
        {
            "platform": "renthop",
            "stage": "dispatch_outbound_message",
            "action": "platform_dispatch_error",
            "count": 2,
        },
        {
            "platform": "renthop",
            "stage": "dispatch_outbound_message",
            "action": "platform_dispatch_dlq",
            "count": 1,
        },
        {"platform": "roomies", "stage": "unknown", "action": "showing_booking_failed", "count": 1},
        {"platform": "unknown", "stage": "unknown", "action": "api_error", "count": 1},
    ]


def test_slices_use_the_columns_and_fall_back_to_the_details(snapshot: Get, rows: Rows) -> None:
    """Fault G-34: nothing that is known shows as unknown; behaviour 14: critical actions only."""
    conversation = rows.conversation(rows.account("spareroom"))
    rows.audit("ai_reply_decision", platform="spareroom", conversation=conversation, agent="agent-1")
    rows.audit(
        "ai_reply_created",
        details={"platform": "spareroom", "conversationId": str(conversation)},
        actor=("worker", "agent-1"),
    )
    rows.audit(
        "workflow_state_transitioned",
        details={"conversation": {"id": str(conversation)}},
        actor=("admin", "root"),
        agent="agent-1",
    )
    rows.audit(
        "workflow_no_reply_recovered", entity=("conversation", str(conversation)), actor=("system", None)
    )
    rows.audit("inbox_manual_reply_dispatched", platform="roomies", actor=("admin", "root"))
    rows.audit("ai_reply_decision", platform="spareroom", hours=25)
    rows.audit("ingest_conversation_linkage_resolved", platform="spareroom")
    signals = snapshot()["signals"]
    assert signals["auditByPlatform"] == [
        {"platform": "spareroom", "count": 2},
        {"platform": "unknown", "count": 2},
        {"platform": "roomies", "count": 1},
    ]
    assert signals["auditByAgent"] == [
        {"agentId": "agent-1", "actorType": "worker", "count": 2},
        {"agentId": "root", "actorType": "admin", "count": 2},
        {"agentId": "unknown", "actorType": "system", "count": 1},
    ]
    assert signals["auditByConversation"] == [
        {"conversationId": str(conversation), "count": 4},
        {"conversationId": "unknown", "count": 1},
    ]
    assert len(snapshot(signalLimit=1)["signals"]["auditByPlatform"]) == 1


def test_transitions_are_counted_from_state_to_state(snapshot: Get, rows: Rows) -> None:
    def moved(before: str, after: str) -> dict[str, object]:
        return {"previous": {"workflowState": before}, "next": {"workflowState": after}}

    rows.audit("workflow_state_transitioned", details=moved("lead", "showing"))
    rows.audit("workflow_state_transitioned", details=moved("lead", "showing"))
    rows.audit("workflow_state_transitioned", details=moved("showing", "showing"))
    rows.audit("workflow_no_reply_recovered", details={"trigger": "inbound_message"})
    rows.audit("workflow_state_transitioned", details=moved("lead", "showing"), hours=25)
    assert snapshot()["signals"]["workflowTransitions"] == [
        {"from": "lead", "to": "showing", "count": 2},
        {"from": "outcome", "to": "lead", "count": 1},
        {"from": "showing", "to": "showing", "count": 1},
    ]


def test_the_human_queue_tells_its_size_and_age(snapshot: Get, rows: Rows) -> None:
    spareroom, roomies = rows.account("spareroom"), rows.account("roomies")
    rows.conversation(spareroom, outcome="human_required", hours=2)
    rows.conversation(spareroom, outcome="human_required", hours=50)
    rows.conversation(roomies, outcome="human_required", hours=1)
    rows.conversation(roomies, outcome="human_required", hours=90, status="archived")
    rows.conversation(roomies, outcome="not_interested", hours=90)
    rows.conversation(roomies)
    assert snapshot(windowHours=1)["signals"]["humanRequiredQueue"] == {
        "open": 3,
        "oldestWaitingSeconds": 50 * 3600,
        "byPlatform": [{"platform": "spareroom", "count": 2}, {"platform": "roomies", "count": 1}],
    }


def test_slot_sources_are_counted_for_decisions_that_looked_for_slots(snapshot: Get, rows: Rows) -> None:
    account = rows.account("spareroom")
    conversation = rows.conversation(account)
    for source in ("unit_and_agent", "unit_and_agent", "none_available", None):
        rows.decision(conversation, account, source)
    rows.decision(conversation, account, "unit_and_agent", hours=25)
    assert snapshot()["signals"]["slotSource"] == [
        {"source": "unit_and_agent", "count": 2},
        {"source": "none_available", "count": 1},
    ]


def test_linkage_counts_each_conversation_by_its_newest_attempt(snapshot: Get, rows: Rows) -> None:
    def tried(conversation: str, strategy: str, *, resolved: bool, hours: float) -> None:
        rows.audit(
            f"ingest_conversation_linkage_{'resolved' if resolved else 'unresolved'}",
            entity=("conversation", conversation),
            actor=("system", None),
            details={"linkage": {"resolved": resolved, "strategy": strategy}},
            hours=hours,
        )

    tried("c-1", "none", resolved=False, hours=3)
    tried("c-1", "listing_external_id", resolved=True, hours=2)
    tried("c-2", "listing_external_id", resolved=True, hours=2)
    tried("c-3", "unit_id", resolved=True, hours=2)
    tried("c-4", "unresolved", resolved=False, hours=1)
    tried("c-5", "unresolved", resolved=False, hours=25)
    assert snapshot()["signals"]["ingestLinkage"] == {
        "resolved": 3,
        "unresolved": 1,
        "byStrategy": [
            {"strategy": "listing_external_id", "count": 2},
            {"strategy": "unit_id", "count": 1},
            {"strategy": "unresolved", "count": 1},
        ],
        "coverage": 0.75,
    }


def test_ingest_latency_is_platform_time_to_landing(snapshot: Get, rows: Rows) -> None:
    """Fault G-68: the delay of each message, not the duration of a visit."""
    spareroom, roomies = rows.account("spareroom"), rows.account("roomies")
    for delay_s in range(1, 101):
        rows.landed(spareroom, "spareroom", delay_s)
    rows.landed(spareroom, "spareroom", 900, has_time=False)
    rows.landed(spareroom, "spareroom", 900, direction="outbound")
    rows.landed(spareroom, "spareroom", 900, hours=25)
    rows.landed(roomies, "roomies", 10)
    rows.landed(roomies, "roomies", -30)
    by_platform = {entry["platform"]: entry for entry in snapshot()["ingestLatency"]}
    assert by_platform["spareroom"] == {
        "platform": "spareroom",
        "p50Ms": 50_500,
        "p95Ms": 95_050,
        "count": 100,
        "targetMs": 60_000,
        "exceeded": True,
    }
    roomies_entry = by_platform["roomies"]
    assert (roomies_entry["p50Ms"], roomies_entry["count"], roomies_entry["exceeded"]) == (5_000, 2, False)


def test_what_was_written_before_the_first_visit_is_history_not_delay(snapshot: Get, rows: Rows) -> None:
    account = rows.account("renthop")
    rows.visit(account, "renthop", "failed", hours=2)
    rows.visit(account, "renthop", "succeeded", hours=1)
    rows.landed(account, "renthop", 40 * 24 * 3600)
    rows.landed(account, "renthop", 1800)
    entry = next(entry for entry in snapshot()["ingestLatency"] if entry["platform"] == "renthop")
    assert (entry["count"], entry["p95Ms"]) == (1, 1_800_000)


def test_visits_tell_the_last_success_and_the_last_failure(snapshot: Get, rows: Rows) -> None:
    first, second = rows.account("leasebreak"), rows.account("leasebreak")
    rows.visit(first, "leasebreak", "succeeded", hours=1)
    rows.visit(first, "leasebreak", "succeeded", hours=2)
    rows.visit(second, "leasebreak", "failed", hours=3, error=("transient", "TIMEOUT"))
    rows.visit(
        second, "leasebreak", "failed", hours=2.5, action="send", error=("needs_person", "SESSION_EXPIRED")
    )
    rows.visit(second, "leasebreak", "failed", hours=30, error=("permanent", "OLD"))
    rows.visit(second, "leasebreak", "running", hours=0.1)
    rows.reached(first, ingest_hours=1, send_hours=None)
    rows.reached(second, ingest_hours=200, send_hours=100)
    entries = {entry["platform"]: entry for entry in snapshot()["platformRuns"]}
    assert entries["leasebreak"] == {
        "platform": "leasebreak",
        "succeeded": 2,
        "failed": 2,
        "lastSuccessfulIngestAt": "2026-03-02T11:00:00.000Z",
        "lastSuccessfulSendAt": "2026-02-26T08:00:00.000Z",
        "lastFailureAt": "2026-03-02T09:30:00.000Z",
        "lastFailureAction": "send",
        "lastFailureClass": "needs_person",
        "lastFailureCode": "SESSION_EXPIRED",
    }
    assert entries["spareroom"]["lastFailureAt"] is None


def test_dispatches_are_counted_by_where_they_stand(snapshot: Get, rows: Rows) -> None:
    account = rows.account("spareroom")
    conversation = rows.conversation(account)
    states = [
        *(
            "queued",
            "queued",
            "retry_scheduled",
            "claimed",
            "sending",
            "unknown",
            "dead_letter",
            "dead_letter",
        ),
        *("sent", "draft", "held", "cancelled"),
    ]
    for state in states:
        rows.dispatch(conversation, account, state)
    assert snapshot()["dispatch"] == {"queued": 3, "inFlight": 2, "unknown": 1, "deadLetter": 2}


def test_recent_items_are_the_newest_of_all_time(snapshot: Get, rows: Rows) -> None:
    """Behaviours 14 and 15."""
    rows.audit("seed_applied", hours=500)
    old = rows.audit(
        "api_error",
        hours=400,
        entity=("request", "GET /x"),
        actor=("system", None),
        details={"error": "boom"},
    )
    booking = rows.audit("showing_booking_failed", hours=300)
    twin = rows.audit("inbox_draft_error", hours=300)
    rows.audit("platform_dispatch_dlq", hours=1)
    body = snapshot(windowHours=1, auditLimit=2, errorLimit=3)
    assert [item["id"] for item in body["recentErrors"]] == [str(twin), str(booking), str(old)]
    assert body["recentErrors"][2] == {
        "id": str(old),
        "actorType": "system",
        "actorId": None,
        "entityType": "request",
        "entityId": "GET /x",
        "action": "api_error",
        "details": {"error": "boom"},
        "createdAt": "2026-02-13T20:00:00.000Z",
    }
    assert [item["action"] for item in body["recentAudit"]] == ["platform_dispatch_dlq", "inbox_draft_error"]


def test_personal_data_in_rows_of_the_earlier_system_is_not_shown(snapshot: Get, rows: Rows) -> None:
    """Fault G-56."""
    rows.audit(
        "showing_workflow_outcome_synced", details={"inboundBody": "call 020 7946 0958 or a@example.com"}
    )
    assert snapshot()["recentAudit"][0]["details"] == {
        "inboundBody": "call [REDACTED_PHONE] or [REDACTED_EMAIL]"
    }


def test_the_number_of_statements_does_not_depend_on_the_rows(
    database: Database, clock: MovableClock, rows: Rows
) -> None:
    """Behaviour 14: fifteen, though more is told than by the ten documented ones."""
    account = rows.account("spareroom")
    for _ in range(20):
        rows.conversation(account, outcome="human_required")
        rows.audit("ai_reply_error", platform="spareroom")
        rows.visit(account, "spareroom", "failed")
    statements: list[str] = []
    request = SnapshotRequest(
        now=clock(), window_hours=36, audit_limit=20, error_limit=10, signal_limit=25, ingest_p95_target_ms=1
    )

    def seen(_c: object, _cursor: object, statement: str, *_: object) -> None:
        statements.append(statement)

    with database.engine.connect() as conn:
        event.listen(conn, "before_cursor_execute", seen)
        take_snapshot(conn, request)
    assert len(statements) == 15


def test_all_numbers_belong_to_one_moment_and_nothing_is_written(
    admin: TestClient, database: Database
) -> None:
    """Behaviour 11: one connection; here also one read-only snapshot."""
    app: Any = admin.app
    reading = app.state.services.database

    def settings(conn: Any) -> tuple[str, str]:
        isolation = conn.execute(text("SHOW transaction_isolation")).scalar_one()
        return isolation, conn.execute(text("SHOW transaction_read_only")).scalar_one()

    assert admin.portal is not None
    assert admin.portal.call(reading.read, settings) == ("repeatable read", "on")
    assert admin.portal.call(reading.run, settings) == ("read committed", "off")
