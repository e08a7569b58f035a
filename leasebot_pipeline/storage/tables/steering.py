"""What people keep about conversations beside them: notes, and how far each has read."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, ForeignKey, Index, PrimaryKeyConstraint, Table, Text

from leasebot_pipeline.storage.tables.columns import instant, metadata, optional, ref, required, uuid_key

conversation_notes = Table(
    "ConversationNotes",
    metadata,
    uuid_key(),
    ref("conversation_id", "Conversations", "CASCADE"),
    optional("author_id"),
    required("body"),
    instant("created_at", now=True),
    Index("idx_conversation_notes_conversation", "conversation_id", "created_at"),
)

conversation_reads = Table(
    "ConversationReads",
    metadata,
    Column("user_id", Text, ForeignKey("user.id", ondelete="CASCADE"), nullable=False),
    ref("conversation_id", "Conversations", "CASCADE"),
    Column("seen_seq", BigInteger, nullable=False),
    instant("seen_at", now=True),
    PrimaryKeyConstraint("user_id", "conversation_id"),
)
