"""Kill switches and alert incidents."""

from __future__ import annotations

from sqlalchemy import CheckConstraint, Column, Index, Integer, Table, text
from sqlalchemy.dialects.postgresql import UUID

from leasebot_pipeline.storage.tables.columns import (
    document,
    instant,
    metadata,
    one_of,
    optional,
    ref,
    required,
    uuid_key,
)

kill_switches = Table(
    "KillSwitches",
    metadata,
    uuid_key(),
    required("target"),
    required("scope"),
    optional("platform"),
    ref("platform_account_id", "PlatformAccounts", "CASCADE", nullable=True),
    required("reason"),
    required("actor_type"),
    optional("actor_id"),
    instant("engaged_at", now=True),
    instant("lifted_at"),
    optional("lifted_by"),
    one_of("kill_switches_scope_chk", "scope", "global", "platform", "account"),
    CheckConstraint(
        "COALESCE(target = CASE scope WHEN 'global' THEN 'global' WHEN 'platform' THEN 'platform:' || platform"
        " ELSE 'account:' || platform_account_id::text END, false)",
        name="kill_switches_target_chk",
    ),
    Index("idx_kill_switches_engaged", "target", unique=True, postgresql_where=text("lifted_at IS NULL")),
)

alert_incidents = Table(
    "AlertIncidents",
    metadata,
    uuid_key(),
    required("key"),
    required("type"),
    required("platform"),
    Column("platform_account_id", UUID, nullable=False),  # as in the audit log: it outlives the account
    required("action"),
    optional("reason"),
    document("event", None),
    instant("opened_at", nullable=False),
    instant("last_seen_at", nullable=False),
    Column("occurrences", Integer, nullable=False, server_default=text("1")),
    instant("closed_at"),
    document("told"),
    document("recovery_told"),
    instant("settled_at"),
    Column("channel_failures", Integer, nullable=False, server_default=text("0")),
    optional("channel_error"),
    instant("next_try_at"),
    Index("idx_alert_incidents_open", "key", unique=True, postgresql_where=text("closed_at IS NULL")),
    Index("idx_alert_incidents_unsettled", "opened_at", postgresql_where=text("settled_at IS NULL")),
    Index("idx_alert_incidents_account", "platform_account_id", text("opened_at DESC")),
)
