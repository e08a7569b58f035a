-- The earlier system's database as a dump of it would look, with a row in every table: our own wording of
-- its data model, constraints without a documented name left to PostgreSQL, triggers with their NULL holes.
CREATE EXTENSION IF NOT EXISTS btree_gist;

CREATE TABLE schema_migrations (
  id BIGSERIAL PRIMARY KEY, name TEXT NOT NULL UNIQUE, checksum TEXT NOT NULL,
  executed_at TIMESTAMPTZ NOT NULL DEFAULT NOW());
INSERT INTO schema_migrations (name, checksum) SELECT '00' || n || '_step.sql', md5(n::text) FROM generate_series(1, 10) n;

CREATE TABLE "user" (
  id TEXT PRIMARY KEY, name TEXT NOT NULL, email TEXT NOT NULL UNIQUE, "emailVerified" BOOLEAN NOT NULL DEFAULT FALSE,
  image TEXT, role TEXT NOT NULL DEFAULT 'agent', banned BOOLEAN NOT NULL DEFAULT FALSE, "banReason" TEXT,
  "banExpires" TIMESTAMPTZ, "createdAt" TIMESTAMPTZ NOT NULL DEFAULT NOW(), "updatedAt" TIMESTAMPTZ NOT NULL DEFAULT NOW());
CREATE TABLE session (
  id TEXT PRIMARY KEY, "expiresAt" TIMESTAMPTZ NOT NULL, token TEXT NOT NULL UNIQUE,
  "createdAt" TIMESTAMPTZ NOT NULL DEFAULT NOW(), "updatedAt" TIMESTAMPTZ NOT NULL DEFAULT NOW(),
  "ipAddress" TEXT, "userAgent" TEXT, "userId" TEXT NOT NULL REFERENCES "user" (id) ON DELETE CASCADE);
CREATE INDEX idx_session_user_id ON session ("userId");
CREATE INDEX idx_session_token ON session (token);
CREATE TABLE account (
  id TEXT PRIMARY KEY, "accountId" TEXT NOT NULL, "providerId" TEXT NOT NULL,
  "userId" TEXT NOT NULL REFERENCES "user" (id) ON DELETE CASCADE, "accessToken" TEXT, "refreshToken" TEXT, "idToken" TEXT,
  "accessTokenExpiresAt" TIMESTAMPTZ, "refreshTokenExpiresAt" TIMESTAMPTZ, scope TEXT, password TEXT,
  "createdAt" TIMESTAMPTZ NOT NULL DEFAULT NOW(), "updatedAt" TIMESTAMPTZ NOT NULL DEFAULT NOW());
CREATE UNIQUE INDEX idx_account_provider_account_id ON account ("providerId", "accountId");
CREATE TABLE verification (
  id TEXT PRIMARY KEY, identifier TEXT NOT NULL, value TEXT NOT NULL, "expiresAt" TIMESTAMPTZ NOT NULL,
  "createdAt" TIMESTAMPTZ NOT NULL DEFAULT NOW(), "updatedAt" TIMESTAMPTZ NOT NULL DEFAULT NOW());
CREATE TABLE "UserInvitations" (
  id UUID PRIMARY KEY, email TEXT NOT NULL, first_name TEXT NOT NULL, last_name TEXT NOT NULL,
  role TEXT NOT NULL CHECK (role IN ('admin', 'agent')), token_hash TEXT NOT NULL UNIQUE,
  invited_by TEXT NOT NULL REFERENCES "user" (id) ON DELETE RESTRICT, expires_at TIMESTAMPTZ NOT NULL,
  accepted_at TIMESTAMPTZ, revoked_at TIMESTAMPTZ,
  created_at TIMESTAMPTZ NOT NULL DEFAULT NOW(), updated_at TIMESTAMPTZ NOT NULL DEFAULT NOW());
CREATE INDEX idx_user_invitations_email ON "UserInvitations" (LOWER(email));
CREATE INDEX idx_user_invitations_pending ON "UserInvitations" (expires_at) WHERE accepted_at IS NULL AND revoked_at IS NULL;

