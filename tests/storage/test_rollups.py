"""Tallies beside the logs: the figures are those of the rows, whenever and however often they are brought up to date."""

from __future__ import annotations

import random
import threading
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from sqlalchemy import Connection, event, text

from leasebot_pipeline.storage import rollups
from leasebot_pipeline.storage.observability import Snapshot, SnapshotRequest, take_snapshot
from leasebot_pipeline.storage.rollups import marks, tallies
from tests.api.observability_rows import Rows
from tests.conftest import Database

NOW = datetime(2026, 3, 2, 12, 3, 20, tzinfo=UTC)
REQUEST = SnapshotRequest(
    now=NOW, window_hours=24, audit_limit=5, error_limit=5, signal_limit=100, ingest_p95_target_ms=1
)


@pytest.fixture
def rows(database: Database) -> Iterator[Rows]:
    with database.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as conn:
        yield Rows(conn, NOW)


def snapshot(conn: Connection, hours: int = 24) -> Snapshot:
    return take_snapshot(conn, replace(REQUEST, window_hours=hours))


def both(database: Database, hours: int) -> tuple[Snapshot, Snapshot]:
    """By the tallies, and read live from the same rows."""
    with database.engine.connect() as conn:
        quick = snapshot(conn, hours)
        conn.execute(text('DELETE FROM "DigestMarks"'))
        return quick, snapshot(conn, hours)


def write_at_random(rows: Rows, dice: random.Random, many: int) -> None:
    """Audit rows of every kind about few things, many of them about the same one in several slices."""
    for _ in range(many):
        action = dice.choice(
            [
                *("ai_reply_decision", "ai_reply_escalated", "ai_reply_skipped") * 4,
                "workflow_state_transitioned",
                "ai_reply_error",
                "platform_dispatch_error",
                *("ingest_conversation_linkage_resolved", "ingest_conversation_linkage_unresolved") * 3,
                "seed_applied",
            ]
        )
        about = (
            ("conversation", f"c-{dice.randrange(6)}")
            if action.startswith("ingest")
            else ("message", f"m-{dice.randrange(12)}")
        )
        rows.audit(
            action,
            hours=dice.choice([dice.uniform(0, 0.5), dice.uniform(0, 26), 24 - dice.uniform(0, 0.2), 30]),
            entity=about,
            actor=dice.choice([("worker", None), ("admin", "root"), ("worker", "a-1")]),
            platform=dice.choice([None, "roomies", "renthop"]),
            details={
                "outcome": dice.choice(["escalate", "draft"]),
                "escalationReasonCode": dice.choice([None, "escalate_one", "escalate_two", "other"]),
                "conversationId": f"c-{dice.randrange(6)}",
                "stage": dice.choice(["pipeline", "dispatch"]),
                "linkage": {"strategy": dice.choice(["unit_id", "title"])},
                "previous": {"workflowState": "lead"},
                "next": {"workflowState": dice.choice(["lead", "showing"])},
            },
        )


def land_at_random(rows: Rows, account: UUID, dice: random.Random, many: int) -> None:
    for _ in range(many):
        rows.landed(
            account,
            "roomies",
            dice.choice([dice.uniform(0, 100), 60, dice.uniform(0, 4 * 3600), -5]),
            hours=dice.choice([dice.uniform(0, 26), 24 - dice.uniform(0, 0.2)]),
            has_time=dice.random() < 0.9,
        )


