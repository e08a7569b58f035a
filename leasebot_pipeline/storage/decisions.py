"""Write decisions with all their effects: decision, offers, draft, outbox row, marks and workflow, set by set.

Everything here runs in one transaction: a decision without its effects, or an effect without its
decision, can't exist. A conversation that changed since it was read is left alone and decided again.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import Connection, text

from leasebot_pipeline.storage.waiting import WaitingConversation

Row = Mapping[str, object]

_LOCK = text("""
    SELECT c.id FROM "Conversations" c
      JOIN jsonb_to_recordset(CAST(:seen AS jsonb)) AS s(
             id uuid, newest_seq bigint, handled_seq bigint, workflow_state text, workflow_outcome text, showing_state text,
             taken_over boolean)
        ON s.id = c.id
     WHERE c.newest_inbound_seq = s.newest_seq AND c.handled_through_seq = s.handled_seq
       AND c.workflow_state = s.workflow_state AND c.workflow_outcome IS NOT DISTINCT FROM s.workflow_outcome
       AND c.showing_state IS NOT DISTINCT FROM s.showing_state AND (c.taken_over_at IS NOT NULL) = s.taken_over
     ORDER BY c.id
     FOR UPDATE OF c
""")


def lock_unchanged(conn: Connection, seen: Sequence[WaitingConversation]) -> set[UUID]:
    """Lock the conversations that still are as they were read; the others are not returned."""
    rows = [
        {
            "id": str(c.id),
            "newest_seq": c.newest_seq,
            "handled_seq": c.handled_seq,
            "workflow_state": c.workflow_state,
            "workflow_outcome": c.workflow_outcome,
            "showing_state": c.showing_state,
            "taken_over": c.taken_over,
        }
        for c in seen
    ]
    return set(conn.execute(_LOCK, {"seen": json.dumps(rows)}).scalars())


_DECISIONS = text("""
    INSERT INTO "Decisions"
           (id, conversation_id, platform_account_id, platform, inbound_message_id, through_seq, provider, model, rules_version,
            intent, effective_intent, follow_up, workflow_outcome, confidence, risk_level, outcome, reason, reasons,
            escalation_reason_code, guardrails, slots, slot_source, selected_slot_index, policy, evidence, provider_details,
            template_id, reply_body, run_id, record, decided_at)
    SELECT id, conversation_id, platform_account_id, platform, inbound_message_id, through_seq, provider, model, rules_version,
           intent, effective_intent, follow_up, workflow_outcome, confidence, risk_level, outcome, reason,
           ARRAY(SELECT jsonb_array_elements_text(reasons)), escalation_reason_code,
           ARRAY(SELECT jsonb_array_elements_text(guardrails)), slots, slot_source, selected_slot_index, policy, evidence,
           provider_details, template_id, reply_body, run_id, record, :now
      FROM jsonb_to_recordset(CAST(:rows AS jsonb)) AS r(
             id uuid, conversation_id uuid, platform_account_id uuid, platform text, inbound_message_id uuid, through_seq bigint,
             provider text, model text, rules_version text, intent text, effective_intent text, follow_up boolean,
             workflow_outcome text, confidence numeric, risk_level text, outcome text, reason text, reasons jsonb,
             escalation_reason_code text, guardrails jsonb, slots jsonb, slot_source text, selected_slot_index int, policy jsonb,
             evidence jsonb, provider_details jsonb, template_id uuid, reply_body text, run_id text,
             record jsonb)
""")

# A newer decision replaces what an older one still had in hand: nobody gets an outdated reply.
_SUPERSEDE_DISPATCHES = text("""
    WITH gone AS (
      UPDATE "OutboundDispatches"
         SET state = 'cancelled', error_code = 'superseded', last_error = 'a newer message was decided', updated_at = :now
       WHERE conversation_id = ANY(:conversations) AND purpose = 'decision'
         AND state IN ('draft', 'queued', 'retry_scheduled', 'held')
      RETURNING message_id
    )
    UPDATE "Messages" m SET metadata = m.metadata || '{"reviewStatus": "hold", "superseded": true}'::jsonb
      FROM gone WHERE m.id = gone.message_id
