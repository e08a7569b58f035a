"""The plans of the snapshot's statements: what is old costs nothing."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import Connection, event, text

from leasebot_pipeline.storage.observability import SnapshotRequest, take_snapshot
from tests.api.conftest import MovableClock
from tests.conftest import Database

OLD_ROWS = 30_000


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


def test_no_statement_reads_a_large_table_from_end_to_end(grown: Connection, clock: MovableClock) -> None:
    statements: list[tuple[str, Any]] = []

    def seen(_c: object, _cursor: object, statement: str, parameters: Any, *_: object) -> None:
        statements.append((statement, parameters))

    event.listen(grown, "before_cursor_execute", seen)
    take_snapshot(
        grown,
        SnapshotRequest(
            now=clock(),
            window_hours=24,
            audit_limit=50,
            error_limit=25,
            signal_limit=25,
            ingest_p95_target_ms=1,
        ),
    )
    event.remove(grown, "before_cursor_execute", seen)
    for statement, parameters in statements:
        plan = "\n".join(row[0] for row in grown.exec_driver_sql(f"EXPLAIN {statement}", parameters))
        for table in ("AuditLogs", "PlatformRuns", "InboundEvents"):
            assert f'Seq Scan on "{table}"' not in plan, f"{statement}\n{plan}"
