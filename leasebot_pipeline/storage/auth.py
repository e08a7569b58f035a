"""Logins and sessions in Better Auth's tables (`"user"`, session, account; quoted camelCase columns).

Rows written here are valid for Better Auth on the same database, and its rows are valid here. Passwords
arrive hashed; ids and tokens are 32 random letters and digits, as that library makes them.
"""

from __future__ import annotations

import secrets
import string
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection, Row, text

_ALPHABET: Final = string.ascii_letters + string.digits
CREDENTIAL_PROVIDER: Final = "credential"


class EmailTaken(Exception):
    """A login with that e-mail address exists already."""


@dataclass(frozen=True, slots=True)
class User:
    id: str
    name: str
    email: str
    email_verified: bool
    image: str | None
    role: str
    banned: bool
    ban_reason: str | None
    ban_expires: datetime | None
    created_at: datetime
    updated_at: datetime

    def is_banned(self, now: datetime) -> bool:
        """A ban without an end lasts."""
        return self.banned and (self.ban_expires is None or self.ban_expires > now)


@dataclass(frozen=True, slots=True)
class Session:
    id: str
    token: str
    user_id: str
    expires_at: datetime
    created_at: datetime
    updated_at: datetime
    ip_address: str | None
    user_agent: str | None
    impersonated_by: str | None


@dataclass(frozen=True, slots=True)
class Credential:
    """A login found by e-mail; ``password_hash`` is None when it has no password."""

    user: User
    password_hash: str | None


_USER_COLUMNS: Final = """
    u.id AS user_id, u.name, u.email, u."emailVerified" AS email_verified, u.image, u.role, u.banned,
    u."banReason" AS ban_reason, u."banExpires" AS ban_expires, u."createdAt" AS user_created_at,
    u."updatedAt" AS user_updated_at
"""
_SESSION_COLUMNS: Final = """
    s.id AS session_id, s.token, s."userId" AS session_user_id, s."expiresAt" AS expires_at, s."createdAt" AS created_at,
    s."updatedAt" AS updated_at, s."ipAddress" AS ip_address, s."userAgent" AS user_agent,
    s."impersonatedBy" AS impersonated_by
"""
_FIND_CREDENTIAL = text(f"""
    SELECT {_USER_COLUMNS}, a.password
      FROM "user" u LEFT JOIN account a ON a."userId" = u.id AND a."providerId" = 'credential'
     WHERE u.email = :email
     LIMIT 1
""")
_FIND_SESSION = text(f"""
    SELECT {_SESSION_COLUMNS}, {_USER_COLUMNS}
      FROM session s JOIN "user" u ON u.id = s."userId"
     WHERE s.token = :token
""")
_CREATE_SESSION = text(f"""
    INSERT INTO session AS s (id, token, "userId", "expiresAt", "createdAt", "updatedAt", "ipAddress", "userAgent")
    VALUES (:id, :token, :user_id, :expires_at, :now, :now, :ip_address, :user_agent)
    RETURNING {_SESSION_COLUMNS}
""")
# The old expiry is part of the condition: of two requests at once only one renews.
_RENEW_SESSION = text("""
    UPDATE session SET "expiresAt" = :expires_at, "updatedAt" = :now
     WHERE token = :token AND "expiresAt" = :old_expires_at
""")
_DELETE_SESSION = text("DELETE FROM session WHERE token = :token")
_LIST_SESSIONS = text(f"""
    SELECT {_SESSION_COLUMNS} FROM session s
     WHERE s."userId" = :user_id AND s."expiresAt" > :now ORDER BY s."createdAt" DESC, s.id
""")
_DELETE_SESSION_OF = text('DELETE FROM session WHERE token = :token AND "userId" = :user_id')
_DELETE_SESSIONS_OF = text("""
    DELETE FROM session WHERE "userId" = :user_id AND token IS DISTINCT FROM CAST(:keep AS text)
""")
_PASSWORD_OF = text("""
    SELECT password FROM account WHERE "userId" = :user_id AND "providerId" = 'credential' LIMIT 1
""")
_SET_PASSWORD = text("""
    UPDATE account SET password = :password, "updatedAt" = :now
     WHERE "userId" = :user_id AND "providerId" = 'credential'
""")
_CREATE_USER = text(f"""
    INSERT INTO "user" AS u (id, name, email, role, "emailVerified", "createdAt", "updatedAt")
    VALUES (:id, :name, :email, :role, false, :now, :now)
    ON CONFLICT (email) DO NOTHING
    RETURNING {_USER_COLUMNS}
""")
_CREATE_ACCOUNT = text("""
    INSERT INTO account (id, "accountId", "providerId", "userId", password, "createdAt", "updatedAt")
    VALUES (:id, :user_id, 'credential', :user_id, :password, :now, :now)
""")
_USER_EXISTS = text('SELECT EXISTS (SELECT 1 FROM "user" WHERE id = :id)')
_PROMOTE = text("""
    UPDATE "user" SET role = 'admin', name = :name, "emailVerified" = true, "updatedAt" = :now WHERE email = :email
""")


