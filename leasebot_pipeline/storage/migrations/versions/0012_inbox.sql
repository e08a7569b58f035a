-- The list's order in one direction, so that a page begins at its row and not at the first: (a, b, c) < (x, y, z).
DROP INDEX idx_conversations_inbox;
CREATE INDEX idx_conversations_inbox ON "Conversations"
    ((COALESCE(last_message_at, created_at)), (- COALESCE(external_inbox_sort_rank, 2147483647)), id)
    WHERE status = 'open';
DROP INDEX idx_conversations_inbox_of_agent;
CREATE INDEX idx_conversations_inbox_of_agent ON "Conversations"
    (assigned_agent_id, (COALESCE(last_message_at, created_at)), (- COALESCE(external_inbox_sort_rank, 2147483647)), id)
    WHERE status = 'open';
CREATE INDEX idx_conversations_inbox_of_owner ON "Conversations"
    (follow_up_owner_agent_id, (COALESCE(last_message_at, created_at)),
     (- COALESCE(external_inbox_sort_rank, 2147483647)), id)
    WHERE status = 'open' AND follow_up_owner_agent_id IS NOT NULL;

-- What was discarded waits for nobody.
DROP INDEX idx_messages_drafts, idx_messages_held, idx_messages_undecided;
CREATE INDEX idx_messages_drafts ON "Messages" (conversation_id)
    WHERE metadata ->> 'reviewStatus' = 'draft' AND NOT metadata ? 'discarded';
CREATE INDEX idx_messages_held ON "Messages" (conversation_id)
    WHERE metadata ->> 'reviewStatus' = 'hold' AND NOT metadata ? 'discarded';
CREATE INDEX idx_messages_undecided ON "Messages" (conversation_id)
    WHERE NOT metadata ? 'aiProcessedAt' AND (direction = 'inbound' OR metadata ->> 'reviewStatus' = 'new')
      AND NOT metadata ? 'discarded';

-- Search by a part of a name. Without the extension the same question is answered by reading the inbox.
DO $$
BEGIN
  CREATE EXTENSION IF NOT EXISTS pg_trgm;
  CREATE INDEX idx_conversations_search ON "Conversations"
      USING gin (lead_name gin_trgm_ops, external_thread_label gin_trgm_ops) WHERE status = 'open';
EXCEPTION WHEN undefined_file OR undefined_object OR insufficient_privilege OR feature_not_supported THEN
  RAISE NOTICE 'no index for the search in the inbox: %', SQLERRM;
END $$;
