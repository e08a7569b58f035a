-- The earlier system's schema after its ten migrations. Every statement leaves what exists alone, so an
-- existing database of that system passes through unchanged.
DO $$ BEGIN
  IF EXISTS (SELECT 1 FROM pg_available_extensions WHERE name = 'pgcrypto') THEN
    CREATE EXTENSION IF NOT EXISTS pgcrypto;
  END IF;
END $$;

CREATE EXTENSION IF NOT EXISTS btree_gist;

CREATE TABLE IF NOT EXISTS "AuditLogs" (
    id BIGSERIAL NOT NULL,
    actor_type TEXT NOT NULL,
    actor_id TEXT,
    entity_type TEXT NOT NULL,
    entity_id TEXT NOT NULL,
    action TEXT NOT NULL,
    details JSONB DEFAULT '{}'::jsonb NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    PRIMARY KEY (id)
);

CREATE INDEX IF NOT EXISTS idx_audit_logs_entity ON "AuditLogs" (entity_type, entity_id, created_at DESC);

CREATE TABLE IF NOT EXISTS "PlatformAccounts" (
    id UUID DEFAULT gen_random_uuid() NOT NULL,
    platform TEXT NOT NULL,
    account_name TEXT NOT NULL,
    account_external_id TEXT NOT NULL,
    credentials JSONB DEFAULT '{}'::jsonb NOT NULL,
    is_active BOOLEAN DEFAULT true NOT NULL,
    send_mode TEXT,
    integration_mode TEXT DEFAULT 'rpa' NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    updated_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    PRIMARY KEY (id),
    CONSTRAINT platform_accounts_platform_allowed_chk CHECK (platform IN ('spareroom', 'roomies', 'leasebreak', 'renthop', 'furnishedfinder')),
    CONSTRAINT platform_accounts_send_mode_chk CHECK (send_mode IN ('auto_send', 'draft_only')),
    CONSTRAINT platform_accounts_integration_mode_chk CHECK (integration_mode IN ('rpa')),
    CONSTRAINT platform_accounts_platform_external_key UNIQUE (platform, account_external_id)
);

CREATE TABLE IF NOT EXISTS "Units" (
    id UUID DEFAULT gen_random_uuid() NOT NULL,
    external_id TEXT,
    property_name TEXT NOT NULL,
    unit_number TEXT NOT NULL,
    address_line1 TEXT,
    city TEXT,
    state TEXT,
    postal_code TEXT,
    bedrooms INTEGER,
    bathrooms NUMERIC(4, 2),
    square_feet INTEGER,
    is_active BOOLEAN DEFAULT true NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    updated_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    PRIMARY KEY (id),
    CONSTRAINT units_property_name_unit_number_key UNIQUE (property_name, unit_number)
);

CREATE TABLE IF NOT EXISTS "user" (
    id TEXT NOT NULL,
    name TEXT NOT NULL,
    email TEXT NOT NULL,
    "emailVerified" BOOLEAN DEFAULT false NOT NULL,
    image TEXT,
    role TEXT DEFAULT 'agent' NOT NULL,
    banned BOOLEAN DEFAULT false NOT NULL,
    "banReason" TEXT,
    "banExpires" TIMESTAMP WITH TIME ZONE,
    "createdAt" TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    "updatedAt" TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    PRIMARY KEY (id),
    CONSTRAINT user_email_key UNIQUE (email)
);

CREATE TABLE IF NOT EXISTS verification (
    id TEXT NOT NULL,
    identifier TEXT NOT NULL,
    value TEXT NOT NULL,
    "expiresAt" TIMESTAMP WITH TIME ZONE NOT NULL,
    "createdAt" TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    "updatedAt" TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    PRIMARY KEY (id)
);

CREATE TABLE IF NOT EXISTS "Agents" (
    id UUID DEFAULT gen_random_uuid() NOT NULL,
    platform_account_id UUID NOT NULL,
    full_name TEXT NOT NULL,
    email TEXT,
    phone TEXT,
    role TEXT DEFAULT 'leasing_agent' NOT NULL,
    timezone TEXT DEFAULT 'UTC' NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    updated_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    PRIMARY KEY (id),
    FOREIGN KEY(platform_account_id) REFERENCES "PlatformAccounts" (id) ON DELETE CASCADE
);

