"""Landing, conversations, messages, templates, rules."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    ForeignKey,
    Identity,
    Index,
    Integer,
    Table,
    Text,
    UniqueConstraint,
    text,
)
from sqlalchemy.dialects.postgresql import UUID

from leasebot_pipeline.storage.tables.columns import (
    document,
    instant,
    metadata,
    one_of,
    optional,
    ref,
    required,
    stamps,
    uuid_key,
)
from leasebot_pipeline.storage.tables.scheduling import SHOWING_VALUES

OUTCOME_VALUES = (
    "not_interested",
    "wants_reschedule",
    "no_reply",
    "showing_confirmed",
    "general_question",
    "human_required",
    "no_show",
    "completed",
)

# The inbox list's order (storage/inbox_list.py), all parts in one direction.
_INBOX_ORDER = (
    text("COALESCE(last_message_at, created_at)"),
    text("(- COALESCE(external_inbox_sort_rank, 2147483647))"),
    "id",
)

conversations = Table(
    "Conversations",
    metadata,
    uuid_key(),
    ref("platform_account_id", "PlatformAccounts", "CASCADE"),
    ref("listing_id", "Listings", "SET NULL", nullable=True),
    ref("assigned_agent_id", "Agents", "SET NULL", nullable=True),
    required("external_thread_id"),
    optional("lead_name"),
    document("lead_contact"),
    required("status", "open"),
    instant("last_message_at"),
    *stamps(),
    required("workflow_state", "lead"),
    optional("workflow_outcome"),
    optional("showing_state"),
    optional("follow_up_stage"),
    instant("follow_up_due_at"),
    ref("follow_up_owner_agent_id", "Agents", "SET NULL", nullable=True),
    required("follow_up_status", "pending"),
    instant("workflow_updated_at", now=True),
    optional("external_thread_label"),
    Column("external_thread_message_count", Integer),
    Column("external_inbox_sort_rank", Integer),
    Column("newest_inbound_seq", BigInteger),
    Column("handled_through_seq", BigInteger, nullable=False, server_default=text("0")),
    document("linkage_hints"),
    optional("linkage_strategy"),
    instant("linkage_attempted_at"),
    optional("lead_external_id"),
    instant("workflow_outcome_at"),
    instant("opted_out_at"),
    instant("erased_at"),
    instant("taken_over_at"),
    optional("taken_over_by"),
    instant("snoozed_until"),
    optional("snoozed_by"),
    Column("snoozed_seq", BigInteger),
    one_of(
        "conversations_workflow_state_chk",
        "workflow_state",
        "lead",
        "showing",
        "follow_up_1",
        "follow_up_2",
        "outcome",
    ),
    one_of("conversations_workflow_outcome_chk", "workflow_outcome", *OUTCOME_VALUES),
    one_of("conversations_showing_state_chk", "showing_state", *SHOWING_VALUES),
    one_of("conversations_follow_up_stage_chk", "follow_up_stage", "follow_up_1", "follow_up_2"),
    one_of("conversations_follow_up_status_chk", "follow_up_status", "pending", "completed", "cancelled"),
    CheckConstraint(
        "workflow_outcome IS NULL OR workflow_state = 'outcome'"
        " OR (workflow_outcome = 'showing_confirmed' AND workflow_state = 'showing')",
        name="conversations_outcome_requires_outcome_state_chk",
    ),
    CheckConstraint(
        "workflow_state NOT IN ('follow_up_1', 'follow_up_2')"
        " OR (follow_up_stage IS NOT NULL AND follow_up_stage = workflow_state)",
        name="conversations_follow_up_stage_consistency_chk",
    ),
    CheckConstraint(
        "follow_up_stage IS NULL OR (follow_up_due_at IS NOT NULL AND follow_up_owner_agent_id IS NOT NULL)",
        name="conversations_follow_up_fields_chk",
    ),
    CheckConstraint("(snoozed_until IS NULL) = (snoozed_seq IS NULL)", name="conversations_snooze_chk"),
    UniqueConstraint("platform_account_id", "external_thread_id", name="conversations_account_thread_key"),
    Index("idx_conversations_listing_id", "listing_id"),
    Index("idx_conversations_workflow_state", "workflow_state", text("workflow_updated_at DESC")),
    Index("idx_conversations_workflow_outcome", "workflow_outcome", text("workflow_updated_at DESC")),
    Index("idx_conversations_external_inbox_sort_rank", "platform_account_id", "external_inbox_sort_rank"),
    Index("idx_conversations_assigned_agent_id", "assigned_agent_id"),
    Index("idx_conversations_account_recent", "platform_account_id", text("last_message_at DESC NULLS LAST")),
    Index(
        "idx_conversations_waiting",
        "platform_account_id",
        "newest_inbound_seq",
        postgresql_where=text("status = 'open' AND newest_inbound_seq > handled_through_seq"),
    ),
    Index(
        "idx_conversations_follow_up_due",
        "follow_up_due_at",
        postgresql_where=text("follow_up_stage IS NOT NULL AND follow_up_status = 'pending'"),
    ),
    Index(
        "idx_conversations_opted_out", "lead_external_id", postgresql_where=text("opted_out_at IS NOT NULL")
    ),
    Index(
        "idx_conversations_inbox",
        *_INBOX_ORDER,
        postgresql_where=text("status = 'open'"),
    ),
    Index(
        "idx_conversations_inbox_of_agent",
        "assigned_agent_id",
        *_INBOX_ORDER,
        postgresql_where=text("status = 'open'"),
    ),
    Index(
        "idx_conversations_inbox_of_owner",
        "follow_up_owner_agent_id",
        *_INBOX_ORDER,
        postgresql_where=text("status = 'open' AND follow_up_owner_agent_id IS NOT NULL"),
    ),
    # Only where the server has pg_trgm; without it the search reads the inbox.
    Index(
        "idx_conversations_search",
        "lead_name",
        "external_thread_label",
        postgresql_using="gin",
        postgresql_ops={"lead_name": "gin_trgm_ops", "external_thread_label": "gin_trgm_ops"},
        postgresql_where=text("status = 'open'"),
    ),
    Index(
        "idx_conversations_follow_up_owner",
        "follow_up_owner_agent_id",
        postgresql_where=text("follow_up_owner_agent_id IS NOT NULL"),
    ),
    Index(
        "idx_conversations_unlinked",
        "platform_account_id",
        postgresql_where=text("status = 'open' AND listing_id IS NULL"),
    ),
)

messages = Table(
    "Messages",
    metadata,
    uuid_key(),
    ref("conversation_id", "Conversations", "CASCADE"),
    required("sender_type"),
    ref("sender_agent_id", "Agents", "SET NULL", nullable=True),
    optional("external_message_id"),
    required("direction"),
    required("channel", "in_app"),
    required("body"),
    document("metadata"),
    instant("sent_at"),
    instant("created_at", now=True),
    Column("seq", BigInteger, Identity(always=True), nullable=False),
    UniqueConstraint("conversation_id", "external_message_id", name="messages_conversation_external_key"),
    Index("idx_messages_conversation_id", "conversation_id"),
    Index("idx_messages_conversation_seq", "conversation_id", text("seq DESC")),
    Index("idx_messages_sent_at", text("sent_at DESC")),
    Index(
        "idx_messages_drafts",
        "conversation_id",
        postgresql_where=text("metadata ->> 'reviewStatus' = 'draft' AND NOT metadata ? 'discarded'"),
    ),
    Index(
        "idx_messages_held",
        "conversation_id",
        postgresql_where=text("metadata ->> 'reviewStatus' = 'hold' AND NOT metadata ? 'discarded'"),
    ),
    Index(
        "idx_messages_undecided",
        "conversation_id",
        postgresql_where=text(
            "NOT metadata ? 'aiProcessedAt' AND (direction = 'inbound' OR metadata ->> 'reviewStatus' = 'new')"
            " AND NOT metadata ? 'discarded'"
        ),
    ),
    Index("idx_messages_counted_at", text("COALESCE(sent_at, created_at)")),
    Index(
        "idx_messages_to_review",
        "conversation_id",
        postgresql_where=text("metadata ->> 'reviewStatus' IN ('draft', 'hold')"),
    ),
)

inbox_threads = Table(
    "InboxThreads",
    metadata,
    Column(
        "platform_account_id", UUID, ForeignKey("PlatformAccounts.id", ondelete="CASCADE"), primary_key=True
    ),
    Column("external_thread_id", Text, primary_key=True),
    required("fingerprint"),
    optional("read_fingerprint"),
    instant("read_at"),
    instant("seen_at", now=True),
    Column("sort_rank", Integer),
    Column("failures", Integer, nullable=False, server_default=text("0")),
    optional("last_error"),
)

inbound_events = Table(
    "InboundEvents",
    metadata,
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    ref("platform_account_id", "PlatformAccounts", "CASCADE"),
    required("platform"),
    required("external_thread_id"),
    required("external_message_id"),
    required("identity_source"),
    required("direction"),
    required("body"),
    instant("sent_at"),
    optional("sent_at_text"),
    Column("sent_at_has_time", Boolean, nullable=False, server_default=text("false")),
    document("payload"),
    ref("platform_run_id", "PlatformRuns", "SET NULL", nullable=True),
    instant("landed_at", now=True),
    instant("ingested_at"),
    Column("message_id", UUID),
    instant("quarantined_at"),
    optional("quarantine_reason"),
    one_of("inbound_events_identity_source_chk", "identity_source", "platform", "hash"),
    one_of("inbound_events_direction_chk", "direction", "inbound", "outbound"),
    CheckConstraint("num_nonnulls(ingested_at, quarantined_at) <= 1", name="inbound_events_one_end_chk"),
    CheckConstraint(
        "(quarantined_at IS NULL) = (quarantine_reason IS NULL)", name="inbound_events_quarantine_reason_chk"
    ),
    UniqueConstraint(
        "platform_account_id", "external_thread_id", "external_message_id", name="inbound_events_identity_key"
    ),
    Index(
        "idx_inbound_events_pending",
        "platform",
        "id",
        postgresql_where=text("ingested_at IS NULL AND quarantined_at IS NULL"),
    ),
    Index("idx_inbound_events_landed_at", "landed_at"),
    Index(
        "idx_inbound_events_delay",
        "platform",
        text("floor(11.5415603 * ln(1 + GREATEST(0, date_part('epoch', landed_at - sent_at))))"),
        "landed_at",
        postgresql_include=["platform_account_id", "sent_at"],
        postgresql_where=text("direction = 'inbound' AND sent_at_has_time"),
    ),
)

templates = Table(
    "Templates",
    metadata,
    uuid_key(),
    ref("platform_account_id", "PlatformAccounts", "CASCADE", nullable=True),
    required("name"),
    required("channel", "in_app"),
    required("locale", "en-US"),
    required("body"),
    document("variables", "[]"),
    Column("is_active", Boolean, nullable=False, server_default=text("true")),
    *stamps(),
    UniqueConstraint("platform_account_id", "name", "locale", name="templates_account_name_locale_key"),
    Index("idx_templates_platform_account_id", "platform_account_id"),
)

automation_rules = Table(
    "AutomationRules",
    metadata,
    uuid_key(),
    ref("platform_account_id", "PlatformAccounts", "CASCADE", nullable=True),
    required("name"),
    optional("description"),
    required("trigger_type"),
    document("conditions"),
    required("action_type"),
    document("action_config"),
    Column("priority", Integer, nullable=False, server_default=text("100")),
    Column("is_enabled", Boolean, nullable=False, server_default=text("true")),
    *stamps(),
    Index("idx_automation_rules_platform_account_id", "platform_account_id"),
)
