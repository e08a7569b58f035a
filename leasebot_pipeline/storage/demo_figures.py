"""The pipeline's side of a demo: what each platform's messages came to, and how long answers took."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, text

from leasebot_pipeline.domain.platforms import Platform

_COUNTS = text("""
    SELECT p.platform,
           (SELECT count(*) FROM "InboundEvents" e WHERE e.platform = p.platform) AS landed,
           (SELECT count(*) FROM "InboundEvents" e WHERE e.platform = p.platform AND e.ingested_at IS NOT NULL) AS ingested,
           (SELECT count(*) FROM "InboundEvents" e WHERE e.platform = p.platform AND e.quarantined_at IS NOT NULL) AS quarantined,
           (SELECT count(*) FROM "Conversations" c JOIN "PlatformAccounts" a ON a.id = c.platform_account_id
             WHERE a.platform = p.platform AND c.listing_id IS NOT NULL) AS linked,
           (SELECT count(*) FROM "Conversations" c JOIN "PlatformAccounts" a ON a.id = c.platform_account_id
             WHERE a.platform = p.platform AND c.listing_id IS NULL) AS unlinked,
           (SELECT count(*) FROM "Decisions" d WHERE d.platform = p.platform) AS decided,
           (SELECT count(*) FROM "Decisions" d WHERE d.platform = p.platform AND d.outcome = 'draft') AS drafted,
           (SELECT count(*) FROM "OutboundDispatches" o WHERE o.platform = p.platform AND o.state = 'sent') AS sent,
           (SELECT count(*) FROM "Decisions" d WHERE d.platform = p.platform AND d.outcome = 'escalate') AS held
      FROM unnest(CAST(:platforms AS text[])) AS p(platform)
""")


def platform_counts(conn: Connection) -> dict[str, dict[str, int]]:
    """Counts by platform, in the platforms' order."""
    rows = conn.execute(_COUNTS, {"platforms": [platform.value for platform in Platform]}).mappings()
    return {row["platform"]: {key: int(row[key]) for key in row if key != "platform"} for row in rows}


@dataclass(frozen=True, slots=True)
class StoredInbound:
    """A lead's message as we stored it, and when it was answered (sent or drafted), if it was."""

    platform: str
    external_thread_id: str
    body: str
    answered_at: datetime | None
    decided: bool


# Answered by the first decision that covers the message and whose reply was not superseded meanwhile. A reply is found
# by its conversation, which has an index: without that, ten thousand messages take minutes.
_INBOUND = text("""
    SELECT a.platform, c.external_thread_id, m.body, x.answered_at, x.decided
      FROM "Messages" m
      JOIN "Conversations" c ON c.id = m.conversation_id
      JOIN "PlatformAccounts" a ON a.id = c.platform_account_id
      LEFT JOIN LATERAL (
           SELECT CASE d.outcome WHEN 'send' THEN o.sent_at WHEN 'draft' THEN d.decided_at END AS answered_at, true AS decided
             FROM "Decisions" d
             LEFT JOIN "OutboundDispatches" o ON o.decision_id = d.id AND o.conversation_id = d.conversation_id
            WHERE d.conversation_id = c.id AND d.through_seq >= m.seq AND o.state IS DISTINCT FROM 'cancelled'
            ORDER BY d.through_seq LIMIT 1) x ON true
     WHERE m.direction = 'inbound'
     ORDER BY m.seq
""")


def stored_inbound(conn: Connection) -> list[StoredInbound]:
    """Every inbound message, in the order we learned of it."""
    return [
        StoredInbound(row.platform, row.external_thread_id, row.body, row.answered_at, bool(row.decided))
        for row in conn.execute(_INBOUND)
    ]


