-- Since when a reply is in doubt, by one clock: those of the workers differ.
ALTER TABLE "OutboundDispatches" ADD COLUMN IF NOT EXISTS in_doubt_since TIMESTAMP WITH TIME ZONE;

UPDATE "OutboundDispatches" SET in_doubt_since = clock_timestamp() WHERE state = 'unknown' AND in_doubt_since IS NULL;

-- Whoever moves the reply, whatever its own clock says.
CREATE OR REPLACE FUNCTION outbound_dispatch_in_doubt() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF NEW.state <> 'unknown' THEN
    NEW.in_doubt_since := NULL;
  ELSIF TG_OP = 'INSERT' OR OLD.state <> 'unknown' THEN
    NEW.in_doubt_since := clock_timestamp();
  END IF;
  RETURN NEW;
END $$;

DROP TRIGGER IF EXISTS outbound_dispatches_in_doubt ON "OutboundDispatches";

CREATE TRIGGER outbound_dispatches_in_doubt BEFORE INSERT OR UPDATE OF state ON "OutboundDispatches"
  FOR EACH ROW EXECUTE FUNCTION outbound_dispatch_in_doubt();
