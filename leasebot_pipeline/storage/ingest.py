"""Ingest: landed events become conversations and messages, a whole batch in a fixed number of statements.

Order inside a conversation is `"Messages".seq`, the order in which we learned of messages, not their
platform times, which are often rounded to minutes or unknown.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, text

from leasebot_pipeline.domain.platforms import Platform
from leasebot_pipeline.storage import follow_up_ends, opt_outs

_LOAD = text("""
    SELECT e.id, e.platform_account_id, e.platform, e.external_thread_id, e.external_message_id, e.identity_source,
           e.direction, e.body, e.sent_at, e.sent_at_text, e.sent_at_has_time, e.payload, e.landed_at
      FROM "InboundEvents" e
     WHERE e.platform = :platform AND e.ingested_at IS NULL AND e.quarantined_at IS NULL
     ORDER BY e.id
     LIMIT :limit
""")


def load_pending(conn: Connection, platform: Platform, limit: int) -> list[dict[str, Any]]:
    """Landed events that wait for ingest, in landing order."""
    return [dict(row) for row in conn.execute(_LOAD, {"platform": platform.value, "limit": limit}).mappings()]


_QUARANTINE = text("""
    UPDATE "InboundEvents" e SET quarantined_at = :now, quarantine_reason = q.reason
      FROM unnest(CAST(:ids AS bigint[]), CAST(:reasons AS text[])) AS q(id, reason)
     WHERE e.id = q.id AND e.ingested_at IS NULL AND e.quarantined_at IS NULL
""")


def quarantine(conn: Connection, refused: Mapping[int, str], now: datetime) -> int:
    """Set rows aside with their reason; they are never dropped."""
    if not refused:
        return 0
    return conn.execute(
        _QUARANTINE, {"ids": list(refused), "reasons": list(refused.values()), "now": now}
    ).rowcount


_LOCK = text("""
    SELECT id FROM "InboundEvents"
     WHERE id = ANY(:ids) AND ingested_at IS NULL AND quarantined_at IS NULL
     ORDER BY id FOR UPDATE SKIP LOCKED
""")

_UPSERT_CONVERSATIONS = text("""
    WITH newest AS (
      SELECT DISTINCT ON (platform_account_id, external_thread_id)
             platform_account_id, external_thread_id, payload, landed_at
        FROM "InboundEvents" WHERE id = ANY(:ids)
       ORDER BY platform_account_id, external_thread_id, id DESC
    )
    INSERT INTO "Conversations" AS c
           (platform_account_id, external_thread_id, lead_name, lead_contact, lead_external_id, status,
            external_thread_label, external_thread_message_count, external_inbox_sort_rank, linkage_hints)
    SELECT n.platform_account_id, n.external_thread_id, n.payload ->> 'leadName',
           COALESCE(n.payload -> 'leadContact', '{}'::jsonb), n.payload ->> 'leadExternalId', 'open',
           n.payload ->> 'threadLabel', (n.payload ->> 'threadMessageCount')::int, i.sort_rank,
           COALESCE(n.payload -> 'linkageHints', '{}'::jsonb)
      FROM newest n
      LEFT JOIN "InboxThreads" i USING (platform_account_id, external_thread_id)
    ON CONFLICT (platform_account_id, external_thread_id) DO UPDATE
       SET lead_name = COALESCE(EXCLUDED.lead_name, c.lead_name),
           lead_contact = CASE WHEN c.lead_contact = '{}'::jsonb THEN EXCLUDED.lead_contact ELSE c.lead_contact END,
           lead_external_id = COALESCE(EXCLUDED.lead_external_id, c.lead_external_id),
           status = CASE WHEN c.status = 'archived' THEN 'open' ELSE c.status END,
           external_thread_label = COALESCE(NULLIF(EXCLUDED.external_thread_label, ''), c.external_thread_label),
           external_thread_message_count =
             COALESCE(EXCLUDED.external_thread_message_count, c.external_thread_message_count),
           external_inbox_sort_rank = EXCLUDED.external_inbox_sort_rank,
           linkage_hints = c.linkage_hints || EXCLUDED.linkage_hints,
           updated_at = :now
    RETURNING c.id
""")

# History is stored as handled already: it carries aiProcessedAt, so nobody answers it.
_INSERT_MESSAGES = text("""
    INSERT INTO "Messages"
           (conversation_id, sender_type, external_message_id, direction, channel, body, metadata, sent_at, created_at)
    SELECT c.id, CASE WHEN e.direction = 'outbound' THEN 'agent' ELSE 'lead' END, e.external_message_id, e.direction,
           'in_app', e.body,
           jsonb_strip_nulls(jsonb_build_object(
             'adapter', e.platform, 'source', 'playwright_rpa',
             'sentAtSource', CASE WHEN e.sent_at IS NULL THEN 'unparsed' ELSE 'platform_thread' END,
             'sentAtHasTime', e.sent_at_has_time, 'sentAtText', e.sent_at_text,
             'identitySource', e.identity_source,
             'listingExternalId', e.payload ->> 'listingExternalId', 'leadExternalId', e.payload ->> 'leadExternalId',
             'threadLabel', e.payload ->> 'threadLabel', 'leadName', e.payload ->> 'leadName',
             'firstSeenAt', e.landed_at))
           || CASE WHEN e.direction = 'inbound' AND e.sent_at < :history_bound
                   THEN jsonb_build_object('aiProcessedAt', CAST(:now AS timestamptz), 'replyEligible', false,
                                           'replyDecisionReason', 'history_not_answered', 'outcome', 'skip')
                   ELSE '{}'::jsonb END,
           e.sent_at, :now
      FROM "InboundEvents" e
      JOIN "Conversations" c USING (platform_account_id, external_thread_id)
     WHERE e.id = ANY(:ids)
     ORDER BY e.id
    ON CONFLICT (conversation_id, external_message_id) DO NOTHING
    RETURNING id
