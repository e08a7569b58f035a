-- Columns added to the earlier tables.
ALTER TABLE "Agents" ADD COLUMN IF NOT EXISTS user_id TEXT UNIQUE REFERENCES "user" (id) ON DELETE SET NULL;

ALTER TABLE "session" ADD COLUMN IF NOT EXISTS "impersonatedBy" TEXT;

ALTER TABLE "Listings" ADD COLUMN IF NOT EXISTS last_seen_at TIMESTAMP WITH TIME ZONE;

ALTER TABLE "AuditLogs"
    ADD COLUMN IF NOT EXISTS platform TEXT,
    ADD COLUMN IF NOT EXISTS platform_account_id UUID,
    ADD COLUMN IF NOT EXISTS conversation_id UUID,
    ADD COLUMN IF NOT EXISTS agent_id TEXT,
    ADD COLUMN IF NOT EXISTS run_id TEXT;

ALTER TABLE "Conversations"
    ADD COLUMN IF NOT EXISTS newest_inbound_seq BIGINT,
    ADD COLUMN IF NOT EXISTS handled_through_seq BIGINT DEFAULT 0 NOT NULL,
    ADD COLUMN IF NOT EXISTS linkage_hints JSONB DEFAULT '{}'::jsonb NOT NULL,
    ADD COLUMN IF NOT EXISTS linkage_strategy TEXT,
    ADD COLUMN IF NOT EXISTS linkage_attempted_at TIMESTAMP WITH TIME ZONE,
    ADD COLUMN IF NOT EXISTS lead_external_id TEXT;

-- An unknown time stays NULL; before, "now" was stored for it.
ALTER TABLE "Messages" ALTER COLUMN sent_at DROP NOT NULL, ALTER COLUMN sent_at DROP DEFAULT;

-- seq is the order in which messages became known; rows taken over get it from their times.
ALTER TABLE "Messages" ADD COLUMN IF NOT EXISTS seq BIGINT;

UPDATE "Messages" m SET seq = o.n
  FROM (SELECT id, row_number() OVER (ORDER BY COALESCE(sent_at, created_at), created_at, id) AS n FROM "Messages") o
 WHERE o.id = m.id AND m.seq IS NULL;

ALTER TABLE "Messages" ALTER COLUMN seq SET NOT NULL;

ALTER TABLE "Messages" ALTER COLUMN seq ADD GENERATED ALWAYS AS IDENTITY;

SELECT setval(pg_get_serial_sequence('"Messages"', 'seq'), COALESCE((SELECT max(seq) FROM "Messages"), 0) + 1, false);

-- Rows taken over: what the earlier system had not processed and is recent waits; all else is handled.
UPDATE "Conversations" c
   SET newest_inbound_seq = w.inbound_seq, handled_through_seq = COALESCE(w.handled_seq, 0)
  FROM (SELECT conversation_id, max(seq) FILTER (WHERE direction = 'inbound') AS inbound_seq,
               max(seq) FILTER (WHERE direction <> 'inbound' OR metadata ? 'aiProcessedAt'
                                   OR COALESCE(sent_at, created_at) < now() - interval '48 hours') AS handled_seq
          FROM "Messages" GROUP BY conversation_id) w
 WHERE w.conversation_id = c.id;

-- Audit rows taken over get their dimensions as far as they can still be told.
UPDATE "AuditLogs" l
   SET platform = a.platform, platform_account_id = a.id, conversation_id = c.id
  FROM "Messages" m
  JOIN "Conversations" c ON c.id = m.conversation_id
  JOIN "PlatformAccounts" a ON a.id = c.platform_account_id
 WHERE l.entity_type = 'message' AND l.entity_id = m.id::text AND l.platform IS NULL;

UPDATE "AuditLogs" l
   SET platform = a.platform, platform_account_id = a.id, conversation_id = c.id
  FROM "Conversations" c
  JOIN "PlatformAccounts" a ON a.id = c.platform_account_id
 WHERE l.platform IS NULL
   AND c.id::text = CASE WHEN l.entity_type = 'conversation' THEN l.entity_id ELSE l.details ->> 'conversationId' END;

