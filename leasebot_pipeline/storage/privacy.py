"""A lead's personal data: all of it as one document, or gone.

A lead is a conversation and every other one of the same person on the same account. Erasing keeps what happened
(times, states, decisions, counts) and removes what was said and by whom; it can't be undone.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import Connection, text

from leasebot_pipeline.storage.crash_points import crash_point

ERASED: Final = "[erased]"


class ReplyUnderWay(Exception):
    """A reply to the lead is being sent or in doubt: erase when that is settled."""


@dataclass(frozen=True, slots=True)
class Erasure:
    """How many rows lost their personal data, per table."""

    conversations: tuple[UUID, ...]
    counts: dict[str, int]


_OF_LEAD = text("""
    SELECT o.id FROM "Conversations" c
      JOIN "Conversations" o ON o.platform_account_id = c.platform_account_id
       AND (o.id = c.id OR (o.lead_external_id IS NOT NULL AND o.lead_external_id = c.lead_external_id))
     WHERE c.id = :id ORDER BY o.id
""")
_LOCK = text('SELECT id FROM "Conversations" WHERE id = ANY(:ids) ORDER BY id FOR UPDATE')
_EXPORTS: Final[dict[str, str]] = {
    "conversations": 'SELECT to_jsonb(x) FROM "Conversations" x WHERE x.id = ANY(:ids) ORDER BY x.id',
    "messages": 'SELECT to_jsonb(x) FROM "Messages" x WHERE x.conversation_id = ANY(:ids) ORDER BY x.seq',
    "landedMessages": """SELECT to_jsonb(x) FROM "InboundEvents" x JOIN "Conversations" c
        ON c.platform_account_id = x.platform_account_id AND c.external_thread_id = x.external_thread_id
        WHERE c.id = ANY(:ids) ORDER BY x.id""",
    "decisions": 'SELECT to_jsonb(x) FROM "Decisions" x WHERE x.conversation_id = ANY(:ids) ORDER BY x.decided_at',
    "replies": """SELECT to_jsonb(x) FROM "OutboundDispatches" x WHERE x.conversation_id = ANY(:ids)
        ORDER BY x.created_at""",
    "offers": 'SELECT to_jsonb(x) FROM "SlotOffers" x WHERE x.conversation_id = ANY(:ids) ORDER BY x.offered_at',
    "showings": """SELECT to_jsonb(x) FROM "ShowingAppointments" x WHERE x.conversation_id = ANY(:ids)
        ORDER BY x.starts_at""",
    "followUps": 'SELECT to_jsonb(x) FROM "FollowUps" x WHERE x.conversation_id = ANY(:ids) ORDER BY x.due_at',
    "audit": 'SELECT to_jsonb(x) FROM "AuditLogs" x WHERE x.conversation_id = ANY(:ids) ORDER BY x.id',
}
_UNDER_WAY = text("""
    SELECT EXISTS (SELECT 1 FROM "OutboundDispatches"
                    WHERE conversation_id = ANY(:ids) AND state IN ('claimed', 'sending', 'unknown'))
""")
_KEPT_METADATA: Final = (
    "reviewStatus",
    "aiProcessedAt",
    "decisionId",
    "intent",
    "effectiveIntent",
    "followUp",
    "outcome",
    "replyDecisionReason",
    "workflowOutcome",
    "sentAtSource",
    "dispatchKey",
    "templateId",
)
_ERASE: Final[dict[str, str]] = {
    "replies": f"""
        UPDATE "OutboundDispatches"
           SET body = '{ERASED}', baseline = NULL, updated_at = :now, last_error = NULL,
               state = CASE WHEN state IN ('draft', 'held', 'queued', 'retry_scheduled', 'dead_letter') THEN 'cancelled' ELSE state END,
               next_attempt_at = NULL,
               error_code = CASE WHEN state IN ('draft', 'held', 'queued', 'retry_scheduled', 'dead_letter') THEN 'lead_erased' ELSE error_code END
         WHERE conversation_id = ANY(:ids)
    """,
    "followUps": """
        UPDATE "FollowUps" SET status = 'cancelled', updated_at = :now
         WHERE conversation_id = ANY(:ids) AND status = 'pending'
    """,
    "messages": f"""
        UPDATE "Messages" m
           SET body = '{ERASED}',
               metadata = COALESCE((SELECT jsonb_object_agg(k.key, k.value) FROM jsonb_each(m.metadata) k
                                     WHERE k.key = ANY(:kept)), '{{}}'::jsonb)
         WHERE conversation_id = ANY(:ids)
    """,
    "landedMessages": f"""
        UPDATE "InboundEvents" x SET body = '{ERASED}', payload = '{{}}'::jsonb, sent_at_text = NULL
          FROM "Conversations" c
         WHERE c.id = ANY(:ids) AND c.platform_account_id = x.platform_account_id
           AND c.external_thread_id = x.external_thread_id
    """,
    "decisions": f"""
        UPDATE "Decisions" SET evidence = '{{"erased": true}}'::jsonb, provider_details = '{{}}'::jsonb, record = record - 'texts',
               reply_body = CASE WHEN reply_body IS NULL THEN NULL ELSE '{ERASED}' END
         WHERE conversation_id = ANY(:ids)
    """,
    "showings": """
        UPDATE "ShowingAppointments" SET notes = NULL, metadata = metadata - 'leadName' - 'inboundBody', updated_at = :now
         WHERE conversation_id = ANY(:ids)
    """,
    "audit": """
        UPDATE "AuditLogs"
           SET details = details - 'leadName' - 'leadContact' - 'evidence' - 'inboundBody' - 'body' - 'replyBody' - 'allowlist'
         WHERE conversation_id = ANY(:ids)
    """,
    "conversations": """
        UPDATE "Conversations"
           SET lead_name = NULL, lead_contact = '{}'::jsonb, linkage_hints = '{}'::jsonb, lead_external_id = NULL,
               status = 'archived', external_inbox_sort_rank = NULL, erased_at = :now, updated_at = :now
         WHERE id = ANY(:ids)
    """,
}


def conversations_of_lead(conn: Connection, conversation_id: UUID) -> list[UUID]:
    """The conversation and the person's others on the account; empty for an unknown one."""
    return list(conn.execute(_OF_LEAD, {"id": conversation_id}).scalars())


def export(conn: Connection, conversations: Sequence[UUID]) -> dict[str, list[Any]]:
    """Everything stored about the lead, per table."""
    ids = list(conversations)
    return {name: list(conn.execute(text(query), {"ids": ids}).scalars()) for name, query in _EXPORTS.items()}


def erase(conn: Connection, conversations: Sequence[UUID], now: datetime) -> Erasure:
    """Remove the lead's personal data; open replies and follow-ups are called off. Raises ReplyUnderWay."""
    ids = list(conversations)
    conn.execute(_LOCK, {"ids": ids})
    if conn.execute(_UNDER_WAY, {"ids": ids}).scalar_one():
        raise ReplyUnderWay
    parameters = {"ids": ids, "now": now, "kept": list(_KEPT_METADATA)}
    counts = {}
    for name, query in _ERASE.items():
        statement = text(query)
        used = {key: parameters[key] for key in statement.compile().params}
        counts[name] = conn.execute(statement, used).rowcount
    crash_point("privacy.before_commit")
    return Erasure(tuple(ids), counts)


def document(values: dict[str, list[Any]]) -> str:
    """The export as readable JSON."""
    return json.dumps(values, ensure_ascii=False, indent=2, default=str)
