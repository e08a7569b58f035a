"""Set-based moves over waiting replies: what policy, age or a newer message takes out of the queue, and what is due."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import Connection, text

from leasebot_pipeline.domain.dispatching import PERSONAL_PURPOSES
from leasebot_pipeline.domain.platforms import Platform, ReleaseStage, SendMode
from leasebot_pipeline.domain.policy import PlatformPolicy
from leasebot_pipeline.storage.outbox_sql import MOVED, VISITABLE_ACCOUNT, Moved, due, moved, overtaken

# Policy may have changed since the reply was queued: what may no longer be sent becomes a draft (or is
# held when the account is off). A person's own reply is not subject to the send mode.
_DEMOTE = text(f"""
    UPDATE "OutboundDispatches" d
       SET state = CASE WHEN a.is_active THEN 'draft' ELSE 'held' END, next_attempt_at = NULL, updated_at = :now,
           error_code = CASE WHEN NOT a.is_active THEN 'policy_platform_inactive'
                             WHEN a.id = ANY(:silent) THEN 'policy_release_shadow' ELSE 'policy_draft_required' END
      FROM "PlatformAccounts" a
     WHERE a.id = d.platform_account_id AND d.platform = :platform AND d.state IN ('queued', 'retry_scheduled')
       AND (a.id = ANY(:silent) OR (NOT d.purpose = ANY(:personal) AND NOT a.id = ANY(:automatic)))
    RETURNING {MOVED}
""")


def demote_disallowed(
    conn: Connection, platform: Platform, policies: Mapping[UUID, PlatformPolicy], now: datetime
) -> list[Moved]:
    """Hold back queued replies of accounts that may not send them now; each becomes visible to people."""
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
    parameters = {
        "platform": platform.value,
        "silent": silent,
        "automatic": automatic,
        "personal": list(PERSONAL_PURPOSES),
        "now": now,
    }
    taken = [moved(row) for row in conn.execute(_DEMOTE, parameters)]
    show_to_people(conn, [one.id for one in taken], now)
    return taken


_COLLAPSE = text(f"""
    UPDATE "OutboundDispatches" d
       SET state = 'cancelled', error_code = 'superseded', next_attempt_at = NULL, updated_at = :now,
           last_error = 'the thread has a newer message than this reply answers'
      FROM "Conversations" k
     WHERE k.id = d.conversation_id AND d.platform = :platform AND d.state IN ('queued', 'retry_scheduled')
       AND {overtaken("d", "k")}
    RETURNING {MOVED}
""")


def collapse_superseded(conn: Connection, platform: Platform, now: datetime) -> list[Moved]:
    """Cancel waiting replies whose thread moved on: the conversation is decided again from its newest state."""
    taken = [moved(row) for row in conn.execute(_COLLAPSE, {"platform": platform.value, "now": now})]
    mark_superseded(conn, [one.id for one in taken])
    return taken


_TOO_OLD = text(f"""
    UPDATE "OutboundDispatches" d
       SET state = 'held', error_code = 'reply_too_old', next_attempt_at = NULL, updated_at = :now,
           last_error = 'it waited so long that a person should look before it goes out'
     WHERE d.platform = :platform AND d.state IN ('queued', 'retry_scheduled') AND d.purpose IN ('decision', 'approved_draft')
       AND COALESCE(d.queued_at, d.created_at) < :bound
    RETURNING {MOVED}
""")


def hold_too_old(conn: Connection, platform: Platform, bound: datetime, now: datetime) -> list[Moved]:
    """Hold answers that have waited since before ``bound``: what was right then may be wrong now.

    Follow-ups and reminders carry the end of their own time; people's own words go out all the same.
    """
    parameters = {"platform": platform.value, "bound": bound, "now": now}
    taken = [moved(row) for row in conn.execute(_TOO_OLD, parameters)]
    show_to_people(conn, [one.id for one in taken], now)
    return taken


_SUPERSEDED_ROWS = text("""
    UPDATE "Messages" m SET metadata = m.metadata || '{"reviewStatus": "hold", "superseded": true}'::jsonb
      FROM "OutboundDispatches" d WHERE d.id = ANY(:ids) AND m.id = d.message_id
""")


def mark_superseded(conn: Connection, ids: Sequence[UUID]) -> None:
    """Mark the message rows of cancelled replies, so that nobody approves them any more."""
    if ids:
        conn.execute(_SUPERSEDED_ROWS, {"ids": list(ids)})


# A reply that leaves the queue for people needs its row among the messages: that is where they look.
_REVIEW = "CASE d.state WHEN 'draft' THEN 'draft' ELSE 'hold' END"
_SHOWN_ROWS = text(f"""
    UPDATE "Messages" m SET metadata = m.metadata || jsonb_build_object('reviewStatus', {_REVIEW})
      FROM "OutboundDispatches" d WHERE d.id = ANY(:ids) AND m.id = d.message_id
