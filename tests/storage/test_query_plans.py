"""The hot questions are answered from their indexes, however large the tables become."""

from __future__ import annotations

import pytest
from sqlalchemy import Connection, text

from leasebot_pipeline.storage import (
    accounts_runtime,
    decision_records,
    incidents,
    ingest,
    landing,
    outbox,
    outbox_operations,
    outbox_sweeps,
    waiting,
)
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
    """UPDATE "OutboundDispatches" SET sending_at = now() - interval '40 days'""",
    """INSERT INTO "AlertIncidents" (key, type, platform, platform_account_id, action, event, opened_at, last_seen_at,
                                    closed_at, settled_at)
       SELECT n::text, 'rpa_circuit_opened', 'spareroom', CAST(:account AS uuid), 'send', '{}', now(), now(), now(), now()
         FROM generate_series(1, 20000) n""",
    """INSERT INTO "Messages" (conversation_id, sender_type, direction, body, sent_at)
       SELECT id, 'lead', 'inbound', 'x', now() FROM "Conversations" """,
    """INSERT INTO "Decisions" (conversation_id, platform_account_id, platform, inbound_message_id, through_seq, provider,
                                rules_version, intent, effective_intent, follow_up, confidence, risk_level, outcome,
                                reason, reasons, guardrails, policy, decided_at)
       SELECT conversation_id, CAST(:account AS uuid), 'spareroom', id, seq, 'heuristic', 'r', 'unknown', 'unknown', false, 0.5,
              'low', 'skip', 'x', '{x}', '{}', '{}', CAST(:now AS timestamptz) - seq * interval '1 minute' FROM "Messages" """,
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
        "idx_outbound_dispatches_",  # any of the small ones over what is open
    ),
    "claims that ran out": (
        """SELECT id FROM "OutboundDispatches" WHERE state IN ('claimed', 'sending') AND lease_expires_at <= now()""",
        "idx_outbound_dispatches_",  # either of two small ones
    ),
    "the account's oldest due reply": (outbox._CLAIM.text, "idx_outbound_dispatches_account_due"),
    "an unproven reply of the account": (outbox._CLAIM_UNKNOWN.text, "idx_outbound_dispatches_"),
    "claims taken back": (outbox._EXPIRE.text, "idx_outbound_dispatches_"),
    "overtaken replies": (outbox_sweeps._COLLAPSE.text, "idx_outbound_dispatches_"),
    "replies that waited too long": (outbox_sweeps._TOO_OLD.text, "idx_outbound_dispatches_"),
    "due replies of all platforms": (outbox_sweeps._DUE_COUNTS.text, "idx_outbound_dispatches_"),
    "accounts with due replies": (outbox_sweeps._DUE_ACCOUNTS.text, "idx_outbound_dispatches_"),
    "an operator's list": (outbox_operations._LIST.text, "idx_outbound_dispatches_open"),
    "clicks of an account's day": (accounts_runtime._CLICKS.text, "idx_outbound_dispatches_clicks"),
    "decisions of a time range": (decision_records._PAGE.text, "idx_decisions_decided_at"),
    "sent replies as examples": (waiting._EXAMPLES.text, "idx_conversations_account_recent"),
    "what waits for a run": (landing._PENDING.text, "idx_conversations_waiting"),
    "open incidents": (incidents._CLOSE.text, "idx_alert_incidents_open"),
    "incidents to be told of": (incidents._UNSETTLED.text, "idx_alert_incidents_unsettled"),
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


_LARGE = (
    "Conversations",
    "InboundEvents",
    "OutboundDispatches",
    "AuditLogs",
    "Messages",
    "Decisions",
    "AlertIncidents",
)
_VALUES: dict[str, object] = {
    "platform": "spareroom",
    "limit": 50,
    "account": ACCOUNT,
    "owner": "one",
    "expires": NOW,
    "deadline": NOW,
    "bound": NOW,
    "since": NOW,
    "until": NOW,
    "after_at": None,
    "after_id": None,
    "accounts": [ACCOUNT],
    "looked_at": 60,
    "run_id": "run",
    "personal_only": False,
    "most": 10,
    "states": ["dead_letter", "unknown", "held"],
    "code": None,
    "channels": ["webhook"],
    "session": "a",
    "circuit": "b",
    "dead": "c",
    "unknown": "d",
    "cap": "e",
}


@pytest.fixture
def full(conn: Connection) -> Connection:
    for statement in _FILL:
        conn.execute(text(statement), {"account": ACCOUNT, "now": NOW})
    conn.execute(text("ANALYZE"))
    return conn


def test_each_hot_question_uses_its_index(full: Connection) -> None:
    wrong = []
    for name, (question, index) in _QUESTIONS.items():
        parameters = {**_VALUES, "now": NOW}
        statement = text(f"EXPLAIN {question}")
        used = {key: parameters[key] for key in statement.compile().params}
        plan = "\n".join(full.scalars(statement, used))
        if index not in plan:
            wrong.append(f"{name} without {index}:\n{plan}")
        read = [table for table in _LARGE if f'Seq Scan on "{table}"' in plan]
        wrong += [f"{name} reads all of {table}:\n{plan}" for table in read]
    assert not wrong, "\n\n".join(wrong)
