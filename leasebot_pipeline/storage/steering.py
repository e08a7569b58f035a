"""Who steers a conversation: taken over by a person or left to the bot, assigned, put aside.

Every function works in the caller's transaction and locks the conversation first, as decisions and intents do: what
the bot had under way is either before it and done, or after it and left alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Final
from uuid import UUID

from sqlalchemy import Connection, text

from leasebot_pipeline.domain.follow_ups import StopReason
from leasebot_pipeline.storage import audit, follow_up_ends, follow_up_stops, outbox_sweeps
from leasebot_pipeline.storage.booking import Actor

SNOOZED: Final = (
    "COALESCE(c.snoozed_until > :now AND COALESCE(c.newest_inbound_seq, 0) <= c.snoozed_seq, false)"
)
"""Alias ``c``: put aside, its time has not come, and the lead has written nothing since."""


@dataclass(frozen=True, slots=True)
class Steering:
    """Who is in charge of a conversation."""

    id: UUID
    platform: str
    platform_account_id: UUID
    assigned_agent_id: UUID | None
    assigned_agent_name: str | None
    follow_up_owner_agent_id: UUID | None
    taken_over_at: datetime | None
    taken_over_by: str | None
    taken_over_by_name: str | None
    snoozed: bool
    snoozed_until: datetime | None
    snoozed_by_name: str | None
    newest_inbound_seq: int | None
    updated_at: datetime

    def in_charge(self, agent_id: UUID | None) -> bool:
        """Whether a caller may see it; an administrator (no agent) may."""
        return agent_id is None or agent_id in (self.assigned_agent_id, self.follow_up_owner_agent_id)


_STEERING = f"""
    SELECT c.id, a.platform, c.platform_account_id, c.assigned_agent_id, g.full_name AS assigned_agent_name,
           c.follow_up_owner_agent_id, c.taken_over_at, c.taken_over_by, t.name AS taken_over_by_name,
           {SNOOZED} AS snoozed, c.snoozed_until, s.name AS snoozed_by_name, c.newest_inbound_seq, c.updated_at
      FROM "Conversations" c
      JOIN "PlatformAccounts" a ON a.id = c.platform_account_id
      LEFT JOIN "Agents" g ON g.id = c.assigned_agent_id
      LEFT JOIN "user" t ON t.id = c.taken_over_by
      LEFT JOIN "user" s ON s.id = c.snoozed_by
     WHERE c.id = :id
"""
_FIND = text(_STEERING)
_LOCK = text(f"{_STEERING} FOR UPDATE OF c")


def find(conn: Connection, conversation_id: UUID, now: datetime) -> Steering | None:
    return _one(conn, _FIND, conversation_id, now)


def lock(conn: Connection, conversation_id: UUID, now: datetime) -> Steering | None:
    """As ``find``, the conversation's row locked until the transaction ends."""
    return _one(conn, _LOCK, conversation_id, now)


def _one(conn: Connection, statement: object, conversation_id: UUID, now: datetime) -> Steering | None:
    row = conn.execute(statement, {"id": conversation_id, "now": now}).one_or_none()  # type: ignore[call-overload]
    return None if row is None else Steering(**{f.name: getattr(row, f.name) for f in fields(Steering)})


_TAKE_OVER = text("""
    UPDATE "Conversations" SET taken_over_at = COALESCE(taken_over_at, :now), taken_over_by = :user, updated_at = :now
     WHERE id = :id
""")
# Held, not cancelled: the person sees what the bot had meant to say, and may approve it.
_HOLD = text("""
    UPDATE "OutboundDispatches"
       SET state = 'held', error_code = 'taken_over_by_person', next_attempt_at = NULL, updated_at = :now,
           last_error = 'a person has taken the conversation over'
     WHERE conversation_id = :id AND purpose = 'decision' AND state IN ('queued', 'retry_scheduled')
    RETURNING id
""")


