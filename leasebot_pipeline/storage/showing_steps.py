"""Steps around showings, kept in step with the showings themselves: planned once, moved and called off with them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from sqlalchemy import Connection, text

from leasebot_pipeline.domain.platforms import Platform
from leasebot_pipeline.storage.follow_up_sql import ZONES

LOOK_BACK: Final = timedelta(days=2)
"""A showing that ended longer ago is asked about no more."""


@dataclass(frozen=True, slots=True)
class UnplannedShowing:
    """A confirmed showing whose steps are not stored yet."""

    id: UUID
    conversation_id: UUID
    platform_account_id: UUID
    agent_id: UUID
    starts_at: datetime
    ends_at: datetime
    timezone: str
    zones: list[str | None]


# The question to the agent is planned for every showing, so its row says that the showing was looked at.
_UNPLANNED_WHERE = """
      s.status = 'confirmed' AND a.platform = :platform AND s.ends_at > :ended_after
      AND s.starts_at > CAST(:ended_after AS timestamptz) - interval '1 day'
      AND NOT EXISTS (SELECT 1 FROM "FollowUps" f
                       WHERE f.appointment_id = s.id AND f.stage = 'outcome_prompt' AND f.about_starts_at = s.starts_at
                         AND f.status <> 'cancelled')
"""
_UNPLANNED = text(f"""
    SELECT s.id, s.conversation_id, c.platform_account_id, s.agent_id, s.starts_at, s.ends_at, s.timezone,
           {ZONES.format(agent="s.agent_id")} AS zones
      FROM "ShowingAppointments" s
      JOIN "Conversations" c ON c.id = s.conversation_id
      JOIN "PlatformAccounts" a ON a.id = c.platform_account_id
     WHERE {_UNPLANNED_WHERE}
     ORDER BY s.starts_at, s.id
     LIMIT :limit
""")
_OBSOLETE_WHERE = """
      f.appointment_id IS NOT NULL AND f.status = 'pending' AND a.platform = :platform
      AND (s.status <> 'confirmed' OR s.starts_at <> f.about_starts_at)
      AND NOT EXISTS (SELECT 1 FROM "OutboundDispatches" d
                       WHERE d.id = f.dispatch_id AND d.state IN ('claimed', 'sending', 'unknown', 'sent'))
"""
_OBSOLETE = text(f"""
    SELECT f.id, f.stage = 'outcome_prompt' AND s.status IN ('completed', 'no_show') AS answered
      FROM "FollowUps" f
      JOIN "ShowingAppointments" s ON s.id = f.appointment_id
      JOIN "Conversations" c ON c.id = f.conversation_id
      JOIN "PlatformAccounts" a ON a.id = c.platform_account_id
     WHERE {_OBSOLETE_WHERE}
     ORDER BY f.id
     LIMIT :limit
""")
_INSERT = text("""
    INSERT INTO "FollowUps" (conversation_id, stage, due_at, owner_agent_id, appointment_id, about_starts_at, created_at, updated_at)
    SELECT r.conversation_id, r.stage, r.due_at, r.owner_agent_id, r.appointment_id, r.about_starts_at, :now, :now
      FROM jsonb_to_recordset(CAST(:rows AS jsonb)) AS r(
             conversation_id uuid, stage text, due_at timestamptz, owner_agent_id uuid, appointment_id uuid,
             about_starts_at timestamptz)
      JOIN "ShowingAppointments" s ON s.id = r.appointment_id AND s.status = 'confirmed' AND s.starts_at = r.about_starts_at
    ON CONFLICT DO NOTHING
    RETURNING stage
""")
_ANSWERED = text("""
    UPDATE "FollowUps" SET status = 'completed', reason = 'outcome_known', settled_at = :now, updated_at = :now
     WHERE id = ANY(:ids) AND status = 'pending'
""")
_WORK = text(f"""
    SELECT (SELECT count(*) FROM (
              SELECT 1 FROM "ShowingAppointments" s JOIN "Conversations" c ON c.id = s.conversation_id
                JOIN "PlatformAccounts" a ON a.id = c.platform_account_id
               WHERE {_UNPLANNED_WHERE} LIMIT 10000) new)
         + (SELECT count(*) FROM (
              SELECT 1 FROM "FollowUps" f JOIN "ShowingAppointments" s ON s.id = f.appointment_id
                JOIN "Conversations" c ON c.id = f.conversation_id
                JOIN "PlatformAccounts" a ON a.id = c.platform_account_id
               WHERE {_OBSOLETE_WHERE} LIMIT 10000) old)
""")


@dataclass(frozen=True, slots=True)
class ShowingStepRow:
    """A step of a showing to be stored."""

    conversation_id: UUID
    stage: str
    due_at: datetime
    owner_agent_id: UUID
    appointment_id: UUID
    about_starts_at: datetime


def unplanned(conn: Connection, platform: Platform, now: datetime, limit: int) -> list[UnplannedShowing]:
    """Confirmed showings, new or moved, whose steps are not stored."""
    parameters = {"platform": platform.value, "ended_after": now - LOOK_BACK, "limit": limit}
    return [UnplannedShowing(**row) for row in conn.execute(_UNPLANNED, parameters).mappings()]


def store(conn: Connection, rows: Sequence[ShowingStepRow], now: datetime) -> int:
    """Store steps of showings that still stand as they were read; how many are new."""
    if not rows:
        return 0
    values = [{name: getattr(row, name) for name in ShowingStepRow.__dataclass_fields__} for row in rows]
    text_rows = json.dumps(values, default=lambda v: v.isoformat() if isinstance(v, datetime) else str(v))
    return len(conn.execute(_INSERT, {"rows": text_rows, "now": now}).all())


@dataclass(frozen=True, slots=True)
class Obsolete:
    """Steps of showings that were moved, cancelled or are over: to call off, or answered."""

    stop: tuple[UUID, ...]
    answered: tuple[UUID, ...]


def obsolete(conn: Connection, platform: Platform, limit: int) -> Obsolete:
    """Pending steps that no longer fit their showing."""
    rows = conn.execute(_OBSOLETE, {"platform": platform.value, "limit": limit}).all()
    return Obsolete(
        tuple(row.id for row in rows if not row.answered), tuple(row.id for row in rows if row.answered)
    )


def answered(conn: Connection, steps: Sequence[UUID], now: datetime) -> None:
    """The agent told how these showings went: nothing to ask any more."""
    if steps:
        conn.execute(_ANSWERED, {"ids": list(steps), "now": now})


def pending_work(conn: Connection, platform: Platform, now: datetime) -> int:
    """How many showings and steps are out of step with each other."""
    parameters = {"platform": platform.value, "ended_after": now - LOOK_BACK}
    return int(conn.execute(_WORK, parameters).scalar_one())
