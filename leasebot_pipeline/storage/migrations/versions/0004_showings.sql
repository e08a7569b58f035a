-- Guarded transitions, holds and bookings without overlap.

-- An agent who leaves is marked, not deleted: showings keep their agent.
ALTER TABLE "Agents" ADD COLUMN IF NOT EXISTS removed_at TIMESTAMP WITH TIME ZONE;

-- When the outcome was reached; workflow_updated_at moves on with every other workflow column.
ALTER TABLE "Conversations" ADD COLUMN IF NOT EXISTS workflow_outcome_at TIMESTAMP WITH TIME ZONE;

-- busy_from and busy_until: the visit with its buffers. seat: the place among visitors of one unit.
-- seq is the order in which showings came to be; those taken over get numbers below zero.
-- A decision is written after the showing it books, in one transaction: its key is looked at when that ends.
ALTER TABLE "ShowingAppointments"
    ADD COLUMN IF NOT EXISTS busy_from TIMESTAMP WITH TIME ZONE,
    ADD COLUMN IF NOT EXISTS busy_until TIMESTAMP WITH TIME ZONE,
    ADD COLUMN IF NOT EXISTS seat INTEGER DEFAULT 1 NOT NULL,
    ADD COLUMN IF NOT EXISTS hold_expires_at TIMESTAMP WITH TIME ZONE,
    ADD COLUMN IF NOT EXISTS decision_id UUID REFERENCES "Decisions" (id) ON DELETE SET NULL DEFERRABLE INITIALLY DEFERRED,
    ADD COLUMN IF NOT EXISTS slot_offer_id UUID REFERENCES "SlotOffers" (id) ON DELETE SET NULL DEFERRABLE INITIALLY DEFERRED,
    ADD COLUMN IF NOT EXISTS sequence INTEGER DEFAULT 0 NOT NULL,
    ADD COLUMN IF NOT EXISTS seq BIGINT;

UPDATE "ShowingAppointments" SET busy_from = starts_at, busy_until = ends_at WHERE busy_from IS NULL;

UPDATE "ShowingAppointments" a SET seq = o.n
  FROM (SELECT id, row_number() OVER (ORDER BY created_at, starts_at, id) - count(*) OVER () - 1 AS n
          FROM "ShowingAppointments") o
 WHERE o.id = a.id AND a.seq IS NULL;

-- The queue of deferred checks must be empty before the table changes.
SET CONSTRAINTS ALL IMMEDIATE;

ALTER TABLE "ShowingAppointments"
    ALTER COLUMN busy_from SET NOT NULL,
    ALTER COLUMN busy_until SET NOT NULL,
    ALTER COLUMN seq SET NOT NULL,
    ALTER COLUMN seq ADD GENERATED ALWAYS AS IDENTITY;

ALTER TABLE "ShowingAppointments"
    ADD CONSTRAINT showing_appointments_busy_chk CHECK (busy_from <= starts_at AND busy_until >= ends_at),
    ADD CONSTRAINT showing_appointments_seat_chk CHECK (seat >= 1),
    ADD CONSTRAINT showing_appointments_hold_chk CHECK (hold_expires_at IS NULL OR status IN ('pending', 'cancelled'));

-- One constraint for held, pending and confirmed alike: an agent is never in two units at once, travel included.
ALTER TABLE "ShowingAppointments" DROP CONSTRAINT IF EXISTS showing_appointments_no_double_booked_agent;

ALTER TABLE "ShowingAppointments" ADD CONSTRAINT showing_appointments_no_double_booked_agent
    EXCLUDE USING gist (agent_id WITH =, unit_id WITH <>, tstzrange(busy_from, busy_until, '[)') WITH &&)
    WHERE (status IN ('pending', 'confirmed', 'reschedule_requested'));

-- Rows taken over knew no seats, and may have had two agents in one unit: both rules hold for new ones.
ALTER TABLE "ShowingAppointments" ADD CONSTRAINT showing_appointments_seat_taken_once
    EXCLUDE USING gist (unit_id WITH =, seat WITH =, tstzrange(starts_at, ends_at, '[)') WITH &&)
    WHERE (status IN ('pending', 'confirmed', 'reschedule_requested') AND seq > 0);