UPDATE "AuditLogs" l
   SET platform = a.platform, platform_account_id = a.id
  FROM "PlatformAccounts" a
 WHERE l.platform IS NULL
   AND a.id::text = CASE WHEN l.entity_type = 'platform_account' THEN l.entity_id ELSE l.details ->> 'platformAccountId' END;

UPDATE "AuditLogs" SET platform = details ->> 'platform' WHERE platform IS NULL AND details ? 'platform';

UPDATE "AuditLogs" SET agent_id = actor_id WHERE actor_type = 'worker' AND agent_id IS NULL;

-- A state follow_up_N needs its stage; before, a NULL stage slipped through. Rows that already break the
-- rule are kept: the constraint is then enforced for new writes only.
ALTER TABLE "Conversations" DROP CONSTRAINT IF EXISTS conversations_follow_up_stage_consistency_chk;

ALTER TABLE "Conversations" ADD CONSTRAINT conversations_follow_up_stage_consistency_chk CHECK (
    workflow_state NOT IN ('follow_up_1', 'follow_up_2')
    OR (follow_up_stage IS NOT NULL AND follow_up_stage = workflow_state)) NOT VALID;

DO $$ BEGIN
  IF NOT EXISTS (SELECT 1 FROM "Conversations"
                  WHERE workflow_state IN ('follow_up_1', 'follow_up_2') AND follow_up_stage IS DISTINCT FROM workflow_state)
  THEN
    ALTER TABLE "Conversations" VALIDATE CONSTRAINT conversations_follow_up_stage_consistency_chk;
  END IF;
END $$;

-- New tables.
CREATE TABLE IF NOT EXISTS "ReleaseStages" (
    id UUID DEFAULT gen_random_uuid() NOT NULL,
    stage TEXT NOT NULL,
    cohort JSONB DEFAULT '{}'::jsonb NOT NULL,
    baseline JSONB,
    gate_result JSONB,
    actor_type TEXT NOT NULL,
    actor_id TEXT,
    reason TEXT NOT NULL,
    started_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    ended_at TIMESTAMP WITH TIME ZONE,
    PRIMARY KEY (id),
    CONSTRAINT release_stages_stage_chk CHECK (stage IN ('shadow', 'canary', 'full'))
);

CREATE UNIQUE INDEX IF NOT EXISTS idx_release_stages_current ON "ReleaseStages" ((ended_at IS NULL)) WHERE ended_at IS NULL;

CREATE TABLE IF NOT EXISTS "AccountRuntime" (
    platform_account_id UUID NOT NULL,
    lease_owner TEXT,
    lease_fence BIGINT DEFAULT 0 NOT NULL,
    lease_expires_at TIMESTAMP WITH TIME ZONE,
    last_action_at JSONB DEFAULT '{}'::jsonb NOT NULL,
    circuit_state TEXT DEFAULT 'closed' NOT NULL,
    circuit_failures INTEGER DEFAULT 0 NOT NULL,
    circuit_open_until TIMESTAMP WITH TIME ZONE,
    last_polled_at TIMESTAMP WITH TIME ZONE,
    last_success_ingest_at TIMESTAMP WITH TIME ZONE,
    last_success_send_at TIMESTAMP WITH TIME ZONE,
    stopped_at TIMESTAMP WITH TIME ZONE,
    stop_code TEXT,
    stop_reason TEXT,
    last_rows INTEGER,
    updated_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    PRIMARY KEY (platform_account_id),
    CONSTRAINT account_runtime_circuit_state_chk CHECK (circuit_state IN ('closed', 'open', 'half_open')),
    FOREIGN KEY(platform_account_id) REFERENCES "PlatformAccounts" (id) ON DELETE CASCADE
);

CREATE TABLE IF NOT EXISTS "InboxThreads" (
    platform_account_id UUID NOT NULL,
    external_thread_id TEXT NOT NULL,
    fingerprint TEXT NOT NULL,
    read_fingerprint TEXT,
    read_at TIMESTAMP WITH TIME ZONE,
    seen_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    sort_rank INTEGER,
    failures INTEGER DEFAULT 0 NOT NULL,
    last_error TEXT,
    PRIMARY KEY (platform_account_id, external_thread_id),
    FOREIGN KEY(platform_account_id) REFERENCES "PlatformAccounts" (id) ON DELETE CASCADE
);

