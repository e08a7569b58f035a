"""Rows for the observability tests, written by hand: every helper inserts one row and says when."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import count
from uuid import UUID, uuid4

from sqlalchemy import Connection, text


@dataclass
class Rows:
    """Inserts rows ``hours`` before ``now``."""

    conn: Connection
    now: datetime
    _numbers: count[int] = field(default_factory=lambda: count(1))

    def at(self, hours: float) -> datetime:
        return self.now - timedelta(hours=hours)

    def account(self, platform: str) -> UUID:
        account: UUID = self.conn.execute(
            text("""INSERT INTO "PlatformAccounts" (platform, account_name, account_external_id)
                    VALUES (:platform, 'Account', :external) RETURNING id"""),
            {"platform": platform, "external": f"{platform}-{next(self._numbers)}"},
        ).scalar_one()
        return account

    def conversation(
        self, account: UUID, *, outcome: str | None = None, hours: float = 1, status: str = "open"
    ) -> UUID:
        conversation: UUID = self.conn.execute(
            text("""INSERT INTO "Conversations" (platform_account_id, external_thread_id, workflow_state,
                           workflow_outcome, workflow_updated_at, status)
                    VALUES (:account, :thread, :state, :outcome, :at, :status) RETURNING id"""),
            {
                "account": account,
                "thread": f"t-{next(self._numbers)}",
                "state": "outcome" if outcome else "lead",
                "outcome": outcome,
                "at": self.at(hours),
                "status": status,
            },
        ).scalar_one()
        return conversation

    def message(
        self,
        conversation: UUID,
        direction: str,
        *,
        review: str | None = None,
        hours: float = 1,
        sent_at_known: bool = True,
    ) -> UUID:
        message: UUID = self.conn.execute(
            text("""INSERT INTO "Messages" (conversation_id, sender_type, direction, body, metadata, sent_at, created_at)
                    VALUES (:conversation, 'lead', :direction, 'text', CAST(:metadata AS jsonb), :sent_at, :at)
                    RETURNING id"""),
            {
                "conversation": conversation,
                "direction": direction,
                "metadata": json.dumps({"reviewStatus": review} if review else {}),
                "sent_at": self.at(hours) if sent_at_known else None,
                "at": self.at(hours),
            },
        ).scalar_one()
        return message

    def audit(
        self,
        action: str,
        *,
        hours: float = 1,
        entity: tuple[str, str] = ("message", "m-1"),
        actor: tuple[str, str | None] = ("worker", None),
        details: Mapping[str, object] | None = None,
        platform: str | None = None,
        conversation: UUID | None = None,
        agent: str | None = None,
    ) -> int:
        row: int = self.conn.execute(
            text("""INSERT INTO "AuditLogs" (actor_type, actor_id, entity_type, entity_id, action, details,
                           created_at, platform, conversation_id, agent_id)
                    VALUES (:actor_type, :actor_id, :entity_type, :entity_id, :action, CAST(:details AS jsonb),
                            :at, :platform, :conversation, :agent) RETURNING id"""),
            {
                "actor_type": actor[0],
                "actor_id": actor[1],
                "entity_type": entity[0],
                "entity_id": entity[1],
                "action": action,
                "details": json.dumps(details or {}),
                "at": self.at(hours),
                "platform": platform,
                "conversation": conversation,
                "agent": agent,
            },
        ).scalar_one()
        return row

    def unit_and_agent(self, account: UUID) -> tuple[UUID, UUID]:
        unit: UUID = self.conn.execute(
            text("INSERT INTO \"Units\" (property_name, unit_number) VALUES ('House', :number) RETURNING id"),
            {"number": str(next(self._numbers))},
        ).scalar_one()
        agent: UUID = self.conn.execute(
            text(
                """INSERT INTO "Agents" (platform_account_id, full_name) VALUES (:account, 'Ann') RETURNING id"""
            ),
            {"account": account},
        ).scalar_one()
        return unit, agent

    def booking(self, account: UUID, status: str, *, hours: float = 1) -> None:
        unit, agent = self.unit_and_agent(account)
        self.conn.execute(
            text("""INSERT INTO "ShowingAppointments" (idempotency_key, platform_account_id, unit_id, agent_id,
                           starts_at, ends_at, timezone, status, created_at)
                    VALUES (:key, :account, :unit, :agent, :start, :end, 'UTC', :status, :at)"""),
            {
                "key": f"key-{next(self._numbers)}",
                "account": account,
                "unit": unit,
                "agent": agent,
                "start": self.now + timedelta(days=1),
                "end": self.now + timedelta(days=1, hours=1),
                "status": status,
                "at": self.at(hours),
            },
        )

    def decision(
        self, conversation: UUID, account: UUID, slot_source: str | None, *, hours: float = 1
    ) -> None:
        self.conn.execute(
            text("""INSERT INTO "Decisions" (conversation_id, platform_account_id, platform, inbound_message_id,
                           through_seq, provider, rules_version, intent, effective_intent, follow_up, confidence,
                           risk_level, outcome, reason, reasons, guardrails, policy, slot_source, decided_at)
                    VALUES (:conversation, :account, 'spareroom', :message, :seq, 'heuristic', 'v1', 'tour_request',
                            'tour_request', false, 0.9, 'low', 'send', 'eligible', ARRAY['eligible'], ARRAY[]::text[],
                            '{}', :slot_source, :at)"""),
            {
                "conversation": conversation,
                "account": account,
                "message": self.message(conversation, "inbound", hours=hours),
                "seq": next(self._numbers),
                "slot_source": slot_source,
                "at": self.at(hours),
            },
        )

    def dispatch(self, conversation: UUID, account: UUID, state: str) -> None:
        self.conn.execute(
            text("""INSERT INTO "OutboundDispatches" (purpose, purpose_key, conversation_id, platform_account_id,
                           platform, external_thread_id, body, state, receipt)
                    VALUES ('manual_reply', :key, :conversation, :account, 'spareroom', 't', 'text', :state,
                            CASE WHEN :state = 'sent' THEN '{}'::jsonb END)"""),
            {
                "key": f"key-{next(self._numbers)}",
                "conversation": conversation,
                "account": account,
                "state": state,
            },
        )

    def landed(
        self,
        account: UUID,
        platform: str,
        delay_s: float,
        *,
        hours: float = 1,
        direction: str = "inbound",
        has_time: bool = True,
    ) -> None:
        """A message that landed ``hours`` ago and was sent ``delay_s`` before that."""
        self.conn.execute(
            text("""INSERT INTO "InboundEvents" (platform_account_id, platform, external_thread_id,
                           external_message_id, identity_source, direction, body, sent_at, sent_at_has_time, landed_at)
                    VALUES (:account, :platform, 't', :external, 'platform', :direction, 'text', :sent, :has_time,
                            :landed)"""),
            {
                "account": account,
                "platform": platform,
                "external": str(uuid4()),
                "direction": direction,
                "sent": self.at(hours) - timedelta(seconds=delay_s),
                "has_time": has_time,
                "landed": self.at(hours),
            },
        )

    def visit(
        self,
        account: UUID,
        platform: str,
        outcome: str,
        *,
        hours: float = 1,
        action: str = "ingest",
        error: tuple[str, str] | None = None,
    ) -> None:
        self.conn.execute(
            text("""INSERT INTO "PlatformRuns" (platform_account_id, platform, action, triggered_by, started_at,
                           ended_at, outcome, error_class, error_code)
                    VALUES (:account, :platform, :action, 'test', :at, :at, :outcome, :class, :code)"""),
            {
                "account": account,
                "platform": platform,
                "action": action,
                "at": self.at(hours),
                "outcome": outcome,
                "class": error[0] if error else None,
                "code": error[1] if error else None,
            },
        )

    def reached(self, account: UUID, *, ingest_hours: float | None, send_hours: float | None) -> None:
        self.conn.execute(
            text("""INSERT INTO "AccountRuntime" (platform_account_id, last_success_ingest_at, last_success_send_at)
                    VALUES (:account, :ingest, :send)"""),
            {
                "account": account,
                "ingest": None if ingest_hours is None else self.at(ingest_hours),
                "send": None if send_hours is None else self.at(send_hours),
            },
        )