ALTER TABLE "ShowingAppointments" ADD CONSTRAINT showing_appointments_one_agent_in_unit
    EXCLUDE USING gist (unit_id WITH =, agent_id WITH <>, tstzrange(starts_at, ends_at, '[)') WITH &&)
    WHERE (status IN ('pending', 'confirmed', 'reschedule_requested') AND seq > 0);

CREATE INDEX IF NOT EXISTS idx_showing_appointments_conversation ON "ShowingAppointments" (conversation_id, seq DESC);

CREATE INDEX IF NOT EXISTS idx_showing_appointments_decision_id ON "ShowingAppointments" (decision_id) WHERE decision_id IS NOT NULL;

CREATE INDEX IF NOT EXISTS idx_showing_appointments_slot_offer_id ON "ShowingAppointments" (slot_offer_id) WHERE slot_offer_id IS NOT NULL;

CREATE INDEX IF NOT EXISTS idx_showing_appointments_holds ON "ShowingAppointments" (hold_expires_at) WHERE status = 'pending' AND hold_expires_at IS NOT NULL;

CREATE INDEX IF NOT EXISTS idx_slot_offers_expiring ON "SlotOffers" (expires_at) WHERE state IN ('offered', 'held');

-- Guards: the last line behind the application's own transition tables, NULL handled expressly.
CREATE OR REPLACE FUNCTION showing_appointment_guard() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF TG_OP = 'INSERT' THEN
    NEW.busy_from := COALESCE(NEW.busy_from, NEW.starts_at);
    NEW.busy_until := COALESCE(NEW.busy_until, NEW.ends_at);
    RETURN NEW;
  END IF;
  IF NEW.status IS DISTINCT FROM OLD.status AND NOT COALESCE(
       (OLD.status = 'pending' AND NEW.status IN ('confirmed', 'reschedule_requested', 'cancelled', 'no_show'))
    OR (OLD.status = 'confirmed' AND NEW.status IN ('reschedule_requested', 'cancelled', 'completed', 'no_show'))
    OR (OLD.status = 'reschedule_requested' AND NEW.status IN ('pending', 'confirmed', 'cancelled', 'no_show')),
    false) THEN
    RAISE EXCEPTION 'invalid appointment status transition from % to %', OLD.status, COALESCE(NEW.status, 'NULL')
      USING ERRCODE = '22023';
  END IF;
  IF OLD.hold_expires_at IS NULL AND NEW.hold_expires_at IS NOT NULL THEN
    RAISE EXCEPTION 'a booked showing does not become a hold' USING ERRCODE = '22023';
  END IF;
  -- A visit that is moved takes its buffers along.
  IF NEW.starts_at IS DISTINCT FROM OLD.starts_at AND NEW.busy_from IS NOT DISTINCT FROM OLD.busy_from THEN
    NEW.busy_from := NEW.starts_at - (OLD.starts_at - OLD.busy_from);
  END IF;
  IF NEW.ends_at IS DISTINCT FROM OLD.ends_at AND NEW.busy_until IS NOT DISTINCT FROM OLD.busy_until THEN
    NEW.busy_until := NEW.ends_at + (OLD.busy_until - OLD.ends_at);
  END IF;
  IF (NEW.status, NEW.starts_at, NEW.ends_at, NEW.timezone, NEW.agent_id, NEW.unit_id)
     IS DISTINCT FROM (OLD.status, OLD.starts_at, OLD.ends_at, OLD.timezone, OLD.agent_id, OLD.unit_id) THEN
    NEW.sequence := OLD.sequence + 1;
  END IF;
  RETURN NEW;
END $$;

DROP TRIGGER IF EXISTS showing_appointments_guard ON "ShowingAppointments";

CREATE TRIGGER showing_appointments_guard BEFORE INSERT OR UPDATE ON "ShowingAppointments"
  FOR EACH ROW EXECUTE FUNCTION showing_appointment_guard();