CREATE TABLE IF NOT EXISTS "PlatformRuns" (
    id UUID DEFAULT gen_random_uuid() NOT NULL,
    platform_account_id UUID NOT NULL,
    platform TEXT NOT NULL,
    action TEXT NOT NULL,
    triggered_by TEXT NOT NULL,
    run_id TEXT,
    started_at TIMESTAMP WITH TIME ZONE NOT NULL,
    ended_at TIMESTAMP WITH TIME ZONE,
    outcome TEXT NOT NULL,
    counts JSONB DEFAULT '{}'::jsonb NOT NULL,
    latency_ms INTEGER,
    error_class TEXT,
    error_code TEXT,
    error_detail TEXT,
    PRIMARY KEY (id),
    CONSTRAINT platform_runs_action_chk CHECK (action IN ('ingest', 'thread_sync', 'send', 'listing_sync', 'reconcile')),
    CONSTRAINT platform_runs_outcome_chk CHECK (outcome IN ('running', 'succeeded', 'failed', 'skipped')),
    FOREIGN KEY(platform_account_id) REFERENCES "PlatformAccounts" (id) ON DELETE CASCADE
);

CREATE INDEX IF NOT EXISTS idx_platform_runs_account ON "PlatformRuns" (platform_account_id, action, started_at DESC);

CREATE INDEX IF NOT EXISTS idx_platform_runs_running ON "PlatformRuns" (platform_account_id) WHERE outcome = 'running';

CREATE INDEX IF NOT EXISTS idx_platform_runs_started_at ON "PlatformRuns" (started_at DESC);

CREATE TABLE IF NOT EXISTS "AvailabilityRules" (
    id UUID DEFAULT gen_random_uuid() NOT NULL,
    unit_id UUID,
    agent_id UUID,
    listing_id UUID,
    day_of_week INTEGER NOT NULL,
    start_time TIME WITHOUT TIME ZONE NOT NULL,
    end_time TIME WITHOUT TIME ZONE NOT NULL,
    timezone TEXT NOT NULL,
    status TEXT NOT NULL,
    valid_from DATE,
    valid_until DATE,
    notes TEXT,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    updated_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    PRIMARY KEY (id),
    CONSTRAINT availability_rules_owner_chk CHECK (num_nonnulls(unit_id, agent_id) = 1),
    CONSTRAINT availability_rules_day_chk CHECK (day_of_week BETWEEN 0 AND 6),
    CONSTRAINT availability_rules_time_chk CHECK (end_time > start_time),
    FOREIGN KEY(unit_id) REFERENCES "Units" (id) ON DELETE CASCADE,
    FOREIGN KEY(agent_id) REFERENCES "Agents" (id) ON DELETE CASCADE,
    FOREIGN KEY(listing_id) REFERENCES "Listings" (id) ON DELETE SET NULL
);

CREATE INDEX IF NOT EXISTS idx_availability_rules_agent_id ON "AvailabilityRules" (agent_id);

CREATE INDEX IF NOT EXISTS idx_availability_rules_unit_id ON "AvailabilityRules" (unit_id);

