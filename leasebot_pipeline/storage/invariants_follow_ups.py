"""Invariants of follow-ups, reminders and opt-outs."""

from __future__ import annotations

from typing import Final

from leasebot_pipeline.storage.follow_up_sql import INBOX_READ_SINCE
from leasebot_pipeline.storage.invariant import Invariant

_OUT: Final = "d.state IN ('sending', 'sent', 'unknown')"

FOLLOW_UP_INVARIANTS: Final[tuple[Invariant, ...]] = (
    Invariant(
        "follow_up_once",
        "One silence gets each follow-up once, one showing each reminder once.",
        f"""
        SELECT format('conversation %s: %s sent %s times', f.conversation_id, f.stage, count(*))
          FROM "FollowUps" f JOIN "OutboundDispatches" d ON d.id = f.dispatch_id
         WHERE {_OUT}
         GROUP BY f.conversation_id, f.appointment_id, f.stage, f.after_seq, f.about_starts_at HAVING count(*) > 1
        """,
    ),
    Invariant(
        "follow_up_in_thread_once",
        "A follow-up or reminder that was sent once stands in its thread once.",
        rf"""
        WITH texts AS (
          SELECT d.conversation_id, regexp_replace(trim(d.body), '\s+', ' ', 'g') AS body, count(*) AS clicks,
                 min(f.created_at) AS since
            FROM "FollowUps" f JOIN "OutboundDispatches" d ON d.id = f.dispatch_id WHERE {_OUT} GROUP BY 1, 2
        )
        SELECT format('conversation %s: %s sends, %s messages', t.conversation_id, t.clicks, count(*))
          FROM texts t
          JOIN "Messages" m ON m.conversation_id = t.conversation_id AND m.direction = 'outbound' AND m.created_at >= t.since
           AND COALESCE(m.metadata ->> 'reviewStatus', 'sent') = 'sent'
           AND regexp_replace(trim(m.body), '\s+', ' ', 'g') = t.body
         GROUP BY t.conversation_id, t.body, t.clicks HAVING count(*) > t.clicks
        """,
    ),
    Invariant(
        "no_follow_up_after_reply",
        "No follow-up goes to a lead who had already answered.",
        f"""
        SELECT format('dispatch %s: message %s came before it', d.id, m.id)
          FROM "FollowUps" f
          JOIN "OutboundDispatches" d ON d.id = f.dispatch_id
          JOIN "Messages" m ON m.conversation_id = f.conversation_id AND m.direction = 'inbound' AND m.seq > f.after_seq
         WHERE {_OUT} AND f.appointment_id IS NULL AND m.created_at < d.sending_at
        """,
    ),
    Invariant(
        "opted_out_not_written",
        "Nothing leaves by itself for a lead who asked not to be written to.",
        f"""
        SELECT format('dispatch %s (%s) at %s', d.id, d.purpose, d.sending_at)
          FROM "OutboundDispatches" d JOIN "Conversations" c ON c.id = d.conversation_id
         WHERE {_OUT} AND d.purpose IN ('decision', 'follow_up', 'reminder') AND d.sending_at > c.opted_out_at
           AND NOT EXISTS (SELECT 1 FROM "AuditLogs" l
                            WHERE l.conversation_id = c.id AND l.action = 'inbox_message_approved'
                              AND l.actor_type IN ('admin', 'agent', 'user') AND l.created_at > c.opted_out_at)
        """,
    ),
    Invariant(
        "taken_over_left_alone",
        "Nothing leaves by itself in a conversation that a person has taken over.",
        f"""
        SELECT format('dispatch %s (%s) at %s', d.id, d.purpose, d.sending_at)
          FROM "OutboundDispatches" d JOIN "Conversations" c ON c.id = d.conversation_id
         WHERE {_OUT} AND d.purpose IN ('decision', 'follow_up', 'reminder') AND d.sending_at > c.taken_over_at
        """,
    ),
    Invariant(
        "silent_lead_not_forgotten",
        "Each step of a silence is taken in time once its inbox was read.",
        f"""
        SELECT format('follow-up %s (%s) due %s', f.id, f.stage, f.due_at)
          FROM "FollowUps" f
          JOIN "Conversations" c ON c.id = f.conversation_id
          JOIN "PlatformAccounts" a ON a.id = c.platform_account_id AND a.is_active
         WHERE f.status = 'pending' AND f.handed_at IS NULL AND f.appointment_id IS NULL
           AND f.due_at < :now - CAST(:decision_bound AS interval) AND {INBOX_READ_SINCE.format(since="f.due_at")}
        """,
    ),
    Invariant(
        "conversation_knows_its_step",
        "A conversation that says a follow-up is due has that step, and a stopped one says so.",
        """
        SELECT format('conversation %s: %s %s', c.id, c.follow_up_stage, c.follow_up_status)
          FROM "Conversations" c
         WHERE c.follow_up_stage IS NOT NULL AND c.follow_up_status = 'pending'
           AND EXISTS (SELECT 1 FROM "FollowUps" f WHERE f.conversation_id = c.id AND f.stage = c.follow_up_stage)
           AND NOT EXISTS (SELECT 1 FROM "FollowUps" f
                            WHERE f.conversation_id = c.id AND f.stage = c.follow_up_stage AND f.status = 'pending')
        """,
    ),
)
