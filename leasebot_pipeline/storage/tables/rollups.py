"""Counts kept beside the logs, and how far each log is counted."""

from __future__ import annotations

from sqlalchemy import BigInteger, Boolean, Column, Index, Integer, PrimaryKeyConstraint, Table, Text, text

from leasebot_pipeline.storage.tables.columns import instant, metadata, required

tallies = Table(
    "Tallies",
    metadata,
    required("kind"),
    instant("slice", nullable=False),
    required("k1", ""),
    required("k2", ""),
    required("k3", ""),
    Column("total", BigInteger, nullable=False),
    Column("merged", Boolean, nullable=False, server_default=text("false")),
    Index(
        "tallies_merged_key",
        "kind",
        "slice",
        "k1",
        "k2",
        "k3",
        unique=True,
        postgresql_where=text("merged"),
    ),
    Index("idx_tallies_kind", "kind", "slice"),
    Index("idx_tallies_unmerged", "kind", postgresql_where=text("NOT merged")),
)

conversation_tallies = Table(
    "ConversationTallies",
    metadata,
    instant("slice", nullable=False),
    required("conversation"),
    Column("total", BigInteger, nullable=False),
    PrimaryKeyConstraint("slice", "conversation"),
)

active_conversations = Table(
    "ActiveConversations",
    metadata,
    Column("conversation", Text, primary_key=True),
    Column("total", BigInteger, nullable=False),
    Index("idx_active_conversations_total", text("total DESC"), "conversation"),
)

spread_escalations = Table(
    "SpreadEscalations",
    metadata,
    required("entity_type"),
    required("entity_id"),
    instant("slice", nullable=False),
    Column("rank", Integer, nullable=False),
    instant("created_at", nullable=False),
    Column("audit_id", BigInteger, nullable=False),
    required("reason"),
    PrimaryKeyConstraint("entity_type", "entity_id", "slice"),
    Index("idx_spread_escalations_slice", "slice"),
)

digest_marks = Table(
    "DigestMarks",
    metadata,
    Column("name", Text, primary_key=True),
    Column("through_id", BigInteger, nullable=False),
    instant("floor_at", nullable=False),
    instant("rolling_from", nullable=False),
    instant("digested_at", nullable=False),
)