def take_over(conn: Connection, seen: Steering, actor: Actor, now: datetime) -> bool:
    """From now on a person answers; False when this person does already. Nothing the bot has queued goes out."""
    if seen.taken_over_by is not None and seen.taken_over_by == actor.actor_id:
        return False
    conn.execute(_TAKE_OVER, {"id": seen.id, "user": actor.actor_id, "now": now})
    held = list(conn.execute(_HOLD, {"id": seen.id, "now": now}).scalars())
    outbox_sweeps.show_to_people(conn, held, now)
    stopped = follow_up_stops.stop(
        conn, [seen.id], StopReason.TAKEN_OVER, now, showings=True, actor_type=actor.actor_type
    )
    follow_up_ends.say_cancelled(conn, stopped, now)
    details = {
        "previousUser": seen.taken_over_by,
        "heldReplies": [str(one) for one in held],
        "stoppedSteps": len(stopped),
    }
    _tell(conn, seen, "conversation_taken_over", details, actor)
    return True


_HAND_BACK = text("""
    UPDATE "Conversations" SET taken_over_at = NULL, taken_over_by = NULL, updated_at = :now WHERE id = :id
""")


def hand_back(conn: Connection, seen: Steering, actor: Actor, now: datetime) -> bool:
    """From the lead's next message on the bot answers again; False when it does already."""
    if seen.taken_over_at is None:
        return False
    conn.execute(_HAND_BACK, {"id": seen.id, "now": now})
    _tell(conn, seen, "conversation_handed_back", {"takenOverBy": seen.taken_over_by}, actor)
    return True


_ASSIGN = text("""
    UPDATE "Conversations" SET assigned_agent_id = :agent, updated_at = :now WHERE id = :id
""")


def assign(conn: Connection, seen: Steering, agent_id: UUID | None, actor: Actor, now: datetime) -> bool:
    """Give it to an agent or to nobody; False when it is so already."""
    if seen.assigned_agent_id == agent_id:
        return False
    conn.execute(_ASSIGN, {"id": seen.id, "agent": agent_id, "now": now})
    details = {
        "previousAgentId": _text(seen.assigned_agent_id),
        "assignedAgentId": _text(agent_id),
    }
    _tell(conn, seen, "conversation_assigned", details, actor, agent_id)
    return True


_SNOOZE = text("""
    UPDATE "Conversations"
       SET snoozed_until = :until, snoozed_by = :user, snoozed_seq = COALESCE(newest_inbound_seq, 0), updated_at = :now
     WHERE id = :id
""")
_WAKE = text("""
    UPDATE "Conversations" SET snoozed_until = NULL, snoozed_by = NULL, snoozed_seq = NULL, updated_at = :now
     WHERE id = :id
""")


def snooze(conn: Connection, seen: Steering, until: datetime, actor: Actor, now: datetime) -> None:
    """Out of the lists of what waits until then, or until the lead writes."""
    conn.execute(_SNOOZE, {"id": seen.id, "until": until, "user": actor.actor_id, "now": now})
    _tell(conn, seen, "conversation_snoozed", {"until": until.isoformat()}, actor)


def wake(conn: Connection, seen: Steering, actor: Actor, now: datetime) -> bool:
    """Back among what waits; False when it was never put aside."""
    if seen.snoozed_until is None:
        return False
    conn.execute(_WAKE, {"id": seen.id, "now": now})
    _tell(conn, seen, "conversation_woken", {}, actor)
    return True


def _tell(
    conn: Connection,
    seen: Steering,
    action: str,
    details: Mapping[str, object],
    actor: Actor,
    agent_id: UUID | None = None,
) -> None:
    entry = audit.AuditEntry(
        actor_type=actor.actor_type,
        actor_id=actor.actor_id,
        entity_type="conversation",
        entity_id=str(seen.id),
        action=action,
        details=details,
        platform=seen.platform,
        platform_account_id=seen.platform_account_id,
        conversation_id=seen.id,
        agent_id=_text(agent_id or seen.assigned_agent_id),
    )
    audit.record(conn, [entry])


def _text(value: UUID | None) -> str | None:
    return None if value is None else str(value)
