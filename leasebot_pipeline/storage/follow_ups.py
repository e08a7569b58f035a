"""Steps whose time has come: what each may do now, and the statements that take it. A fixed number per batch."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, text

from leasebot_pipeline.domain.follow_ups import FollowUpPolicy, FollowUpWork
from leasebot_pipeline.domain.platforms import Platform
from leasebot_pipeline.storage.follow_up_sql import (
    CONFIRMED_SHOWING_AHEAD,
    INBOX_READ_SINCE,
    LEAD_WAITS,
    LEAD_WROTE_SINCE,
    ZONES,
)

Row = Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Allowed:
    """Accounts that follow up, and accounts that remind of showings, as their policies say."""

    following: tuple[UUID, ...]
    reminding: tuple[UUID, ...]

    @classmethod
    def by(cls, policies: Mapping[UUID, FollowUpPolicy]) -> Allowed:
        return cls(
            tuple(account for account, policy in policies.items() if policy.enabled),
            tuple(account for account, policy in policies.items() if policy.reminders),
        )

    def parameters(self) -> dict[str, object]:
        return {"following": list(self.following), "reminding": list(self.reminding)}


READY = f"""
    f.status = 'pending' AND f.handed_at IS NULL AND f.due_at <= :now AND a.platform = :platform
    AND CASE WHEN f.stage = 'outcome_prompt' THEN true
             ELSE a.is_active
                  AND CASE WHEN f.appointment_id IS NULL THEN a.id = ANY(:following) ELSE a.id = ANY(:reminding) END
                  AND {INBOX_READ_SINCE.format(since="f.due_at")}
        END
"""


@dataclass(frozen=True, slots=True)
class DueRow:
    """A step that is due. ``obstacle`` is a ``StopReason`` code; ``waits`` says it is not the moment yet."""

    id: UUID
    conversation_id: UUID
    platform_account_id: UUID
    external_thread_id: str
    stage: str
    due_at: datetime
    owner_agent_id: UUID | None
    after_seq: int
    lead_name: str | None
    unit_id: UUID | None
    unit_label: str | None
    unit_number: str | None
    zones: list[str | None]
    workflow_state: str
    on_conversation: bool
    """Whether the conversation's own columns say that this step is due."""
    opted_out: bool
    obstacle: str | None
    waits: bool
    appointment_id: UUID | None
    showing_starts_at: datetime | None
    showing_ends_at: datetime | None
    showing_timezone: str | None
    showing_agent_name: str | None
    showing_unit_id: UUID | None


