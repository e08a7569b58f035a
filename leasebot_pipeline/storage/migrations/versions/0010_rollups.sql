-- Counts per kind and ten-minute slice ('-infinity': of all time). Rows add up: a writer adds a row, never waits for
-- another's; the merger turns many rows of a key into one.
CREATE TABLE "Tallies" (
    kind text NOT NULL,
    slice timestamptz NOT NULL,
    k1 text NOT NULL DEFAULT '',
    k2 text NOT NULL DEFAULT '',
    k3 text NOT NULL DEFAULT '',
    total bigint NOT NULL,
    merged boolean NOT NULL DEFAULT false
);
CREATE UNIQUE INDEX tallies_merged_key ON "Tallies" (kind, slice, k1, k2, k3) WHERE merged;
CREATE INDEX idx_tallies_kind ON "Tallies" (kind, slice);
CREATE INDEX idx_tallies_unmerged ON "Tallies" (kind) WHERE NOT merged;

-- Critical audit rows per conversation; apart, since conversations are many.
CREATE TABLE "ConversationTallies" (
    slice timestamptz NOT NULL,
    conversation text NOT NULL,
    total bigint NOT NULL,
    PRIMARY KEY (slice, conversation)
);

-- The same since some 24 hours ("DigestMarks".rolling_from): the most active ones of the default window by an index.
CREATE TABLE "ActiveConversations" (
    conversation text PRIMARY KEY,
    total bigint NOT NULL
);
CREATE INDEX idx_active_conversations_total ON "ActiveConversations" (total DESC, conversation);

-- Escalations told in more than one slice: one row per slice, so that each window counts them once.
CREATE TABLE "SpreadEscalations" (
    entity_type text NOT NULL,
    entity_id text NOT NULL,
    slice timestamptz NOT NULL,
    rank integer NOT NULL,
    created_at timestamptz NOT NULL,
    audit_id bigint NOT NULL,
    reason text NOT NULL,
    PRIMARY KEY (entity_type, entity_id, slice)
);
CREATE INDEX idx_spread_escalations_slice ON "SpreadEscalations" (slice);

-- How far a log is counted: every row with an id up to through_id and created from floor_at on, and no other.
CREATE TABLE "DigestMarks" (
    name text PRIMARY KEY,
    through_id bigint NOT NULL,
    floor_at timestamptz NOT NULL,
    rolling_from timestamptz NOT NULL,
    digested_at timestamptz NOT NULL
);

-- Messages change after they are written (a draft is sent), so they are counted in the transaction that writes them.
CREATE FUNCTION leasebot_tally_messages() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF TG_OP = 'TRUNCATE' THEN
    DELETE FROM "Tallies" WHERE kind = 'message';
  ELSIF TG_OP = 'INSERT' THEN
    INSERT INTO "Tallies" (kind, slice, k1, k2, total)
    SELECT 'message', date_bin('10 minutes', COALESCE(sent_at, created_at), '2000-01-01 00:00:00+00'), direction,
           CASE direction WHEN 'outbound' THEN COALESCE(metadata ->> 'reviewStatus', 'sent') ELSE '' END, count(*)
      FROM added GROUP BY 2, 3, 4;
  ELSIF TG_OP = 'DELETE' THEN
    INSERT INTO "Tallies" (kind, slice, k1, k2, total)
    SELECT 'message', date_bin('10 minutes', COALESCE(sent_at, created_at), '2000-01-01 00:00:00+00'), direction,
           CASE direction WHEN 'outbound' THEN COALESCE(metadata ->> 'reviewStatus', 'sent') ELSE '' END, -count(*)
      FROM removed GROUP BY 2, 3, 4;
  ELSE
    INSERT INTO "Tallies" (kind, slice, k1, k2, total)
    SELECT 'message', date_bin('10 minutes', COALESCE(sent_at, created_at), '2000-01-01 00:00:00+00'), direction,
           CASE direction WHEN 'outbound' THEN COALESCE(metadata ->> 'reviewStatus', 'sent') ELSE '' END, sum(n)
      FROM (SELECT sent_at, created_at, direction, metadata, 1 AS n FROM added
            UNION ALL
            SELECT sent_at, created_at, direction, metadata, -1 FROM removed) changed
     GROUP BY 2, 3, 4
    HAVING sum(n) <> 0;
  END IF;
  RETURN NULL;
END $$;
CREATE TRIGGER messages_tally_insert AFTER INSERT ON "Messages"
  REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION leasebot_tally_messages();
CREATE TRIGGER messages_tally_update AFTER UPDATE ON "Messages"
  REFERENCING NEW TABLE AS added OLD TABLE AS removed FOR EACH STATEMENT EXECUTE FUNCTION leasebot_tally_messages();