CREATE OR REPLACE FUNCTION slot_offer_guard() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF NEW.state IS DISTINCT FROM OLD.state AND NOT COALESCE(
       (OLD.state = 'offered' AND NEW.state IN ('held', 'confirmed', 'declined', 'expired', 'superseded'))
    OR (OLD.state = 'held' AND NEW.state IN ('confirmed', 'declined', 'expired', 'superseded')),
    false) THEN
    RAISE EXCEPTION 'invalid slot offer transition from % to %', OLD.state, COALESCE(NEW.state, 'NULL')
      USING ERRCODE = '22023';
  END IF;
  RETURN NEW;
END $$;

DROP TRIGGER IF EXISTS slot_offers_guard ON "SlotOffers";

CREATE TRIGGER slot_offers_guard BEFORE UPDATE OF state ON "SlotOffers"
  FOR EACH ROW EXECUTE FUNCTION slot_offer_guard();

CREATE OR REPLACE FUNCTION follow_up_guard() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF NEW.status IS DISTINCT FROM OLD.status
     AND NOT COALESCE(OLD.status = 'pending' AND NEW.status IN ('completed', 'cancelled'), false) THEN
    RAISE EXCEPTION 'invalid follow-up transition from % to %', OLD.status, COALESCE(NEW.status, 'NULL')
      USING ERRCODE = '22023';
  END IF;
  RETURN NEW;
END $$;

DROP TRIGGER IF EXISTS follow_ups_guard ON "FollowUps";

CREATE TRIGGER follow_ups_guard BEFORE UPDATE OF status ON "FollowUps"
  FOR EACH ROW EXECUTE FUNCTION follow_up_guard();

-- A missing or unknown status counts as the direction's default.
CREATE OR REPLACE FUNCTION message_review_status(direction TEXT, metadata JSONB) RETURNS TEXT LANGUAGE sql IMMUTABLE AS $$
  SELECT CASE WHEN metadata ->> 'reviewStatus' IN ('new', 'draft', 'hold', 'sent') THEN metadata ->> 'reviewStatus'
              WHEN direction = 'inbound' THEN 'new' ELSE 'sent' END
$$;

CREATE OR REPLACE FUNCTION message_review_guard() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
  was TEXT := message_review_status(OLD.direction, OLD.metadata);
  becomes TEXT := message_review_status(NEW.direction, NEW.metadata);
BEGIN
  IF was <> becomes AND NOT (
       (OLD.direction = 'inbound' AND was IN ('new', 'hold') AND becomes IN ('new', 'hold'))
    OR (OLD.direction <> 'inbound' AND was = 'draft' AND becomes IN ('sent', 'hold'))
    OR (OLD.direction <> 'inbound' AND was = 'hold' AND becomes IN ('sent', 'draft'))) THEN
    RAISE EXCEPTION 'invalid review status transition from % to %', was, becomes USING ERRCODE = '22023';
  END IF;
  RETURN NEW;
END $$;

DROP TRIGGER IF EXISTS messages_review_guard ON "Messages";

CREATE TRIGGER messages_review_guard BEFORE UPDATE OF metadata ON "Messages"
  FOR EACH ROW WHEN (OLD.metadata ->> 'reviewStatus' IS DISTINCT FROM NEW.metadata ->> 'reviewStatus')
  EXECUTE FUNCTION message_review_guard();

-- The showing a conversation stands for: its newest one that is not a hold.
CREATE OR REPLACE FUNCTION current_showing_status(conversation UUID) RETURNS TEXT LANGUAGE sql STABLE AS $$
  SELECT status FROM "ShowingAppointments"
   WHERE conversation_id = conversation AND hold_expires_at IS NULL ORDER BY seq DESC LIMIT 1
$$;