_FACTS = f"""
    SELECT f.id, f.conversation_id, c.platform_account_id, c.external_thread_id, f.stage, f.due_at, f.owner_agent_id,
           f.after_seq, c.lead_name, COALESCE(s.unit_id, l.unit_id) AS unit_id,
           CASE WHEN u.id IS NULL THEN c.external_thread_label ELSE concat_ws(' ', u.property_name, u.unit_number) END AS unit_label,
           u.unit_number, {ZONES.format(agent="f.owner_agent_id")} AS zones, c.workflow_state,
           COALESCE(c.follow_up_stage = f.stage AND c.follow_up_status = 'pending', false) AS on_conversation,
           c.opted_out_at IS NOT NULL AS opted_out,
           CASE WHEN f.appointment_id IS NOT NULL AND (s.status <> 'confirmed' OR s.starts_at <> f.about_starts_at)
                THEN 'showing_changed'
                WHEN f.stage = 'outcome_prompt' THEN NULL
                WHEN c.opted_out_at IS NOT NULL THEN 'lead_opted_out'
                WHEN c.taken_over_at IS NOT NULL THEN 'taken_over_by_person'
                WHEN f.appointment_id IS NOT NULL THEN NULL
                WHEN c.status <> 'open' THEN 'conversation_closed'
                WHEN {LEAD_WROTE_SINCE.format(seq="f.after_seq")} THEN 'lead_replied'
                WHEN {CONFIRMED_SHOWING_AHEAD} THEN 'showing_booked'
                WHEN c.workflow_state = 'outcome' THEN 'outcome_reached'
                WHEN EXISTS (SELECT 1 FROM "Messages" n
                              WHERE n.conversation_id = c.id AND n.direction = 'outbound' AND n.seq > f.after_seq
                                AND COALESCE(n.metadata ->> 'reviewStatus', 'sent') = 'sent')
                THEN 'replaced_by_newer_message'
           END AS obstacle,
           f.appointment_id IS NOT NULL AND f.stage <> 'outcome_prompt'
             AND ({LEAD_WAITS} OR c.workflow_outcome IS NOT DISTINCT FROM 'human_required') AS waits,
           f.appointment_id, s.starts_at AS showing_starts_at, s.ends_at AS showing_ends_at,
           s.timezone AS showing_timezone, g.full_name AS showing_agent_name, s.unit_id AS showing_unit_id
      FROM "FollowUps" f
      JOIN "Conversations" c ON c.id = f.conversation_id
      JOIN "PlatformAccounts" a ON a.id = c.platform_account_id
      LEFT JOIN "ShowingAppointments" s ON s.id = f.appointment_id
      LEFT JOIN "Agents" g ON g.id = s.agent_id
      LEFT JOIN "Listings" l ON l.id = c.listing_id
      LEFT JOIN "Units" u ON u.id = COALESCE(s.unit_id, l.unit_id)
"""
_DUE = text(f"{_FACTS} WHERE {READY} ORDER BY f.due_at, f.id LIMIT :limit")
_AGAIN = text(f"{_FACTS} WHERE f.id = ANY(:ids)")
_LOCK = text("""
    SELECT f.id FROM "FollowUps" f JOIN "Conversations" c ON c.id = f.conversation_id
     WHERE f.id = ANY(:ids) AND f.status = 'pending' AND f.handed_at IS NULL
     ORDER BY c.id, f.id
     FOR UPDATE OF c, f SKIP LOCKED
""")


def load_due(
    conn: Connection, platform: Platform, allowed: Allowed, now: datetime, limit: int
) -> list[DueRow]:
    """Steps of a platform whose time has come, longest due first."""
    parameters = {"platform": platform.value, "now": now, "limit": limit, **allowed.parameters()}
    return [DueRow(**row) for row in conn.execute(_DUE, parameters).mappings()]


def lock_unchanged(conn: Connection, seen: Sequence[DueRow], now: datetime) -> set[UUID]:
    """Lock steps and conversations; the steps that still are as they were read. Others come again."""
    locked = list(conn.execute(_LOCK, {"ids": [row.id for row in seen]}).scalars())
    if not locked:
        return set()
    before = {row.id: row for row in seen}
    # A statement of its own: it sees what was committed until the locks were taken.
    rows = conn.execute(_AGAIN, {"ids": locked, "now": now}).mappings()
    return {row["id"] for row in rows if DueRow(**row) == before[row["id"]]}


_SWITCHED_OFF = """
    f.status = 'pending' AND f.stage <> 'outcome_prompt' AND a.platform = :platform
    AND NOT CASE WHEN f.appointment_id IS NULL THEN a.id = ANY(:following) ELSE a.id = ANY(:reminding) END
    AND NOT EXISTS (SELECT 1 FROM "OutboundDispatches" d
                     WHERE d.id = f.dispatch_id AND d.state IN ('claimed', 'sending', 'unknown', 'sent'))
"""
_OFF = text(f"""
    SELECT f.id FROM "FollowUps" f
      JOIN "Conversations" c ON c.id = f.conversation_id
      JOIN "PlatformAccounts" a ON a.id = c.platform_account_id
     WHERE {_SWITCHED_OFF} ORDER BY f.id LIMIT :limit
""")


def switched_off(conn: Connection, platform: Platform, allowed: Allowed, limit: int) -> list[UUID]:
    """Steps of accounts whose follow-ups or reminders were switched off since they were planned."""
    parameters = {"platform": platform.value, "limit": limit, **allowed.parameters()}
    return list(conn.execute(_OFF, parameters).scalars())