CREATE TABLE IF NOT EXISTS "AutomationRules" (
    id UUID DEFAULT gen_random_uuid() NOT NULL,
    platform_account_id UUID,
    name TEXT NOT NULL,
    description TEXT,
    trigger_type TEXT NOT NULL,
    conditions JSONB DEFAULT '{}'::jsonb NOT NULL,
    action_type TEXT NOT NULL,
    action_config JSONB DEFAULT '{}'::jsonb NOT NULL,
    priority INTEGER DEFAULT 100 NOT NULL,
    is_enabled BOOLEAN DEFAULT true NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    updated_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    PRIMARY KEY (id),
    FOREIGN KEY(platform_account_id) REFERENCES "PlatformAccounts" (id) ON DELETE CASCADE
);

CREATE INDEX IF NOT EXISTS idx_automation_rules_platform_account_id ON "AutomationRules" (platform_account_id);

CREATE TABLE IF NOT EXISTS "Listings" (
    id UUID DEFAULT gen_random_uuid() NOT NULL,
    unit_id UUID NOT NULL,
    platform_account_id UUID NOT NULL,
    listing_external_id TEXT,
    status TEXT DEFAULT 'active' NOT NULL,
    rent_cents INTEGER NOT NULL,
    currency_code TEXT DEFAULT 'USD' NOT NULL,
    available_on DATE,
    metadata JSONB DEFAULT '{}'::jsonb NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    updated_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    PRIMARY KEY (id),
    CONSTRAINT listings_account_external_key UNIQUE (platform_account_id, listing_external_id),
    FOREIGN KEY(unit_id) REFERENCES "Units" (id) ON DELETE CASCADE,
    FOREIGN KEY(platform_account_id) REFERENCES "PlatformAccounts" (id) ON DELETE CASCADE
);

CREATE INDEX IF NOT EXISTS idx_listings_unit_id ON "Listings" (unit_id);

CREATE TABLE IF NOT EXISTS "Templates" (
    id UUID DEFAULT gen_random_uuid() NOT NULL,
    platform_account_id UUID,
    name TEXT NOT NULL,
    channel TEXT DEFAULT 'in_app' NOT NULL,
    locale TEXT DEFAULT 'en-US' NOT NULL,
    body TEXT NOT NULL,
    variables JSONB DEFAULT '[]'::jsonb NOT NULL,
    is_active BOOLEAN DEFAULT true NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    updated_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    PRIMARY KEY (id),
    CONSTRAINT templates_account_name_locale_key UNIQUE (platform_account_id, name, locale),
    FOREIGN KEY(platform_account_id) REFERENCES "PlatformAccounts" (id) ON DELETE CASCADE
);

CREATE INDEX IF NOT EXISTS idx_templates_platform_account_id ON "Templates" (platform_account_id);

CREATE TABLE IF NOT EXISTS "UserInvitations" (
    id UUID NOT NULL,
    email TEXT NOT NULL,
    first_name TEXT NOT NULL,
    last_name TEXT NOT NULL,
    role TEXT NOT NULL,
    token_hash TEXT NOT NULL,
    invited_by TEXT NOT NULL,
    expires_at TIMESTAMP WITH TIME ZONE NOT NULL,
    accepted_at TIMESTAMP WITH TIME ZONE,
    revoked_at TIMESTAMP WITH TIME ZONE,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    updated_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    PRIMARY KEY (id),
    CONSTRAINT user_invitations_role_chk CHECK (role IN ('admin', 'agent')),
    CONSTRAINT user_invitations_token_hash_key UNIQUE (token_hash),
    FOREIGN KEY(invited_by) REFERENCES "user" (id) ON DELETE RESTRICT
);

CREATE INDEX IF NOT EXISTS idx_user_invitations_email ON "UserInvitations" (lower(email));

CREATE INDEX IF NOT EXISTS idx_user_invitations_pending ON "UserInvitations" (expires_at) WHERE accepted_at IS NULL AND revoked_at IS NULL;

