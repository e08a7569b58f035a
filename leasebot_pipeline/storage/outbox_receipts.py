"""The receipt of a reply: proof of delivery, and the row among the messages that the team sees."""

from __future__ import annotations

import json
from datetime import datetime
from uuid import UUID

from sqlalchemy import Connection, text

from leasebot_pipeline.domain.readings import DeliveryReceipt
from leasebot_pipeline.storage.outbox import ClaimedDispatch

_SENT = text("""
    UPDATE "OutboundDispatches"
       SET state = 'sent', sent_at = :sent_at, receipt = CAST(:receipt AS jsonb), external_message_id = :external_id,
           error_class = NULL, error_code = NULL, last_error = NULL, lease_expires_at = NULL, next_attempt_at = NULL,
           attempt_deadline_at = NULL, updated_at = :now
     WHERE id = :id AND fence = :fence AND state IN ('sending', 'unknown')
""")

# The row the team sees. A poll may have landed the very same message already (same identity): then that
# row takes over what we know of it; a drafted row is the one to keep, so its landed twin goes.
_DROP_TWIN = text("""
    DELETE FROM "Messages" m USING "OutboundDispatches" d
     WHERE d.id = :id AND d.message_id IS NOT NULL AND m.conversation_id = d.conversation_id
       AND m.external_message_id = :external_id AND m.id <> d.message_id
""")
_KEEP_DRAFT_ROW = text("""
    UPDATE "Messages" m
       SET external_message_id = :external_id, sent_at = :sent_at, body = d.body,
           metadata = m.metadata || jsonb_build_object('reviewStatus', 'sent', 'delivery', CAST(:delivery AS jsonb))
      FROM "OutboundDispatches" d
     WHERE d.id = :id AND m.id = d.message_id
    RETURNING m.id
""")
_WRITE_ROW = text("""
    INSERT INTO "Messages" AS m
           (conversation_id, sender_type, sender_agent_id, external_message_id, direction, channel, body, metadata, sent_at)
    SELECT d.conversation_id, 'agent', c.assigned_agent_id, :external_id, 'outbound', :channel, d.body,
           jsonb_build_object(
             'reviewStatus', 'sent', 'source', 'playwright_rpa', 'sentAtSource', 'platform_outbound_send',
             'templateId', x.template_id, 'intent', x.intent, 'effectiveIntent', x.effective_intent,
             'followUp', COALESCE(x.follow_up, d.purpose = 'follow_up'), 'workerGeneratedAt', d.created_at,
             'guardrails', COALESCE(to_jsonb(x.guardrails), '[]'::jsonb),
             'escalationReasonCode', x.escalation_reason_code, 'platformPolicy', x.policy,
             'selectedSlotIndex', x.selected_slot_index, 'slotCandidates', COALESCE(x.slots, '[]'::jsonb),
             'slotConfirmationState', NULL, 'dispatchKey', d.purpose_key, 'delivery', CAST(:delivery AS jsonb))
             || COALESCE(x.evidence -> 'outbound', '{}'::jsonb),
           :sent_at
      FROM "OutboundDispatches" d
      JOIN "Conversations" c ON c.id = d.conversation_id
      LEFT JOIN "Decisions" x ON x.id = d.decision_id
     WHERE d.id = :id AND d.message_id IS NULL
    ON CONFLICT (conversation_id, external_message_id) DO UPDATE
       SET metadata = m.metadata || EXCLUDED.metadata, sender_agent_id = EXCLUDED.sender_agent_id
    RETURNING id
""")
_LINK_ROW = text("""
    WITH linked AS (UPDATE "OutboundDispatches" SET message_id = :message WHERE id = :id RETURNING conversation_id)
    UPDATE "Conversations" c SET last_message_at = GREATEST(c.last_message_at, :sent_at), updated_at = :now
      FROM linked WHERE c.id = linked.conversation_id
""")


def mark_sent(conn: Connection, claim: ClaimedDispatch, receipt: DeliveryReceipt, now: datetime) -> bool:
    """Record the proof and the outbound message, in the caller's transaction; False when the fence is stale."""
    parameters = _parameters(receipt, now) | {"id": claim.id, "fence": claim.fence}
    if conn.execute(_SENT, parameters).rowcount == 0:
        return False
    write_message(conn, claim.id, receipt, now)
    return True


def write_message(conn: Connection, dispatch: UUID, receipt: DeliveryReceipt, now: datetime) -> None:
    """The sent reply among the messages of its conversation, once, whoever saw it first."""
    parameters = _parameters(receipt, now) | {"id": dispatch}
    conn.execute(_DROP_TWIN, parameters)
    message = conn.execute(_KEEP_DRAFT_ROW, parameters).scalar_one_or_none()
    if message is None:
        message = conn.execute(_WRITE_ROW, parameters).scalar_one()
    conn.execute(_LINK_ROW, {**parameters, "message": message})


def receipt_json(receipt: DeliveryReceipt) -> str:
    """The receipt as the row keeps it."""
    return json.dumps(
        {
            "externalMessageId": receipt.external_message_id,
            "channel": receipt.channel,
            "providerStatus": receipt.provider_status,
            "seenAt": receipt.seen_at.isoformat(),
        }
    )


def _parameters(receipt: DeliveryReceipt, now: datetime) -> dict[str, object]:
    delivery = receipt_json(receipt)
    return {
        "sent_at": receipt.seen_at,
        "receipt": delivery,
        "delivery": delivery,
        "external_id": receipt.external_message_id,
        "channel": receipt.channel,
        "now": now,
    }