CREATE TABLE IF NOT EXISTS "InboundEvents" (
    id BIGINT GENERATED ALWAYS AS IDENTITY,
    platform_account_id UUID NOT NULL,
    platform TEXT NOT NULL,
    external_thread_id TEXT NOT NULL,
    external_message_id TEXT NOT NULL,
    identity_source TEXT NOT NULL,
    direction TEXT NOT NULL,
    body TEXT NOT NULL,
    sent_at TIMESTAMP WITH TIME ZONE,
    sent_at_text TEXT,
    sent_at_has_time BOOLEAN DEFAULT false NOT NULL,
    payload JSONB DEFAULT '{}'::jsonb NOT NULL,
    platform_run_id UUID,
    landed_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    ingested_at TIMESTAMP WITH TIME ZONE,
    message_id UUID,
    quarantined_at TIMESTAMP WITH TIME ZONE,
    quarantine_reason TEXT,
    PRIMARY KEY (id),
    CONSTRAINT inbound_events_identity_source_chk CHECK (identity_source IN ('platform', 'hash')),
    CONSTRAINT inbound_events_direction_chk CHECK (direction IN ('inbound', 'outbound')),
    CONSTRAINT inbound_events_one_end_chk CHECK (num_nonnulls(ingested_at, quarantined_at) <= 1),
    CONSTRAINT inbound_events_quarantine_reason_chk CHECK ((quarantined_at IS NULL) = (quarantine_reason IS NULL)),
    CONSTRAINT inbound_events_identity_key UNIQUE (platform_account_id, external_thread_id, external_message_id),
    FOREIGN KEY(platform_account_id) REFERENCES "PlatformAccounts" (id) ON DELETE CASCADE,
    FOREIGN KEY(platform_run_id) REFERENCES "PlatformRuns" (id) ON DELETE SET NULL
);

CREATE INDEX IF NOT EXISTS idx_inbound_events_landed_at ON "InboundEvents" (landed_at);

CREATE INDEX IF NOT EXISTS idx_inbound_events_pending ON "InboundEvents" (platform, id) WHERE ingested_at IS NULL AND quarantined_at IS NULL;

CREATE TABLE IF NOT EXISTS "Decisions" (
    id UUID DEFAULT gen_random_uuid() NOT NULL,
    conversation_id UUID NOT NULL,
    platform_account_id UUID NOT NULL,
    platform TEXT NOT NULL,
    inbound_message_id UUID NOT NULL,
    through_seq BIGINT NOT NULL,
    provider TEXT NOT NULL,
    model TEXT,
    rules_version TEXT NOT NULL,
    intent TEXT NOT NULL,
    effective_intent TEXT NOT NULL,
    follow_up BOOLEAN NOT NULL,
    workflow_outcome TEXT,
    confidence NUMERIC(4, 3) NOT NULL,
    risk_level TEXT NOT NULL,
    outcome TEXT NOT NULL,
    reason TEXT NOT NULL,
    reasons TEXT[] NOT NULL,
    escalation_reason_code TEXT,
    guardrails TEXT[] NOT NULL,
    slots JSONB DEFAULT '[]'::jsonb NOT NULL,
    slot_source TEXT,
    selected_slot_index INTEGER,
    policy JSONB NOT NULL,
    evidence JSONB DEFAULT '{}'::jsonb NOT NULL,
    provider_details JSONB DEFAULT '{}'::jsonb NOT NULL,
    template_id UUID,
    reply_body TEXT,
    run_id TEXT,
    decided_at TIMESTAMP WITH TIME ZONE NOT NULL,
    PRIMARY KEY (id),
    CONSTRAINT decisions_provider_chk CHECK (provider IN ('heuristic', 'gemini')),
    CONSTRAINT decisions_risk_level_chk CHECK (risk_level IN ('low', 'medium', 'high', 'critical')),
    CONSTRAINT decisions_outcome_chk CHECK (outcome IN ('send', 'draft', 'skip', 'escalate', 'blocked')),
    CONSTRAINT decisions_confidence_chk CHECK (confidence BETWEEN 0 AND 1),
    CONSTRAINT decisions_reasons_chk CHECK (cardinality(reasons) > 0),
    CONSTRAINT decisions_conversation_seq_key UNIQUE (conversation_id, through_seq),
    FOREIGN KEY(conversation_id) REFERENCES "Conversations" (id) ON DELETE CASCADE,
    FOREIGN KEY(platform_account_id) REFERENCES "PlatformAccounts" (id) ON DELETE CASCADE,
    FOREIGN KEY(inbound_message_id) REFERENCES "Messages" (id) ON DELETE CASCADE,
    FOREIGN KEY(template_id) REFERENCES "Templates" (id) ON DELETE SET NULL
);

CREATE INDEX IF NOT EXISTS idx_decisions_decided_at ON "Decisions" (decided_at DESC);

CREATE INDEX IF NOT EXISTS idx_decisions_inbound_message_id ON "Decisions" (inbound_message_id);

