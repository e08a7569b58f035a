"""Stopping: whatever was planned for a silent lead is called off, in the transaction of what ended the silence."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import Connection, text

from leasebot_pipeline.domain.follow_ups import StopReason
from leasebot_pipeline.storage import audit


@dataclass(frozen=True, slots=True)
class StoppedStep:
    """A step that was called off, and where it stood."""

    id: UUID
    conversation_id: UUID
    stage: str
    due_at: datetime
    owner_agent_id: UUID | None
    dispatch_id: UUID | None
    appointment_id: UUID | None
    platform: str
    platform_account_id: UUID
    text_withdrawn: bool


# A text whose click may have happened is beyond stopping: its step ends with its proof.
_STOP = text("""
    WITH gone AS (
      UPDATE "FollowUps" f SET status = 'cancelled', reason = r.reason, settled_at = :now, updated_at = :now
        FROM unnest(CAST(:steps AS uuid[]), CAST(:reasons AS text[])) AS r(id, reason)
       WHERE f.id = r.id AND f.status = 'pending'
         AND NOT EXISTS (SELECT 1 FROM "OutboundDispatches" d
                          WHERE d.id = f.dispatch_id AND d.state IN ('sending', 'unknown', 'sent'))
      RETURNING f.*
    ), withdrawn AS (
      UPDATE "OutboundDispatches" d
         SET state = 'cancelled', error_code = g.reason, last_error = 'the follow-up was stopped', next_attempt_at = NULL,
             updated_at = :now
        FROM gone g
       WHERE d.id = g.dispatch_id AND d.state IN ('draft', 'held', 'queued', 'retry_scheduled', 'dead_letter')
      RETURNING d.id, d.message_id
    ), drafts AS (
      UPDATE "Messages" m SET metadata = m.metadata || '{"reviewStatus": "hold", "superseded": true}'::jsonb
        FROM withdrawn w WHERE m.id = w.message_id AND m.metadata ->> 'reviewStatus' = 'draft'
    )
    SELECT g.id, g.conversation_id, g.stage, g.due_at, g.owner_agent_id, g.dispatch_id, g.appointment_id, g.reason,
           a.platform, a.id AS platform_account_id, w.id IS NOT NULL AS text_withdrawn
      FROM gone g
      JOIN "Conversations" c ON c.id = g.conversation_id
      JOIN "PlatformAccounts" a ON a.id = c.platform_account_id
      LEFT JOIN withdrawn w ON w.id = g.dispatch_id
     ORDER BY g.id
""")
_PENDING = text("""
    SELECT f.id FROM "FollowUps" f
     WHERE f.conversation_id = ANY(:conversations) AND f.status = 'pending'
       AND (f.appointment_id IS NULL OR (:showings AND f.stage <> 'outcome_prompt'))
     ORDER BY f.id
     FOR UPDATE OF f
""")


def stop_steps(
    conn: Connection,
    steps: Sequence[UUID],
    reasons: Sequence[StopReason],
    now: datetime,
    *,
    run_id: str | None = None,
    actor_type: str = "worker",
) -> list[StoppedStep]:
    """Call off the given steps, each with its reason and its audit row; what has ended already stays as it is."""
    if not steps:
        return []
    rows = conn.execute(
        _STOP, {"steps": list(steps), "reasons": [reason.value for reason in reasons], "now": now}
    ).mappings()
    stopped: list[StoppedStep] = []
    entries: list[audit.AuditEntry] = []
    for row in rows:
        values = dict(row)
        reason = values.pop("reason")
        step = StoppedStep(**values)
        stopped.append(step)
        entries.append(_entry(step, reason, run_id, actor_type))
    audit.record(conn, entries)
    return stopped


def stop(
    conn: Connection,
    conversations: Sequence[UUID],
    reason: StopReason,
    now: datetime,
    *,
    run_id: str | None = None,
    showings: bool = False,
    actor_type: str = "worker",
) -> list[StoppedStep]:
    """Call off what is planned for the conversations' silence; with ``showings`` their reminders too.

    The conversations' own follow-up columns are the caller's (``transitions``).
    """
    if not conversations:
        return []
    parameters = {"conversations": list(conversations), "showings": showings}
    steps = list(conn.execute(_PENDING, parameters).scalars())
    return stop_steps(conn, steps, [reason] * len(steps), now, run_id=run_id, actor_type=actor_type)


def _entry(step: StoppedStep, reason: str, run_id: str | None, actor_type: str) -> audit.AuditEntry:
    agent = str(step.owner_agent_id) if step.owner_agent_id else None
    return audit.AuditEntry(
        actor_type=actor_type,
        actor_id=agent if actor_type == "worker" else None,
        entity_type="conversation",
        entity_id=str(step.conversation_id),
        action="follow_up_stopped" if step.appointment_id is None else "showing_reminder_stopped",
        details={
            "followUpId": str(step.id),
            "stage": step.stage,
            "stopReason": reason,
            "dueAt": step.due_at.isoformat(),
            "textWithdrawn": step.text_withdrawn,
            **({"appointmentId": str(step.appointment_id)} if step.appointment_id else {}),
        },
        platform=step.platform,
        platform_account_id=step.platform_account_id,
        conversation_id=step.conversation_id,
        agent_id=agent,
        run_id=run_id,
    )


def by_stage(steps: Sequence[StoppedStep]) -> Counter[str]:
    """How many of each stage were called off."""
    return Counter(step.stage for step in steps)
