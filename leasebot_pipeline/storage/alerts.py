"""Alerts that were sent: audit rows that double as the cooldown shared by all processes."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Connection, text

from leasebot_pipeline.domain.alerts import AlertEvent, iso
from leasebot_pipeline.storage import audit

ALERT_SENT = "platform_alert_sent"
ALERT_FAILED = "platform_alert_failed"
RECOVERY_SENT = "platform_alert_recovery_sent"

_LOCK = text("SELECT pg_advisory_xact_lock(hashtextextended(:key, 0))")
_LAST_SENT = text("""
    SELECT CAST(details ->> 'sentAt' AS timestamptz)
      FROM "AuditLogs"
     WHERE entity_type = 'platform_account' AND entity_id = :account AND action = :action
       AND details ->> 'cooldownKey' = :key
     ORDER BY created_at DESC
     LIMIT 1
""")


def lock_and_last_sent(conn: Connection, event: AlertEvent) -> datetime | None:
    """When an equal alert was last sent, by any process.

    Equal alerts wait for each other until the caller's transaction ends, so two processes never both send.
    """
    conn.execute(_LOCK, {"key": event.cooldown_key})
    parameters = {"account": str(event.account_id), "action": ALERT_SENT, "key": event.cooldown_key}
    value = conn.execute(_LAST_SENT, parameters).scalar_one_or_none()
    return value if isinstance(value, datetime) else None


def record_sent(conn: Connection, event: AlertEvent, provider: str, now: datetime) -> None:
    """Note that the receiver accepted the alert: from here its cooldown runs."""
    _record(conn, ALERT_SENT, event, provider, {"cooldownKey": event.cooldown_key, "sentAt": iso(now)})


def record_recovery(conn: Connection, event: AlertEvent, provider: str, now: datetime) -> None:
    """Note that the receiver accepted the notice that an incident is over."""
    _record(conn, RECOVERY_SENT, event, provider, {"sentAt": iso(now)})


def record_failed(conn: Connection, event: AlertEvent, provider: str, error: str, now: datetime) -> None:
    """Note that a receiver did not accept an alert; ``error`` never holds its address."""
    _record(conn, ALERT_FAILED, event, provider, {"error": error, "failedAt": iso(now)})


def _record(conn: Connection, action: str, event: AlertEvent, provider: str, more: dict[str, object]) -> None:
    entry = audit.AuditEntry(
        actor_type="system",
        entity_type="platform_account",
        entity_id=str(event.account_id),
        action=action,
        details={
            "type": event.type,
            "platformAction": event.action,
            "reason": event.reason,
            "provider": provider,
            **more,
        },
        platform=event.platform.value,
        platform_account_id=event.account_id,
    )
    audit.record(conn, [entry])