CREATE INDEX IF NOT EXISTS idx_decisions_platform ON "Decisions" (platform, decided_at DESC);

CREATE TABLE IF NOT EXISTS "OutboundDispatches" (
    id UUID DEFAULT gen_random_uuid() NOT NULL,
    purpose TEXT NOT NULL,
    purpose_key TEXT NOT NULL,
    decision_id UUID,
    conversation_id UUID NOT NULL,
    platform_account_id UUID NOT NULL,
    platform TEXT NOT NULL,
    external_thread_id TEXT NOT NULL,
    message_id UUID,
    body TEXT NOT NULL,
    state TEXT NOT NULL,
    attempts INTEGER DEFAULT 0 NOT NULL,
    max_attempts INTEGER DEFAULT 5 NOT NULL,
    next_attempt_at TIMESTAMP WITH TIME ZONE,
    claimed_by TEXT,
    claimed_at TIMESTAMP WITH TIME ZONE,
    lease_expires_at TIMESTAMP WITH TIME ZONE,
    fence BIGINT DEFAULT 0 NOT NULL,
    sending_at TIMESTAMP WITH TIME ZONE,
    baseline JSONB,
    receipt JSONB,
    external_message_id TEXT,
    sent_at TIMESTAMP WITH TIME ZONE,
    error_class TEXT,
    error_code TEXT,
    last_error TEXT,
    run_id TEXT,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    updated_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    PRIMARY KEY (id),
    CONSTRAINT outbound_dispatches_purpose_chk CHECK (purpose IN ('decision', 'manual_reply', 'follow_up', 'approved_draft')),
    CONSTRAINT outbound_dispatches_state_chk CHECK (state IN ('draft', 'held', 'queued', 'claimed', 'sending', 'sent', 'unknown', 'retry_scheduled', 'dead_letter', 'cancelled')),
    CONSTRAINT outbound_dispatches_receipt_chk CHECK (state <> 'sent' OR receipt IS NOT NULL),
    CONSTRAINT outbound_dispatches_purpose_key_key UNIQUE (purpose_key),
    FOREIGN KEY(decision_id) REFERENCES "Decisions" (id) ON DELETE SET NULL,
    FOREIGN KEY(conversation_id) REFERENCES "Conversations" (id) ON DELETE CASCADE,
    FOREIGN KEY(platform_account_id) REFERENCES "PlatformAccounts" (id) ON DELETE CASCADE,
    FOREIGN KEY(message_id) REFERENCES "Messages" (id) ON DELETE SET NULL
);

CREATE INDEX IF NOT EXISTS idx_outbound_dispatches_conversation_id ON "OutboundDispatches" (conversation_id, state);

CREATE INDEX IF NOT EXISTS idx_outbound_dispatches_due ON "OutboundDispatches" (platform, next_attempt_at) WHERE state IN ('queued', 'retry_scheduled', 'unknown');

CREATE INDEX IF NOT EXISTS idx_outbound_dispatches_in_doubt ON "OutboundDispatches" (conversation_id) WHERE state IN ('claimed', 'sending', 'unknown');

CREATE INDEX IF NOT EXISTS idx_outbound_dispatches_leased ON "OutboundDispatches" (lease_expires_at) WHERE state IN ('claimed', 'sending');

CREATE INDEX IF NOT EXISTS idx_outbound_dispatches_message_id ON "OutboundDispatches" (message_id);

