-- Outbox states, kill switch, caps, alerts.

-- Replies: what they answer, when an operator queued them again, how long an attempt may take at most,
-- how often a worker died with them in hand, how often they were proven not to have arrived.
ALTER TABLE "OutboundDispatches"
    ADD COLUMN IF NOT EXISTS based_on_seq BIGINT,
    ADD COLUMN IF NOT EXISTS queued_at TIMESTAMP WITH TIME ZONE,
    ADD COLUMN IF NOT EXISTS attempt_deadline_at TIMESTAMP WITH TIME ZONE,
    ADD COLUMN IF NOT EXISTS lost_claims INTEGER DEFAULT 0 NOT NULL,
    ADD COLUMN IF NOT EXISTS absences INTEGER DEFAULT 0 NOT NULL;

UPDATE "OutboundDispatches" d SET based_on_seq = x.through_seq
  FROM "Decisions" x
 WHERE x.id = d.decision_id AND d.based_on_seq IS NULL AND d.state NOT IN ('sent', 'cancelled');

CREATE INDEX IF NOT EXISTS idx_outbound_dispatches_account_due ON "OutboundDispatches" (platform_account_id, created_at, id) WHERE state IN ('queued', 'retry_scheduled');

CREATE INDEX IF NOT EXISTS idx_outbound_dispatches_clicks ON "OutboundDispatches" (platform_account_id, sending_at) WHERE sending_at IS NOT NULL;

CREATE INDEX IF NOT EXISTS idx_outbound_dispatches_open ON "OutboundDispatches" (state, updated_at DESC) WHERE state NOT IN ('sent', 'cancelled');

-- Accounts: lease deadline (progress) beside the lease (life), breakers per action, caps.
ALTER TABLE "AccountRuntime"
    ADD COLUMN IF NOT EXISTS lease_deadline_at TIMESTAMP WITH TIME ZONE,
    ADD COLUMN IF NOT EXISTS circuit_code TEXT,
    ADD COLUMN IF NOT EXISTS action_circuits JSONB DEFAULT '{}'::jsonb NOT NULL,
    ADD COLUMN IF NOT EXISTS daily_send_cap INTEGER,
    ADD COLUMN IF NOT EXISTS timezone TEXT,
    ADD COLUMN IF NOT EXISTS send_cap_until TIMESTAMP WITH TIME ZONE;

ALTER TABLE "AccountRuntime" DROP CONSTRAINT IF EXISTS account_runtime_daily_send_cap_chk;

ALTER TABLE "AccountRuntime" ADD CONSTRAINT account_runtime_daily_send_cap_chk CHECK (daily_send_cap >= 0);

CREATE TABLE IF NOT EXISTS "KillSwitches" (
    id UUID DEFAULT gen_random_uuid() NOT NULL,
    target TEXT NOT NULL,
    scope TEXT NOT NULL,
    platform TEXT,
    platform_account_id UUID,
    reason TEXT NOT NULL,
    actor_type TEXT NOT NULL,
    actor_id TEXT,
    engaged_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    lifted_at TIMESTAMP WITH TIME ZONE,
    lifted_by TEXT,
    PRIMARY KEY (id),
    CONSTRAINT kill_switches_scope_chk CHECK (scope IN ('global', 'platform', 'account')),
    CONSTRAINT kill_switches_target_chk CHECK (COALESCE(target = CASE scope WHEN 'global' THEN 'global' WHEN 'platform' THEN 'platform:' || platform ELSE 'account:' || platform_account_id::text END, false)),
    FOREIGN KEY(platform_account_id) REFERENCES "PlatformAccounts" (id) ON DELETE CASCADE
);

CREATE UNIQUE INDEX IF NOT EXISTS idx_kill_switches_engaged ON "KillSwitches" (target) WHERE lifted_at IS NULL;

CREATE TABLE IF NOT EXISTS "AlertIncidents" (
    id UUID DEFAULT gen_random_uuid() NOT NULL,
    key TEXT NOT NULL,
    type TEXT NOT NULL,
    platform TEXT NOT NULL,
    platform_account_id UUID NOT NULL,
    action TEXT NOT NULL,
    reason TEXT,
    event JSONB NOT NULL,
    opened_at TIMESTAMP WITH TIME ZONE NOT NULL,
    last_seen_at TIMESTAMP WITH TIME ZONE NOT NULL,
    occurrences INTEGER DEFAULT 1 NOT NULL,
    closed_at TIMESTAMP WITH TIME ZONE,
    told JSONB DEFAULT '{}'::jsonb NOT NULL,
    recovery_told JSONB DEFAULT '{}'::jsonb NOT NULL,
    settled_at TIMESTAMP WITH TIME ZONE,
    channel_failures INTEGER DEFAULT 0 NOT NULL,
    channel_error TEXT,
    next_try_at TIMESTAMP WITH TIME ZONE,
    PRIMARY KEY (id)
);

CREATE UNIQUE INDEX IF NOT EXISTS idx_alert_incidents_open ON "AlertIncidents" (key) WHERE closed_at IS NULL;

