"""`"AlertIncidents"`: what people are told of, once when it begins and once when it is over.

An incident opens with its first failure, in the transaction that stores that failure, so that a process
which dies before anybody was told loses nothing: whoever looks next (``unsettled``) tells them. It closes
when the state it is about is over, however that came: the closing looks at the accounts and replies.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, Row, text

from leasebot_pipeline.domain.alerts import (
    CIRCUIT_OPENED,
    DEAD_LETTER,
    DELIVERY_UNKNOWN,
    SEND_CAP_REACHED,
    SESSION_REFRESH_REQUESTED,
    AlertEvent,
    event_from_payload,
)


@dataclass(frozen=True, slots=True)
class Incident:
    """An incident with what still has to be said about it. ``told``: channels that know of it, and since when."""

    id: UUID
    event: AlertEvent
    closed_at: datetime | None
    occurrences: int
    told: dict[str, str]
    recovery_told: dict[str, str]
    channel_failures: int


_OPEN = text("""
    INSERT INTO "AlertIncidents" AS i
           (key, type, platform, platform_account_id, action, reason, event, opened_at, last_seen_at)
    SELECT key, type, platform, platform_account_id, action, reason, event, :now, :now
      FROM jsonb_to_recordset(CAST(:rows AS jsonb)) AS r(
             key text, type text, platform text, platform_account_id uuid, action text, reason text, event jsonb)
    ON CONFLICT (key) WHERE closed_at IS NULL DO UPDATE
       SET last_seen_at = EXCLUDED.last_seen_at, occurrences = i.occurrences + :again
""")


def note(conn: Connection, events: Sequence[AlertEvent], now: datetime, *, again: bool = True) -> None:
    """Open the events' incidents, or count them on those that are open (not with ``again`` False)."""
    by_key = {event.incident_key: event for event in events}
    rows = [
        {
            "key": key,
            "type": event.type,
            "platform": event.platform.value,
            "platform_account_id": str(event.account_id),
            "action": event.action,
            "reason": event.reason,
            "event": event.payload(),
        }
        for key, event in sorted(by_key.items())
    ]
    if rows:
        conn.execute(_OPEN, {"rows": json.dumps(rows), "now": now, "again": int(again)})


_SELECT = """
    SELECT id, event, closed_at, occurrences, told, recovery_told, channel_failures
      FROM "AlertIncidents"
"""
_BY_KEY = text(f"{_SELECT} WHERE key = :key AND closed_at IS NULL FOR UPDATE")
_UNSETTLED = text(f"""
    {_SELECT} WHERE settled_at IS NULL AND COALESCE(next_try_at, :now) <= :now
       AND (closed_at IS NOT NULL OR NOT told ?& CAST(:channels AS text[]))
     ORDER BY opened_at LIMIT :limit
""")
_BY_ID = text(f"{_SELECT} WHERE id = :id AND settled_at IS NULL FOR UPDATE SKIP LOCKED")


def lock_open(conn: Connection, event: AlertEvent) -> Incident | None:
    """The event's open incident, locked; waits for whoever tells people of it right now."""
    row = conn.execute(_BY_KEY, {"key": event.incident_key}).one_or_none()
    return None if row is None else _incident(row)


def lock(conn: Connection, incident: UUID) -> Incident | None:
    """An unsettled incident, locked; None when somebody else is at it or it is settled."""
    row = conn.execute(_BY_ID, {"id": incident}).one_or_none()
    return None if row is None else _incident(row)


def unsettled(conn: Connection, channels: Sequence[str], now: datetime, limit: int = 50) -> list[Incident]:
    """Incidents about which something has to be said now, oldest first: not every channel knows, or it is over."""
    parameters = {"now": now, "channels": list(channels), "limit": limit}
    return [_incident(row) for row in conn.execute(_UNSETTLED, parameters)]


def _incident(row: Row[Any]) -> Incident:
    return Incident(
        row.id,
        event_from_payload(row.event, "worker"),
        row.closed_at,
        row.occurrences,
        row.told,
        row.recovery_told,
        row.channel_failures,
    )


_TOLD = text("""
    UPDATE "AlertIncidents"
       SET told = CASE WHEN :recovery THEN told ELSE told || jsonb_build_object(CAST(:channel AS text), CAST(:now AS timestamptz)) END,
           recovery_told = CASE WHEN :recovery
             THEN recovery_told || jsonb_build_object(CAST(:channel AS text), CAST(:now AS timestamptz)) ELSE recovery_told END,
           channel_failures = 0, channel_error = NULL, next_try_at = NULL
     WHERE id = :id
""")


