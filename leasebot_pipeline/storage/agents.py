"""Agents, and the logins behind them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import Connection, text

from leasebot_pipeline.storage import unit_calendars


@dataclass(frozen=True, slots=True)
class Agent:
    """Somebody who shows units; ``user_id`` is the login that acts for them, if any."""

    id: UUID
    full_name: str
    email: str | None
    timezone: str
    role: str
    user_id: str | None


_COLUMNS = "a.id, a.full_name, a.email, a.timezone, a.role, a.user_id"
_OF_LOGIN = text('SELECT id FROM "Agents" WHERE user_id = :user_id')
_LIST = text(f"""
    SELECT {_COLUMNS} FROM "Agents" a
     WHERE a.removed_at IS NULL
       AND (CAST(:after_name AS text) IS NULL OR (a.full_name, a.id) > (:after_name, CAST(:after_id AS uuid)))
     ORDER BY a.full_name, a.id LIMIT :limit
""")
_FIND = text(f'SELECT {_COLUMNS} FROM "Agents" a WHERE a.id = :id AND a.removed_at IS NULL')
_SET_ZONE = text("""
    UPDATE "Agents" SET timezone = :timezone, updated_at = :now WHERE id = :id AND timezone <> :timezone RETURNING id
""")
_LINK = text("""
    UPDATE "Agents" SET user_id = :user_id, updated_at = :now
     WHERE id = :id AND (CAST(:user_id AS text) IS NULL OR NOT EXISTS (
           SELECT 1 FROM "Agents" o WHERE o.user_id = :user_id AND o.id <> :id))
    RETURNING id
""")
_LEAVE = text("""
    UPDATE "Agents" SET user_id = NULL, updated_at = :now WHERE user_id = :user_id AND id <> :id RETURNING id
""")
# An agent of the same e-mail address gets the login, one who had left is back; otherwise one is made on the oldest active account, in the zone
# where most of the team's units are shown.
_ADOPT = text("""
    WITH adopted AS (
      UPDATE "Agents" SET user_id = :user_id, removed_at = NULL, updated_at = :now
       WHERE id = (SELECT id FROM "Agents" WHERE lower(email) = lower(:email) AND user_id IS NULL
                    ORDER BY removed_at IS NOT NULL, created_at, id LIMIT 1)
      RETURNING id
    ), made AS (
      INSERT INTO "Agents" (platform_account_id, full_name, email, timezone, user_id)
      SELECT p.id, :full_name, :email, :timezone, :user_id
        FROM "PlatformAccounts" p
       WHERE NOT EXISTS (SELECT 1 FROM adopted)
       ORDER BY p.is_active DESC, p.created_at, p.id LIMIT 1
      RETURNING id
    )
    SELECT id FROM adopted UNION ALL SELECT id FROM made
""")


def agent_of_login(conn: Connection, user_id: str) -> UUID | None:
    """The agent a login acts for."""
    return conn.execute(_OF_LOGIN, {"user_id": user_id}).scalar_one_or_none()


def list_agents(conn: Connection, limit: int, after: Sequence[object] | None = None) -> list[Agent]:
    """Agents by name, those after the key (name, id); without those who left."""
    name, key = after if after is not None else (None, None)
    rows = conn.execute(_LIST, {"limit": limit, "after_name": name, "after_id": key})
    return [Agent(*row) for row in rows]


def find_agent(conn: Connection, agent_id: UUID) -> Agent | None:
    """None for an agent who left, too."""
    row = conn.execute(_FIND, {"id": agent_id}).one_or_none()
    return None if row is None else Agent(*row)


def link_login(conn: Connection, agent_id: UUID, user_id: str | None, now: datetime) -> bool:
    """Let a login act for an agent, or nobody; False when it acts for another agent already."""
    linked = conn.execute(_LINK, {"id": agent_id, "user_id": user_id, "now": now})
    return linked.one_or_none() is not None


def unlink_elsewhere(conn: Connection, agent_id: UUID, user_id: str, now: datetime) -> UUID | None:
    """End what the login does for another agent; that agent, if there was one."""
    values = {"id": agent_id, "user_id": user_id, "now": now}
    return conn.execute(_LEAVE, values).scalar_one_or_none()


def agent_for_login(
    conn: Connection, *, user_id: str, email: str, full_name: str, now: datetime
) -> UUID | None:
    """The agent a new login acts for, adopted by e-mail address or made; None without any account."""
    values = {"user_id": user_id, "email": email, "full_name": full_name, "now": now}
    zone = unit_calendars.zone_of_calendar(conn, None, None)
    return conn.execute(_ADOPT, {**values, "timezone": zone}).scalar_one_or_none()


def set_timezone(conn: Connection, agent_id: UUID, timezone: str, now: datetime) -> bool:
    """The zone an agent's calendar is shown in; rules and showings keep their own. False when it is that already."""
    changed = conn.execute(_SET_ZONE, {"id": agent_id, "timezone": timezone, "now": now})
    return changed.one_or_none() is not None
