-- What replay needs, model usage and budget.

-- Everything a decision was made from that is not in its own columns or in the messages it names; see "DecisionParts".
ALTER TABLE "Decisions" ADD COLUMN IF NOT EXISTS record jsonb;

-- Free times, rules and templates as decisions saw them, each stored once under the hash of its content.
CREATE TABLE IF NOT EXISTS "DecisionParts" (
    digest text PRIMARY KEY,
    content bytea NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now()
);

-- What the model cost, by day (UTC). Reserved is what batches that are under way may still cost; unknown are tokens of
-- questions whose price was never told.
CREATE TABLE IF NOT EXISTS "ModelUsage" (
    day date PRIMARY KEY,
    questions integer NOT NULL DEFAULT 0,
    failures integer NOT NULL DEFAULT 0,
    prompt_tokens bigint NOT NULL DEFAULT 0,
    output_tokens bigint NOT NULL DEFAULT 0,
    unknown_tokens bigint NOT NULL DEFAULT 0,
    cost_micros bigint NOT NULL DEFAULT 0,
    reserved_tokens bigint NOT NULL DEFAULT 0,
    reserved_micros bigint NOT NULL DEFAULT 0,
    limit_reached_at timestamptz
);

-- The breaker of each model, shared by all processes.
CREATE TABLE IF NOT EXISTS "ModelCircuits" (
    model text PRIMARY KEY,
    failures integer NOT NULL DEFAULT 0,
    openings integer NOT NULL DEFAULT 0,
    open_until timestamptz,
    code text,
    updated_at timestamptz NOT NULL
);

-- The newest conversations of an account: where reply examples come from.
CREATE INDEX IF NOT EXISTS idx_conversations_account_recent ON "Conversations" (platform_account_id, last_message_at DESC NULLS LAST);
