"""Availability, rules, appointments, slot offers, follow-ups."""

from __future__ import annotations

from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Date,
    ForeignKey,
    Identity,
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


def _later(name: str, target: str) -> Column[Any]:
    """A reference to a row that the same transaction may write afterwards."""
    key = ForeignKey(f"{target}.id", ondelete="SET NULL", deferrable=True, initially="DEFERRED")
    return Column(name, UUID, key)


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
    ref("rule_id", "AvailabilityRules", "CASCADE", nullable=True),
    CheckConstraint("ends_at > starts_at", name="availability_slots_time_chk"),
    Index(
        "idx_availability_slots_rule_start",
        "rule_id",
        "starts_at",
        unique=True,
        postgresql_where=text("rule_id IS NOT NULL"),
    ),
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
    ref("rule_id", "AvailabilityRules", "CASCADE", nullable=True),
    Index(
        "idx_agent_availability_slots_rule_start",
        "rule_id",
        "starts_at",
        unique=True,
        postgresql_where=text("rule_id IS NOT NULL"),
    ),
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
    Index("idx_agent_availability_slots_agent_end", "agent_id", "ends_at"),
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
    CheckConstraint("valid_until >= valid_from", name="availability_rules_dates_chk"),
    CheckConstraint(
        "(unit_id IS NOT NULL AND status IN ('open', 'blocked'))"
        " OR (agent_id IS NOT NULL AND status IN ('available', 'unavailable'))",
        name="availability_rules_status_chk",
    ),
    Index("idx_availability_rules_unit_id", "unit_id"),
    Index("idx_availability_rules_agent_id", "agent_id"),
)

calendar_feeds = Table(
    "CalendarFeeds",
    metadata,
    uuid_key(),
    ref("agent_id", "Agents", "CASCADE"),
    required("token_hash"),
    optional("created_by"),
    instant("created_at", now=True),
    instant("revoked_at"),
    instant("last_read_at"),
    Index(
        "idx_calendar_feeds_agent_id", "agent_id", unique=True, postgresql_where=text("revoked_at IS NULL")
    ),
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
    instant("busy_from", nullable=False),
    instant("busy_until", nullable=False),
    Column("seat", Integer, nullable=False, server_default=text("1")),
    instant("hold_expires_at"),
    _later("decision_id", "Decisions"),
    _later("slot_offer_id", "SlotOffers"),
    Column("sequence", Integer, nullable=False, server_default=text("0")),
    Column("seq", BigInteger, Identity(always=True), nullable=False),
    CheckConstraint("ends_at > starts_at", name="showing_appointments_time_chk"),
    CheckConstraint("busy_from <= starts_at AND busy_until >= ends_at", name="showing_appointments_busy_chk"),
    CheckConstraint("seat >= 1", name="showing_appointments_seat_chk"),
    CheckConstraint(
        "hold_expires_at IS NULL OR status IN ('pending', 'cancelled')", name="showing_appointments_hold_chk"
    ),
    one_of("showing_appointments_status_chk_v2", "status", *SHOWING_VALUES),
    UniqueConstraint("idempotency_key", name="showing_appointments_idempotency_key_key"),
    ExcludeConstraint(
        ("agent_id", "="),
        ("unit_id", "<>"),
        (text("tstzrange(busy_from, busy_until, '[)')"), "&&"),
        name="showing_appointments_no_double_booked_agent",
        using="gist",
        where=text("status IN ('pending', 'confirmed', 'reschedule_requested')"),
    ),
    ExcludeConstraint(
        ("unit_id", "="),
        ("seat", "="),
        (text("tstzrange(starts_at, ends_at, '[)')"), "&&"),
        name="showing_appointments_seat_taken_once",
        using="gist",
        where=text("status IN ('pending', 'confirmed', 'reschedule_requested') AND seq > 0"),
    ),
    ExcludeConstraint(
        ("unit_id", "="),
        ("agent_id", "<>"),
        (text("tstzrange(starts_at, ends_at, '[)')"), "&&"),
        name="showing_appointments_one_agent_in_unit",
        using="gist",
        where=text("status IN ('pending', 'confirmed', 'reschedule_requested') AND seq > 0"),
    ),
    Index("idx_showing_appointments_conversation", "conversation_id", text("seq DESC")),
    Index(
        "idx_showing_appointments_decision_id",
        "decision_id",
        postgresql_where=text("decision_id IS NOT NULL"),
    ),
    Index(
        "idx_showing_appointments_slot_offer_id",
        "slot_offer_id",
        postgresql_where=text("slot_offer_id IS NOT NULL"),
    ),
    Index(
        "idx_showing_appointments_holds",
        "hold_expires_at",
        postgresql_where=text("status = 'pending' AND hold_expires_at IS NOT NULL"),
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
    ref("decision_id", "Decisions", "CASCADE", nullable=True),
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
    ref("message_id", "Messages", "CASCADE", nullable=True),
    CheckConstraint("ends_at > starts_at", name="slot_offers_time_chk"),
    CheckConstraint("num_nonnulls(decision_id, message_id) = 1", name="slot_offers_origin_chk"),
    one_of(
        "slot_offers_state_chk", "state", "offered", "held", "confirmed", "declined", "expired", "superseded"
    ),
    UniqueConstraint("decision_id", "position", name="slot_offers_decision_position_key"),
    UniqueConstraint("message_id", "position", name="slot_offers_message_position_key"),
    Index("idx_slot_offers_by_hand", "conversation_id", postgresql_where=text("message_id IS NOT NULL")),
    Index("idx_slot_offers_expiring", "expires_at", postgresql_where=text("state IN ('offered', 'held')")),
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
    Index("idx_follow_ups_dispatch_id", "dispatch_id", postgresql_where=text("dispatch_id IS NOT NULL")),
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