CREATE TABLE "PlatformAccounts" (
  id UUID PRIMARY KEY DEFAULT gen_random_uuid(), platform TEXT NOT NULL, account_name TEXT NOT NULL,
  account_external_id TEXT NOT NULL, credentials JSONB NOT NULL DEFAULT '{}', is_active BOOLEAN NOT NULL DEFAULT TRUE,
  created_at TIMESTAMPTZ NOT NULL DEFAULT NOW(), updated_at TIMESTAMPTZ NOT NULL DEFAULT NOW(),
  send_mode TEXT, integration_mode TEXT NOT NULL DEFAULT 'rpa',
  UNIQUE (platform, account_external_id),
  CONSTRAINT platform_accounts_platform_allowed_chk
    CHECK (platform IN ('spareroom', 'roomies', 'leasebreak', 'renthop', 'furnishedfinder')),
  CONSTRAINT platform_accounts_send_mode_chk CHECK (send_mode IS NULL OR send_mode IN ('auto_send', 'draft_only')),
  CONSTRAINT platform_accounts_integration_mode_chk CHECK (integration_mode = 'rpa'));
CREATE TABLE "Agents" (
  id UUID PRIMARY KEY DEFAULT gen_random_uuid(),
  platform_account_id UUID NOT NULL REFERENCES "PlatformAccounts" (id) ON DELETE CASCADE, full_name TEXT NOT NULL,
  email TEXT, phone TEXT, role TEXT NOT NULL DEFAULT 'leasing_agent', timezone TEXT NOT NULL DEFAULT 'UTC',
  created_at TIMESTAMPTZ NOT NULL DEFAULT NOW(), updated_at TIMESTAMPTZ NOT NULL DEFAULT NOW());
CREATE TABLE "Units" (
  id UUID PRIMARY KEY DEFAULT gen_random_uuid(), external_id TEXT, property_name TEXT NOT NULL, unit_number TEXT NOT NULL,
  address_line1 TEXT, city TEXT, state TEXT, postal_code TEXT, bedrooms INTEGER, bathrooms NUMERIC(4,2), square_feet INTEGER,
  is_active BOOLEAN NOT NULL DEFAULT TRUE, created_at TIMESTAMPTZ NOT NULL DEFAULT NOW(),
  updated_at TIMESTAMPTZ NOT NULL DEFAULT NOW(), UNIQUE (property_name, unit_number));
CREATE TABLE "Listings" (
  id UUID PRIMARY KEY DEFAULT gen_random_uuid(), unit_id UUID NOT NULL REFERENCES "Units" (id) ON DELETE CASCADE,
  platform_account_id UUID NOT NULL REFERENCES "PlatformAccounts" (id) ON DELETE CASCADE, listing_external_id TEXT,
  status TEXT NOT NULL DEFAULT 'active', rent_cents INTEGER NOT NULL, currency_code TEXT NOT NULL DEFAULT 'USD',
  available_on DATE, metadata JSONB NOT NULL DEFAULT '{}', created_at TIMESTAMPTZ NOT NULL DEFAULT NOW(),
  updated_at TIMESTAMPTZ NOT NULL DEFAULT NOW(), UNIQUE (platform_account_id, listing_external_id));
CREATE INDEX idx_listings_unit_id ON "Listings" (unit_id);
CREATE TABLE "AvailabilitySlots" (
  id UUID PRIMARY KEY DEFAULT gen_random_uuid(), unit_id UUID NOT NULL REFERENCES "Units" (id) ON DELETE CASCADE,
  listing_id UUID REFERENCES "Listings" (id) ON DELETE SET NULL, starts_at TIMESTAMPTZ NOT NULL, ends_at TIMESTAMPTZ NOT NULL,
  timezone TEXT NOT NULL, status TEXT NOT NULL DEFAULT 'open', source TEXT NOT NULL DEFAULT 'manual', notes TEXT,
  created_at TIMESTAMPTZ NOT NULL DEFAULT NOW(), CHECK (ends_at > starts_at));