CREATE TABLE IF NOT EXISTS account (
    id TEXT NOT NULL,
    "accountId" TEXT NOT NULL,
    "providerId" TEXT NOT NULL,
    "userId" TEXT NOT NULL,
    "accessToken" TEXT,
    "refreshToken" TEXT,
    "idToken" TEXT,
    "accessTokenExpiresAt" TIMESTAMP WITH TIME ZONE,
    "refreshTokenExpiresAt" TIMESTAMP WITH TIME ZONE,
    scope TEXT,
    password TEXT,
    "createdAt" TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    "updatedAt" TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    PRIMARY KEY (id),
    FOREIGN KEY("userId") REFERENCES "user" (id) ON DELETE CASCADE
);

CREATE UNIQUE INDEX IF NOT EXISTS idx_account_provider_account_id ON account ("providerId", "accountId");

CREATE TABLE IF NOT EXISTS session (
    id TEXT NOT NULL,
    "expiresAt" TIMESTAMP WITH TIME ZONE NOT NULL,
    token TEXT NOT NULL,
    "createdAt" TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    "updatedAt" TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    "ipAddress" TEXT,
    "userAgent" TEXT,
    "userId" TEXT NOT NULL,
    PRIMARY KEY (id),
    CONSTRAINT session_token_key UNIQUE (token),
    FOREIGN KEY("userId") REFERENCES "user" (id) ON DELETE CASCADE
);

CREATE INDEX IF NOT EXISTS idx_session_token ON session (token);

CREATE INDEX IF NOT EXISTS idx_session_user_id ON session ("userId");

CREATE TABLE IF NOT EXISTS "AgentAvailabilitySlots" (
    id UUID DEFAULT gen_random_uuid() NOT NULL,
    agent_id UUID NOT NULL,
    starts_at TIMESTAMP WITH TIME ZONE NOT NULL,
    ends_at TIMESTAMP WITH TIME ZONE NOT NULL,
    timezone TEXT NOT NULL,
    status TEXT DEFAULT 'available' NOT NULL,
    source TEXT DEFAULT 'manual' NOT NULL,
    notes TEXT,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    PRIMARY KEY (id),
    CONSTRAINT agent_availability_slots_status_chk CHECK (status IN ('available', 'unavailable')),
    CONSTRAINT agent_availability_slots_time_chk CHECK (ends_at > starts_at),
    CONSTRAINT agent_availability_no_overlap EXCLUDE USING gist (agent_id WITH =, tstzrange(starts_at, ends_at, '[)') WITH &&) WHERE (status = 'available'),
    FOREIGN KEY(agent_id) REFERENCES "Agents" (id) ON DELETE CASCADE
);

CREATE INDEX IF NOT EXISTS idx_agent_availability_slots_agent_id ON "AgentAvailabilitySlots" (agent_id, starts_at);

CREATE INDEX IF NOT EXISTS idx_agent_availability_slots_status ON "AgentAvailabilitySlots" (status, starts_at);

CREATE TABLE IF NOT EXISTS "AvailabilitySlots" (
    id UUID DEFAULT gen_random_uuid() NOT NULL,
    unit_id UUID NOT NULL,
    listing_id UUID,
    starts_at TIMESTAMP WITH TIME ZONE NOT NULL,
    ends_at TIMESTAMP WITH TIME ZONE NOT NULL,
    timezone TEXT NOT NULL,
    status TEXT DEFAULT 'open' NOT NULL,
    source TEXT DEFAULT 'manual' NOT NULL,
    notes TEXT,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    PRIMARY KEY (id),
    CONSTRAINT availability_slots_time_chk CHECK (ends_at > starts_at),
    FOREIGN KEY(unit_id) REFERENCES "Units" (id) ON DELETE CASCADE,
    FOREIGN KEY(listing_id) REFERENCES "Listings" (id) ON DELETE SET NULL
);

CREATE INDEX IF NOT EXISTS idx_availability_slots_unit_id ON "AvailabilitySlots" (unit_id);