""")

_MARK_INGESTED = text("""
    UPDATE "InboundEvents" e SET ingested_at = :now, message_id = m.id
      FROM "Conversations" c, "Messages" m
     WHERE e.id = ANY(:ids) AND c.platform_account_id = e.platform_account_id
       AND c.external_thread_id = e.external_thread_id
       AND m.conversation_id = c.id AND m.external_message_id = e.external_message_id
""")

# An outbound message that is none of ours was written by a person on the platform itself: it answers
# what came before it. While a reply of ours is in doubt nothing can be told, so nothing is raised.
_WATERMARKS = text("""
    WITH fresh AS (
      SELECT m.conversation_id,
             max(m.seq) FILTER (WHERE m.direction = 'inbound' AND NOT m.metadata ? 'aiProcessedAt') AS inbound_seq,
             max(m.seq) FILTER (WHERE m.direction = 'outbound') AS outbound_seq,
             max(m.sent_at) AS last_sent_at
        FROM "Messages" m WHERE m.id = ANY(:messages)
       GROUP BY m.conversation_id
    )
    UPDATE "Conversations" c
       SET newest_inbound_seq = GREATEST(c.newest_inbound_seq, f.inbound_seq),
           handled_through_seq = CASE
             WHEN f.outbound_seq IS NULL OR EXISTS (
               SELECT 1 FROM "OutboundDispatches" d
                WHERE d.conversation_id = c.id AND d.state IN ('claimed', 'sending', 'unknown'))
             THEN c.handled_through_seq ELSE GREATEST(c.handled_through_seq, f.outbound_seq) END,
           last_message_at = GREATEST(c.last_message_at, f.last_sent_at, CASE WHEN f.last_sent_at IS NULL
             THEN CAST(:now AS timestamptz) END)
      FROM fresh f WHERE c.id = f.conversation_id
""")

_LATENCY = text("""
    SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY s), percentile_cont(0.95) WITHIN GROUP (ORDER BY s)
      FROM (SELECT EXTRACT(EPOCH FROM CAST(:now AS timestamptz) - landed_at) AS s
              FROM "InboundEvents" WHERE id = ANY(:ids) AND direction = 'inbound') t
""")

# Ranks follow the inbox also for threads that have no new message.
_RANKS = text("""
    UPDATE "Conversations" c SET external_inbox_sort_rank = i.sort_rank
      FROM "InboxThreads" i, "PlatformAccounts" a
     WHERE a.platform = :platform AND i.platform_account_id = a.id
       AND c.platform_account_id = i.platform_account_id AND c.external_thread_id = i.external_thread_id
       AND c.external_inbox_sort_rank IS DISTINCT FROM i.sort_rank
""")


@dataclass(frozen=True, slots=True)
class Ingested:
    """What a batch became. Latencies are landing to row, in seconds; None without inbound rows."""

    events: int
    new_messages: int
    conversations: tuple[UUID, ...]
    latency_p50_s: float | None
    latency_p95_s: float | None


def ingest_events(
    conn: Connection,
    platform: Platform,
    event_ids: Sequence[int],
    history_bound: datetime,
    now: datetime,
    run_id: str | None = None,
) -> Ingested:
    """Turn landed events into rows, in the caller's transaction. Events another run holds are left to it.

    What was planned for leads who were silent and now wrote is stopped here.
    """
    ids = list(conn.execute(_LOCK, {"ids": list(event_ids)}).scalars())
    conn.execute(_RANKS, {"platform": platform.value})
    if not ids:
        return Ingested(0, 0, (), None, None)
    conversations = tuple(conn.execute(_UPSERT_CONVERSATIONS, {"ids": ids, "now": now}).scalars())
    messages = list(
        conn.execute(_INSERT_MESSAGES, {"ids": ids, "now": now, "history_bound": history_bound}).scalars()
    )
    conn.execute(_MARK_INGESTED, {"ids": ids, "now": now})
    conn.execute(_WATERMARKS, {"messages": messages, "now": now})
    opt_outs.inherit(conn, conversations)
    follow_up_ends.lead_wrote(conn, messages, now, run_id)
    p50, p95 = conn.execute(_LATENCY, {"ids": ids, "now": now}).one()
    return Ingested(
        events=len(ids),
        new_messages=len(messages),
        conversations=conversations,
        latency_p50_s=None if p50 is None else float(p50),
        latency_p95_s=None if p95 is None else float(p95),
    )
