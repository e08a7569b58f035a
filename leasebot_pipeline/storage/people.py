"""Logins as administrators see them, and invitations to get one."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID, uuid4

from sqlalchemy import Connection, text

from leasebot_pipeline.storage import agents
from leasebot_pipeline.storage import auth as logins


@dataclass(frozen=True, slots=True)
class Person:
    """A login; ``agent_id`` is the agent it acts for."""

    id: str
    email: str
    name: str
    role: str
    created_at: datetime
    updated_at: datetime
    agent_id: UUID | None


@dataclass(frozen=True, slots=True)
class Invitation:
    """An invitation; its token is known to the invited person only."""

    id: UUID
    email: str
    first_name: str
    last_name: str
    role: str
    invited_by: str
    expires_at: datetime
    accepted_at: datetime | None
    revoked_at: datetime | None
    created_at: datetime
    updated_at: datetime

    def status(self, now: datetime) -> str:
        """``revoked``, ``accepted``, ``expired`` or ``pending``."""
        if self.revoked_at is not None:
            return "revoked"
        if self.accepted_at is not None:
            return "accepted"
        return "expired" if self.expires_at <= now else "pending"


class EmailHasLogin(Exception):
    """Somebody with that e-mail address can sign in already."""


@dataclass(frozen=True, slots=True)
class NotAvailable(Exception):
    """The invitation is not pending; ``status`` says why."""

    status: str


_PEOPLE = text("""
    SELECT u.id, u.email, u.name, u.role, u."createdAt", u."updatedAt", a.id AS agent_id
      FROM "user" u LEFT JOIN "Agents" a ON a.user_id = u.id
     WHERE CAST(:after_at AS timestamptz) IS NULL OR (u."createdAt", u.id) < (CAST(:after_at AS timestamptz), :after_id)
     ORDER BY u."createdAt" DESC, u.id DESC LIMIT :limit
""")
_COLUMNS = """id, email, first_name, last_name, role, invited_by, expires_at, accepted_at, revoked_at,
              created_at, updated_at"""
_INVITATIONS = text(
    f'SELECT {_COLUMNS} FROM "UserInvitations" ORDER BY created_at DESC, id DESC LIMIT :limit'
)
_HAS_LOGIN = text('SELECT EXISTS (SELECT 1 FROM "user" WHERE lower(email) = :email)')
_REVOKE_OPEN = text("""
    UPDATE "UserInvitations" SET revoked_at = :now, updated_at = :now
     WHERE lower(email) = :email AND accepted_at IS NULL AND revoked_at IS NULL
""")
_INVITE = text(f"""
    INSERT INTO "UserInvitations" (id, email, first_name, last_name, role, token_hash, invited_by, expires_at,
                                   created_at, updated_at)
    VALUES (:id, :email, :first_name, :last_name, :role, :token_hash, :invited_by, :expires_at, :now, :now)
    RETURNING {_COLUMNS}
""")
_REVOKE = text("""
    UPDATE "UserInvitations" SET revoked_at = :now, updated_at = :now
     WHERE id = :id AND accepted_at IS NULL AND revoked_at IS NULL RETURNING id
""")
_BY_TOKEN = text(f'SELECT {_COLUMNS} FROM "UserInvitations" WHERE token_hash = :token_hash')
_LOCK_TOKEN = text(f'SELECT {_COLUMNS} FROM "UserInvitations" WHERE token_hash = :token_hash FOR UPDATE')
_ACCEPT = text('UPDATE "UserInvitations" SET accepted_at = :now, updated_at = :now WHERE id = :id')
_WELCOME = text('UPDATE "user" SET role = :role, "emailVerified" = true, "updatedAt" = :now WHERE id = :id')


def list_people(conn: Connection, limit: int, after: Sequence[object] | None = None) -> list[Person]:
    """Logins, newest first, those after the key (created as ISO text, id)."""
    at, key = after if after is not None else (None, None)
    rows = conn.execute(_PEOPLE, {"limit": limit, "after_at": at, "after_id": key})
    return [Person(*row) for row in rows]


def list_invitations(conn: Connection, limit: int) -> list[Invitation]:
    """Invitations, newest first."""
    return [Invitation(*row) for row in conn.execute(_INVITATIONS, {"limit": limit})]


def invite(
    conn: Connection,
    *,
    email: str,
    first_name: str,
    last_name: str,
    role: str,
    invited_by: str,
    lifetime: timedelta,
    now: datetime,
) -> tuple[Invitation, str]:
    """Invite somebody; the invitation and its token. Earlier open invitations of the address end.

    Raises EmailHasLogin.
    """
    address = email.lower()
    if conn.execute(_HAS_LOGIN, {"email": address}).scalar_one():
        raise EmailHasLogin
    conn.execute(_REVOKE_OPEN, {"email": address, "now": now})
    token = secrets.token_urlsafe(32)
    row = conn.execute(
        _INVITE,
        {
            "id": uuid4(),
            "email": address,
            "first_name": first_name,
            "last_name": last_name,
            "role": role,
            "token_hash": _hash(token),
            "invited_by": invited_by,
            "expires_at": now + lifetime,
            "now": now,
        },
    ).one()
    return Invitation(*row), token


def revoke(conn: Connection, invitation_id: UUID, now: datetime) -> bool:
    """End a pending invitation; False when there is none."""
    return conn.execute(_REVOKE, {"id": invitation_id, "now": now}).one_or_none() is not None


def find_invitation(conn: Connection, token: str) -> Invitation | None:
    row = conn.execute(_BY_TOKEN, {"token_hash": _hash(token)}).one_or_none()
    return None if row is None else Invitation(*row)


def accept(conn: Connection, token: str, password_hash: str, now: datetime) -> Invitation | None:
    """Make the login of a pending invitation, with its role; for an agent also the agent. None: unknown token.

    One transaction with the row locked: accepted once, and no login without it.
    Raises NotAvailable, ``auth.EmailTaken``.
    """
    row = conn.execute(_LOCK_TOKEN, {"token_hash": _hash(token)}).one_or_none()
    if row is None:
        return None
    invitation = Invitation(*row)
    if invitation.status(now) != "pending":
        raise NotAvailable(invitation.status(now))
    name = f"{invitation.first_name} {invitation.last_name}"
    user = logins.create_user(conn, name=name, email=invitation.email, password_hash=password_hash, now=now)
    conn.execute(_WELCOME, {"id": user.id, "role": invitation.role, "now": now})
    if invitation.role == "agent":
        agents.agent_for_login(conn, user_id=user.id, email=user.email, full_name=name, now=now)
    conn.execute(_ACCEPT, {"id": invitation.id, "now": now})
    return invitation


def _hash(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
