"""Steps that end before they were taken, together with what their conversations say about them.

A lead who writes ends everything in the transaction that stores the message.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import Connection, text

from leasebot_pipeline.domain.follow_up_states import FollowUpStatus
from leasebot_pipeline.domain.follow_ups import StopReason
from leasebot_pipeline.domain.workflow import WorkflowState
from leasebot_pipeline.domain.workflow_changes import WorkflowPatch
from leasebot_pipeline.storage import follow_up_stops, transitions
from leasebot_pipeline.storage.follow_up_stops import StoppedStep
from leasebot_pipeline.storage.transitions import TransitionRequest

_SAYS_DUE = text("""
    SELECT DISTINCT c.id FROM unnest(CAST(:conversations AS uuid[]), CAST(:stages AS text[])) AS s(id, stage)
      JOIN "Conversations" c ON c.id = s.id AND c.follow_up_stage = s.stage AND c.follow_up_status = 'pending'
     WHERE NOT EXISTS (SELECT 1 FROM "FollowUps" f
                        WHERE f.conversation_id = c.id AND f.stage = c.follow_up_stage AND f.status = 'pending')
     ORDER BY c.id
""")


def call_off(
    conn: Connection,
    steps: Sequence[UUID],
    reasons: Sequence[StopReason],
    now: datetime,
    run_id: str | None = None,
) -> list[StoppedStep]:
    """Call off steps, each with its reason; a conversation that said such a step is due says it is cancelled."""
    stopped = follow_up_stops.stop_steps(conn, steps, reasons, now, run_id=run_id)
    say_cancelled(conn, stopped, now, run_id)
    return stopped


def say_cancelled(
    conn: Connection, stopped: Sequence[StoppedStep], now: datetime, run_id: str | None = None
) -> None:
    """Bring the conversations' own columns in line with steps that were stopped."""
    silent = [step for step in stopped if step.appointment_id is None]
    if not silent:
        return
    parameters = {
        "conversations": [step.conversation_id for step in silent],
        "stages": [step.stage for step in silent],
    }
    requests = [
        TransitionRequest(
            conversation,
            WorkflowPatch(follow_up_status=FollowUpStatus.CANCELLED),
            source="follow_up",
            trigger="follow_up_stopped",
            run_id=run_id,
        )
        for conversation in conn.execute(_SAYS_DUE, parameters).scalars()
    ]
    transitions.transition(conn, requests, now)


# Only messages that wait count: history that is landed late is no reply.
_WROTE = text("""
    SELECT c.id, c.workflow_state, c.follow_up_stage, c.follow_up_status,
           (array_agg(m.id ORDER BY m.seq DESC))[1] AS message_id
      FROM "Messages" m JOIN "Conversations" c ON c.id = m.conversation_id
     WHERE m.id = ANY(:messages) AND m.direction = 'inbound' AND NOT m.metadata ? 'aiProcessedAt'
       AND (c.follow_up_stage IS NOT NULL
            OR EXISTS (SELECT 1 FROM "FollowUps" f
                        WHERE f.conversation_id = c.id AND f.status = 'pending' AND f.appointment_id IS NULL))
     GROUP BY c.id
     ORDER BY c.id
""")


def lead_wrote(conn: Connection, messages: Sequence[UUID], now: datetime, run_id: str | None = None) -> int:
    """Stop what is planned for leads who wrote; a conversation in the middle of a sequence is a lead again."""
    rows = conn.execute(_WROTE, {"messages": list(messages)}).all()
    if not rows:
        return 0
    stopped = follow_up_stops.stop(
        conn, [row.id for row in rows], StopReason.LEAD_REPLIED, now, run_id=run_id
    )
    in_sequence = (WorkflowState.FOLLOW_UP_1, WorkflowState.FOLLOW_UP_2)
    requests = []
    for row in rows:
        if row.workflow_state in in_sequence:
            patch = WorkflowPatch(workflow_state=WorkflowState.LEAD)
        elif row.follow_up_stage is not None and row.follow_up_status == FollowUpStatus.PENDING:
            patch = WorkflowPatch(follow_up_status=FollowUpStatus.CANCELLED)
        else:
            continue
        requests.append(
            TransitionRequest(
                row.id,
                patch,
                source="follow_up",
                trigger="inbound_message",
                message_id=row.message_id,
                run_id=run_id,
                reopen=True,
            )
        )
    transitions.transition(conn, requests, now)
    return len(stopped)
