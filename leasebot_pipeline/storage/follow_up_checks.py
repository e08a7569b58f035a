"""Open and lately settled steps as the quality suite looks at them, read from the tables themselves."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Connection, text

from leasebot_pipeline.domain.platforms import Platform
from leasebot_pipeline.storage.follow_ups import READY, Allowed

_STEPS = text(f"""
    SELECT f.id AS follow_up_id,
           CASE WHEN f.status = 'cancelled' THEN f.id::text
                ELSE concat_ws(':', f.stage, COALESCE(f.appointment_id, f.conversation_id),
                               COALESCE(f.about_starts_at::text, f.after_seq::text)) END AS silence,
           CASE WHEN {READY} AND f.due_at < :overdue_before THEN 'yes' ELSE 'no' END AS overdue,
           CASE WHEN f.appointment_id IS NULL AND d.sending_at IS NOT NULL AND d.state IN ('sending', 'sent', 'unknown')
                     AND EXISTS (SELECT 1 FROM "Messages" m
                                  WHERE m.conversation_id = f.conversation_id AND m.direction = 'inbound'
                                    AND m.seq > f.after_seq AND m.created_at < d.sending_at)
                THEN 'yes' ELSE 'no' END AS after_reply
      FROM "FollowUps" f
      JOIN "Conversations" c ON c.id = f.conversation_id
      JOIN "PlatformAccounts" a ON a.id = c.platform_account_id
      LEFT JOIN "OutboundDispatches" d ON d.id = f.dispatch_id
     WHERE a.platform = :platform AND (f.status = 'pending' OR f.settled_at > :settled_after)
     ORDER BY f.due_at DESC
     LIMIT 5000
""")


def load_steps(
    conn: Connection,
    platform: Platform,
    allowed: Allowed,
    *,
    now: datetime,
    overdue_before: datetime,
    settled_after: datetime,
) -> list[dict[str, object]]:
    """The platform's open and lately settled steps, as ``check_steps`` takes them."""
    parameters = {
        "platform": platform.value,
        "now": now,
        "overdue_before": overdue_before,
        "settled_after": settled_after,
        **allowed.parameters(),
    }
    return [
        {str(column): value for column, value in row.items()}
        for row in conn.execute(_STEPS, parameters).mappings()
    ]
