"""The hot questions are answered from their indexes, however large the tables become."""

from __future__ import annotations

import pytest
from sqlalchemy import Connection, text

from leasebot_pipeline.storage import ingest, waiting
from tests.storage.conftest import ACCOUNT, NOW

# 20,000 settled rows of each kind: what waits must be found without looking at them.
_FILL = (
    """INSERT INTO "Conversations" (platform_account_id, external_thread_id, newest_inbound_seq, handled_through_seq)
       SELECT CAST(:account AS uuid), n::text, n, n FROM generate_series(1, 20000) n""",
    """INSERT INTO "InboundEvents" (platform_account_id, platform, external_thread_id, external_message_id,
                                     identity_source, direction, body, ingested_at)
       SELECT CAST(:account AS uuid), 'spareroom', n::text, n::text, 'hash', 'inbound', 'x', now()
         FROM generate_series(1, 20000) n""",
    """INSERT INTO "OutboundDispatches" (purpose, purpose_key, conversation_id, platform_account_id, platform,
                                          external_thread_id, body, state, receipt)
       SELECT 'decision', id::text, id, platform_account_id, 'spareroom', external_thread_id, 'x', 'sent', '{}'
         FROM "Conversations" """,
    """INSERT INTO "AuditLogs" (actor_type, entity_type, entity_id, action, platform, conversation_id, created_at)
       SELECT 'worker', 'message', 'x', 'action_' || row_number() OVER () % 40, 'spareroom', id,
              CAST(:now AS timestamptz) - row_number() OVER () * interval '1 minute'
         FROM "Conversations" """,
)

_QUESTIONS = {
    "waiting conversations": (waiting._WAITING.text, "idx_conversations_waiting"),
    "pending inbound events": (ingest._LOAD.text, "idx_inbound_events_pending"),
    "due replies": (
        """SELECT id FROM "OutboundDispatches"
            WHERE platform = 'spareroom' AND state IN ('queued', 'retry_scheduled') AND next_attempt_at <= now()""",
        "idx_outbound_dispatches_due",
    ),
    "claims that ran out": (
        """SELECT id FROM "OutboundDispatches" WHERE state IN ('claimed', 'sending') AND lease_expires_at <= now()""",
        "idx_outbound_dispatches_",  # either of two small ones
    ),
    "recent audit": (
        'SELECT id FROM "AuditLogs" ORDER BY created_at DESC, id DESC LIMIT 50',
        "idx_audit_logs_created_at",
    ),
    "an action's audit in a window": (
        """SELECT id FROM "AuditLogs" WHERE action = 'action_7' AND created_at > :now - interval '1 day'""",
        "idx_audit_logs_action",
    ),
    "a conversation's audit": (
        """SELECT id FROM "AuditLogs" WHERE conversation_id = '00000000-0000-0000-0000-000000000000'
            ORDER BY created_at DESC""",
        "idx_audit_logs_conversation_id",
    ),
}


@pytest.fixture
def full(conn: Connection) -> Connection:
    for statement in _FILL:
        conn.execute(text(statement), {"account": ACCOUNT, "now": NOW})
    conn.execute(text("ANALYZE"))
    return conn


def test_each_hot_question_uses_its_index(full: Connection) -> None:
    for name, (question, index) in _QUESTIONS.items():
        parameters = {"now": NOW, "platform": "spareroom", "limit": 50}
        statement = text(f"EXPLAIN {question}")
        used = {key: parameters[key] for key in statement.compile().params}
        plan = "\n".join(full.scalars(statement, used))
        assert index in plan, f"{name}:\n{plan}"
        for table in ("Conversations", "InboundEvents", "OutboundDispatches", "AuditLogs", "Messages"):
            assert f'Seq Scan on "{table}"' not in plan, f"{name}:\n{plan}"