CREATE TABLE IF NOT EXISTS "SlotOffers" (
    id UUID DEFAULT gen_random_uuid() NOT NULL,
    conversation_id UUID NOT NULL,
    decision_id UUID NOT NULL,
    unit_id UUID NOT NULL,
    agent_id UUID,
    starts_at TIMESTAMP WITH TIME ZONE NOT NULL,
    ends_at TIMESTAMP WITH TIME ZONE NOT NULL,
    timezone TEXT NOT NULL,
    label TEXT NOT NULL,
    position INTEGER NOT NULL,
    state TEXT DEFAULT 'offered' NOT NULL,
    offered_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    expires_at TIMESTAMP WITH TIME ZONE,
    hold_expires_at TIMESTAMP WITH TIME ZONE,
    resolved_at TIMESTAMP WITH TIME ZONE,
    resolved_by_message_id UUID,
    PRIMARY KEY (id),
    CONSTRAINT slot_offers_time_chk CHECK (ends_at > starts_at),
    CONSTRAINT slot_offers_state_chk CHECK (state IN ('offered', 'held', 'confirmed', 'declined', 'expired', 'superseded')),
    CONSTRAINT slot_offers_decision_position_key UNIQUE (decision_id, position),
    FOREIGN KEY(conversation_id) REFERENCES "Conversations" (id) ON DELETE CASCADE,
    FOREIGN KEY(decision_id) REFERENCES "Decisions" (id) ON DELETE CASCADE,
    FOREIGN KEY(unit_id) REFERENCES "Units" (id) ON DELETE CASCADE,
    FOREIGN KEY(agent_id) REFERENCES "Agents" (id) ON DELETE CASCADE
);

CREATE INDEX IF NOT EXISTS idx_slot_offers_open ON "SlotOffers" (conversation_id, position) WHERE state IN ('offered', 'held');

CREATE TABLE IF NOT EXISTS "FollowUps" (
    id UUID DEFAULT gen_random_uuid() NOT NULL,
    conversation_id UUID NOT NULL,
    stage TEXT NOT NULL,
    due_at TIMESTAMP WITH TIME ZONE NOT NULL,
    owner_agent_id UUID,
    status TEXT DEFAULT 'pending' NOT NULL,
    dispatch_id UUID,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    updated_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    PRIMARY KEY (id),
    CONSTRAINT follow_ups_stage_chk CHECK (stage IN ('follow_up_1', 'follow_up_2')),
    CONSTRAINT follow_ups_status_chk CHECK (status IN ('pending', 'completed', 'cancelled')),
    CONSTRAINT follow_ups_conversation_stage_due_key UNIQUE (conversation_id, stage, due_at),
    FOREIGN KEY(conversation_id) REFERENCES "Conversations" (id) ON DELETE CASCADE,
    FOREIGN KEY(owner_agent_id) REFERENCES "Agents" (id) ON DELETE SET NULL,
    FOREIGN KEY(dispatch_id) REFERENCES "OutboundDispatches" (id) ON DELETE SET NULL
);

CREATE INDEX IF NOT EXISTS idx_follow_ups_due ON "FollowUps" (due_at) WHERE status = 'pending';

-- Indexes on earlier tables.
CREATE INDEX IF NOT EXISTS idx_audit_logs_action ON "AuditLogs" (action, created_at DESC);

CREATE INDEX IF NOT EXISTS idx_audit_logs_conversation_id ON "AuditLogs" (conversation_id, created_at DESC);

CREATE INDEX IF NOT EXISTS idx_audit_logs_created_at ON "AuditLogs" (created_at DESC, id DESC);

CREATE INDEX IF NOT EXISTS idx_audit_logs_platform ON "AuditLogs" (platform, created_at DESC);

CREATE INDEX IF NOT EXISTS idx_availability_slots_unit_time ON "AvailabilitySlots" (unit_id, ends_at);

CREATE INDEX IF NOT EXISTS idx_conversations_assigned_agent_id ON "Conversations" (assigned_agent_id);

CREATE INDEX IF NOT EXISTS idx_conversations_unlinked ON "Conversations" (platform_account_id) WHERE status = 'open' AND listing_id IS NULL;

CREATE INDEX IF NOT EXISTS idx_conversations_waiting ON "Conversations" (platform_account_id, newest_inbound_seq) WHERE status = 'open' AND newest_inbound_seq > handled_through_seq;

CREATE INDEX IF NOT EXISTS idx_messages_conversation_seq ON "Messages" (conversation_id, seq DESC);

CREATE INDEX IF NOT EXISTS idx_showing_appointments_created_at ON "ShowingAppointments" (created_at);