CREATE INDEX idx_availability_slots_unit_id ON "AvailabilitySlots" (unit_id);
CREATE TABLE "UnitAgentAssignments" (
  id UUID PRIMARY KEY DEFAULT gen_random_uuid(), unit_id UUID NOT NULL REFERENCES "Units" (id) ON DELETE CASCADE,
  agent_id UUID NOT NULL REFERENCES "Agents" (id) ON DELETE CASCADE,
  assignment_mode TEXT NOT NULL DEFAULT 'active' CHECK (assignment_mode IN ('active', 'passive')),
  priority INTEGER NOT NULL DEFAULT 100 CHECK (priority BETWEEN 1 AND 1000),
  created_at TIMESTAMPTZ NOT NULL DEFAULT NOW(), updated_at TIMESTAMPTZ NOT NULL DEFAULT NOW(), UNIQUE (unit_id, agent_id));
CREATE UNIQUE INDEX idx_unit_agent_assignments_active_priority
  ON "UnitAgentAssignments" (unit_id, priority) WHERE assignment_mode = 'active';
CREATE INDEX idx_unit_agent_assignments_unit_id ON "UnitAgentAssignments" (unit_id, assignment_mode, priority);
CREATE INDEX idx_unit_agent_assignments_agent_id ON "UnitAgentAssignments" (agent_id, assignment_mode, priority);
CREATE TABLE "AgentAvailabilitySlots" (
  id UUID PRIMARY KEY DEFAULT gen_random_uuid(), agent_id UUID NOT NULL REFERENCES "Agents" (id) ON DELETE CASCADE,
  starts_at TIMESTAMPTZ NOT NULL, ends_at TIMESTAMPTZ NOT NULL, timezone TEXT NOT NULL,
  status TEXT NOT NULL DEFAULT 'available' CHECK (status IN ('available', 'unavailable')),
  source TEXT NOT NULL DEFAULT 'manual', notes TEXT, created_at TIMESTAMPTZ NOT NULL DEFAULT NOW(),
  CHECK (ends_at > starts_at),
  CONSTRAINT agent_availability_no_overlap EXCLUDE USING gist
    (agent_id WITH =, tstzrange(starts_at, ends_at, '[)') WITH &&) WHERE (status = 'available'));
CREATE INDEX idx_agent_availability_slots_agent_id ON "AgentAvailabilitySlots" (agent_id, starts_at);
CREATE INDEX idx_agent_availability_slots_status ON "AgentAvailabilitySlots" (status, starts_at);

CREATE TABLE "Conversations" (
  id UUID PRIMARY KEY DEFAULT gen_random_uuid(),
  platform_account_id UUID NOT NULL REFERENCES "PlatformAccounts" (id) ON DELETE CASCADE,
  listing_id UUID REFERENCES "Listings" (id) ON DELETE SET NULL,
  assigned_agent_id UUID REFERENCES "Agents" (id) ON DELETE SET NULL, external_thread_id TEXT NOT NULL,
  lead_name TEXT, lead_contact JSONB NOT NULL DEFAULT '{}', status TEXT NOT NULL DEFAULT 'open',
  last_message_at TIMESTAMPTZ, created_at TIMESTAMPTZ NOT NULL DEFAULT NOW(), updated_at TIMESTAMPTZ NOT NULL DEFAULT NOW(),
  workflow_state TEXT NOT NULL DEFAULT 'lead', workflow_outcome TEXT, showing_state TEXT, follow_up_stage TEXT,
  follow_up_due_at TIMESTAMPTZ, follow_up_owner_agent_id UUID REFERENCES "Agents" (id) ON DELETE SET NULL,
  follow_up_status TEXT NOT NULL DEFAULT 'pending', workflow_updated_at TIMESTAMPTZ NOT NULL DEFAULT NOW(),
  external_thread_label TEXT, external_thread_message_count INTEGER, external_inbox_sort_rank INTEGER,
  UNIQUE (platform_account_id, external_thread_id),
  CONSTRAINT conversations_workflow_state_chk
    CHECK (workflow_state IN ('lead', 'showing', 'follow_up_1', 'follow_up_2', 'outcome')),
  CONSTRAINT conversations_workflow_outcome_chk CHECK (workflow_outcome IN ('not_interested', 'wants_reschedule', 'no_reply',
    'showing_confirmed', 'general_question', 'human_required', 'no_show', 'completed')),
  CONSTRAINT conversations_showing_state_chk
    CHECK (showing_state IN ('pending', 'confirmed', 'reschedule_requested', 'cancelled', 'completed', 'no_show')),
  CONSTRAINT conversations_follow_up_stage_chk CHECK (follow_up_stage IN ('follow_up_1', 'follow_up_2')),
  CONSTRAINT conversations_follow_up_status_chk CHECK (follow_up_status IN ('pending', 'completed', 'cancelled')),
  CONSTRAINT conversations_outcome_requires_outcome_state_chk CHECK (workflow_outcome IS NULL OR workflow_state = 'outcome'
    OR (workflow_outcome = 'showing_confirmed' AND workflow_state = 'showing')),
  CONSTRAINT conversations_follow_up_stage_consistency_chk CHECK (
    (workflow_state = 'follow_up_1' AND follow_up_stage = 'follow_up_1')
    OR (workflow_state = 'follow_up_2' AND follow_up_stage = 'follow_up_2')
    OR workflow_state NOT IN ('follow_up_1', 'follow_up_2')),
  CONSTRAINT conversations_follow_up_fields_chk CHECK (
    follow_up_stage IS NULL OR (follow_up_due_at IS NOT NULL AND follow_up_owner_agent_id IS NOT NULL)));
