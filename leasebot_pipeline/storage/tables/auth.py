"""Logins: the tables of Better Auth (quoted camelCase columns) and our invitations."""

from __future__ import annotations

from sqlalchemy import Boolean, Column, ForeignKey, Index, Table, Text, UniqueConstraint, text
from sqlalchemy.dialects.postgresql import UUID

from leasebot_pipeline.storage.tables.columns import instant, metadata, one_of, optional, required, stamps

users = Table(
    "user",
    metadata,
    Column("id", Text, primary_key=True),
    required("name"),
    required("email"),
    Column("emailVerified", Boolean, nullable=False, server_default=text("false")),
    optional("image"),
    required("role", "agent"),
    Column("banned", Boolean, nullable=False, server_default=text("false")),
    optional("banReason"),
    instant("banExpires"),
    instant("createdAt", now=True),
    instant("updatedAt", now=True),
    UniqueConstraint("email", name="user_email_key"),
)

sessions = Table(
    "session",
    metadata,
    Column("id", Text, primary_key=True),
    instant("expiresAt", nullable=False),
    required("token"),
    instant("createdAt", now=True),
    instant("updatedAt", now=True),
    optional("ipAddress"),
    optional("userAgent"),
    Column("userId", Text, ForeignKey("user.id", ondelete="CASCADE"), nullable=False),
    optional("impersonatedBy"),
    UniqueConstraint("token", name="session_token_key"),
    Index("idx_session_user_id", "userId"),
    Index("idx_session_token", "token"),
)

accounts = Table(
    "account",
    metadata,
    Column("id", Text, primary_key=True),
    required("accountId"),
    required("providerId"),
    Column("userId", Text, ForeignKey("user.id", ondelete="CASCADE"), nullable=False),
    optional("accessToken"),
    optional("refreshToken"),
    optional("idToken"),
    instant("accessTokenExpiresAt"),
    instant("refreshTokenExpiresAt"),
    optional("scope"),
    optional("password"),
    instant("createdAt", now=True),
    instant("updatedAt", now=True),
    Index("idx_account_provider_account_id", "providerId", "accountId", unique=True),
)

verifications = Table(
    "verification",
    metadata,
    Column("id", Text, primary_key=True),
    required("identifier"),
    required("value"),
    instant("expiresAt", nullable=False),
    instant("createdAt", now=True),
    instant("updatedAt", now=True),
)

user_invitations = Table(
    "UserInvitations",
    metadata,
    Column("id", UUID, primary_key=True),
    required("email"),
    required("first_name"),
    required("last_name"),
    required("role"),
    required("token_hash"),
    Column("invited_by", Text, ForeignKey("user.id", ondelete="RESTRICT"), nullable=False),
    instant("expires_at", nullable=False),
    instant("accepted_at"),
    instant("revoked_at"),
    *stamps(),
    one_of("user_invitations_role_chk", "role", "admin", "agent"),
    UniqueConstraint("token_hash", name="user_invitations_token_hash_key"),
    Index("idx_user_invitations_email", text("lower(email)")),
    Index(
        "idx_user_invitations_pending",
        "expires_at",
        postgresql_where=text("accepted_at IS NULL AND revoked_at IS NULL"),
    ),
)