_DRAFTS = text("""
    INSERT INTO "Messages"
           (id, conversation_id, sender_type, sender_agent_id, external_message_id, direction, channel, body, metadata, sent_at, created_at)
    SELECT id, conversation_id, 'agent', sender_agent_id, external_message_id, 'outbound', 'in_app', body, metadata, NULL, :now
      FROM jsonb_to_recordset(CAST(:rows AS jsonb)) AS r(
             id uuid, conversation_id uuid, sender_agent_id uuid, external_message_id text, body text, metadata jsonb)
""")
_DISPATCHES = text("""
    INSERT INTO "OutboundDispatches"
           (id, purpose, purpose_key, conversation_id, platform_account_id, platform, external_thread_id, message_id, body,
            state, error_code, not_after, run_id, created_at, updated_at)
    SELECT id, purpose, purpose_key, conversation_id, platform_account_id, platform, external_thread_id, message_id, body,
           state, error_code, not_after, run_id, :now, :now
      FROM jsonb_to_recordset(CAST(:rows AS jsonb)) AS r(
             id uuid, purpose text, purpose_key text, conversation_id uuid, platform_account_id uuid, platform text,
             external_thread_id text, message_id uuid, body text, state text, error_code text, not_after timestamptz,
             run_id text)
""")
_HANDED = text("""
    UPDATE "FollowUps" f
       SET handed_at = :now, dispatch_id = r.dispatch_id, updated_at = :now,
           status = CASE WHEN r.done THEN 'completed' ELSE f.status END,
           settled_at = CASE WHEN r.done THEN CAST(:now AS timestamptz) END
      FROM jsonb_to_recordset(CAST(:rows AS jsonb)) AS r(id uuid, dispatch_id uuid, done boolean)
     WHERE f.id = r.id
""")
_POSTPONE = text("""
    UPDATE "FollowUps" f SET due_at = r.due_at, updated_at = :now
      FROM jsonb_to_recordset(CAST(:rows AS jsonb)) AS r(id uuid, due_at timestamptz)
     WHERE f.id = r.id AND f.status = 'pending' AND f.handed_at IS NULL
""")


def hand_over(
    conn: Connection,
    *,
    drafts: Sequence[Row],
    dispatches: Sequence[Row],
    handed: Sequence[Row],
    now: datetime,
) -> None:
    """Write texts into the outbox and note which step did what, in the caller's transaction.

    ``handed``: ``id``, ``dispatch_id`` (or None) and ``done`` (nothing more will come of the step).
    """
    for statement, rows in ((_DRAFTS, drafts), (_DISPATCHES, dispatches), (_HANDED, handed)):
        if rows:
            conn.execute(statement, {"rows": _json(rows), "now": now})


def postpone(conn: Connection, rows: Sequence[Row], now: datetime) -> None:
    """Move steps to a later time. Rows: ``id``, ``due_at``."""
    if rows:
        conn.execute(_POSTPONE, {"rows": _json(rows), "now": now})


_UNSENT = text("""
    SELECT f.id FROM "FollowUps" f
      JOIN "OutboundDispatches" d ON d.id = f.dispatch_id
     WHERE f.status = 'pending' AND f.handed_at IS NOT NULL AND d.platform = :platform AND d.state = 'cancelled'
     ORDER BY f.id
     LIMIT :limit
""")


def discarded(conn: Connection, platform: Platform, limit: int) -> list[UUID]:
    """Steps whose text was discarded in the outbox: it will never be sent."""
    return list(conn.execute(_UNSENT, {"platform": platform.value, "limit": limit}).scalars())


