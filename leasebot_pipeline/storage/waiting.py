"""What a decision needs to know, loaded for a whole batch of waiting conversations in a fixed number of statements."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import Connection, text

from leasebot_pipeline.domain.decisions import ReplyExample
from leasebot_pipeline.domain.platforms import Platform
from leasebot_pipeline.domain.policy import AutomationRule, Template, rule_limits
from leasebot_pipeline.domain.readings import Direction
from leasebot_pipeline.storage.calendars import Calendars, load_calendars
from leasebot_pipeline.storage.outbox_sql import BEING_SETTLED

__all__ = [
    "Calendars",
    "ReplyBook",
    "StoredMessage",
    "WaitingConversation",
    "load_calendars",
    "load_reply_book",
    "load_waiting",
]


@dataclass(frozen=True, slots=True)
class StoredMessage:
    """A message of a conversation, newest state."""

    id: UUID
    seq: int
    direction: Direction
    body: str
    sent_at: datetime | None
    created_at: datetime
    processed: bool
    """True for what was decided or is history."""


@dataclass(frozen=True, slots=True)
class WaitingConversation:
    """A conversation whose lead waits. ``newest_seq`` is what a decision will cover."""

    id: UUID
    platform_account_id: UUID
    external_thread_id: str
    lead_name: str | None
    listing_id: UUID | None
    unit_id: UUID | None
    unit_label: str | None
    unit_number: str | None
    assigned_agent_id: UUID | None
    newest_seq: int
    handled_seq: int
    workflow_state: str
    workflow_outcome: str | None
    showing_state: str | None
    follow_up_stage: str | None
    last_intent: str | None
    delivery_unknown: bool
    opted_out: bool
    messages: tuple[StoredMessage, ...] = ()
    taken_over: bool = False
    """A person answers it now."""


# Fixed order, so that two runs never wait for each other crosswise.
_WAITING = text(f"""
    SELECT c.id, c.platform_account_id, c.external_thread_id, c.lead_name, c.listing_id, l.unit_id,
           CASE WHEN u.id IS NULL THEN c.external_thread_label ELSE concat_ws(' ', u.property_name, u.unit_number) END AS unit_label,
           u.unit_number, c.assigned_agent_id, c.newest_inbound_seq AS newest_seq, c.handled_through_seq AS handled_seq,
           c.workflow_state, c.workflow_outcome, c.showing_state, c.follow_up_stage,
           (SELECT d.intent FROM "Decisions" d WHERE d.conversation_id = c.id AND d.intent <> 'unknown'
             ORDER BY d.through_seq DESC LIMIT 1) AS last_intent,
           EXISTS (SELECT 1 FROM "OutboundDispatches" o
                    WHERE o.conversation_id = c.id AND o.state IN ('claimed', 'sending', 'unknown')) AS delivery_unknown,
           c.opted_out_at IS NOT NULL AS opted_out, c.taken_over_at IS NOT NULL AS taken_over
      FROM "Conversations" c
      JOIN "PlatformAccounts" a ON a.id = c.platform_account_id
      LEFT JOIN "Listings" l ON l.id = c.listing_id
      LEFT JOIN "Units" u ON u.id = l.unit_id
     WHERE a.platform = :platform AND a.is_active AND c.status = 'open' AND c.newest_inbound_seq > c.handled_through_seq
       AND NOT {BEING_SETTLED}
     ORDER BY c.newest_inbound_seq
     LIMIT :limit
""")

_MESSAGES = text("""
    SELECT c.id AS conversation_id, m.id, m.seq, m.direction, m.body, m.sent_at, m.created_at,
           m.metadata ? 'aiProcessedAt' AS processed
      FROM unnest(CAST(:conversations AS uuid[])) AS c(id)
     CROSS JOIN LATERAL (
           SELECT * FROM "Messages" x WHERE x.conversation_id = c.id
              AND (x.direction = 'inbound' OR COALESCE(x.metadata ->> 'reviewStatus', 'sent') = 'sent')
            ORDER BY x.seq DESC LIMIT :per_conversation) m
     ORDER BY m.seq