def random_id() -> str:
    """32 random letters and digits: the form of every id and token in these tables."""
    return "".join(secrets.choice(_ALPHABET) for _ in range(32))


def find_credential(conn: Connection, email: str) -> Credential | None:
    """The login of an e-mail address, in any case; addresses are stored in lower case."""
    row = conn.execute(_FIND_CREDENTIAL, {"email": email.lower()}).one_or_none()
    return None if row is None else Credential(_user(row), row.password)


def find_session(conn: Connection, token: str) -> tuple[Session, User] | None:
    """The session of a token, expired or not, with its user."""
    row = conn.execute(_FIND_SESSION, {"token": token}).one_or_none()
    return None if row is None else (_session(row), _user(row))


def create_session(
    conn: Connection,
    *,
    user_id: str,
    expires_at: datetime,
    now: datetime,
    ip_address: str,
    user_agent: str,
) -> Session:
    row = conn.execute(
        _CREATE_SESSION,
        {
            "id": random_id(),
            "token": random_id(),
            "user_id": user_id,
            "expires_at": expires_at,
            "now": now,
            "ip_address": ip_address,
            "user_agent": user_agent,
        },
    ).one()
    return _session(row)


def renew_session(conn: Connection, session: Session, expires_at: datetime, now: datetime) -> bool:
    """Move the expiry; False when another request did so first or the session is gone."""
    renewed = conn.execute(
        _RENEW_SESSION,
        {
            "token": session.token,
            "old_expires_at": session.expires_at,
            "expires_at": expires_at,
            "now": now,
        },
    )
    return renewed.rowcount == 1


def renewed(session: Session, expires_at: datetime, now: datetime) -> Session:
    """The session as ``renew_session`` left it."""
    return replace(session, expires_at=expires_at, updated_at=now)


def delete_session(conn: Connection, token: str) -> None:
    conn.execute(_DELETE_SESSION, {"token": token})


def list_sessions(conn: Connection, user_id: str, now: datetime) -> list[Session]:
    """A user's sessions that have not expired, newest first."""
    return [_session(row) for row in conn.execute(_LIST_SESSIONS, {"user_id": user_id, "now": now})]


def delete_session_of(conn: Connection, user_id: str, token: str) -> None:
    """End a session if it is this user's; another user's is left alone."""
    conn.execute(_DELETE_SESSION_OF, {"user_id": user_id, "token": token})


def delete_sessions_of(conn: Connection, user_id: str, keep: str | None = None) -> None:
    """End all sessions of a user, but the one with the token ``keep``."""
    conn.execute(_DELETE_SESSIONS_OF, {"user_id": user_id, "keep": keep})


def password_hash_of(conn: Connection, user_id: str) -> str | None:
    """The stored hash; None for a user without a password."""
    value = conn.execute(_PASSWORD_OF, {"user_id": user_id}).scalar_one_or_none()
    return value if isinstance(value, str) else None


def set_password(conn: Connection, user_id: str, password_hash: str, now: datetime) -> None:
    conn.execute(_SET_PASSWORD, {"user_id": user_id, "password": password_hash, "now": now})


def user_exists(conn: Connection, user_id: str) -> bool:
    return bool(conn.execute(_USER_EXISTS, {"id": user_id}).scalar_one())


def create_user(conn: Connection, *, name: str, email: str, password_hash: str, now: datetime) -> User:
    """Create a login of role ``agent`` with a password. Raises EmailTaken."""
    row = conn.execute(
        _CREATE_USER,
        {"id": random_id(), "name": name, "email": email.lower(), "role": "agent", "now": now},
    ).one_or_none()
    if row is None:
        raise EmailTaken(email)
    user = _user(row)
    conn.execute(
        _CREATE_ACCOUNT, {"id": random_id(), "user_id": user.id, "password": password_hash, "now": now}
    )
    return user


def ensure_dev_admin(
    conn: Connection, *, email: str, name: str, password_hash: Callable[[], str], now: datetime
) -> bool:
    """Make sure that ``email`` can sign in as admin; True when the login was created now.

    The password of an existing login stays as it is; ``password_hash`` is only called for a new one.
    """
    created = False
    if find_credential(conn, email) is None:
        try:
            create_user(conn, name=name, email=email, password_hash=password_hash(), now=now)
            created = True
        except EmailTaken:  # another process starting at the same time was first
            created = False
    conn.execute(_PROMOTE, {"email": email.lower(), "name": name, "now": now})
    return created


def _user(row: Row[Any]) -> User:
    return User(
        id=row.user_id,
        name=row.name,
        email=row.email,
        email_verified=row.email_verified,
        image=row.image,
        role=row.role,
        banned=row.banned,
        ban_reason=row.ban_reason,
        ban_expires=row.ban_expires,
        created_at=row.user_created_at,
        updated_at=row.user_updated_at,
    )


def _session(row: Row[Any]) -> Session:
    return Session(
        id=row.session_id,
        token=row.token,
        user_id=row.session_user_id,
        expires_at=row.expires_at,
        created_at=row.created_at,
        updated_at=row.updated_at,
        ip_address=row.ip_address,
        user_agent=row.user_agent,
        impersonated_by=row.impersonated_by,
    )