CREATE INDEX IF NOT EXISTS idx_alert_incidents_unsettled ON "AlertIncidents" (opened_at) WHERE settled_at IS NULL;

CREATE INDEX IF NOT EXISTS idx_alert_incidents_account ON "AlertIncidents" (platform_account_id, opened_at DESC);

-- Whoever writes a reply: it answers what is known of the thread at that moment.
CREATE OR REPLACE FUNCTION outbound_dispatch_based_on() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF NEW.based_on_seq IS NULL THEN
    SELECT COALESCE(x.through_seq, GREATEST(c.newest_inbound_seq, c.handled_through_seq)) INTO NEW.based_on_seq
      FROM "Conversations" c LEFT JOIN "Decisions" x ON x.id = NEW.decision_id
     WHERE c.id = NEW.conversation_id;
  END IF;
  RETURN NEW;
END $$;

DROP TRIGGER IF EXISTS outbound_dispatches_based_on ON "OutboundDispatches";

CREATE TRIGGER outbound_dispatches_based_on BEFORE INSERT ON "OutboundDispatches"
  FOR EACH ROW EXECUTE FUNCTION outbound_dispatch_based_on();

-- The last line behind the application's own rules: which state follows which, what a claim and an intent
-- need, and that no intent is committed where nothing may be sent.
CREATE OR REPLACE FUNCTION outbound_dispatch_transition() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
  forbidden TEXT;
BEGIN
  IF NEW.fence < OLD.fence THEN
    RAISE EXCEPTION 'the fence of a dispatch never falls (% to %)', OLD.fence, NEW.fence USING ERRCODE = '22023';
  END IF;
  IF NEW.state = OLD.state THEN
    RETURN NEW;
  END IF;
  IF NOT COALESCE(CASE OLD.state
       WHEN 'draft' THEN NEW.state IN ('queued', 'held', 'cancelled')
       WHEN 'held' THEN NEW.state IN ('queued', 'draft', 'cancelled', 'sent')
       WHEN 'queued' THEN NEW.state IN ('claimed', 'held', 'draft', 'cancelled')
       WHEN 'claimed' THEN NEW.state IN ('queued', 'sending', 'retry_scheduled', 'dead_letter', 'unknown', 'held', 'draft', 'cancelled')
       WHEN 'sending' THEN NEW.state IN ('sent', 'unknown', 'retry_scheduled', 'dead_letter', 'queued', 'held', 'draft', 'cancelled')
       WHEN 'unknown' THEN NEW.state IN ('sent', 'retry_scheduled', 'cancelled', 'dead_letter')
       WHEN 'retry_scheduled' THEN NEW.state IN ('claimed', 'queued', 'held', 'draft', 'cancelled')
       WHEN 'dead_letter' THEN NEW.state IN ('queued', 'cancelled', 'sent')
     END, false) THEN
    RAISE EXCEPTION 'invalid dispatch state transition from % to %', OLD.state, NEW.state USING ERRCODE = '22023';
  END IF;
  IF NEW.state = 'claimed' AND (NEW.fence <= OLD.fence OR NEW.claimed_by IS NULL OR NEW.lease_expires_at IS NULL) THEN
    RAISE EXCEPTION 'a claim needs an owner, a lease and a new fence' USING ERRCODE = '22023';
  END IF;
  IF NEW.state = 'sending' THEN
    IF NEW.sending_at IS NULL OR NEW.baseline IS NULL THEN
      RAISE EXCEPTION 'an intent needs its time and the thread before the click' USING ERRCODE = '22023';
    END IF;
    SELECT CASE WHEN NOT a.is_active THEN 'the account is inactive'
                WHEN NEW.purpose NOT IN ('manual_reply', 'approved_draft') AND a.send_mode = 'draft_only'
                  THEN 'the account only drafts'
                WHEN NOT EXISTS (SELECT 1 FROM "ReleaseStages" s WHERE s.ended_at IS NULL AND s.stage <> 'shadow')
                  THEN 'the release stage is shadow'
                WHEN EXISTS (SELECT 1 FROM "KillSwitches" k
                              WHERE k.lifted_at IS NULL
                                AND k.target IN ('global', 'platform:' || NEW.platform, 'account:' || NEW.platform_account_id::text))
                  THEN 'a kill switch is engaged' END
      INTO forbidden
      FROM "PlatformAccounts" a WHERE a.id = NEW.platform_account_id;
    IF forbidden IS NOT NULL THEN
      RAISE EXCEPTION 'nothing may be sent: %', forbidden USING ERRCODE = '22023';
    END IF;
  END IF;
  RETURN NEW;
END $$;

DROP TRIGGER IF EXISTS outbound_dispatches_transition_guard ON "OutboundDispatches";

CREATE TRIGGER outbound_dispatches_transition_guard BEFORE UPDATE OF state, fence ON "OutboundDispatches"
  FOR EACH ROW EXECUTE FUNCTION outbound_dispatch_transition();