CREATE TABLE IF NOT EXISTS "Conversations" (
    id UUID DEFAULT gen_random_uuid() NOT NULL,
    platform_account_id UUID NOT NULL,
    listing_id UUID,
    assigned_agent_id UUID,
    external_thread_id TEXT NOT NULL,
    lead_name TEXT,
    lead_contact JSONB DEFAULT '{}'::jsonb NOT NULL,
    status TEXT DEFAULT 'open' NOT NULL,
    last_message_at TIMESTAMP WITH TIME ZONE,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    updated_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    workflow_state TEXT DEFAULT 'lead' NOT NULL,
    workflow_outcome TEXT,
    showing_state TEXT,
    follow_up_stage TEXT,
    follow_up_due_at TIMESTAMP WITH TIME ZONE,
    follow_up_owner_agent_id UUID,
    follow_up_status TEXT DEFAULT 'pending' NOT NULL,
    workflow_updated_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    external_thread_label TEXT,
    external_thread_message_count INTEGER,
    external_inbox_sort_rank INTEGER,
    PRIMARY KEY (id),
    CONSTRAINT conversations_workflow_state_chk CHECK (workflow_state IN ('lead', 'showing', 'follow_up_1', 'follow_up_2', 'outcome')),
    CONSTRAINT conversations_workflow_outcome_chk CHECK (workflow_outcome IN ('not_interested', 'wants_reschedule', 'no_reply', 'showing_confirmed', 'general_question', 'human_required', 'no_show', 'completed')),
    CONSTRAINT conversations_showing_state_chk CHECK (showing_state IN ('pending', 'confirmed', 'reschedule_requested', 'cancelled', 'completed', 'no_show')),
    CONSTRAINT conversations_follow_up_stage_chk CHECK (follow_up_stage IN ('follow_up_1', 'follow_up_2')),
    CONSTRAINT conversations_follow_up_status_chk CHECK (follow_up_status IN ('pending', 'completed', 'cancelled')),
    CONSTRAINT conversations_outcome_requires_outcome_state_chk CHECK (workflow_outcome IS NULL OR workflow_state = 'outcome' OR (workflow_outcome = 'showing_confirmed' AND workflow_state = 'showing')),
    CONSTRAINT conversations_follow_up_stage_consistency_chk CHECK (workflow_state NOT IN ('follow_up_1', 'follow_up_2') OR follow_up_stage = workflow_state),
    CONSTRAINT conversations_follow_up_fields_chk CHECK (follow_up_stage IS NULL OR (follow_up_due_at IS NOT NULL AND follow_up_owner_agent_id IS NOT NULL)),
    CONSTRAINT conversations_account_thread_key UNIQUE (platform_account_id, external_thread_id),
    FOREIGN KEY(platform_account_id) REFERENCES "PlatformAccounts" (id) ON DELETE CASCADE,
    FOREIGN KEY(listing_id) REFERENCES "Listings" (id) ON DELETE SET NULL,
    FOREIGN KEY(assigned_agent_id) REFERENCES "Agents" (id) ON DELETE SET NULL,
    FOREIGN KEY(follow_up_owner_agent_id) REFERENCES "Agents" (id) ON DELETE SET NULL
);

CREATE INDEX IF NOT EXISTS idx_conversations_external_inbox_sort_rank ON "Conversations" (platform_account_id, external_inbox_sort_rank);

CREATE INDEX IF NOT EXISTS idx_conversations_listing_id ON "Conversations" (listing_id);

CREATE INDEX IF NOT EXISTS idx_conversations_workflow_outcome ON "Conversations" (workflow_outcome, workflow_updated_at DESC);

CREATE INDEX IF NOT EXISTS idx_conversations_workflow_state ON "Conversations" (workflow_state, workflow_updated_at DESC);

CREATE TABLE IF NOT EXISTS "UnitAgentAssignments" (
    id UUID DEFAULT gen_random_uuid() NOT NULL,
    unit_id UUID NOT NULL,
    agent_id UUID NOT NULL,
    assignment_mode TEXT DEFAULT 'active' NOT NULL,
    priority INTEGER DEFAULT 100 NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    updated_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    PRIMARY KEY (id),
    CONSTRAINT unit_agent_assignments_mode_chk CHECK (assignment_mode IN ('active', 'passive')),
    CONSTRAINT unit_agent_assignments_priority_chk CHECK (priority BETWEEN 1 AND 1000),
    CONSTRAINT unit_agent_assignments_unit_agent_key UNIQUE (unit_id, agent_id),
    FOREIGN KEY(unit_id) REFERENCES "Units" (id) ON DELETE CASCADE,
    FOREIGN KEY(agent_id) REFERENCES "Agents" (id) ON DELETE CASCADE
);