@pytest.mark.parametrize("seed", range(4))
def test_the_figures_are_the_same_with_and_without_tallies(
    database: Database, rows: Rows, seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Rows older than what is counted keep arriving, slices are counted in pieces of any size, a tail stays live."""
    dice = random.Random(seed)
    monkeypatch.setattr(rollups, "AT_ONCE", dice.choice([7, 1000]))
    account = rows.account("roomies")
    rows.visit(account, "roomies", "succeeded", hours=29)
    for before_h in (2.5, 1.2, 0.3, 0):
        write_at_random(rows, dice, dice.randrange(10, 80))
        land_at_random(rows, account, dice, dice.randrange(60))
        rollups.advance(database.engine, NOW - timedelta(hours=before_h))
        for hours in (1, 24, 25):
            quick, live = both(database, hours)
            assert quick == live
    write_at_random(rows, dice, 30)
    land_at_random(rows, account, dice, 10)
    for hours in (1, 23, 24, 25, 168):
        quick, live = both(database, hours)
        assert quick == live
    assert live.core_metrics.audit_events > 60


def test_whole_slices_are_read_from_the_tallies_and_survive_their_rows(
    database: Database, rows: Rows
) -> None:
    for number in range(50):
        rows.audit("ai_reply_decision", hours=3, entity=("message", str(number)), platform="roomies")
    rollups.advance(database.engine, NOW)
    rows.conn.execute(text('DELETE FROM "AuditLogs"'))  # archived
    with database.engine.connect() as conn:
        assert snapshot(conn).core_metrics.ai_decisions == 50
        assert snapshot(conn).signals.audit_by_platform[0].count == 50


def test_a_row_that_commits_late_is_counted_once(database: Database, rows: Rows) -> None:
    """Its id and its time lie before rows that are long visible: nothing beyond it is counted before it ends."""
    insert = text("""INSERT INTO "AuditLogs" (actor_type, entity_type, entity_id, action, created_at)
                     VALUES ('worker', 'message', :entity, 'ai_reply_created', :at)""")
    with database.engine.connect() as late, late.begin() as transaction:
        late.execute(insert, {"entity": "late", "at": rows.at(2)})
        for number in range(3):
            rows.conn.execute(insert, {"entity": str(number), "at": rows.at(1)})
        assert rollups.advance(database.engine, NOW).waiting == (marks.AUDIT,)
        with database.engine.connect() as conn:
            assert marks.find(conn, marks.AUDIT) is None
            assert snapshot(conn).core_metrics.ai_replies_created == 3
        counting = threading.Thread(target=rollups.advance, args=(database.engine, NOW))
        counting.start()
        transaction.commit()
        counting.join()
    rollups.advance(database.engine, NOW)
    quick, live = both(database, 24)
    assert quick == live
    assert quick.core_metrics.ai_replies_created == 4
    with database.engine.connect() as conn:
        mark = marks.find(conn, marks.AUDIT)
        assert mark is not None
        assert mark.through_id == conn.execute(text('SELECT max(id) FROM "AuditLogs"')).scalar_one()


def test_many_counters_at_once_count_each_row_once(database: Database, rows: Rows) -> None:
    write_at_random(rows, random.Random(1), 100)
    threads = [threading.Thread(target=rollups.advance, args=(database.engine, NOW)) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    quick, live = both(database, 25)
    assert quick == live


def test_delays_are_sorted_anew_where_the_first_visit_changed(database: Database, rows: Rows) -> None:
    account = rows.account("roomies")
    for delay_s in (10, 3 * 3600):
        rows.landed(account, "roomies", delay_s)
    rollups.advance(database.engine, NOW)
    rows.visit(account, "roomies", "succeeded", hours=2)
    quick, live = both(database, 24)
    assert quick == live
    assert [entry.count for entry in quick.ingest_latency] == [0, 1, 0, 0, 0]


def test_slices_no_window_reaches_go_and_totals_stay(database: Database, rows: Rows) -> None:
    rows.audit("platform_dispatch_sent", hours=100, platform="roomies")
    rollups.advance(database.engine, NOW)
    later = NOW + timedelta(days=7)
    rollups.advance(database.engine, later)
    with database.engine.connect() as conn:
        kinds = conn.execute(text('SELECT kind, total FROM "Tallies" ORDER BY 1')).all()
        assert [tuple(row) for row in kinds] == [("total_action", 1)]


def messages_counted(conn: Connection) -> dict[tuple[str, str], int]:
    return {
        (row.k1, row.k2): int(row.total)
        for row in conn.execute(
            text("""SELECT k1, k2, sum(total) AS total FROM "Tallies" WHERE kind = 'message'
                     GROUP BY 1, 2 HAVING sum(total) <> 0""")
        )
    }


def test_messages_are_counted_as_they_change(database: Database, rows: Rows) -> None:
    conversation = rows.conversation(rows.account("roomies"))
    draft = rows.message(conversation, "outbound", review="draft")
    rows.message(conversation, "inbound", sent_at_known=False)
    rows.message(conversation, "outbound", review="hold", hours=400)
    rollups.advance(database.engine, NOW)
    rows.conn.execute(
        text("""UPDATE "Messages" SET metadata = '{"reviewStatus": "sent"}' WHERE id = :id"""), {"id": draft}
    )
    rows.conn.execute(text("""UPDATE "Messages" SET body = 'new' """))
    assert messages_counted(rows.conn) == {
        ("inbound", ""): 1,
        ("outbound", "hold"): 1,
        ("outbound", "sent"): 1,
    }
    rows.conn.execute(text("""DELETE FROM "Messages" WHERE id = :id"""), {"id": draft})
    rollups.advance(database.engine, NOW)
    assert messages_counted(rows.conn) == {("inbound", ""): 1, ("outbound", "hold"): 1}
    assert rows.conn.execute(text('SELECT count(*) FROM "Tallies" WHERE NOT merged')).scalar_one() == 0


def test_rows_loaded_past_the_triggers_are_found_and_mended(database: Database, rows: Rows) -> None:
    conversation = rows.conversation(rows.account("roomies"))
    rows.conn.execute(text("SET session_replication_role = replica"))
    for review in ("draft", "sent"):
        rows.message(conversation, "outbound", review=review)
    rows.conn.execute(text("SET session_replication_role = origin"))
    rows.message(conversation, "inbound")
    with database.engine.begin() as conn:
        assert snapshot(conn).core_metrics.outbound_messages == 0
        assert tallies.mend(conn, NOW) == 2
        assert snapshot(conn).core_metrics.outbound_messages == 2
        assert snapshot(conn).core_metrics.outbound_pending_review == 1
        assert tallies.mend(conn, NOW) == 0


def test_counting_takes_the_same_statements_for_any_number_of_rows(database: Database, rows: Rows) -> None:
    counted: list[int] = []
    for many in (5, 200):
        write_at_random(rows, random.Random(many), many)
        statements: list[str] = []

        def seen(
            _c: object, _cursor: object, statement: str, *_: object, into: list[str] = statements
        ) -> None:
            into.append(statement)

        rollups.advance(database.engine, NOW)
        event.listen(database.engine, "before_cursor_execute", seen)
        write_at_random(rows, random.Random(many + 1), many)
        rollups.advance(database.engine, NOW)
        event.remove(database.engine, "before_cursor_execute", seen)
        counted.append(len([one for one in statements if 'INSERT INTO "Tallies"' in one]))
    assert counted[0] == counted[1]
