"""Availability, rules, appointments, slot offers, follow-ups."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Date,
    ForeignKey,
    Index,
    Integer,
    Table,
    Time,
    UniqueConstraint,
    text,
)
from sqlalchemy.dialects.postgresql import UUID, ExcludeConstraint

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

SHOWING_VALUES = ("pending", "confirmed", "reschedule_requested", "cancelled", "completed", "no_show")

availability_slots = Table(
    "AvailabilitySlots",
    metadata,
    uuid_key(),
    ref("unit_id", "Units", "CASCADE"),
    ref("listing_id", "Listings", "SET NULL", nullable=True),
    instant("starts_at", nullable=False),
    instant("ends_at", nullable=False),
    required("timezone"),
    required("status", "open"),
    required("source", "manual"),
    optional("notes"),
    instant("created_at", now=True),
    CheckConstraint("ends_at > starts_at", name="availability_slots_time_chk"),
    Index("idx_availability_slots_unit_id", "unit_id"),
    Index("idx_availability_slots_unit_time", "unit_id", "ends_at"),
)

agent_availability_slots = Table(
    "AgentAvailabilitySlots",
    metadata,
    uuid_key(),
    ref("agent_id", "Agents", "CASCADE"),
    instant("starts_at", nullable=False),
    instant("ends_at", nullable=False),
    required("timezone"),
    required("status", "available"),
    required("source", "manual"),
    optional("notes"),
    instant("created_at", now=True),
    one_of("agent_availability_slots_status_chk", "status", "available", "unavailable"),
    CheckConstraint("ends_at > starts_at", name="agent_availability_slots_time_chk"),
    ExcludeConstraint(
        ("agent_id", "="),
        (text("tstzrange(starts_at, ends_at, '[)')"), "&&"),
        name="agent_availability_no_overlap",
        using="gist",
        where=text("status = 'available'"),
    ),
    Index("idx_agent_availability_slots_agent_id", "agent_id", "starts_at"),
    Index("idx_agent_availability_slots_status", "status", "starts_at"),
)

availability_rules = Table(
    "AvailabilityRules",
    metadata,
    uuid_key(),
    ref("unit_id", "Units", "CASCADE", nullable=True),
    ref("agent_id", "Agents", "CASCADE", nullable=True),
    ref("listing_id", "Listings", "SET NULL", nullable=True),
    Column("day_of_week", Integer, nullable=False),
    Column("start_time", Time, nullable=False),
    Column("end_time", Time, nullable=False),
    required("timezone"),
    required("status"),
    Column("valid_from", Date),
    Column("valid_until", Date),
    optional("notes"),
    *stamps(),
    CheckConstraint("num_nonnulls(unit_id, agent_id) = 1", name="availability_rules_owner_chk"),
    CheckConstraint("day_of_week BETWEEN 0 AND 6", name="availability_rules_day_chk"),
    CheckConstraint("end_time > start_time", name="availability_rules_time_chk"),
    Index("idx_availability_rules_unit_id", "unit_id"),
    Index("idx_availability_rules_agent_id", "agent_id"),
)

showing_appointments = Table(
    "ShowingAppointments",
    metadata,
    uuid_key(),
    required("idempotency_key"),
    ref("platform_account_id", "PlatformAccounts", "CASCADE"),
    ref("conversation_id", "Conversations", "SET NULL", nullable=True),
    ref("unit_id", "Units", "CASCADE"),
    ref("listing_id", "Listings", "SET NULL", nullable=True),
    ref("agent_id", "Agents", "RESTRICT"),
    instant("starts_at", nullable=False),
    instant("ends_at", nullable=False),
    required("timezone"),
    required("status", "pending"),
    required("source", "lead_selection"),
    optional("external_booking_ref"),
    optional("notes"),
    document("metadata"),
    *stamps(),
    CheckConstraint("ends_at > starts_at", name="showing_appointments_time_chk"),
    one_of("showing_appointments_status_chk_v2", "status", *SHOWING_VALUES),
    UniqueConstraint("idempotency_key", name="showing_appointments_idempotency_key_key"),
    ExcludeConstraint(
        ("agent_id", "="),
        ("unit_id", "<>"),
        (text("tstzrange(starts_at, ends_at, '[)')"), "&&"),
        name="showing_appointments_no_double_booked_agent",
        using="gist",
        where=text("status IN ('pending', 'confirmed', 'reschedule_requested')"),
    ),
    Index("idx_showing_appointments_agent_time", "agent_id", "starts_at"),
    Index("idx_showing_appointments_unit_time", "unit_id", "starts_at"),
    Index("idx_showing_appointments_status", "status", "starts_at"),
    Index("idx_showing_appointments_created_at", "created_at"),
    Index(
        "idx_showing_appointments_external_booking_ref",
        "platform_account_id",
        "external_booking_ref",
        unique=True,
        postgresql_where=text("external_booking_ref IS NOT NULL"),
    ),
)

slot_offers = Table(
    "SlotOffers",
    metadata,
    uuid_key(),
    ref("conversation_id", "Conversations", "CASCADE"),
    ref("decision_id", "Decisions", "CASCADE"),
    ref("unit_id", "Units", "CASCADE"),
    ref("agent_id", "Agents", "CASCADE", nullable=True),
    instant("starts_at", nullable=False),
    instant("ends_at", nullable=False),
    required("timezone"),
    required("label"),
    Column("position", Integer, nullable=False),
    required("state", "offered"),
    instant("offered_at", now=True),
    instant("expires_at"),
    instant("hold_expires_at"),
    instant("resolved_at"),
    Column("resolved_by_message_id", UUID),
    CheckConstraint("ends_at > starts_at", name="slot_offers_time_chk"),
    one_of(
        "slot_offers_state_chk", "state", "offered", "held", "confirmed", "declined", "expired", "superseded"
    ),
    UniqueConstraint("decision_id", "position", name="slot_offers_decision_position_key"),
    Index(
        "idx_slot_offers_open",
        "conversation_id",
        "position",
        postgresql_where=text("state IN ('offered', 'held')"),
    ),
)

FOLLOW_UP_STAGES = ("follow_up_1", "follow_up_2", "no_reply")
SHOWING_STAGES = ("reminder_24h", "reminder_2h", "outcome_prompt")

follow_ups = Table(
    "FollowUps",
    metadata,
    uuid_key(),
    ref("conversation_id", "Conversations", "CASCADE"),
    required("stage"),
    instant("due_at", nullable=False),
    ref("owner_agent_id", "Agents", "SET NULL", nullable=True),
    required("status", "pending"),
    ref("dispatch_id", "OutboundDispatches", "SET NULL", nullable=True),
    *stamps(),
    ref("appointment_id", "ShowingAppointments", "CASCADE", nullable=True),
    instant("about_starts_at"),
    Column("after_seq", BigInteger, nullable=False, server_default=text("0")),
    required("planned_by", "policy"),
    instant("handed_at"),
    instant("settled_at"),
    optional("reason"),
    one_of("follow_ups_stage_chk", "stage", *FOLLOW_UP_STAGES, *SHOWING_STAGES),
    one_of("follow_ups_status_chk", "status", "pending", "completed", "cancelled"),
    one_of("follow_ups_planned_by_chk", "planned_by", "policy", "person"),
    CheckConstraint(
        "(stage IN ('reminder_24h', 'reminder_2h', 'outcome_prompt'))"
        " = (appointment_id IS NOT NULL AND about_starts_at IS NOT NULL)",
        name="follow_ups_showing_chk",
    ),
    Index(
        "idx_follow_ups_step",
        "conversation_id",
        "stage",
        "after_seq",
        unique=True,
        postgresql_where=text("appointment_id IS NULL AND status <> 'cancelled'"),
    ),
    Index(
        "idx_follow_ups_showing",
        "appointment_id",
        "stage",
        "about_starts_at",
        unique=True,
        postgresql_where=text("appointment_id IS NOT NULL AND status <> 'cancelled'"),
    ),
    Index(
        "idx_follow_ups_one_pending",
        "conversation_id",
        unique=True,
        postgresql_where=text("appointment_id IS NULL AND status = 'pending'"),
    ),
    Index("idx_follow_ups_due", "due_at", postgresql_where=text("status = 'pending' AND handed_at IS NULL")),
    Index(
        "idx_follow_ups_handed",
        "dispatch_id",
        postgresql_where=text("status = 'pending' AND handed_at IS NOT NULL"),
    ),
    Index(
        "idx_follow_ups_showing_pending",
        "appointment_id",
        postgresql_where=text("appointment_id IS NOT NULL AND status = 'pending'"),
    ),
    Index("idx_follow_ups_conversation_id", "conversation_id", "status"),
    Index(
        "idx_follow_ups_prompts",
        "owner_agent_id",
        "due_at",
        postgresql_where=text("stage = 'outcome_prompt' AND status = 'pending'"),
    ),
)

follow_up_policies = Table(
    "FollowUpPolicies",
    metadata,
    Column(
        "platform_account_id", UUID, ForeignKey("PlatformAccounts.id", ondelete="CASCADE"), primary_key=True
    ),
    Column("enabled", Boolean),
    Column("follow_up_1_after_minutes", Integer),
    Column("follow_up_2_after_minutes", Integer),
    Column("no_reply_after_minutes", Integer),
    Column("maximum", Integer),
    optional("quiet_hours"),
    Column("reminders", Boolean),
    optional("updated_by"),
    *stamps(),
    CheckConstraint(
        "follow_up_1_after_minutes > 0 AND follow_up_2_after_minutes > 0 AND no_reply_after_minutes > 0",
        name="follow_up_policies_delays_chk",
    ),
    CheckConstraint("maximum BETWEEN 0 AND 2", name="follow_up_policies_maximum_chk"),
    CheckConstraint(
        "quiet_hours = 'off'"
        " OR quiet_hours ~ '^([01][0-9]|2[0-3]):[0-5][0-9]-([01][0-9]|2[0-3]):[0-5][0-9]$'",
        name="follow_up_policies_quiet_hours_chk",
    ),
)
