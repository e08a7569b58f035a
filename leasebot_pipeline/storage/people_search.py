"""Logins and invitations as one list, newest first: what administrators look through."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import Connection, text


@dataclass(frozen=True, slots=True)
class Wanted:
    """What entries must have; None: anything. ``text`` is looked for in names and addresses."""

    text: str | None = None
    kind: str | None = None
    """``user`` or ``invitation``."""
    role: str | None = None
    status: str | None = None
    """``active`` for logins; ``pending``, ``accepted``, ``expired`` or ``revoked`` for invitations."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A login or an invitation. ``expires_at`` belongs to invitations, the agent to logins that act for one."""

    kind: str
    id: str
    email: str
    name: str
    role: str
    status: str
    created_at: datetime
    expires_at: datetime | None
    agent_id: UUID | None
    agent_name: str | None


_SEARCH = text("""
    WITH entries AS (
      SELECT 'user' AS kind, u.id, u.email, u.name, CASE u.role WHEN 'admin' THEN 'admin' ELSE 'agent' END AS role,
             'active' AS status, u."createdAt" AS created_at, CAST(NULL AS timestamptz) AS expires_at,
             a.id AS agent_id, a.full_name AS agent_name
        FROM "user" u LEFT JOIN "Agents" a ON a.user_id = u.id
      UNION ALL
      SELECT 'invitation', i.id::text, i.email, concat_ws(' ', i.first_name, i.last_name), i.role,
             CASE WHEN i.revoked_at IS NOT NULL THEN 'revoked' WHEN i.accepted_at IS NOT NULL THEN 'accepted'
                  WHEN i.expires_at <= :now THEN 'expired' ELSE 'pending' END,
             i.created_at, i.expires_at, NULL, NULL
        FROM "UserInvitations" i
    )
    SELECT kind, id, email, name, role, status, created_at, expires_at, agent_id, agent_name, count(*) OVER () AS total
      FROM entries
     WHERE (CAST(:text AS text) IS NULL OR strpos(lower(concat_ws(' ', name, email, agent_name)), lower(:text)) > 0)
       AND (CAST(:kind AS text) IS NULL OR kind = :kind)
       AND (CAST(:role AS text) IS NULL OR role = :role)
       AND (CAST(:status AS text) IS NULL OR status = :status)
     ORDER BY created_at DESC, kind, id
     LIMIT :limit OFFSET :skip
""")
_NAMES = text('SELECT id, email, name FROM "user" WHERE id = ANY(:ids)')


def search(
    conn: Connection, wanted: Wanted, now: datetime, *, limit: int, skip: int
) -> tuple[list[Entry], int]:
    """A page of entries, newest first, and how many there are in all (0 beyond the last page)."""
    parameters = {
        "text": wanted.text,
        "kind": wanted.kind,
        "role": wanted.role,
        "status": wanted.status,
        "now": now,
        "limit": limit,
        "skip": skip,
    }
    rows = conn.execute(_SEARCH, parameters).all()
    found = [Entry(*row[:-1]) for row in rows]
    return found, rows[0].total if rows else 0


def names(conn: Connection, user_ids: Collection[str]) -> dict[str, str]:
    """How people with a login are called, by id: their name, else their address."""
    if not user_ids:
        return {}
    return {row.id: row.name or row.email for row in conn.execute(_NAMES, {"ids": sorted(user_ids)})}


def addresses(conn: Connection, user_ids: Collection[str]) -> dict[str, str]:
    """E-mail addresses of logins by id; ids that are none are left out."""
    if not user_ids:
        return {}
    return {row.id: row.email for row in conn.execute(_NAMES, {"ids": sorted(user_ids)})}
