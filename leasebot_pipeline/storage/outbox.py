"""The outbox: every statement that moves a reply from one dispatch state to the next.

Each move names the state it leaves and, once claimed, the fence it was claimed with: a worker whose
lease was taken over changes nothing. Claims are taken one by one, just before the browser types.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, text

from leasebot_pipeline.domain.dispatching import AfterFailure
from leasebot_pipeline.domain.failures import PlatformFailure
from leasebot_pipeline.domain.platforms import Platform, ReleaseStage, SendMode
from leasebot_pipeline.domain.policy import PlatformPolicy
from leasebot_pipeline.domain.readings import DeliveryReceipt, SendBaseline


@dataclass(frozen=True, slots=True)
class ClaimedDispatch:
    """A reply in a worker's hands."""

    id: UUID
    fence: int
    attempts: int
    max_attempts: int
    purpose: str
    purpose_key: str
    decision_id: UUID | None
    inbound_message_id: UUID | None
    conversation_id: UUID
    platform_account_id: UUID
    external_thread_id: str
    assigned_agent_id: UUID | None
    body: str
    sending_at: datetime | None
    baseline: SendBaseline | None


# A claim that ran out before the intent was committed has touched nothing: due again. One that ran out
# after it may have clicked: unknown, to be settled by reading the thread.
_EXPIRE = text("""
    UPDATE "OutboundDispatches"
       SET state = CASE state WHEN 'claimed' THEN 'queued' ELSE 'unknown' END,
           next_attempt_at = :now, claimed_by = NULL, claimed_at = NULL, lease_expires_at = NULL,
           error_code = CASE state WHEN 'claimed' THEN error_code ELSE 'OUTBOUND_DELIVERY_UNCONFIRMED' END,
           error_class = CASE state WHEN 'claimed' THEN error_class ELSE 'needs_person' END,
           last_error = CASE state WHEN 'claimed' THEN last_error
                                   ELSE 'the sender ended between click and receipt' END,
           updated_at = :now
     WHERE platform = :platform AND state IN ('claimed', 'sending') AND lease_expires_at <= :now
    RETURNING state
""")


def expire_claims(conn: Connection, platform: Platform, now: datetime) -> tuple[int, int]:
    """Take back claims whose lease ran out; (requeued, unknown)."""
    states = list(conn.execute(_EXPIRE, {"platform": platform.value, "now": now}).scalars())
    return states.count("queued"), states.count("unknown")


# Policy may have changed since the reply was queued: what may no longer be sent becomes a draft (or is
# held when the account is off). A person's own reply is not subject to the send mode.
_DEMOTE = text("""
    UPDATE "OutboundDispatches" d
       SET state = CASE WHEN a.is_active THEN 'draft' ELSE 'held' END, next_attempt_at = NULL, updated_at = :now,
           error_code = CASE WHEN a.is_active THEN 'policy_draft_required' ELSE 'policy_platform_inactive' END
      FROM "PlatformAccounts" a
     WHERE a.id = d.platform_account_id AND d.platform = :platform AND d.state IN ('queued', 'retry_scheduled')
       AND (a.id = ANY(:silent) OR (d.purpose IN ('decision', 'follow_up') AND NOT a.id = ANY(:automatic)))
    RETURNING d.id
""")


def demote_disallowed(
    conn: Connection, platform: Platform, policies: Mapping[UUID, PlatformPolicy], now: datetime
) -> int:
    """Hold back queued replies of accounts that may not send them now."""
    silent = [
        account
        for account, policy in policies.items()
        if not policy.is_active or policy.release_stage is ReleaseStage.SHADOW
    ]
    automatic = [
        account
        for account, policy in policies.items()
        if policy.is_active and policy.effective_send_mode is SendMode.AUTO_SEND
    ]
    parameters = {"platform": platform.value, "silent": silent, "automatic": automatic, "now": now}
    return len(conn.execute(_DEMOTE, parameters).all())


_DUE_ACCOUNTS = text("""
    SELECT DISTINCT platform_account_id FROM "OutboundDispatches"
     WHERE platform = :platform
       AND ((state IN ('queued', 'retry_scheduled') AND COALESCE(next_attempt_at, :now) <= :now)
         OR (state = 'unknown' AND next_attempt_at <= :now))
""")


def accounts_with_due(conn: Connection, platform: Platform, now: datetime) -> set[UUID]:
    """Accounts that have a reply to send or to settle now."""
    return set(conn.execute(_DUE_ACCOUNTS, {"platform": platform.value, "now": now}).scalars())


_COLUMNS = """
    d.id, d.fence, d.attempts, d.max_attempts, d.purpose, d.purpose_key, d.decision_id, d.conversation_id,
    d.platform_account_id, d.external_thread_id, d.body, d.sending_at, d.baseline,
    (SELECT inbound_message_id FROM "Decisions" x WHERE x.id = d.decision_id) AS inbound_message_id,
    (SELECT assigned_agent_id FROM "Conversations" c WHERE c.id = d.conversation_id) AS assigned_agent_id
"""

_CLAIM = text(f"""
    UPDATE "OutboundDispatches" d
       SET state = 'claimed', attempts = d.attempts + 1, fence = d.fence + 1, claimed_by = :owner, claimed_at = :now,
           lease_expires_at = :expires, run_id = :run_id, updated_at = :now
     WHERE d.id = (SELECT id FROM "OutboundDispatches"
                    WHERE platform_account_id = :account AND state IN ('queued', 'retry_scheduled')
                      AND COALESCE(next_attempt_at, :now) <= :now
                    ORDER BY created_at, id LIMIT 1 FOR UPDATE SKIP LOCKED)
    RETURNING {_COLUMNS}
""")

