"""What the API's processes share: rate limits and remembered answers."""

from __future__ import annotations

from sqlalchemy import Column, ForeignKey, Index, Integer, PrimaryKeyConstraint, Table, Text, text

from leasebot_pipeline.storage.tables.accounts import PLATFORM_VALUES
from leasebot_pipeline.storage.tables.columns import (
    document,
    instant,
    metadata,
    one_of,
    optional,
    required,
    uuid_key,
)

rate_limits = Table(
    "RateLimits",
    metadata,
    Column("key", Text, primary_key=True),
    Column("hits", Integer, nullable=False),
    instant("window_ends_at", nullable=False),
    Index("idx_rate_limits_window_ends_at", "window_ends_at"),
)

idempotent_requests = Table(
    "IdempotentRequests",
    metadata,
    Column("user_id", Text, ForeignKey("user.id", ondelete="CASCADE"), nullable=False),
    required("key"),
    required("request_hash"),
    Column("status", Integer, nullable=False),
    document("answer", None),
    instant("created_at", now=True),
    PrimaryKeyConstraint("user_id", "key"),
    Index("idx_idempotent_requests_created_at", "created_at"),
)

sync_requests = Table(
    "SyncRequests",
    metadata,
    uuid_key(),
    required("platform"),
    optional("requested_by"),
    instant("requested_at", nullable=False),
    instant("taken_at"),
    one_of("sync_requests_platform_chk", "platform", *PLATFORM_VALUES),
    Index("idx_sync_requests_open", "platform", unique=True, postgresql_where=text("taken_at IS NULL")),
)