""")


def load_waiting(
    conn: Connection, platform: Platform, limit: int, messages_each: int
) -> list[WaitingConversation]:
    """Waiting conversations of active accounts, longest waiting first, with their newest messages."""
    rows = list(conn.execute(_WAITING, {"platform": platform.value, "limit": limit}).mappings())
    messages: dict[UUID, list[StoredMessage]] = defaultdict(list)
    if rows:
        parameters = {"conversations": [row["id"] for row in rows], "per_conversation": messages_each}
        for m in conn.execute(_MESSAGES, parameters):
            messages[m.conversation_id].append(
                StoredMessage(
                    m.id, m.seq, Direction(m.direction), m.body, m.sent_at, m.created_at, m.processed
                )
            )
    return [WaitingConversation(**row, messages=tuple(messages[row["id"]])) for row in rows]


# Only what was sent, by whomever: drafts, and what was overtaken or held, teach nothing (G-58).
_EXAMPLES = text("""
    SELECT a.id AS account, x.*
      FROM unnest(CAST(:accounts AS uuid[])) AS a(id)
     CROSS JOIN LATERAL (
           SELECT c.id AS conversation_id, c.lead_name, i.body AS inbound, o.body AS reply
             FROM (SELECT r.id, r.lead_name FROM "Conversations" r WHERE r.platform_account_id = a.id
                    ORDER BY r.last_message_at DESC NULLS LAST LIMIT :looked_at) c
            CROSS JOIN LATERAL (
                  SELECT m.body, m.seq, m.sent_at FROM "Messages" m
                   WHERE m.conversation_id = c.id AND m.direction = 'outbound' AND m.body <> '' AND m.sent_at IS NOT NULL
                     AND COALESCE(m.metadata ->> 'reviewStatus', 'sent') = 'sent'
                   ORDER BY m.seq DESC LIMIT 1) o
            CROSS JOIN LATERAL (
                  SELECT m.body FROM "Messages" m
                   WHERE m.conversation_id = c.id AND m.direction = 'inbound' AND m.body <> '' AND m.seq < o.seq
                   ORDER BY m.seq DESC LIMIT 1) i
            ORDER BY o.sent_at DESC, o.seq DESC
            LIMIT :limit) x
""")
_LOOKED_AT = 60


def load_examples(
    conn: Connection, accounts: Sequence[UUID], limit: int
) -> dict[UUID, list[tuple[UUID, ReplyExample]]]:
    """Newest sent replies of each account with their conversations: one statement, one more than ``limit`` each."""
    found: dict[UUID, list[tuple[UUID, ReplyExample]]] = defaultdict(list)
    if limit > 0:
        parameters = {
            "accounts": sorted(set(accounts)),
            "limit": limit + 1,
            "looked_at": max(_LOOKED_AT, 4 * limit),
        }
        for row in conn.execute(_EXAMPLES, parameters):
            found[row.account].append(
                (row.conversation_id, ReplyExample(row.inbound, row.reply, row.lead_name))
            )
    return found


@dataclass(frozen=True, slots=True)
class ReplyBook:
    """Rules and templates of a platform's accounts; an account's own come before global ones."""

    rules: dict[tuple[UUID | None, str], AutomationRule]
    templates: dict[tuple[UUID | None, str], Template]

    def rule(self, account: UUID, intent: str) -> AutomationRule | None:
        return self.rules.get((account, intent)) or self.rules.get((None, intent))

    def template(self, account: UUID, name: str | None) -> Template | None:
        if name is None:
            return None
        return self.templates.get((account, name)) or self.templates.get((None, name))


_RULES = text("""
    SELECT DISTINCT ON (r.platform_account_id, r.conditions ->> 'intent')
           r.platform_account_id, r.id, r.conditions ->> 'intent' AS intent, r.is_enabled, r.action_config ->> 'template' AS template,
           r.conditions ->> 'minConfidence' AS min_confidence, r.action_config ->> 'sendMode' AS send_mode
      FROM "AutomationRules" r
      LEFT JOIN "PlatformAccounts" a ON a.id = r.platform_account_id
     WHERE (r.platform_account_id IS NULL OR a.platform = :platform)
       AND r.trigger_type = 'message_received' AND r.action_type = 'send_template' AND r.conditions ->> 'intent' IS NOT NULL
     ORDER BY r.platform_account_id, r.conditions ->> 'intent', r.priority, r.created_at
""")
_TEMPLATES = text("""
    SELECT DISTINCT ON (t.platform_account_id, t.name)
           t.platform_account_id, t.id, t.name, t.body, t.variables, t.is_active
      FROM "Templates" t
      LEFT JOIN "PlatformAccounts" a ON a.id = t.platform_account_id
     WHERE (t.platform_account_id IS NULL OR a.platform = :platform) AND t.is_active
     ORDER BY t.platform_account_id, t.name, t.updated_at DESC
""")


def load_reply_book(conn: Connection, platform: Platform) -> ReplyBook:
    """Rules (disabled ones included) and active templates: two statements."""
    parameters = {"platform": platform.value}
    rules = {
        (row.platform_account_id, row.intent): AutomationRule(
            row.id,
            row.intent,
            row.is_enabled,
            row.template,
            *rule_limits(row.min_confidence, row.send_mode),
        )
        for row in conn.execute(_RULES, parameters)
    }
    templates = {
        (row.platform_account_id, row.name): Template(
            row.id, row.name, row.body, tuple(str(name) for name in row.variables), row.is_active
        )
        for row in conn.execute(_TEMPLATES, parameters)
    }
    return ReplyBook(rules, templates)
