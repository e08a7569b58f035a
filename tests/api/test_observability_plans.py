"""The plans of the snapshot's statements: what is old costs nothing, what is counted is not read again."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from sqlalchemy import Connection, text

from leasebot_pipeline.storage import rollups
from leasebot_pipeline.storage.figures import figures
from leasebot_pipeline.storage.observability import SnapshotRequest, take_snapshot
from tests.api.conftest import MovableClock
from tests.conftest import Database
from tests.plans import explained, rows_read, statements_of

OLD_ROWS = 30_000
IN_WINDOW = 20_000


@pytest.fixture
def grown(database: Database, clock: MovableClock) -> Iterator[Connection]:
    """A connection to a database whose rows are nearly all older than the window."""
    with database.engine.connect() as conn:
        parameters = {"now": clock(), "rows": OLD_ROWS}
        conn.execute(
            text("""INSERT INTO "PlatformAccounts" (platform, account_name, account_external_id)
                    VALUES ('spareroom', 'Account', 'plans')""")
        )
        conn.execute(
            text("""INSERT INTO "AuditLogs" (actor_type, entity_type, entity_id, action, created_at)
                    SELECT 'worker', 'message', g::text,
                           (ARRAY['ai_reply_decision', 'ai_reply_created', 'workflow_state_transitioned'])[1 + g % 3],
                           :now - g * interval '5 minutes'
                      FROM generate_series(1, :rows) g"""),
            parameters,
        )
        conn.execute(
            text("""INSERT INTO "PlatformRuns" (platform_account_id, platform, action, triggered_by, started_at, outcome)
                    SELECT id, platform, 'ingest', 'test', :now - g * interval '5 minutes', 'succeeded'
                      FROM "PlatformAccounts", generate_series(1, :rows) g"""),
            parameters,
        )
        conn.execute(
            text("""INSERT INTO "InboundEvents" (platform_account_id, platform, external_thread_id, external_message_id,
                           identity_source, direction, body, landed_at)
                    SELECT id, platform, 't', g::text, 'platform', 'inbound', 'text', :now - g * interval '5 minutes'
                      FROM "PlatformAccounts", generate_series(1, :rows) g"""),
            parameters,
        )
        for table in ("AuditLogs", "PlatformRuns", "InboundEvents"):
            conn.execute(text(f'ANALYZE "{table}"'))
        yield conn
        conn.rollback()


def request(clock: MovableClock) -> SnapshotRequest:
    return SnapshotRequest(
        now=clock(), window_hours=24, audit_limit=50, error_limit=25, signal_limit=25, ingest_p95_target_ms=1
    )


def test_no_statement_reads_a_large_table_from_end_to_end(grown: Connection, clock: MovableClock) -> None:
    for statement, parameters in statements_of(grown, lambda: take_snapshot(grown, request(clock))):
        plan = "\n".join(row[0] for row in grown.exec_driver_sql(f"EXPLAIN {statement}", parameters))
        for table in ("AuditLogs", "PlatformRuns", "InboundEvents"):
            assert f'Seq Scan on "{table}"' not in plan, f"{statement}\n{plan}"


@pytest.fixture
def counted(database: Database, clock: MovableClock) -> Iterator[Connection]:
    """A database with 20,000 audit rows and messages within the window, all counted but the newest 50 audit rows."""
    with database.engine.begin() as conn:
        parameters = {"now": clock(), "rows": IN_WINDOW}
        conn.execute(
            text("""INSERT INTO "PlatformAccounts" (platform, account_name, account_external_id)
                    VALUES ('spareroom', 'Account', 'plans')""")
        )
        conn.execute(
            text("""INSERT INTO "Conversations" (platform_account_id, external_thread_id)
                    SELECT id, 'thread' FROM "PlatformAccounts" """)
        )
        audits = text("""INSERT INTO "AuditLogs" (actor_type, entity_type, entity_id, action, details, platform, created_at)
                    SELECT 'worker', 'message', g::text,
                           (ARRAY['ai_reply_decision', 'ai_reply_created', 'ingest_conversation_linkage_resolved'])[1 + g % 3],
                           '{"outcome": "escalate"}', 'spareroom', :now - g * interval '4 seconds'
                      FROM generate_series(1, :rows) g""")
        conn.execute(audits, parameters)
        conn.execute(
            text("""INSERT INTO "Messages" (conversation_id, sender_type, direction, body, sent_at)
                    SELECT id, 'lead', 'inbound', 'text', :now - g * interval '4 seconds'
                      FROM "Conversations", generate_series(1, :rows) g"""),
            parameters,
        )
        conn.execute(
            text("""INSERT INTO "InboundEvents" (platform_account_id, platform, external_thread_id, external_message_id,
                           identity_source, direction, body, sent_at, sent_at_has_time, landed_at, ingested_at)
                    SELECT id, platform, 't', g::text, 'platform', 'inbound', 'text',
                           :now - (g * 4 + g % 900) * interval '1 second', true, :now - g * interval '4 seconds', :now
                      FROM "PlatformAccounts", generate_series(1, :rows) g"""),
            parameters,
        )
    rollups.advance(database.engine, clock())
    with database.engine.begin() as conn:
        conn.execute(audits, {"now": clock(), "rows": 50})
        for table in ("AuditLogs", "Messages", "InboundEvents", "Tallies", "ConversationTallies"):
            conn.execute(text(f'ANALYZE "{table}"'))
        yield conn


def test_what_is_counted_is_not_read_again(counted: Connection, clock: MovableClock) -> None:
    """The window holds 20,000 rows of each; read are the live ones, and slices."""
    snapshot = take_snapshot(counted, request(clock))
    assert snapshot.core_metrics.audit_events == IN_WINDOW + 50
    assert snapshot.core_metrics.inbound_messages == IN_WINDOW
    [latency] = [one for one in snapshot.ingest_latency if one.count]
    assert (latency.count, latency.p50_ms, latency.p95_ms) == (IN_WINDOW, 445_000, 854_000)
    for statement, parameters in statements_of(counted, lambda: take_snapshot(counted, request(clock))):
        plan = explained(counted, statement, parameters)
        for table in ("AuditLogs", "Messages"):
            assert rows_read(plan, table) <= 1_000, statement
        # The delays of the two steps a percentile lies in, to the exact one: about an eighth of them.
        assert rows_read(plan, "InboundEvents") <= IN_WINDOW / 6, statement


def test_a_scrape_reads_no_log(counted: Connection, clock: MovableClock) -> None:
    for statement, parameters in statements_of(counted, lambda: figures(counted, clock())):
        plan = explained(counted, statement, parameters)
        for table in ("AuditLogs", "Messages", "InboundEvents", "PlatformRuns"):
            assert rows_read(plan, table) <= 1, statement