""")
_NEW_ROWS = text(f"""
    WITH written AS (
      INSERT INTO "Messages" AS m
             (conversation_id, sender_type, sender_agent_id, external_message_id, direction, channel, body, metadata,
              sent_at, created_at)
      SELECT d.conversation_id, 'agent', c.assigned_agent_id, d.purpose_key, 'outbound', 'in_app', d.body,
             jsonb_build_object(
               'reviewStatus', {_REVIEW}, 'templateId', x.template_id, 'intent', x.intent,
               'effectiveIntent', x.effective_intent, 'followUp', COALESCE(x.follow_up, false),
               'workerGeneratedAt', d.created_at, 'guardrails', COALESCE(to_jsonb(x.guardrails), '[]'::jsonb),
               'escalationReasonCode', x.escalation_reason_code, 'platformPolicy', x.policy,
               'selectedSlotIndex', x.selected_slot_index, 'slotCandidates', COALESCE(x.slots, '[]'::jsonb),
               'slotConfirmationState', NULL, 'dispatchKey', d.purpose_key, 'delivery', NULL),
             NULL, :now
        FROM "OutboundDispatches" d
        JOIN "Conversations" c ON c.id = d.conversation_id
        LEFT JOIN "Decisions" x ON x.id = d.decision_id
       WHERE d.id = ANY(:ids) AND d.message_id IS NULL
      ON CONFLICT (conversation_id, external_message_id) DO UPDATE SET metadata = m.metadata || EXCLUDED.metadata
      RETURNING m.id, m.external_message_id
    )
    UPDATE "OutboundDispatches" d SET message_id = w.id
      FROM written w WHERE d.purpose_key = w.external_message_id AND d.id = ANY(:ids)
""")


def show_to_people(conn: Connection, ids: Sequence[UUID], now: datetime) -> None:
    """Give replies that became drafts or were held their row among the messages."""
    if ids:
        conn.execute(_SHOWN_ROWS, {"ids": list(ids), "now": now})
        conn.execute(_NEW_ROWS, {"ids": list(ids), "now": now})


_DUE_ACCOUNTS = text(f"""
    SELECT DISTINCT d.platform_account_id
      FROM "OutboundDispatches" d
      LEFT JOIN "AccountRuntime" r ON r.platform_account_id = d.platform_account_id
     WHERE d.platform = :platform AND d.state IN ('queued', 'retry_scheduled', 'unknown') AND {due("d")}
""")


def accounts_with_due(conn: Connection, platform: Platform, now: datetime) -> set[UUID]:
    """Accounts that have a reply to send or to settle now."""
    return set(conn.execute(_DUE_ACCOUNTS, {"platform": platform.value, "now": now}).scalars())


_DUE_COUNTS = text(f"""
    SELECT d.platform, d.platform_account_id AS account, count(*) AS total
      FROM "OutboundDispatches" d
      JOIN "PlatformAccounts" a ON a.id = d.platform_account_id
      LEFT JOIN "AccountRuntime" r ON r.platform_account_id = d.platform_account_id
     WHERE d.state IN ('queued', 'retry_scheduled', 'claimed', 'sending', 'unknown')
       AND {VISITABLE_ACCOUNT} AND {due("d")}
     GROUP BY d.platform, d.platform_account_id
""")


def due_by_account(conn: Connection, now: datetime) -> dict[Platform, dict[UUID, int]]:
    """How many replies a run could send, take back or settle now, per platform and account, in one statement."""
    counts: dict[Platform, dict[UUID, int]] = {platform: {} for platform in Platform}
    for row in conn.execute(_DUE_COUNTS, {"now": now}):
        counts[Platform(row.platform)][row.account] = row.total
    return counts


_WAITS = text("""
    SELECT EXISTS (SELECT 1 FROM "OutboundDispatches"
                    WHERE platform_account_id = :account AND state IN ('queued', 'retry_scheduled')
                      AND purpose <> 'manual_reply' AND COALESCE(next_attempt_at, :now) <= :now)
""")


def automatic_reply_waits(conn: Connection, account: UUID, now: datetime) -> bool:
    """Whether a reply of the account that counts against its daily share is due."""
    return bool(conn.execute(_WAITS, {"account": account, "now": now}).scalar_one())
