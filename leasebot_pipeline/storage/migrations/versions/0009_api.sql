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