-- Guards: the last line behind the application's own transition rules, with explicit NULL handling.
-- A follow-up stage ends only when the conversation comes to an outcome or starts over from one.
CREATE OR REPLACE FUNCTION workflow_validate_conversation_transition() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF NEW.workflow_state <> OLD.workflow_state AND NOT (
       (OLD.workflow_state = 'lead' AND NEW.workflow_state IN ('showing', 'follow_up_1', 'outcome'))
    OR (OLD.workflow_state = 'showing' AND NEW.workflow_state IN ('follow_up_1', 'outcome'))
    OR (OLD.workflow_state = 'follow_up_1' AND NEW.workflow_state IN ('follow_up_2', 'outcome'))
    OR (OLD.workflow_state = 'follow_up_2' AND NEW.workflow_state = 'outcome')
    OR (OLD.workflow_state = 'outcome' AND NEW.workflow_state = 'lead')) THEN
    RAISE EXCEPTION 'invalid workflow_state transition from % to %', OLD.workflow_state, NEW.workflow_state
      USING ERRCODE = '22023';
  END IF;
  -- Cleared is no state to go to: a terminal one could be left through it.
  IF OLD.showing_state IS NOT NULL AND NEW.showing_state IS DISTINCT FROM OLD.showing_state AND NOT COALESCE(
       (OLD.showing_state = 'pending' AND NEW.showing_state IN ('confirmed', 'reschedule_requested', 'cancelled', 'no_show'))
    OR (OLD.showing_state = 'confirmed' AND NEW.showing_state IN ('reschedule_requested', 'cancelled', 'completed', 'no_show'))
    OR (OLD.showing_state = 'reschedule_requested' AND NEW.showing_state IN ('pending', 'confirmed', 'cancelled', 'no_show')),
    false) THEN
    RAISE EXCEPTION 'invalid showing_state transition from % to %', OLD.showing_state, COALESCE(NEW.showing_state, 'NULL')
      USING ERRCODE = '22023';
  END IF;
  IF NEW.follow_up_stage IS DISTINCT FROM OLD.follow_up_stage AND NOT (
       (OLD.follow_up_stage IS NULL AND NEW.follow_up_stage = 'follow_up_1')
    OR (OLD.follow_up_stage IS NOT DISTINCT FROM 'follow_up_1' AND NEW.follow_up_stage IS NOT DISTINCT FROM 'follow_up_2')
    OR (OLD.follow_up_stage IS NOT NULL AND NEW.follow_up_stage IS NULL AND (
             NEW.workflow_state = 'outcome'
          OR NEW.workflow_outcome IS NOT DISTINCT FROM 'showing_confirmed'
          OR (OLD.workflow_state = 'outcome' AND NEW.workflow_state = 'lead')))) THEN
    RAISE EXCEPTION 'invalid follow_up_stage transition from % to %',
      COALESCE(OLD.follow_up_stage, 'NULL'), COALESCE(NEW.follow_up_stage, 'NULL') USING ERRCODE = '22023';
  END IF;
  IF (NEW.workflow_state, NEW.workflow_outcome, NEW.showing_state, NEW.follow_up_stage, NEW.follow_up_due_at,
      NEW.follow_up_owner_agent_id, NEW.follow_up_status)
     IS DISTINCT FROM
     (OLD.workflow_state, OLD.workflow_outcome, OLD.showing_state, OLD.follow_up_stage, OLD.follow_up_due_at,
      OLD.follow_up_owner_agent_id, OLD.follow_up_status) THEN
    NEW.workflow_updated_at := now();
  END IF;
  RETURN NEW;
END $$;

DROP TRIGGER IF EXISTS conversations_workflow_transition_guard ON "Conversations";

CREATE TRIGGER conversations_workflow_transition_guard
  BEFORE UPDATE OF workflow_state, workflow_outcome, showing_state, follow_up_stage, follow_up_due_at,
                   follow_up_owner_agent_id, follow_up_status ON "Conversations"
  FOR EACH ROW EXECUTE FUNCTION workflow_validate_conversation_transition();

-- A lead who had gone silent writes again. Messages older than the outcome are history, not an answer.
-- Platforms round to minutes or show a bare date: such a time counts as newer when it may be.
CREATE OR REPLACE FUNCTION workflow_recover_no_reply_on_inbound() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
  conversation "Conversations"%ROWTYPE;
  oldest_answer TIMESTAMP WITH TIME ZONE;