CREATE INDEX idx_conversations_listing_id ON "Conversations" (listing_id);
CREATE INDEX idx_conversations_workflow_state ON "Conversations" (workflow_state, workflow_updated_at DESC);
CREATE INDEX idx_conversations_workflow_outcome ON "Conversations" (workflow_outcome, workflow_updated_at DESC);
CREATE INDEX idx_conversations_external_inbox_sort_rank ON "Conversations" (platform_account_id, external_inbox_sort_rank);
CREATE TABLE "Messages" (
  id UUID PRIMARY KEY DEFAULT gen_random_uuid(),
  conversation_id UUID NOT NULL REFERENCES "Conversations" (id) ON DELETE CASCADE, sender_type TEXT NOT NULL,
  sender_agent_id UUID REFERENCES "Agents" (id) ON DELETE SET NULL, external_message_id TEXT, direction TEXT NOT NULL,
  channel TEXT NOT NULL DEFAULT 'in_app', body TEXT NOT NULL, metadata JSONB NOT NULL DEFAULT '{}',
  sent_at TIMESTAMPTZ NOT NULL DEFAULT NOW(), created_at TIMESTAMPTZ NOT NULL DEFAULT NOW(),
  UNIQUE (conversation_id, external_message_id));
CREATE INDEX idx_messages_conversation_id ON "Messages" (conversation_id);
CREATE INDEX idx_messages_sent_at ON "Messages" (sent_at DESC);
CREATE TABLE "Templates" (
  id UUID PRIMARY KEY DEFAULT gen_random_uuid(), platform_account_id UUID REFERENCES "PlatformAccounts" (id) ON DELETE CASCADE,
  name TEXT NOT NULL, channel TEXT NOT NULL DEFAULT 'in_app', locale TEXT NOT NULL DEFAULT 'en-US', body TEXT NOT NULL,
  variables JSONB NOT NULL DEFAULT '[]', is_active BOOLEAN NOT NULL DEFAULT TRUE,
  created_at TIMESTAMPTZ NOT NULL DEFAULT NOW(), updated_at TIMESTAMPTZ NOT NULL DEFAULT NOW(),
  UNIQUE (platform_account_id, name, locale));
