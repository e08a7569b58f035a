-- Follow-ups, reminders and outcome prompts.

-- What each account says about follow-ups; NULL takes the default of the settings.
CREATE TABLE IF NOT EXISTS "FollowUpPolicies" (
    platform_account_id UUID NOT NULL,
    enabled BOOLEAN,
    follow_up_1_after_minutes INTEGER,
    follow_up_2_after_minutes INTEGER,
    no_reply_after_minutes INTEGER,
    maximum INTEGER,
    quiet_hours TEXT,
    reminders BOOLEAN,
    updated_by TEXT,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    updated_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    PRIMARY KEY (platform_account_id),
    CONSTRAINT follow_up_policies_delays_chk CHECK (follow_up_1_after_minutes > 0 AND follow_up_2_after_minutes > 0 AND no_reply_after_minutes > 0),
    CONSTRAINT follow_up_policies_maximum_chk CHECK (maximum BETWEEN 0 AND 2),
    CONSTRAINT follow_up_policies_quiet_hours_chk CHECK (quiet_hours = 'off' OR quiet_hours ~ '^([01][0-9]|2[0-3]):[0-5][0-9]-([01][0-9]|2[0-3]):[0-5][0-9]$'),
    FOREIGN KEY(platform_account_id) REFERENCES "PlatformAccounts" (id) ON DELETE CASCADE
);

ALTER TABLE "FollowUps"
    ADD COLUMN IF NOT EXISTS appointment_id UUID REFERENCES "ShowingAppointments" (id) ON DELETE CASCADE,
    ADD COLUMN IF NOT EXISTS about_starts_at TIMESTAMP WITH TIME ZONE,
    ADD COLUMN IF NOT EXISTS after_seq BIGINT DEFAULT 0 NOT NULL,
    ADD COLUMN IF NOT EXISTS planned_by TEXT DEFAULT 'policy' NOT NULL,
    ADD COLUMN IF NOT EXISTS handed_at TIMESTAMP WITH TIME ZONE,
    ADD COLUMN IF NOT EXISTS settled_at TIMESTAMP WITH TIME ZONE,
    ADD COLUMN IF NOT EXISTS reason TEXT;

ALTER TABLE "FollowUps"
    DROP CONSTRAINT IF EXISTS follow_ups_stage_chk,
    DROP CONSTRAINT IF EXISTS follow_ups_conversation_stage_due_key,
    DROP CONSTRAINT IF EXISTS follow_ups_showing_chk,
    DROP CONSTRAINT IF EXISTS follow_ups_planned_by_chk;
ALTER TABLE "FollowUps"
    ADD CONSTRAINT follow_ups_stage_chk CHECK (stage IN ('follow_up_1', 'follow_up_2', 'no_reply', 'reminder_24h', 'reminder_2h', 'outcome_prompt')),
    ADD CONSTRAINT follow_ups_showing_chk CHECK ((stage IN ('reminder_24h', 'reminder_2h', 'outcome_prompt')) = (appointment_id IS NOT NULL AND about_starts_at IS NOT NULL)),
    ADD CONSTRAINT follow_ups_planned_by_chk CHECK (planned_by IN ('policy', 'person'));

-- A step after the same message, and a reminder of the same time, exist once.
CREATE UNIQUE INDEX IF NOT EXISTS idx_follow_ups_step ON "FollowUps" (conversation_id, stage, after_seq) WHERE appointment_id IS NULL AND status <> 'cancelled';
CREATE UNIQUE INDEX IF NOT EXISTS idx_follow_ups_showing ON "FollowUps" (appointment_id, stage, about_starts_at) WHERE appointment_id IS NOT NULL AND status <> 'cancelled';
-- A silent lead waits for one step at a time.
CREATE UNIQUE INDEX IF NOT EXISTS idx_follow_ups_one_pending ON "FollowUps" (conversation_id) WHERE appointment_id IS NULL AND status = 'pending';

DROP INDEX IF EXISTS idx_follow_ups_due;
CREATE INDEX IF NOT EXISTS idx_follow_ups_due ON "FollowUps" (due_at) WHERE status = 'pending' AND handed_at IS NULL;
CREATE INDEX IF NOT EXISTS idx_follow_ups_handed ON "FollowUps" (dispatch_id) WHERE status = 'pending' AND handed_at IS NOT NULL;
CREATE INDEX IF NOT EXISTS idx_follow_ups_showing_pending ON "FollowUps" (appointment_id) WHERE appointment_id IS NOT NULL AND status = 'pending';
CREATE INDEX IF NOT EXISTS idx_follow_ups_dispatch_id ON "FollowUps" (dispatch_id) WHERE dispatch_id IS NOT NULL;
CREATE INDEX IF NOT EXISTS idx_follow_ups_conversation_id ON "FollowUps" (conversation_id, status);
CREATE INDEX IF NOT EXISTS idx_follow_ups_prompts ON "FollowUps" (owner_agent_id, due_at) WHERE stage = 'outcome_prompt' AND status = 'pending';

-- Each sent reply is looked at once by the planner. What was sent before this release is never followed up.
ALTER TABLE "OutboundDispatches"
    ADD COLUMN IF NOT EXISTS silence_seen_at TIMESTAMP WITH TIME ZONE,
    ADD COLUMN IF NOT EXISTS not_after TIMESTAMP WITH TIME ZONE;
UPDATE "OutboundDispatches" SET silence_seen_at = now() WHERE state = 'sent' AND silence_seen_at IS NULL;
CREATE INDEX IF NOT EXISTS idx_outbound_dispatches_silence ON "OutboundDispatches" (platform, sent_at) WHERE state = 'sent' AND silence_seen_at IS NULL;

ALTER TABLE "OutboundDispatches" DROP CONSTRAINT IF EXISTS outbound_dispatches_purpose_chk;
ALTER TABLE "OutboundDispatches"
    ADD CONSTRAINT outbound_dispatches_purpose_chk CHECK (purpose IN ('decision', 'manual_reply', 'follow_up', 'approved_draft', 'reminder'));

-- A lead who asked not to be written to, whichever thread it was said in.
ALTER TABLE "Conversations" ADD COLUMN IF NOT EXISTS opted_out_at TIMESTAMP WITH TIME ZONE;
CREATE INDEX IF NOT EXISTS idx_conversations_opted_out ON "Conversations" (lead_external_id) WHERE opted_out_at IS NOT NULL;
UPDATE "Conversations" c SET opted_out_at = o.at
  FROM (SELECT conversation_id, min(at) AS at
          FROM (SELECT d.conversation_id, d.decided_at AS at FROM "Decisions" d WHERE d.intent = 'unsubscribe'
                UNION ALL
                SELECT m.conversation_id, m.created_at FROM "Messages" m
                 WHERE m.metadata ->> 'replyDecisionReason' = 'escalate_unsubscribe_requested') told
         GROUP BY conversation_id) o
 WHERE o.conversation_id = c.id AND c.opted_out_at IS NULL;

-- Follow-ups a person sets on the conversation.
CREATE INDEX IF NOT EXISTS idx_conversations_follow_up_due ON "Conversations" (follow_up_due_at) WHERE follow_up_stage IS NOT NULL AND follow_up_status = 'pending';
