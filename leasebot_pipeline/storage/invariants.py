"""What must always hold, as queries that find where it does not.

Run after every chaos and end-to-end test, by ``leasebot check``, and on a schedule. Each query returns one
text per violation, in words an operator can start from. Delays that are normal (a claim within its lease,
an event that waits for the next run) have bounds; beyond them something is stuck.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import Connection, text

from leasebot_pipeline.storage.audit_actions import CRITICAL_ACTIONS
from leasebot_pipeline.storage.invariant import Invariant
from leasebot_pipeline.storage.invariants_follow_ups import FOLLOW_UP_INVARIANTS
from leasebot_pipeline.storage.invariants_showings import SHOWING_INVARIANTS

LEASE_GRACE: Final = timedelta(minutes=2)
"""How long after its lease a claim may wait for the next run to take it back."""
INGEST_BOUND: Final = timedelta(minutes=15)
DECISION_BOUND: Final = timedelta(minutes=15)
HOLD_BOUND: Final = timedelta(minutes=15)
"""How long after its time a hold may wait to be swept."""
SAMPLE_SIZE: Final = 5


@dataclass(frozen=True, slots=True)
class InvariantResult:
    """``sample`` holds the first few violations in words."""

    name: str
    sentence: str
    violations: int
    sample: tuple[str, ...]

    @property
    def holds(self) -> bool:
        return self.violations == 0


# On its way out or out: from the committed intent on, the click may have happened.
_OUT = "d.state IN ('sending', 'sent', 'unknown')"
_BY_PERSON = """EXISTS (SELECT 1 FROM "AuditLogs" l
                 WHERE l.conversation_id = d.conversation_id AND l.action LIKE 'inbox\\_%'
                   AND l.actor_type IN ('admin', 'agent', 'user'))"""
_APPROVED = """EXISTS (SELECT 1 FROM "AuditLogs" l
                WHERE l.conversation_id = d.conversation_id AND l.action = 'inbox_message_approved'
                  AND l.actor_type IN ('admin', 'agent', 'user'))"""
# A person said that it is out: seen in its thread, or sent by hand. Then nothing of ours clicked.
_BY_HAND = "COALESCE(d.receipt ->> 'providerStatus' = 'marked_sent', false)"
_TERMINAL = "('cancelled', 'completed', 'no_show')"

INVARIANTS: Final[tuple[Invariant, ...]] = (
    Invariant(
        "message_answered_once",
        "No inbound message is answered twice.",
        f"""
        SELECT format('message %s: %s replies', x.inbound_message_id, count(*))
          FROM "OutboundDispatches" d JOIN "Decisions" x ON x.id = d.decision_id
         WHERE {_OUT} AND d.purpose IN ('decision', 'approved_draft')
         GROUP BY x.inbound_message_id HAVING count(*) > 1
        """,
    ),
    Invariant(
        "reply_in_thread_once",
        "A reply that was sent once stands in its thread once.",
        rf"""
        WITH replies AS (
          SELECT d.conversation_id, regexp_replace(trim(d.body), '\s+', ' ', 'g') AS body, count(*) AS clicks,
                 min(x.through_seq) AS since
            FROM "OutboundDispatches" d LEFT JOIN "Decisions" x ON x.id = d.decision_id
           WHERE {_OUT} GROUP BY 1, 2 HAVING min(x.through_seq) IS NOT NULL
        )
        SELECT format('conversation %s: %s sends, %s messages', r.conversation_id, r.clicks, count(*))
          FROM replies r
          JOIN "Messages" m ON m.conversation_id = r.conversation_id AND m.direction = 'outbound' AND m.seq > r.since
           AND COALESCE(m.metadata ->> 'reviewStatus', 'sent') = 'sent'
           AND regexp_replace(trim(m.body), '\s+', ' ', 'g') = r.body
         GROUP BY r.conversation_id, r.body, r.clicks HAVING count(*) > r.clicks
        """,
    ),
    Invariant(
        "reply_has_author",
        "No reply goes out without a decision to send it or a person.",
        f"""
        SELECT format('dispatch %s (%s)', d.id, d.purpose)
          FROM "OutboundDispatches" d LEFT JOIN "Decisions" x ON x.id = d.decision_id
         WHERE {_OUT} AND NOT {_BY_HAND} AND NOT CASE d.purpose
                 WHEN 'decision' THEN COALESCE(x.outcome = 'send', false) OR {_APPROVED}
                 WHEN 'follow_up' THEN EXISTS (SELECT 1 FROM "FollowUps" f WHERE f.dispatch_id = d.id) OR {_APPROVED}
                 WHEN 'reminder' THEN EXISTS (SELECT 1 FROM "FollowUps" f WHERE f.dispatch_id = d.id) OR {_APPROVED}
                 ELSE {_BY_PERSON} END
        """,
    ),
    Invariant(
        "decision_has_effect",
        "Each decision to reply has its row in the outbox.",
        """
        SELECT format('decision %s (%s)', x.id, x.outcome) FROM "Decisions" x
         WHERE x.outcome IN ('send', 'draft')
           AND NOT EXISTS (SELECT 1 FROM "OutboundDispatches" d
                            WHERE d.conversation_id = x.conversation_id AND d.decision_id = x.id)
        """,
    ),
    Invariant(
        "nothing_sent_in_shadow",
        "Nothing is sent while the release stage is shadow, or before there is one.",
        f"""
        SELECT format('dispatch %s at %s', d.id, d.sending_at) FROM "OutboundDispatches" d
         WHERE {_OUT} AND d.sending_at IS NOT NULL
           AND NOT EXISTS (SELECT 1 FROM "ReleaseStages" s
                            WHERE s.stage <> 'shadow' AND s.started_at <= d.sending_at
                              AND (s.ended_at IS NULL OR s.ended_at > d.sending_at))
        """,
    ),
    Invariant(
        "nothing_sent_against_policy",
        "Nothing is sent on an inactive account, and nothing without a person on one in draft_only.",
        f"""
        SELECT format('dispatch %s (%s)', d.id, d.purpose)
          FROM "OutboundDispatches" d
          LEFT JOIN "Decisions" x ON x.id = d.decision_id
          LEFT JOIN LATERAL (
               SELECT l.details FROM "AuditLogs" l
                WHERE l.entity_type = 'platform_account' AND l.entity_id = d.platform_account_id::text
                  AND l.action = 'platform_policy_updated' AND l.created_at <= d.sending_at
                ORDER BY l.created_at DESC LIMIT 1) p ON true
         WHERE {_OUT} AND NOT ({_BY_HAND} AND d.sending_at IS NULL)
           AND (COALESCE(p.details ->> 'isActive' = 'false', false)
             OR (d.purpose IN ('decision', 'follow_up', 'reminder') AND NOT {_APPROVED}
                 AND (COALESCE(p.details ->> 'effectiveSendMode' = 'draft_only', false)
                   OR COALESCE(x.policy ->> 'sendMode' <> 'auto_send', false)
                   OR COALESCE(x.policy ->> 'isActive' = 'false', false))))
        """,
    ),
    Invariant(
        "sent_has_receipt",
        "Each sent reply has its intent (or a person's word), its receipt and its row among the messages.",
        f"""
        SELECT format('dispatch %s', d.id) FROM "OutboundDispatches" d
         WHERE d.state = 'sent'
           AND (d.receipt IS NULL OR d.receipt = 'null'::jsonb OR d.sent_at IS NULL
             OR (d.sending_at IS NULL AND NOT {_BY_HAND})
             OR NOT EXISTS (SELECT 1 FROM "Messages" m
                             WHERE m.id = d.message_id AND m.conversation_id = d.conversation_id
                               AND m.direction = 'outbound'))
        """,
    ),
    Invariant(
        "no_claim_past_lease",
        "No reply stays claimed or sending past its lease.",
        """
        SELECT format('dispatch %s: %s since %s', d.id, d.state, d.claimed_at) FROM "OutboundDispatches" d
         WHERE d.state IN ('claimed', 'sending')
           AND (d.lease_expires_at IS NULL OR d.lease_expires_at < :now - CAST(:lease_grace AS interval))
        """,
    ),
    Invariant(
        "kill_switch_stops_sends",
        "No reply is sent later than five seconds after a kill switch over its account was engaged.",
        """
        SELECT format('dispatch %s at %s, stopped since %s', d.id, d.sending_at, k.engaged_at)
          FROM "KillSwitches" k
          JOIN "OutboundDispatches" d
            ON d.sending_at > k.engaged_at + interval '5 seconds' AND (k.lifted_at IS NULL OR d.sending_at < k.lifted_at)
           AND k.target IN ('global', 'platform:' || d.platform, 'account:' || d.platform_account_id::text)
         WHERE d.state IN ('sending', 'sent', 'unknown')
        """,
    ),
    Invariant(
        "doubt_has_an_end",
        "A reply in doubt is looked for soon, or a person was told of it.",
        """
        SELECT format('dispatch %s of %s', d.id, d.platform) FROM "OutboundDispatches" d
         WHERE d.state = 'unknown' AND d.next_attempt_at IS NULL
           AND NOT EXISTS (SELECT 1 FROM "AuditLogs" l
                            WHERE l.conversation_id = d.conversation_id AND l.action = 'platform_dispatch_left_to_person')
        """,
    ),
    Invariant(
        "landed_event_settled",
        "Each landed event is ingested or quarantined in time.",
        """
        SELECT format('event %s of %s, landed %s', e.id, e.platform, e.landed_at) FROM "InboundEvents" e
         WHERE e.ingested_at IS NULL AND e.quarantined_at IS NULL
           AND e.landed_at < :now - CAST(:ingest_bound AS interval)
        """,
    ),
    Invariant(
        "ingested_event_stored",
        "Each ingested event is a message of its conversation.",
        """
        SELECT format('event %s of %s', e.id, e.platform) FROM "InboundEvents" e
         WHERE e.ingested_at IS NOT NULL
           AND NOT EXISTS (SELECT 1 FROM "Conversations" c
                             JOIN "Messages" m ON m.conversation_id = c.id
                              AND m.external_message_id = e.external_message_id
                            WHERE c.platform_account_id = e.platform_account_id
                              AND c.external_thread_id = e.external_thread_id)
        """,
    ),
    Invariant(
        "waiting_conversation_decided",
        "Each conversation that waits is decided in time.",
        """
        SELECT format('conversation %s of %s', c.id, a.platform)
          FROM "Conversations" c
          JOIN "PlatformAccounts" a ON a.id = c.platform_account_id AND a.is_active
          JOIN "Messages" m ON m.conversation_id = c.id AND m.seq = c.newest_inbound_seq
         WHERE c.status = 'open' AND c.newest_inbound_seq > c.handled_through_seq
           AND m.created_at < :now - CAST(:decision_bound AS interval)
        """,
    ),
    Invariant(
        "new_message_waits",
        "Each unprocessed inbound message is behind its conversation's watermark: none is overlooked.",
        """
        SELECT format('message %s', m.id)
          FROM "Messages" m JOIN "Conversations" c ON c.id = m.conversation_id
         WHERE m.direction = 'inbound' AND NOT m.metadata ? 'aiProcessedAt'
           AND m.seq > GREATEST(c.newest_inbound_seq, c.handled_through_seq)
        """,
    ),
    Invariant(
        "confirmed_showing_booked",
        "Each confirmed showing has a live appointment.",
        """
        SELECT format('conversation %s', c.id) FROM "Conversations" c
         WHERE c.showing_state = 'confirmed'
           AND NOT EXISTS (SELECT 1 FROM "ShowingAppointments" s
                            WHERE s.conversation_id = c.id AND s.status = 'confirmed')
        """,
    ),
    # Rows of the earlier system, which did leave terminal states, carry no platform in their details. A new
    # showing of the conversation takes the place of one that ended.
    Invariant(
        "terminal_state_final",
        "A showing that ended and a reply that was sent stay so.",
        f"""
        SELECT format('conversation %s: %s to %s', l.conversation_id,
                      l.details #>> '{{previous,showingState}}', l.details #>> '{{next,showingState}}')
          FROM "AuditLogs" l
         WHERE l.action = 'workflow_state_transitioned' AND l.details ? 'platform'
           AND l.details #>> '{{previous,showingState}}' IN {_TERMINAL}
           AND l.details #>> '{{next,showingState}}' IS DISTINCT FROM l.details #>> '{{previous,showingState}}'
           AND NOT EXISTS (SELECT 1 FROM "ShowingAppointments" s
                            WHERE s.id::text = l.details ->> 'newAppointmentId' AND s.conversation_id = l.conversation_id)
        UNION ALL
        SELECT format('showing %s: %s to %s', l.entity_id, l.details ->> 'previousStatus', l.details ->> 'nextStatus')
          FROM "AuditLogs" l
         WHERE l.action = 'showing_workflow_outcome_synced' AND l.details ? 'platform'
           AND l.details ->> 'previousStatus' IN {_TERMINAL}
           AND l.details ->> 'nextStatus' IS DISTINCT FROM l.details ->> 'previousStatus'
        UNION ALL
        SELECT format('dispatch %s: sent to %s', d.id, d.state)
          FROM "AuditLogs" l JOIN "OutboundDispatches" d ON d.purpose_key = l.details ->> 'dispatchKey'
         WHERE l.action = 'platform_dispatch_sent' AND d.state <> 'sent'
        """,
    ),
    Invariant(
        "audit_names_platform",
        "Each audit row of a critical action names its platform, in the column and in the details alike.",
        """
        SELECT format('audit %s (%s)', l.id, l.action) FROM "AuditLogs" l
         WHERE l.action = ANY(:critical)
           AND (l.platform IS NULL OR COALESCE(l.details ->> 'platform', l.platform) <> l.platform)
        """,
    ),
    *SHOWING_INVARIANTS,
    *FOLLOW_UP_INVARIANTS,
)


def check(
    conn: Connection, now: datetime | None = None, invariants: Sequence[Invariant] = INVARIANTS
) -> list[InvariantResult]:
    """Check every invariant; ``now`` is the database's clock unless given."""
    moment = now or conn.execute(text("SELECT now()")).scalar_one()
    parameters = {
        "now": moment,
        "lease_grace": LEASE_GRACE,
        "ingest_bound": INGEST_BOUND,
        "decision_bound": DECISION_BOUND,
        "hold_bound": HOLD_BOUND,
        "critical": list(CRITICAL_ACTIONS),
    }
    results = []
    for invariant in invariants:
        statement = text(
            f"WITH violation(what) AS ({invariant.sql})"
            f" SELECT count(*), (array_agg(what ORDER BY what))[1:{SAMPLE_SIZE}] FROM violation"
        )
        used = {name: parameters[name] for name in statement.compile().params}
        count, sample = conn.execute(statement, used).one()
        results.append(InvariantResult(invariant.name, invariant.sentence, count, tuple(sample or ())))
    return results