CREATE INDEX idx_templates_platform_account_id ON "Templates" (platform_account_id);
CREATE TABLE "AutomationRules" (
  id UUID PRIMARY KEY DEFAULT gen_random_uuid(), platform_account_id UUID REFERENCES "PlatformAccounts" (id) ON DELETE CASCADE,
  name TEXT NOT NULL, description TEXT, trigger_type TEXT NOT NULL, conditions JSONB NOT NULL DEFAULT '{}',
  action_type TEXT NOT NULL, action_config JSONB NOT NULL DEFAULT '{}', priority INTEGER NOT NULL DEFAULT 100,
  is_enabled BOOLEAN NOT NULL DEFAULT TRUE, created_at TIMESTAMPTZ NOT NULL DEFAULT NOW(),
  updated_at TIMESTAMPTZ NOT NULL DEFAULT NOW());
CREATE INDEX idx_automation_rules_platform_account_id ON "AutomationRules" (platform_account_id);
CREATE TABLE "ShowingAppointments" (
  id UUID PRIMARY KEY DEFAULT gen_random_uuid(), idempotency_key TEXT NOT NULL UNIQUE,
  platform_account_id UUID NOT NULL REFERENCES "PlatformAccounts" (id) ON DELETE CASCADE,
  conversation_id UUID REFERENCES "Conversations" (id) ON DELETE SET NULL,
  unit_id UUID NOT NULL REFERENCES "Units" (id) ON DELETE CASCADE,
  listing_id UUID REFERENCES "Listings" (id) ON DELETE SET NULL,
  agent_id UUID NOT NULL REFERENCES "Agents" (id) ON DELETE RESTRICT, starts_at TIMESTAMPTZ NOT NULL,
  ends_at TIMESTAMPTZ NOT NULL, timezone TEXT NOT NULL, status TEXT NOT NULL DEFAULT 'pending',
  source TEXT NOT NULL DEFAULT 'lead_selection', external_booking_ref TEXT, notes TEXT, metadata JSONB NOT NULL DEFAULT '{}',
  created_at TIMESTAMPTZ NOT NULL DEFAULT NOW(), updated_at TIMESTAMPTZ NOT NULL DEFAULT NOW(), CHECK (ends_at > starts_at),
  CONSTRAINT showing_appointments_status_chk_v2
    CHECK (status IN ('pending', 'confirmed', 'reschedule_requested', 'cancelled', 'completed', 'no_show')),
  CONSTRAINT showing_appointments_no_double_booked_agent EXCLUDE USING gist
    (agent_id WITH =, unit_id WITH <>, tstzrange(starts_at, ends_at, '[)') WITH &&)
    WHERE (status IN ('pending', 'confirmed', 'reschedule_requested')));
CREATE INDEX idx_showing_appointments_agent_time ON "ShowingAppointments" (agent_id, starts_at);
CREATE INDEX idx_showing_appointments_unit_time ON "ShowingAppointments" (unit_id, starts_at);
CREATE INDEX idx_showing_appointments_status ON "ShowingAppointments" (status, starts_at);
CREATE UNIQUE INDEX idx_showing_appointments_external_booking_ref
  ON "ShowingAppointments" (platform_account_id, external_booking_ref) WHERE external_booking_ref IS NOT NULL;
CREATE TABLE "AuditLogs" (
  id BIGSERIAL PRIMARY KEY, actor_type TEXT NOT NULL, actor_id TEXT, entity_type TEXT NOT NULL, entity_id TEXT NOT NULL,
  action TEXT NOT NULL, details JSONB NOT NULL DEFAULT '{}', created_at TIMESTAMPTZ NOT NULL DEFAULT NOW());
CREATE INDEX idx_audit_logs_entity ON "AuditLogs" (entity_type, entity_id, created_at DESC);

CREATE FUNCTION workflow_validate_conversation_transition() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF OLD.showing_state IN ('cancelled', 'completed', 'no_show') AND NEW.showing_state <> OLD.showing_state THEN
    RAISE EXCEPTION 'showing_state % to %', OLD.showing_state, NEW.showing_state USING ERRCODE = '22023';
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER conversations_workflow_transition_guard BEFORE UPDATE OF workflow_state, showing_state ON "Conversations"
  FOR EACH ROW EXECUTE FUNCTION workflow_validate_conversation_transition();
