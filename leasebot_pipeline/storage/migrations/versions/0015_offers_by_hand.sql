-- An offer is made by a decision of the bot, or by a reply a person wrote: the lead's answer is read against either.
ALTER TABLE "SlotOffers"
    ALTER COLUMN decision_id DROP NOT NULL,
    ADD COLUMN message_id uuid REFERENCES "Messages" (id) ON DELETE CASCADE,
    ADD CONSTRAINT slot_offers_origin_chk CHECK (num_nonnulls(decision_id, message_id) = 1),
    ADD CONSTRAINT slot_offers_message_position_key UNIQUE (message_id, position);
CREATE INDEX idx_slot_offers_by_hand ON "SlotOffers" (conversation_id) WHERE message_id IS NOT NULL;
