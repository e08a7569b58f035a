"""Accounts, agents, units, listings, assignments."""

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
    Numeric,
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

PLATFORM_VALUES = ("spareroom", "roomies", "leasebreak", "renthop", "furnishedfinder")

platform_accounts = Table(
    "PlatformAccounts",
    metadata,
    uuid_key(),
    required("platform"),
    required("account_name"),
    required("account_external_id"),
    document("credentials"),
    Column("is_active", Boolean, nullable=False, server_default=text("true")),
    optional("send_mode"),
    required("integration_mode", "rpa"),
    *stamps(),
    one_of("platform_accounts_platform_allowed_chk", "platform", *PLATFORM_VALUES),
    one_of("platform_accounts_send_mode_chk", "send_mode", "auto_send", "draft_only"),
    one_of("platform_accounts_integration_mode_chk", "integration_mode", "rpa"),
    UniqueConstraint("platform", "account_external_id", name="platform_accounts_platform_external_key"),
)

account_runtime = Table(
    "AccountRuntime",
    metadata,
    Column(
        "platform_account_id", UUID, ForeignKey("PlatformAccounts.id", ondelete="CASCADE"), primary_key=True
    ),
    optional("lease_owner"),
    Column("lease_fence", BigInteger, nullable=False, server_default=text("0")),
    instant("lease_expires_at"),
    document("last_action_at"),
    required("circuit_state", "closed"),
    Column("circuit_failures", Integer, nullable=False, server_default=text("0")),
    instant("circuit_open_until"),
    instant("last_polled_at"),
    instant("last_success_ingest_at"),
    instant("last_success_send_at"),
    instant("stopped_at"),
    optional("stop_code"),
    optional("stop_reason"),
    Column("last_rows", Integer),
    instant("updated_at", now=True),
    instant("lease_deadline_at"),
    optional("circuit_code"),
    document("action_circuits"),
    Column("daily_send_cap", Integer),
    optional("timezone"),
    instant("send_cap_until"),
    optional("session_mark"),
    optional("inbox_resume_url"),
    document("page_fingerprints"),
    one_of("account_runtime_circuit_state_chk", "circuit_state", "closed", "open", "half_open"),
    CheckConstraint("daily_send_cap >= 0", name="account_runtime_daily_send_cap_chk"),
)

agents = Table(
    "Agents",
    metadata,
    uuid_key(),
    ref("platform_account_id", "PlatformAccounts", "CASCADE"),
    required("full_name"),
    optional("email"),
    optional("phone"),
    required("role", "leasing_agent"),
    required("timezone", "UTC"),
    *stamps(),
    Column("user_id", Text, ForeignKey("user.id", ondelete="SET NULL"), unique=True),
    instant("removed_at"),
)

units = Table(
    "Units",
    metadata,
    uuid_key(),
    optional("external_id"),
    required("property_name"),
    required("unit_number"),
    optional("address_line1"),
    optional("city"),
    optional("state"),
    optional("postal_code"),
    Column("bedrooms", Integer),
    Column("bathrooms", Numeric(4, 2)),
    Column("square_feet", Integer),
    Column("is_active", Boolean, nullable=False, server_default=text("true")),
    *stamps(),
    instant("deleted_at"),
    UniqueConstraint("property_name", "unit_number", name="units_property_name_unit_number_key"),
)

listings = Table(
    "Listings",
    metadata,
    uuid_key(),
    ref("unit_id", "Units", "CASCADE"),
    ref("platform_account_id", "PlatformAccounts", "CASCADE"),
    optional("listing_external_id"),
    required("status", "active"),
    Column("rent_cents", Integer, nullable=False),
    required("currency_code", "USD"),
    Column("available_on", Date),
    document("metadata"),
    *stamps(),
    instant("last_seen_at"),
    instant("deleted_at"),
    UniqueConstraint("platform_account_id", "listing_external_id", name="listings_account_external_key"),
    Index("idx_listings_unit_id", "unit_id"),
)

unit_agent_assignments = Table(
    "UnitAgentAssignments",
    metadata,
    uuid_key(),
    ref("unit_id", "Units", "CASCADE"),
    ref("agent_id", "Agents", "CASCADE"),
    required("assignment_mode", "active"),
    Column("priority", Integer, nullable=False, server_default=text("100")),
    *stamps(),
    one_of("unit_agent_assignments_mode_chk", "assignment_mode", "active", "passive"),
    CheckConstraint("priority BETWEEN 1 AND 1000", name="unit_agent_assignments_priority_chk"),
    UniqueConstraint("unit_id", "agent_id", name="unit_agent_assignments_unit_agent_key"),
    Index(
        "idx_unit_agent_assignments_active_priority",
        "unit_id",
        "priority",
        unique=True,
        postgresql_where=text("assignment_mode = 'active'"),
    ),
    Index("idx_unit_agent_assignments_unit_id", "unit_id", "assignment_mode", "priority"),
    Index("idx_unit_agent_assignments_agent_id", "agent_id", "assignment_mode", "priority"),
)