CREATE FUNCTION workflow_recover_no_reply_on_inbound() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NEW; END $$;
CREATE TRIGGER messages_workflow_no_reply_recovery AFTER INSERT ON "Messages"
  FOR EACH ROW EXECUTE FUNCTION workflow_recover_no_reply_on_inbound();

-- Rows. Fixed ids as that system used them, not all of them RFC 4122.
INSERT INTO "user" (id, name, email, role) VALUES ('aB3', 'Ada', 'ada@example.org', 'admin');
INSERT INTO session (id, "expiresAt", token, "userId") VALUES ('s1', '2027-01-01', 'token', 'aB3');
INSERT INTO account (id, "accountId", "providerId", "userId", password) VALUES ('a1', 'aB3', 'credential', 'aB3', 'salt:hash');
INSERT INTO verification (id, identifier, value, "expiresAt") VALUES ('v1', 'ada@example.org', 'x', '2027-01-01');
INSERT INTO "UserInvitations" (id, email, first_name, last_name, role, token_hash, invited_by, expires_at)
VALUES ('91111111-1111-1111-1111-111111111111', 'bo@example.org', 'Bo', 'Li', 'agent', 'hash', 'aB3', '2027-01-01');
INSERT INTO "PlatformAccounts" (id, platform, account_name, account_external_id, credentials, is_active, send_mode) VALUES
('12111111-1111-1111-1111-111111111111', 'spareroom', 'Our SpareRoom', 'sr_001', '{"sessionRef": "env:X"}', FALSE, NULL),
('21111111-1111-1111-1111-111111111111', 'roomies', 'A second one', 'rm_002', '{}', TRUE, 'auto_send');
INSERT INTO "Agents" (id, platform_account_id, full_name)
VALUES ('31111111-1111-1111-1111-111111111111', '12111111-1111-1111-1111-111111111111', 'Ben');
INSERT INTO "Units" (id, property_name, unit_number, bathrooms)
VALUES ('41111111-1111-1111-1111-111111111111', 'Elm House', '2B', 1.5);
INSERT INTO "Listings" (id, unit_id, platform_account_id, listing_external_id, rent_cents, available_on, metadata)
VALUES ('51111111-1111-1111-1111-111111111111', '41111111-1111-1111-1111-111111111111', '12111111-1111-1111-1111-111111111111',
        'L1', 210000, '2026-12-01', '{"title": "Sunny"}');
INSERT INTO "AvailabilitySlots" (unit_id, starts_at, ends_at, timezone, source, notes)
VALUES ('41111111-1111-1111-1111-111111111111', '2026-12-01 10:00Z', '2026-12-01 12:00Z', 'UTC', 'weekly_recurring', 'rule:1');
INSERT INTO "UnitAgentAssignments" (unit_id, agent_id)
VALUES ('41111111-1111-1111-1111-111111111111', '31111111-1111-1111-1111-111111111111');
INSERT INTO "AgentAvailabilitySlots" (agent_id, starts_at, ends_at, timezone)
VALUES ('31111111-1111-1111-1111-111111111111', '2026-12-01 10:00Z', '2026-12-01 12:00Z', 'UTC');
INSERT INTO "Templates" (name, body, variables) VALUES ('tour_invite_v1', 'Hi {{ lead_name }}', '["lead_name"]');
INSERT INTO "AutomationRules" (name, trigger_type, conditions, action_type, action_config)
VALUES ('tours', 'message_received', '{"intent": "tour_request"}', 'send_template', '{"template": "tour_invite_v1"}');

INSERT INTO "Conversations" (id, platform_account_id, listing_id, assigned_agent_id, external_thread_id, lead_name, workflow_state,
                             workflow_outcome, showing_state, follow_up_stage, follow_up_due_at, follow_up_owner_agent_id)
VALUES
('61111111-1111-1111-1111-111111111101', '12111111-1111-1111-1111-111111111111', NULL, NULL, 'waits', 'Ana',
 'lead', NULL, NULL, NULL, NULL, NULL),
('61111111-1111-1111-1111-111111111102', '12111111-1111-1111-1111-111111111111', '51111111-1111-1111-1111-111111111111',
 '31111111-1111-1111-1111-111111111111', 'answered', 'Bea', 'showing', 'showing_confirmed', 'confirmed', NULL, NULL, NULL),