-- A conversation may take the state of its current showing whatever it was before: that showing's own guard
-- let it get there, and an ended one may be followed by a new one.
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
    OR (OLD.showing_state = 'reschedule_requested' AND NEW.showing_state IN ('pending', 'confirmed', 'cancelled', 'no_show'))
    OR NEW.showing_state = current_showing_status(NEW.id),
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
  -- Whoever has a clock of its own says when; for everybody else the database does.
  IF (NEW.workflow_state, NEW.workflow_outcome, NEW.showing_state, NEW.follow_up_stage, NEW.follow_up_due_at,
      NEW.follow_up_owner_agent_id, NEW.follow_up_status)
     IS DISTINCT FROM
     (OLD.workflow_state, OLD.workflow_outcome, OLD.showing_state, OLD.follow_up_stage, OLD.follow_up_due_at,
      OLD.follow_up_owner_agent_id, OLD.follow_up_status)
     AND NEW.workflow_updated_at IS NOT DISTINCT FROM OLD.workflow_updated_at THEN
    NEW.workflow_updated_at := now();
  END IF;
  IF NEW.workflow_outcome IS DISTINCT FROM OLD.workflow_outcome THEN
    NEW.workflow_outcome_at := CASE WHEN NEW.workflow_outcome IS NOT NULL THEN NEW.workflow_updated_at END;
  END IF;
  RETURN NEW;
END $$;

-- The conversation follows its current showing, whoever writes it.
CREATE OR REPLACE FUNCTION conversation_follows_showing() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
  current_status TEXT := current_showing_status(NEW.conversation_id);
BEGIN
  IF current_status IS NOT NULL THEN
    UPDATE "Conversations" SET showing_state = current_status, updated_at = now()
     WHERE id = NEW.conversation_id AND showing_state IS DISTINCT FROM current_status;
  END IF;
  RETURN NULL;
END $$;

DROP TRIGGER IF EXISTS showing_appointments_conversation_follows ON "ShowingAppointments";

CREATE TRIGGER showing_appointments_conversation_follows
  AFTER INSERT OR UPDATE OF status, hold_expires_at, conversation_id ON "ShowingAppointments"
  FOR EACH ROW WHEN (NEW.conversation_id IS NOT NULL AND NEW.hold_expires_at IS NULL)
  EXECUTE FUNCTION conversation_follows_showing();

-- And it never says anything else: looked at when the transaction ends, so that both may change in it.
CREATE OR REPLACE FUNCTION conversation_agrees_with_showing() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
  says TEXT;
  current_status TEXT := current_showing_status(NEW.id);
BEGIN
  SELECT showing_state INTO says FROM "Conversations" WHERE id = NEW.id;
  IF FOUND AND current_status IS NOT NULL AND says IS DISTINCT FROM current_status THEN
    RAISE EXCEPTION 'conversation % says %, its showing is %', NEW.id, COALESCE(says, 'NULL'), current_status
      USING ERRCODE = '23514', CONSTRAINT = 'conversations_showing_agrees';
  END IF;
  RETURN NULL;
END $$;

DROP TRIGGER IF EXISTS conversations_showing_agrees ON "Conversations";

CREATE CONSTRAINT TRIGGER conversations_showing_agrees
  AFTER UPDATE OF showing_state ON "Conversations" DEFERRABLE INITIALLY DEFERRED
  FOR EACH ROW WHEN (NEW.showing_state IS DISTINCT FROM OLD.showing_state)
  EXECUTE FUNCTION conversation_agrees_with_showing();

-- A lead who had gone silent writes again. Messages older than the outcome are history, not an answer.
-- Platforms round to minutes or show a bare date: such a time counts as newer when it may be. The row is locked
-- before it is looked at, so that an outcome reached at this very moment is seen, too.
CREATE OR REPLACE FUNCTION workflow_recover_no_reply_on_inbound() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
  conversation "Conversations"%ROWTYPE;
  reached TIMESTAMP WITH TIME ZONE;
  oldest_answer TIMESTAMP WITH TIME ZONE;
BEGIN
  SELECT * INTO conversation FROM "Conversations" WHERE id = NEW.conversation_id FOR UPDATE;
  IF NOT FOUND OR conversation.workflow_outcome IS DISTINCT FROM 'no_reply' THEN
    RETURN NULL;
  END IF;
  reached := COALESCE(conversation.workflow_outcome_at, conversation.workflow_updated_at);
  oldest_answer := CASE WHEN NEW.metadata ->> 'sentAtHasTime' = 'false'
                        THEN reached - interval '1 day' ELSE date_trunc('minute', reached) END;
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
