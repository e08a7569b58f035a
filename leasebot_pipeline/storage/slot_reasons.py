"""Why a time is not offered, answered from the database for any agent, unit and instant."""

from __future__ import annotations

from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import Connection, text

from leasebot_pipeline.domain.slots_policy import SlotPolicy
from leasebot_pipeline.domain.slots_reasons import NotOffered, Obstacle, why_not_offered
from leasebot_pipeline.storage.calendars import load_calendars

_FACTS = text("""
    SELECT (SELECT is_active FROM "Units" WHERE id = :unit) AS unit_active,
           EXISTS (SELECT 1 FROM "Agents" WHERE id = :agent AND removed_at IS NULL) AS agent_known
""")
# Windows and showings around the instant reach over whole local days, wherever they lie.
_MARGIN = timedelta(days=2)


def explain(
    conn: Connection,
    unit_id: UUID,
    agent_id: UUID,
    instant: datetime,
    policy: SlotPolicy,
    now: datetime,
    horizon: timedelta,
    *,
    ignoring_conversation: UUID | None = None,
) -> tuple[NotOffered, ...]:
    """All reasons why a visit of that unit with that agent at that instant is not offered; empty when it is free.

    Five statements. ``horizon`` is how far ahead visits are offered.
    """
    facts = conn.execute(_FACTS, {"unit": unit_id, "agent": agent_id}).one()
    unknown = []
    if facts.unit_active is None:
        unknown.append(NotOffered(Obstacle.UNIT_UNKNOWN, "there is no such unit"))
    if not facts.agent_known:
        unknown.append(NotOffered(Obstacle.AGENT_UNKNOWN, "there is no such agent"))
    if unknown:
        return tuple(unknown)
    begin = min(now, instant - _MARGIN)
    end = max(now + horizon, instant + _MARGIN)
    calendars = load_calendars(conn, [unit_id], begin, end - begin, also_agents=[agent_id], inactive_too=True)
    found = why_not_offered(
        calendars.for_unit(unit_id, also=agent_id),
        policy,
        agent_id,
        instant,
        now,
        now + horizon,
        ignoring_conversation=ignoring_conversation,
    )
    if facts.unit_active:
        return found
    return (NotOffered(Obstacle.UNIT_INACTIVE, "the unit is not active"), *found)