BEGIN
  SELECT * INTO conversation FROM "Conversations"
   WHERE id = NEW.conversation_id AND workflow_outcome = 'no_reply' FOR UPDATE;
  IF NOT FOUND THEN
    RETURN NULL;
  END IF;
  oldest_answer := CASE WHEN NEW.metadata ->> 'sentAtHasTime' = 'false'
                        THEN conversation.workflow_updated_at - interval '1 day'
                        ELSE date_trunc('minute', conversation.workflow_updated_at) END;
  IF NEW.sent_at IS NULL OR NEW.sent_at >= oldest_answer THEN
    UPDATE "Conversations" SET workflow_state = 'lead', workflow_outcome = NULL, updated_at = now()
     WHERE id = conversation.id;
    INSERT INTO "AuditLogs" (actor_type, entity_type, entity_id, action, details, platform, platform_account_id, conversation_id)
    SELECT 'system', 'conversation', conversation.id::text, 'workflow_no_reply_recovered',
           jsonb_build_object('conversationId', conversation.id, 'messageId', NEW.id, 'trigger', 'inbound_message',
                              'platform', a.platform, 'platformAccountId', a.id),
           a.platform, a.id, conversation.id
      FROM "PlatformAccounts" a WHERE a.id = conversation.platform_account_id;
  END IF;
  RETURN NULL;
END $$;

DROP TRIGGER IF EXISTS messages_workflow_no_reply_recovery ON "Messages";

CREATE TRIGGER messages_workflow_no_reply_recovery AFTER INSERT ON "Messages"
  FOR EACH ROW WHEN (NEW.direction = 'inbound') EXECUTE FUNCTION workflow_recover_no_reply_on_inbound();

-- An agent who owns follow-ups may be deleted: those conversations go to a person, nothing more is sent
-- on the agent's behalf. One that had come to an outcome keeps it.
CREATE OR REPLACE FUNCTION follow_up_owner_deleted() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  UPDATE "FollowUps" SET status = 'cancelled', updated_at = now() WHERE owner_agent_id = OLD.id AND status = 'pending';
  WITH moved AS (
    UPDATE "Conversations" c
       SET workflow_state = 'outcome',
           workflow_outcome = CASE WHEN o.workflow_state = 'outcome' THEN o.workflow_outcome ELSE 'human_required' END,
           follow_up_stage = NULL, follow_up_due_at = NULL, follow_up_owner_agent_id = NULL,
           follow_up_status = 'cancelled', updated_at = now()
      FROM "Conversations" o
     WHERE o.id = c.id AND c.follow_up_owner_agent_id = OLD.id AND c.follow_up_stage IS NOT NULL
    RETURNING c.id, c.platform_account_id, c.showing_state, c.workflow_outcome AS outcome,
              o.workflow_state AS was_state, o.workflow_outcome AS was_outcome, o.follow_up_stage AS was_stage
  )
  INSERT INTO "AuditLogs" (actor_type, entity_type, entity_id, action, details, platform, platform_account_id, conversation_id)
  SELECT 'system', 'conversation', m.id::text, 'workflow_state_transitioned',
         jsonb_build_object('source', 'database', 'trigger', 'follow_up_owner_deleted', 'conversationId', m.id,
           'platform', a.platform, 'platformAccountId', a.id, 'agentId', OLD.id,
           'previous', jsonb_build_object('workflowState', m.was_state, 'workflowOutcome', m.was_outcome,
                                          'showingState', m.showing_state, 'followUpStage', m.was_stage),
           'next', jsonb_build_object('workflowState', 'outcome', 'workflowOutcome', m.outcome,
                                      'showingState', m.showing_state, 'followUpStage', NULL)),
         a.platform, a.id, m.id
    FROM moved m JOIN "PlatformAccounts" a ON a.id = m.platform_account_id;
  RETURN OLD;
END $$;

DROP TRIGGER IF EXISTS agents_follow_up_owner_deleted ON "Agents";

CREATE TRIGGER agents_follow_up_owner_deleted BEFORE DELETE ON "Agents"
  FOR EACH ROW EXECUTE FUNCTION follow_up_owner_deleted();