CREATE TRIGGER messages_tally_delete AFTER DELETE ON "Messages"
  REFERENCING OLD TABLE AS removed FOR EACH STATEMENT EXECUTE FUNCTION leasebot_tally_messages();
CREATE TRIGGER messages_tally_truncate AFTER TRUNCATE ON "Messages"
  FOR EACH STATEMENT EXECUTE FUNCTION leasebot_tally_messages();
INSERT INTO "Tallies" (kind, slice, k1, k2, total, merged)
SELECT 'message', date_bin('10 minutes', COALESCE(sent_at, created_at), '2000-01-01 00:00:00+00'), direction,
       CASE direction WHEN 'outbound' THEN COALESCE(metadata ->> 'reviewStatus', 'sent') ELSE '' END, count(*), true
  FROM "Messages" GROUP BY 2, 3, 4;

-- Visits that ended, of all time: a counter may not shrink when old visits are deleted.
CREATE FUNCTION leasebot_tally_visits() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF TG_OP = 'INSERT' THEN
    INSERT INTO "Tallies" (kind, slice, k1, k2, k3, total)
    SELECT t.kind, '-infinity', a.platform, a.action, a.outcome, sum(t.n)
      FROM added a CROSS JOIN LATERAL (VALUES ('visit', 1), ('visit_ms', COALESCE(a.latency_ms, 0))) t(kind, n)
     WHERE a.outcome <> 'running' GROUP BY 1, 3, 4, 5;
  ELSE
    INSERT INTO "Tallies" (kind, slice, k1, k2, k3, total)
    SELECT t.kind, '-infinity', a.platform, a.action, a.outcome, sum(t.n)
      FROM added a JOIN removed r ON r.id = a.id AND r.outcome = 'running'
     CROSS JOIN LATERAL (VALUES ('visit', 1), ('visit_ms', COALESCE(a.latency_ms, 0))) t(kind, n)
     WHERE a.outcome <> 'running' GROUP BY 1, 3, 4, 5;
  END IF;
  RETURN NULL;
END $$;
CREATE TRIGGER platform_runs_tally_insert AFTER INSERT ON "PlatformRuns"
  REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION leasebot_tally_visits();
CREATE TRIGGER platform_runs_tally_update AFTER UPDATE ON "PlatformRuns"
  REFERENCING NEW TABLE AS added OLD TABLE AS removed FOR EACH STATEMENT EXECUTE FUNCTION leasebot_tally_visits();
INSERT INTO "Tallies" (kind, slice, k1, k2, k3, total, merged)
SELECT t.kind, '-infinity', a.platform, a.action, a.outcome, sum(t.n), true
  FROM "PlatformRuns" a CROSS JOIN LATERAL (VALUES ('visit', 1), ('visit_ms', COALESCE(a.latency_ms, 0))) t(kind, n)
 WHERE a.outcome <> 'running' GROUP BY 1, 3, 4, 5;

-- The partial slice at the window's beginning.
CREATE INDEX idx_messages_counted_at ON "Messages" ((COALESCE(sent_at, created_at)));
-- The newest errors; the list is that of storage/audit_actions.py.
CREATE INDEX idx_audit_logs_errors ON "AuditLogs" (created_at DESC, id DESC)
    WHERE action IN ('ai_reply_error', 'api_error', 'inbox_message_error', 'inbox_draft_error', 'platform_dispatch_error',
                     'showing_booking_failed');
-- Delays by their size (eight steps to the double), and slots: read without visiting the tables.
CREATE INDEX idx_inbound_events_delay ON "InboundEvents"
    (platform, (floor(11.5415603 * ln(1 + GREATEST(0, date_part('epoch', landed_at - sent_at))))), landed_at)
    INCLUDE (platform_account_id, sent_at) WHERE direction = 'inbound' AND sent_at_has_time;
CREATE INDEX idx_decisions_slot_source ON "Decisions" (decided_at) INCLUDE (slot_source) WHERE slot_source IS NOT NULL;
-- The inbox by status: conversations with a draft, with something held, with something nobody decided on yet.
CREATE INDEX idx_messages_drafts ON "Messages" (conversation_id) WHERE metadata ->> 'reviewStatus' = 'draft';
CREATE INDEX idx_messages_held ON "Messages" (conversation_id) WHERE metadata ->> 'reviewStatus' = 'hold';
CREATE INDEX idx_messages_undecided ON "Messages" (conversation_id)
    WHERE NOT metadata ? 'aiProcessedAt' AND (direction = 'inbound' OR metadata ->> 'reviewStatus' = 'new');
