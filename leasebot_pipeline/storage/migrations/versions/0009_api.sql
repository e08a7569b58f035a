-- Counters of sign-ins and writes, shared by all API processes. Keys are hashes: no address or e-mail is kept.
CREATE TABLE "RateLimits" (
    key text PRIMARY KEY,
    hits integer NOT NULL,
    window_ends_at timestamptz NOT NULL
);
CREATE INDEX idx_rate_limits_window_ends_at ON "RateLimits" (window_ends_at);

-- Answers remembered for a caller's Idempotency-Key: a repeated request gets the first one's answer.
CREATE TABLE "IdempotentRequests" (
    user_id text NOT NULL REFERENCES "user" (id) ON DELETE CASCADE,
    key text NOT NULL,
    request_hash text NOT NULL,
    status integer NOT NULL,
    answer jsonb NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (user_id, key)
);
CREATE INDEX idx_idempotent_requests_created_at ON "IdempotentRequests" (created_at);

-- What is deleted is hidden and no longer used; its showings, conversations and audit rows stay.
ALTER TABLE "Units" ADD COLUMN deleted_at timestamptz;
ALTER TABLE "Listings" ADD COLUMN deleted_at timestamptz;

-- Looks at a platform that a person asked for; the pipeline takes them, the API opens no browser.
CREATE TABLE "SyncRequests" (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    platform text NOT NULL,
    requested_by text,
    requested_at timestamptz NOT NULL,
    taken_at timestamptz,
    CONSTRAINT sync_requests_platform_chk CHECK (platform IN ('spareroom', 'roomies', 'leasebreak', 'renthop', 'furnishedfinder'))
);
CREATE UNIQUE INDEX idx_sync_requests_open ON "SyncRequests" (platform) WHERE taken_at IS NULL;

CREATE INDEX idx_audit_logs_run_id ON "AuditLogs" (run_id, created_at DESC) WHERE run_id IS NOT NULL;
CREATE INDEX idx_audit_logs_agent_id ON "AuditLogs" (agent_id, created_at DESC) WHERE agent_id IS NOT NULL;
CREATE INDEX idx_decisions_conversation_id ON "Decisions" (conversation_id, decided_at DESC);

-- The inbox, newest message first; an agent's own.
CREATE INDEX idx_conversations_inbox ON "Conversations"
    ((COALESCE(last_message_at, created_at)) DESC, (COALESCE(external_inbox_sort_rank, 2147483647)), id) WHERE status = 'open';
CREATE INDEX idx_conversations_inbox_of_agent ON "Conversations"
    (assigned_agent_id, (COALESCE(last_message_at, created_at)) DESC) WHERE status = 'open';
CREATE INDEX idx_conversations_follow_up_owner ON "Conversations" (follow_up_owner_agent_id)
    WHERE follow_up_owner_agent_id IS NOT NULL;
-- Drafts and held messages are few among many.
CREATE INDEX idx_messages_to_review ON "Messages" (conversation_id) WHERE metadata ->> 'reviewStatus' IN ('draft', 'hold');

-- When a lead's personal data was erased on request; what happened stays, without what was said and by whom.
ALTER TABLE "Conversations" ADD COLUMN erased_at timestamptz;