def note_told(conn: Connection, incident: UUID, channel: str, now: datetime, *, recovery: bool) -> None:
    """A channel accepted the alert, or the notice that it is over."""
    conn.execute(_TOLD, {"id": incident, "channel": channel, "now": now, "recovery": recovery})


_CHANNEL_FAILED = text("""
    UPDATE "AlertIncidents"
       SET channel_failures = channel_failures + 1, channel_error = :error, next_try_at = :next_try_at
     WHERE id = :id
""")


def note_channel_failure(conn: Connection, incident: UUID, error: str, next_try_at: datetime) -> None:
    """A channel did not accept the alert: tried again at ``next_try_at`` by whoever looks then."""
    conn.execute(_CHANNEL_FAILED, {"id": incident, "error": error[:300], "next_try_at": next_try_at})


_POSTPONE = text('UPDATE "AlertIncidents" SET next_try_at = :until WHERE id = :id')


def postpone(conn: Connection, incident: UUID, until: datetime) -> None:
    """Nothing is said before ``until``: an equal alert went out just now."""
    conn.execute(_POSTPONE, {"id": incident, "until": until})


_SETTLE = text('UPDATE "AlertIncidents" SET settled_at = :now, next_try_at = NULL WHERE id = :id')


def settle(conn: Connection, incident: UUID, now: datetime) -> None:
    """Everything that is to be said about the incident was said."""
    conn.execute(_SETTLE, {"id": incident, "now": now})


# The state of the world decides, not the code path that changed it.
_CLOSE = text("""
    UPDATE "AlertIncidents" i SET closed_at = :now, next_try_at = NULL
      FROM "AlertIncidents" o
      LEFT JOIN "PlatformAccounts" a ON a.id = o.platform_account_id
      LEFT JOIN "AccountRuntime" r ON r.platform_account_id = a.id
     WHERE o.id = i.id AND o.closed_at IS NULL AND (CAST(:account AS uuid) IS NULL OR a.id = :account)
       AND CASE WHEN a.id IS NULL THEN true ELSE CASE i.type
             WHEN :session THEN r.stop_code IS NULL
             WHEN :circuit THEN 'closed' = CASE WHEN i.reason IS NULL THEN COALESCE(r.circuit_state, 'closed')
               ELSE COALESCE(r.action_circuits #>> ARRAY[i.action, 'state'], 'closed') END
             WHEN :dead THEN NOT EXISTS (
               SELECT 1 FROM "OutboundDispatches" d
                WHERE d.platform_account_id = a.id AND d.state = 'dead_letter' AND d.error_code IS NOT DISTINCT FROM i.reason)
             WHEN :unknown THEN NOT EXISTS (
               SELECT 1 FROM "OutboundDispatches" d
                WHERE d.platform_account_id = a.id AND d.state = 'unknown' AND d.next_attempt_at IS NULL)
             WHEN :cap THEN COALESCE(r.send_cap_until, :now) <= :now
             ELSE i.last_seen_at < CAST(:now AS timestamptz) - interval '1 day' END END
    RETURNING i.id
""")


def close_recovered(conn: Connection, now: datetime, account: UUID | None = None) -> list[UUID]:
    """Close the incidents (of an account, or all) whose cause is gone."""
    parameters = {
        "now": now,
        "account": account,
        "session": SESSION_REFRESH_REQUESTED,
        "circuit": CIRCUIT_OPENED,
        "dead": DEAD_LETTER,
        "unknown": DELIVERY_UNKNOWN,
        "cap": SEND_CAP_REACHED,
    }
    return list(conn.execute(_CLOSE, parameters).scalars())


_LIST = text("""
    SELECT type, platform, platform_account_id, action, reason, opened_at, last_seen_at, occurrences, closed_at,
           told, channel_failures, channel_error
      FROM "AlertIncidents" WHERE closed_at IS NULL OR :closed
     ORDER BY opened_at DESC LIMIT :limit
""")


def list_incidents(conn: Connection, *, closed: bool = False, limit: int = 100) -> list[dict[str, object]]:
    """Incidents as operators see them, newest first; open ones only unless ``closed``."""
    rows = conn.execute(_LIST, {"closed": closed, "limit": limit}).mappings()
    return [{str(name): value for name, value in row.items()} for row in rows]