_CLAIM_UNKNOWN = text(f"""
    UPDATE "OutboundDispatches" d
       SET fence = d.fence + 1, claimed_by = :owner, claimed_at = :now, next_attempt_at = :expires, updated_at = :now
     WHERE d.id = (SELECT id FROM "OutboundDispatches"
                    WHERE platform_account_id = :account AND state = 'unknown' AND next_attempt_at <= :now
                    ORDER BY updated_at, id LIMIT 1 FOR UPDATE SKIP LOCKED)
    RETURNING {_COLUMNS}
""")


def claim_due(
    conn: Connection, account: UUID, owner: str, run_id: str | None, now: datetime, ttl: timedelta
) -> ClaimedDispatch | None:
    """Take the account's oldest due reply, or None."""
    return _claim(conn, _CLAIM, account, owner, run_id, now, ttl)


def claim_unknown(
    conn: Connection, account: UUID, owner: str, run_id: str | None, now: datetime, ttl: timedelta
) -> ClaimedDispatch | None:
    """Take the account's next unproven reply for reconciliation, or None."""
    return _claim(conn, _CLAIM_UNKNOWN, account, owner, run_id, now, ttl)


def _claim(
    conn: Connection,
    statement: Any,
    account: UUID,
    owner: str,
    run_id: str | None,
    now: datetime,
    ttl: timedelta,
) -> ClaimedDispatch | None:
    parameters = {"account": account, "owner": owner, "now": now, "expires": now + ttl}
    if statement is _CLAIM:
        parameters["run_id"] = run_id
    row = conn.execute(statement, parameters).mappings().one_or_none()
    if row is None:
        return None
    values = dict(row)
    values["baseline"] = SendBaseline(**values["baseline"]) if values["baseline"] else None
    return ClaimedDispatch(**values)


_INTENT = text("""
    UPDATE "OutboundDispatches" d
       SET state = 'sending', sending_at = :now, baseline = CAST(:baseline AS jsonb), lease_expires_at = :expires,
           updated_at = :now
      FROM "PlatformAccounts" a
     WHERE d.id = :id AND d.state = 'claimed' AND d.fence = :fence AND d.claimed_by = :owner
       AND a.id = d.platform_account_id AND a.is_active
       AND EXISTS (SELECT 1 FROM "ReleaseStages" s WHERE s.ended_at IS NULL AND s.stage <> 'shadow')
       AND (d.purpose NOT IN ('decision', 'follow_up') OR a.send_mode IS DISTINCT FROM 'draft_only')
""")


def commit_intent(
    conn: Connection,
    claim: ClaimedDispatch,
    owner: str,
    baseline: SendBaseline,
    now: datetime,
    ttl: timedelta,
) -> bool:
    """Claimed -> sending, just before the click.

    False when the claim is no longer ours, or the account or stage was switched to silence meanwhile.
    """
    result = conn.execute(
        _INTENT,
        {
            "id": claim.id,
            "fence": claim.fence,
            "owner": owner,
            "baseline": json.dumps(asdict(baseline)),
            "now": now,
            "expires": now + ttl,
        },
    )
    return result.rowcount == 1


_SENT = text("""
    UPDATE "OutboundDispatches"
       SET state = 'sent', sent_at = :sent_at, receipt = CAST(:receipt AS jsonb), external_message_id = :external_id,
           error_class = NULL, error_code = NULL, last_error = NULL, lease_expires_at = NULL, next_attempt_at = NULL,
           updated_at = :now
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
             'followUp', COALESCE(x.follow_up, false), 'workerGeneratedAt', d.created_at,
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
    delivery = json.dumps(
        {
            "externalMessageId": receipt.external_message_id,
            "channel": receipt.channel,
            "providerStatus": receipt.provider_status,
            "seenAt": receipt.seen_at.isoformat(),
        }
    )
    parameters = {
        "id": claim.id,
        "fence": claim.fence,
        "sent_at": receipt.seen_at,
        "receipt": delivery,
        "delivery": delivery,
        "external_id": receipt.external_message_id,
        "channel": receipt.channel,
        "now": now,
    }
    if conn.execute(_SENT, parameters).rowcount == 0:
        return False
    conn.execute(_DROP_TWIN, parameters)
    message = conn.execute(_KEEP_DRAFT_ROW, parameters).scalar_one_or_none()
    if message is None:
        message = conn.execute(_WRITE_ROW, parameters).scalar_one()
    conn.execute(_LINK_ROW, {**parameters, "message": message})
    return True


_FAILED = text("""
    UPDATE "OutboundDispatches"
       SET state = :state, next_attempt_at = :next_attempt_at, claimed_by = NULL, lease_expires_at = NULL,
           attempts = attempts - CASE WHEN :counts THEN 0 ELSE 1 END,
           error_class = :error_class, error_code = :error_code, last_error = :last_error, updated_at = :now
     WHERE id = :id AND fence = :fence AND state IN ('claimed', 'sending', 'unknown')
""")


def mark_failed(
    conn: Connection,
    claim: ClaimedDispatch,
    outcome: AfterFailure,
    failure: PlatformFailure,
    now: datetime,
    recheck_at: datetime | None = None,
) -> bool:
    """Leave a failed attempt where the rules say; False when the fence is stale.

    ``recheck_at``: when an unproven reply is looked for in its thread; None leaves it to a person.
    """
    result = conn.execute(
        _FAILED,
        {
            "id": claim.id,
            "fence": claim.fence,
            "state": outcome.state.value,
            "next_attempt_at": outcome.next_attempt_at or recheck_at,
            "counts": outcome.counts_as_attempt,
            "error_class": failure.failure_class.value,
            "error_code": failure.code,
            "last_error": failure.detail[:500],
            "now": now,
        },
    )
    return result.rowcount == 1
