-- Who answers: a conversation a person took over is left alone by the bot until it is handed back.
-- Put aside: out of the lists of what waits until an instant, or until the lead writes something newer.
ALTER TABLE "Conversations"
    ADD COLUMN taken_over_at timestamptz,
    ADD COLUMN taken_over_by text,
    ADD COLUMN snoozed_until timestamptz,
    ADD COLUMN snoozed_by text,
    ADD COLUMN snoozed_seq bigint,
    ADD CONSTRAINT conversations_snooze_chk CHECK ((snoozed_until IS NULL) = (snoozed_seq IS NULL));

-- What the team says to itself about a lead; the lead never sees it.
CREATE TABLE "ConversationNotes" (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    conversation_id uuid NOT NULL REFERENCES "Conversations" (id) ON DELETE CASCADE,
    author_id text,
    body text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX idx_conversation_notes_conversation ON "ConversationNotes" (conversation_id, created_at);

-- How far each person has read.
CREATE TABLE "ConversationReads" (
    user_id text NOT NULL REFERENCES "user" (id) ON DELETE CASCADE,
    conversation_id uuid NOT NULL REFERENCES "Conversations" (id) ON DELETE CASCADE,
    seen_seq bigint NOT NULL,
    seen_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (user_id, conversation_id)
);