CREATE UNIQUE INDEX IF NOT EXISTS idx_unit_agent_assignments_active_priority ON "UnitAgentAssignments" (unit_id, priority) WHERE assignment_mode = 'active';

CREATE INDEX IF NOT EXISTS idx_unit_agent_assignments_agent_id ON "UnitAgentAssignments" (agent_id, assignment_mode, priority);

CREATE INDEX IF NOT EXISTS idx_unit_agent_assignments_unit_id ON "UnitAgentAssignments" (unit_id, assignment_mode, priority);

CREATE TABLE IF NOT EXISTS "Messages" (
    id UUID DEFAULT gen_random_uuid() NOT NULL,
    conversation_id UUID NOT NULL,
    sender_type TEXT NOT NULL,
    sender_agent_id UUID,
    external_message_id TEXT,
    direction TEXT NOT NULL,
    channel TEXT DEFAULT 'in_app' NOT NULL,
    body TEXT NOT NULL,
    metadata JSONB DEFAULT '{}'::jsonb NOT NULL,
    sent_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    PRIMARY KEY (id),
    CONSTRAINT messages_conversation_external_key UNIQUE (conversation_id, external_message_id),
    FOREIGN KEY(conversation_id) REFERENCES "Conversations" (id) ON DELETE CASCADE,
    FOREIGN KEY(sender_agent_id) REFERENCES "Agents" (id) ON DELETE SET NULL
);

CREATE INDEX IF NOT EXISTS idx_messages_conversation_id ON "Messages" (conversation_id);

CREATE INDEX IF NOT EXISTS idx_messages_sent_at ON "Messages" (sent_at DESC);

CREATE TABLE IF NOT EXISTS "ShowingAppointments" (
    id UUID DEFAULT gen_random_uuid() NOT NULL,
    idempotency_key TEXT NOT NULL,
    platform_account_id UUID NOT NULL,
    conversation_id UUID,
    unit_id UUID NOT NULL,
    listing_id UUID,
    agent_id UUID NOT NULL,
    starts_at TIMESTAMP WITH TIME ZONE NOT NULL,
    ends_at TIMESTAMP WITH TIME ZONE NOT NULL,
    timezone TEXT NOT NULL,
    status TEXT DEFAULT 'pending' NOT NULL,
    source TEXT DEFAULT 'lead_selection' NOT NULL,
    external_booking_ref TEXT,
    notes TEXT,
    metadata JSONB DEFAULT '{}'::jsonb NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    updated_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    PRIMARY KEY (id),
    CONSTRAINT showing_appointments_time_chk CHECK (ends_at > starts_at),
    CONSTRAINT showing_appointments_status_chk_v2 CHECK (status IN ('pending', 'confirmed', 'reschedule_requested', 'cancelled', 'completed', 'no_show')),
    CONSTRAINT showing_appointments_idempotency_key_key UNIQUE (idempotency_key),
    CONSTRAINT showing_appointments_no_double_booked_agent EXCLUDE USING gist (agent_id WITH =, unit_id WITH <>, tstzrange(starts_at, ends_at, '[)') WITH &&) WHERE (status IN ('pending', 'confirmed', 'reschedule_requested')),
    FOREIGN KEY(platform_account_id) REFERENCES "PlatformAccounts" (id) ON DELETE CASCADE,
    FOREIGN KEY(conversation_id) REFERENCES "Conversations" (id) ON DELETE SET NULL,
    FOREIGN KEY(unit_id) REFERENCES "Units" (id) ON DELETE CASCADE,
    FOREIGN KEY(listing_id) REFERENCES "Listings" (id) ON DELETE SET NULL,
    FOREIGN KEY(agent_id) REFERENCES "Agents" (id) ON DELETE RESTRICT
);

CREATE INDEX IF NOT EXISTS idx_showing_appointments_agent_time ON "ShowingAppointments" (agent_id, starts_at);

CREATE UNIQUE INDEX IF NOT EXISTS idx_showing_appointments_external_booking_ref ON "ShowingAppointments" (platform_account_id, external_booking_ref) WHERE external_booking_ref IS NOT NULL;

CREATE INDEX IF NOT EXISTS idx_showing_appointments_status ON "ShowingAppointments" (status, starts_at);

CREATE INDEX IF NOT EXISTS idx_showing_appointments_unit_time ON "ShowingAppointments" (unit_id, starts_at);