('61111111-1111-1111-1111-111111111103', '12111111-1111-1111-1111-111111111111', NULL, NULL, 'old', 'Cem',
 'follow_up_1', NULL, NULL, 'follow_up_1', '2026-12-01', '31111111-1111-1111-1111-111111111111'),
('61111111-1111-1111-1111-111111111104', '21111111-1111-1111-1111-111111111111', NULL, NULL, 'processed', 'Dag',
 'outcome', 'human_required', 'no_show', NULL, NULL, NULL),
('61111111-1111-1111-1111-111111111105', '21111111-1111-1111-1111-111111111111', NULL, NULL, 'empty', NULL,
 'lead', NULL, NULL, NULL, NULL, NULL),
-- Through the NULL hole: a follow-up state without its stage.
('61111111-1111-1111-1111-111111111106', '21111111-1111-1111-1111-111111111111', NULL, NULL, 'hole', 'Eli',
 'follow_up_2', NULL, NULL, NULL, NULL, NULL);
INSERT INTO "Messages" (id, conversation_id, sender_type, external_message_id, direction, body, metadata, sent_at) VALUES
('71111111-1111-1111-1111-111111111101', '61111111-1111-1111-1111-111111111101', 'lead', 'm1', 'inbound', 'Hello',
 '{"workerClaim": {"workerId": "w"}}', now() - interval '1 hour'),
('71111111-1111-1111-1111-111111111102', '61111111-1111-1111-1111-111111111101', 'lead', 'm2', 'inbound', 'Anyone?',
 '{}', now() - interval '30 minutes'),
('71111111-1111-1111-1111-111111111103', '61111111-1111-1111-1111-111111111102', 'lead', 'm1', 'inbound', 'A tour?',
 '{}', now() - interval '3 hours'),
('71111111-1111-1111-1111-111111111104', '61111111-1111-1111-1111-111111111102', 'agent', 'm2', 'outbound', 'Tuesday?',
 '{"reviewStatus": "sent"}', now() - interval '2 hours'),
('71111111-1111-1111-1111-111111111105', '61111111-1111-1111-1111-111111111103', 'lead', NULL, 'inbound', 'Long ago',
 '{}', now() - interval '49 hours'),
('71111111-1111-1111-1111-111111111106', '61111111-1111-1111-1111-111111111104', 'lead', 'm1', 'inbound', 'Call me',
 '{"aiProcessedAt": "2026-11-01T10:00:00.000Z", "reviewStatus": "hold"}', now() - interval '10 minutes');
INSERT INTO "ShowingAppointments" (idempotency_key, platform_account_id, conversation_id, unit_id, listing_id, agent_id,
                                   starts_at, ends_at, timezone, status)
VALUES ('k1', '12111111-1111-1111-1111-111111111111', '61111111-1111-1111-1111-111111111102',
        '41111111-1111-1111-1111-111111111111', '51111111-1111-1111-1111-111111111111', '31111111-1111-1111-1111-111111111111',
        '2026-12-01 10:00Z', '2026-12-01 11:00Z', 'UTC', 'confirmed');
INSERT INTO "AuditLogs" (actor_type, actor_id, entity_type, entity_id, action, details) VALUES
('worker', '31111111-1111-1111-1111-111111111111', 'message', '71111111-1111-1111-1111-111111111103', 'ai_reply_decision',
 '{"intent": "tour_request"}'),
('admin', 'aB3', 'conversation', '61111111-1111-1111-1111-111111111104', 'workflow_state_transitioned',
 '{"previous": {"showingState": "no_show"}, "next": {"showingState": null}}'),
('user', 'aB3', 'platform_account', '21111111-1111-1111-1111-111111111111', 'platform_policy_updated', '{"isActive": true}'),
('admin', 'aB3', 'showing_appointment', 'k1', 'showing_booking_created',
 '{"platformAccountId": "12111111-1111-1111-1111-111111111111"}'),
('system', NULL, 'migration', '0005', 'seed_applied', '{"source": "seed"}');
