"""Before the click: a follow-up or reminder leaves only while what it was planned on still holds.

``STANDS`` is part of the statement that commits the intent, so nothing can come in between; ``in_outbox`` finds
beforehand what would be refused there, so that it is called off with its reason instead of being tried again.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from sqlalchemy import Connection, text

from leasebot_pipeline.domain.platforms import Platform
from leasebot_pipeline.storage.follow_up_sql import (
    CONFIRMED_SHOWING_AHEAD,
    LEAD_WAITS,
    LEAD_WROTE_SINCE,
    ZONES,
)

_WHY_NOT: Final = f"""
    CASE WHEN f.status <> 'pending' THEN COALESCE(f.reason, 'text_not_sent')
         WHEN c.opted_out_at IS NOT NULL THEN 'lead_opted_out'
         WHEN c.taken_over_at IS NOT NULL THEN 'taken_over_by_person'
         WHEN f.appointment_id IS NULL AND {LEAD_WROTE_SINCE.format(seq="f.after_seq")} THEN 'lead_replied'
         WHEN f.appointment_id IS NULL AND {CONFIRMED_SHOWING_AHEAD} THEN 'showing_booked'
         WHEN f.appointment_id IS NOT NULL AND NOT EXISTS (
                SELECT 1 FROM "ShowingAppointments" s
                 WHERE s.id = f.appointment_id AND s.status = 'confirmed' AND s.starts_at = f.about_starts_at)
         THEN 'showing_changed'
         WHEN f.appointment_id IS NOT NULL AND d.not_after <= :now THEN 'too_late'
    END
"""

STANDS: Final = f"""
    NOT EXISTS (SELECT 1 FROM "Conversations" c
                 WHERE c.id = d.conversation_id AND c.opted_out_at IS NOT NULL AND d.purpose = 'decision')
    AND NOT EXISTS (
      SELECT 1 FROM "FollowUps" f JOIN "Conversations" c ON c.id = f.conversation_id
       WHERE f.dispatch_id = d.id
         AND ({_WHY_NOT} IS NOT NULL OR d.not_after <= :now OR (f.appointment_id IS NOT NULL AND {LEAD_WAITS})
           OR (CAST(:last_shown AS text) IS NOT NULL AND NOT EXISTS (
                 SELECT 1 FROM "Messages" k
                  WHERE k.conversation_id = c.id AND k.external_message_id = :last_shown))))
"""
"""Alias ``d`` is the outbox row, ``:last_shown`` the newest message its thread page showed just now: one that we do
not know yet may be the lead's answer."""

_IN_OUTBOX = text(f"""
    SELECT f.id, d.id AS dispatch_id, c.platform_account_id, d.not_after, {_WHY_NOT} AS reason,
           {ZONES.format(agent="f.owner_agent_id")} AS zones, f.status = 'pending' AS pending
      FROM "OutboundDispatches" d
      JOIN "FollowUps" f ON f.dispatch_id = d.id
      JOIN "Conversations" c ON c.id = d.conversation_id
     WHERE d.platform = :platform AND d.state IN ('queued', 'retry_scheduled')
       AND ({_WHY_NOT} IS NOT NULL OR d.not_after <= :now)
     ORDER BY f.id
""")
_WITHDRAW = text("""
    UPDATE "OutboundDispatches"
       SET state = 'cancelled', error_code = 'follow_up_stopped', last_error = 'the follow-up was stopped', next_attempt_at = NULL,
           updated_at = :now
     WHERE id = ANY(:ids) AND state IN ('queued', 'retry_scheduled')
""")
_LATER = text("""
    UPDATE "OutboundDispatches" d SET next_attempt_at = r.next_attempt_at, not_after = r.not_after, updated_at = :now
      FROM unnest(CAST(:ids AS uuid[]), CAST(:starts AS timestamptz[]), CAST(:ends AS timestamptz[]))
           AS r(id, next_attempt_at, not_after)
     WHERE d.id = r.id AND d.state IN ('queued', 'retry_scheduled')
""")


@dataclass(frozen=True, slots=True)
class WaitingText:
    """A text in the outbox that may not go out now. ``reason`` None: only its hours are over for today."""

    id: UUID
    dispatch_id: UUID
    platform_account_id: UUID
    not_after: datetime | None
    reason: str | None
    zones: list[str | None]
    pending: bool
    """False when its step was stopped while a worker had the text in hand."""


def in_outbox(conn: Connection, platform: Platform, now: datetime) -> list[WaitingText]:
    """Follow-ups and reminders that are queued and may not go out now."""
    parameters = {"platform": platform.value, "now": now}
    return [WaitingText(**row) for row in conn.execute(_IN_OUTBOX, parameters).mappings()]


def withdraw(conn: Connection, dispatches: Sequence[UUID], now: datetime) -> None:
    """Cancel queued texts whose steps were stopped before."""
    if dispatches:
        conn.execute(_WITHDRAW, {"ids": list(dispatches), "now": now})


def send_later(
    conn: Connection, hours: Sequence[tuple[UUID, datetime, datetime | None]], now: datetime
) -> None:
    """Move queued texts into the next hours in which they may go out: (dispatch, from, until)."""
    if hours:
        ids, starts, ends = zip(*hours, strict=True)
        conn.execute(_LATER, {"ids": list(ids), "starts": list(starts), "ends": list(ends), "now": now})