_SHOWINGS = text("""
    SELECT (SELECT count(*) FROM "SlotOffers") AS offered,
           count(*) FILTER (WHERE action = 'showing_slot_held') AS held,
           count(*) FILTER (WHERE action = 'showing_booking_created') AS confirmed,
           (SELECT count(DISTINCT decision_id) FROM "SlotOffers" WHERE state = 'declined') AS declined,
           count(*) FILTER (WHERE action = 'showing_rescheduled') AS rescheduled,
           (SELECT count(*) FROM "ShowingAppointments" WHERE status = 'cancelled' AND hold_expires_at IS NULL) AS cancelled,
           count(*) FILTER (WHERE action IN ('showing_booking_conflict', 'showing_booking_slot_unavailable')) AS conflicts
      FROM "AuditLogs" WHERE entity_type = 'showing_appointment'
""")


def showing_counts(conn: Connection) -> dict[str, int]:
    """What became of the slots: offered one by one; held, confirmed, moved and refused as often as it happened;
    offers that were declined; showings that stand cancelled."""
    return {name: int(count) for name, count in conn.execute(_SHOWINGS).mappings().one().items()}


_SENT = text("""
    SELECT platform, external_thread_id, body, state FROM "OutboundDispatches"
     WHERE state IN ('sent', 'unknown', 'sending')
""")


def clicked_replies(conn: Connection) -> list[dict[str, Any]]:
    """Every reply that was, or may have been, clicked."""
    return [dict(row) for row in conn.execute(_SENT).mappings()]


_NOT_TAKEN_IN = '"InboundEvents" e WHERE e.ingested_at IS NULL AND e.quarantined_at IS NULL'
_NOT_DECIDED = """"Conversations" c JOIN "PlatformAccounts" a ON a.id = c.platform_account_id
             WHERE a.is_active AND c.status = 'open' AND c.newest_inbound_seq > c.handled_through_seq"""
_NOT_ENDED = """"OutboundDispatches" d WHERE d.state IN ('queued', 'claimed', 'sending', 'retry_scheduled')
                OR (d.state = 'unknown' AND d.next_attempt_at IS NOT NULL)"""

_OPEN_WORK = text(f"""
    SELECT (SELECT count(*) FROM {_NOT_TAKEN_IN}) + (SELECT count(*) FROM {_NOT_DECIDED}) + (SELECT count(*) FROM {_NOT_ENDED})
""")


def open_work(conn: Connection) -> int:
    """How many events, conversations and replies still wait for the pipeline."""
    return int(conn.execute(_OPEN_WORK).scalar_one())


_OPEN_SAMPLE = text(f"""
    (SELECT format('event %s of %s, landed at %s', e.id, e.platform, e.landed_at) FROM {_NOT_TAKEN_IN} LIMIT 5)
    UNION ALL
    (SELECT format('conversation %s of %s: %s of %s handled', c.id, a.platform, c.handled_through_seq, c.newest_inbound_seq)
       FROM {_NOT_DECIDED} LIMIT 5)
    UNION ALL
    (SELECT format('reply %s of %s is %s after %s attempts, due %s %s', d.id, d.platform, d.state, d.attempts, d.next_attempt_at, d.error_code)
       FROM {_NOT_ENDED} LIMIT 5)
""")


def open_sample(conn: Connection) -> list[str]:
    """Some of ``open_work``, a line each, for whoever looks for what holds it up."""
    return list(conn.execute(_OPEN_SAMPLE).scalars())


_FOLLOW_UPS = text("""
    SELECT count(*) FILTER (WHERE f.due_at <= :now OR f.handed_at IS NOT NULL) AS due,
           count(*) FILTER (WHERE d.state = 'sent') AS sent,
           count(*) FILTER (WHERE f.status = 'cancelled') AS stopped
      FROM "FollowUps" f LEFT JOIN "OutboundDispatches" d ON d.id = f.dispatch_id
     WHERE f.appointment_id IS NULL
""")


def follow_up_figures(conn: Connection, now: datetime | None = None) -> dict[str, int]:
    """Steps of silences: how many came due, how many texts are proven sent, how many were called off."""
    moment = now or conn.execute(text("SELECT now()")).scalar_one()
    row = conn.execute(_FOLLOW_UPS, {"now": moment}).one()
    return {"due": row.due, "sent": row.sent, "stopped": row.stopped}
