-- Weekly rules, day overrides, calendar feeds.

-- An occurrence knows the rule it comes from; every other row is a person's and is never touched.
ALTER TABLE "AvailabilitySlots" ADD COLUMN IF NOT EXISTS rule_id UUID REFERENCES "AvailabilityRules" (id) ON DELETE CASCADE;

ALTER TABLE "AgentAvailabilitySlots" ADD COLUMN IF NOT EXISTS rule_id UUID REFERENCES "AvailabilityRules" (id) ON DELETE CASCADE;

-- A unit is open or blocked, an agent available or unavailable. Rules that say anything else are kept as they
-- are: the constraint is then enforced for new writes only.
ALTER TABLE "AvailabilityRules" ADD CONSTRAINT availability_rules_status_chk CHECK (
    (unit_id IS NOT NULL AND status IN ('open', 'blocked'))
    OR (agent_id IS NOT NULL AND status IN ('available', 'unavailable'))) NOT VALID;

ALTER TABLE "AvailabilityRules" ADD CONSTRAINT availability_rules_dates_chk CHECK (valid_until >= valid_from) NOT VALID;

DO $$ BEGIN
  IF NOT EXISTS (SELECT 1 FROM "AvailabilityRules"
                  WHERE NOT ((unit_id IS NOT NULL AND status IN ('open', 'blocked'))
                          OR (agent_id IS NOT NULL AND status IN ('available', 'unavailable'))))
  THEN
    ALTER TABLE "AvailabilityRules" VALIDATE CONSTRAINT availability_rules_status_chk;
  END IF;
  IF NOT EXISTS (SELECT 1 FROM "AvailabilityRules" WHERE valid_until < valid_from) THEN
    ALTER TABLE "AvailabilityRules" VALIDATE CONSTRAINT availability_rules_dates_chk;
  END IF;
END $$;

-- The earlier system kept a weekly rule only as its occurrences, marked `rule:<id>` in their notes. Where those that
-- lie ahead come every week and say the same, the rule itself is made from them; it ends with the last of them, as it
-- was asked for. Where a person moved or deleted one, all of them stay rows of their own: a rule would bring it back.
CREATE TEMPORARY TABLE weekly_occurrence ON COMMIT DROP AS
SELECT x.slot_id, x.unit_id, x.agent_id, x.listing_id, x.rule_id, x.timezone, x.status,
       NULLIF(substring(x.notes FROM '^rule:[0-9a-fA-F-]{36} \| (.*)$'), '') AS notes,
       (x.starts_at AT TIME ZONE x.timezone)::date AS day,
       EXTRACT(DOW FROM x.starts_at AT TIME ZONE x.timezone)::int AS day_of_week,
       (x.starts_at AT TIME ZONE x.timezone)::time AS start_time, (x.ends_at AT TIME ZONE x.timezone)::time AS end_time,
       (x.ends_at AT TIME ZONE x.timezone)::date = (x.starts_at AT TIME ZONE x.timezone)::date AS one_day
  FROM (SELECT s.id AS slot_id, s.unit_id, NULL::uuid AS agent_id, s.listing_id, s.timezone, s.status, s.notes, s.starts_at, s.ends_at,
               substring(s.notes FROM '^rule:([0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12})')::uuid AS rule_id
          FROM "AvailabilitySlots" s WHERE s.source = 'weekly_recurring' AND s.ends_at > now()
        UNION ALL
        SELECT s.id, NULL, s.agent_id, NULL, s.timezone, s.status, s.notes, s.starts_at, s.ends_at,
               substring(s.notes FROM '^rule:([0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12})')::uuid
          FROM "AgentAvailabilitySlots" s WHERE s.source = 'weekly_recurring' AND s.ends_at > now()) x
 WHERE x.rule_id IS NOT NULL AND x.timezone IN (SELECT name FROM pg_timezone_names);

INSERT INTO "AvailabilityRules" (id, unit_id, agent_id, listing_id, day_of_week, start_time, end_time, timezone, status,
                                 valid_from, valid_until, notes)
SELECT DISTINCT ON (o.rule_id) o.rule_id, o.unit_id, o.agent_id, o.listing_id, o.day_of_week, o.start_time, o.end_time,
       o.timezone, o.status, r.first_day, r.last_day, o.notes
  FROM weekly_occurrence o
  JOIN (SELECT rule_id, min(day) AS first_day, max(day) AS last_day
          FROM weekly_occurrence
         GROUP BY rule_id
        HAVING bool_and(one_day AND end_time > start_time AND status IN ('open', 'blocked', 'available', 'unavailable'))
           AND count(DISTINCT (unit_id, agent_id, listing_id, day_of_week, start_time, end_time, timezone, status, notes)) = 1
           AND count(*) = (max(day) - min(day)) / 7 + 1 AND count(DISTINCT day) = count(*)) r ON r.rule_id = o.rule_id
 WHERE NOT EXISTS (SELECT 1 FROM "AvailabilityRules" x WHERE x.id = o.rule_id);

UPDATE "AvailabilitySlots" s SET rule_id = r.id
  FROM weekly_occurrence o JOIN "AvailabilityRules" r ON r.id = o.rule_id AND r.unit_id = o.unit_id
 WHERE s.id = o.slot_id
   AND (r.day_of_week, r.start_time, r.end_time, r.timezone, r.status)
     = (o.day_of_week, o.start_time, o.end_time, o.timezone, o.status);

UPDATE "AgentAvailabilitySlots" s SET rule_id = r.id
  FROM weekly_occurrence o JOIN "AvailabilityRules" r ON r.id = o.rule_id AND r.agent_id = o.agent_id
 WHERE s.id = o.slot_id
   AND (r.day_of_week, r.start_time, r.end_time, r.timezone, r.status)
     = (o.day_of_week, o.start_time, o.end_time, o.timezone, o.status);

CREATE UNIQUE INDEX IF NOT EXISTS idx_availability_slots_rule_start ON "AvailabilitySlots" (rule_id, starts_at) WHERE rule_id IS NOT NULL;

CREATE UNIQUE INDEX IF NOT EXISTS idx_agent_availability_slots_rule_start ON "AgentAvailabilitySlots" (rule_id, starts_at) WHERE rule_id IS NOT NULL;

-- The slot search looks for an agent's rows that are not over.
CREATE INDEX IF NOT EXISTS idx_agent_availability_slots_agent_end ON "AgentAvailabilitySlots" (agent_id, ends_at);

-- Calendar files an agent's own calendar subscribes to. Only the hash of the secret is kept.
CREATE TABLE IF NOT EXISTS "CalendarFeeds" (
    id UUID DEFAULT gen_random_uuid() NOT NULL,
    agent_id UUID NOT NULL,
    token_hash TEXT NOT NULL,
    created_by TEXT,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    revoked_at TIMESTAMP WITH TIME ZONE,
    last_read_at TIMESTAMP WITH TIME ZONE,
    PRIMARY KEY (id),
    FOREIGN KEY(agent_id) REFERENCES "Agents" (id) ON DELETE CASCADE
);

CREATE UNIQUE INDEX IF NOT EXISTS idx_calendar_feeds_agent_id ON "CalendarFeeds" (agent_id) WHERE revoked_at IS NULL;