""")
_DRAFTS = text("""
    INSERT INTO "Messages"
           (id, conversation_id, sender_type, sender_agent_id, external_message_id, direction, channel, body, metadata, sent_at, created_at)
    SELECT id, conversation_id, 'agent', sender_agent_id, external_message_id, 'outbound', 'in_app', body, metadata, NULL, :now
      FROM jsonb_to_recordset(CAST(:rows AS jsonb)) AS r(
             id uuid, conversation_id uuid, sender_agent_id uuid, external_message_id text, body text, metadata jsonb)
""")
_DISPATCHES = text("""
    INSERT INTO "OutboundDispatches"
           (id, purpose, purpose_key, decision_id, conversation_id, platform_account_id, platform, external_thread_id, message_id,
            body, state, run_id, created_at, updated_at)
    SELECT id, 'decision', purpose_key, decision_id, conversation_id, platform_account_id, platform, external_thread_id, message_id,
           body, state, run_id, :now, :now
      FROM jsonb_to_recordset(CAST(:rows AS jsonb)) AS r(
             id uuid, purpose_key text, decision_id uuid, conversation_id uuid, platform_account_id uuid, platform text,
             external_thread_id text, message_id uuid, body text, state text, run_id text)
    ON CONFLICT (purpose_key) DO NOTHING
""")
_MARKS = text("""
    UPDATE "Messages" m SET metadata = (m.metadata - 'workerClaim') || r.patch
      FROM jsonb_to_recordset(CAST(:rows AS jsonb)) AS r(id uuid, patch jsonb)
     WHERE m.id = r.id
""")
_HANDLED = text("""
    UPDATE "Conversations" c SET handled_through_seq = r.through_seq, updated_at = :now
      FROM jsonb_to_recordset(CAST(:rows AS jsonb)) AS r(id uuid, through_seq bigint)
     WHERE c.id = r.id
""")
_REMADE = text("""
    UPDATE "Decisions" d
       SET workflow_outcome = r.workflow_outcome, outcome = r.outcome, reason = r.reason,
           reasons = ARRAY(SELECT jsonb_array_elements_text(r.reasons)), escalation_reason_code = r.escalation_reason_code,
           guardrails = ARRAY(SELECT jsonb_array_elements_text(r.guardrails)), slots = r.slots, evidence = r.evidence,
           template_id = r.template_id, reply_body = r.reply_body, record = r.record
      FROM jsonb_to_recordset(CAST(:rows AS jsonb)) AS r(
             id uuid, workflow_outcome text, outcome text, reason text, reasons jsonb, escalation_reason_code text, guardrails jsonb,
             slots jsonb, evidence jsonb, template_id uuid, reply_body text, record jsonb)
     WHERE d.id = r.id
""")


REMADE_COLUMNS: Final = frozenset(
    {
        "workflow_outcome",
        "outcome",
        "reason",
        "reasons",
        "escalation_reason_code",
        "guardrails",
        "slots",
        "evidence",
        "template_id",
        "reply_body",
    }
)
"""What a decision that came out otherwise overwrites; the rest says what was read at first."""


def insert(conn: Connection, rows: Sequence[Row], now: datetime) -> None:
    """Write decisions; what they set in motion refers to them."""
    conn.execute(_DECISIONS, {"rows": _json(rows), "now": now})


def remake(conn: Connection, rows: Sequence[Row]) -> None:
    """Write what decisions of this transaction came to instead: a slot they would have booked was taken."""
    if rows:
        conn.execute(_REMADE, {"rows": _json(rows)})


def write_replies(
    conn: Connection,
    *,
    decisions: Sequence[Row],
    drafts: Sequence[Row],
    dispatches: Sequence[Row],
    marks: Sequence[Row],
    now: datetime,
) -> None:
    """Write a batch's replies and marks, in the caller's transaction."""
    conversations = [str(row["conversation_id"]) for row in decisions]
    handled = [{"id": row["conversation_id"], "through_seq": row["through_seq"]} for row in decisions]
    conn.execute(_SUPERSEDE_DISPATCHES, {"conversations": conversations, "now": now})
    for statement, rows in (
        (_DRAFTS, drafts),
        (_DISPATCHES, dispatches),
        (_MARKS, marks),
        (_HANDLED, handled),
    ):
        if rows:
            conn.execute(statement, {"rows": _json(rows), "now": now})


def _json(rows: Sequence[Row]) -> str:
    return json.dumps([dict(row) for row in rows], default=_plain)


def _plain(value: Any) -> str:
    return value.isoformat() if isinstance(value, datetime) else str(value)