_WORK = text(f"""
    SELECT (SELECT count(*) FROM (
              SELECT 1 FROM "FollowUps" f JOIN "Conversations" c ON c.id = f.conversation_id
                JOIN "PlatformAccounts" a ON a.id = c.platform_account_id
               WHERE {READY} LIMIT 10000) ready) AS due,
           (SELECT count(*) FROM (
              SELECT 1 FROM "OutboundDispatches" d
               WHERE d.platform = :platform AND d.state = 'sent' AND d.silence_seen_at IS NULL AND d.sent_at <= :plan_before
               LIMIT 10000) unseen)
         + (SELECT count(*) FROM (
              SELECT 1 FROM "FollowUps" f JOIN "OutboundDispatches" d ON d.id = f.dispatch_id
               WHERE f.status = 'pending' AND f.handed_at IS NOT NULL AND d.platform = :platform AND d.state = 'cancelled'
               LIMIT 10000) gone)
         + (SELECT count(*) FROM (
              SELECT 1 FROM "FollowUps" f JOIN "Conversations" c ON c.id = f.conversation_id
                JOIN "PlatformAccounts" a ON a.id = c.platform_account_id
               WHERE {_SWITCHED_OFF} LIMIT 10000) off) AS to_plan,
           (SELECT min(f.due_at) FROM "FollowUps" f JOIN "Conversations" c ON c.id = f.conversation_id
              JOIN "PlatformAccounts" a ON a.id = c.platform_account_id
             WHERE f.status = 'pending' AND f.handed_at IS NULL AND f.due_at > :now AND a.platform = :platform) AS next_due_at
""")


def pending_work(
    conn: Connection, platform: Platform, allowed: Allowed, now: datetime, plan_before: datetime
) -> FollowUpWork:
    """Counts of due steps and of sent replies (proven up to ``plan_before``) whose silence is not planned."""
    parameters = {
        "platform": platform.value,
        "now": now,
        "plan_before": plan_before,
        **allowed.parameters(),
    }
    return FollowUpWork(*conn.execute(_WORK, parameters).one())


_BY_ACCOUNT = text("""
    SELECT c.platform_account_id, count(*) FROM "FollowUps" f JOIN "Conversations" c ON c.id = f.conversation_id
     WHERE f.status = 'pending' AND f.handed_at IS NULL GROUP BY 1
""")


def pending_by_account(conn: Connection) -> dict[UUID, int]:
    """How many steps of each account wait for their time."""
    return dict(conn.execute(_BY_ACCOUNT).tuples().all())


@dataclass(frozen=True, slots=True)
class OutcomePrompt:
    """A showing that is over and whose outcome its agent has not told yet."""

    id: UUID
    appointment_id: UUID
    conversation_id: UUID
    agent_id: UUID | None
    lead_name: str | None
    unit_label: str
    starts_at: datetime
    ends_at: datetime
    asked_at: datetime


_PROMPTS = text("""
    SELECT f.id, f.appointment_id, f.conversation_id, f.owner_agent_id AS agent_id, c.lead_name,
           concat_ws(' ', u.property_name, u.unit_number) AS unit_label, s.starts_at, s.ends_at, f.handed_at AS asked_at
      FROM "FollowUps" f
      JOIN "ShowingAppointments" s ON s.id = f.appointment_id
      JOIN "Conversations" c ON c.id = f.conversation_id
      JOIN "Units" u ON u.id = s.unit_id
     WHERE f.stage = 'outcome_prompt' AND f.status = 'pending' AND f.handed_at IS NOT NULL AND s.status = 'confirmed'
       AND (CAST(:agent AS uuid) IS NULL OR f.owner_agent_id = :agent)
     ORDER BY f.due_at, f.id
     LIMIT :limit
""")


def open_prompts(conn: Connection, agent: UUID | None = None, limit: int = 200) -> list[OutcomePrompt]:
    """Showings an agent (or anybody) should tell the outcome of, longest ago first."""
    rows = conn.execute(_PROMPTS, {"agent": agent, "limit": limit}).mappings()
    return [OutcomePrompt(**row) for row in rows]


def _json(rows: Sequence[Row]) -> str:
    return json.dumps([dict(row) for row in rows], default=_plain)


def _plain(value: Any) -> str:
    return value.isoformat() if isinstance(value, datetime) else str(value)
