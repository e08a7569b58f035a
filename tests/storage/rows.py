"""Rows for storage tests: each helper fills what the test does not care about."""

from __future__ import annotations

from datetime import timedelta
from itertools import count
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, Table, insert, text

from leasebot_pipeline.storage.tables import accounts, conversations, operations, scheduling
from tests.storage.conftest import ACCOUNT, NOW

_numbers = count(1)
HOUR = timedelta(hours=1)


def add(conn: Connection, table: Table, **values: Any) -> Any:
    """Insert a row, return its primary key."""
    key = next(iter(table.primary_key.columns))
    return conn.execute(insert(table).values(**values).returning(key)).scalar_one()


def value(conn: Connection, query: str, **parameters: object) -> Any:
    return conn.execute(text(query), parameters).scalar_one()


def agent(conn: Connection, **values: Any) -> UUID:
    return add(conn, accounts.agents, **{"platform_account_id": ACCOUNT, "full_name": "Ben", **values})


def unit(conn: Connection, **values: Any) -> UUID:
    return add(
        conn, accounts.units, **{"property_name": "Elm House", "unit_number": str(next(_numbers)), **values}
    )


def conversation(conn: Connection, **values: Any) -> UUID:
    defaults = {"platform_account_id": ACCOUNT, "external_thread_id": f"thread-{next(_numbers)}"}
    return add(conn, conversations.conversations, **{**defaults, **values})


def message(conn: Connection, conversation_id: UUID, direction: str = "inbound", **values: Any) -> UUID:
    defaults = {
        "conversation_id": conversation_id,
        "sender_type": "lead" if direction == "inbound" else "agent",
        "direction": direction,
        "body": "Is it still available?",
    }
    return add(conn, conversations.messages, **{**defaults, **values})


def event(conn: Connection, **values: Any) -> int:
    defaults = {
        "platform_account_id": ACCOUNT,
        "platform": "spareroom",
        "external_thread_id": f"thread-{next(_numbers)}",
        "external_message_id": f"message-{next(_numbers)}",
        "identity_source": "platform",
        "direction": "inbound",
        "body": "Is it still available?",
        "landed_at": NOW,
    }
    return int(add(conn, conversations.inbound_events, **{**defaults, **values}))


def seq(conn: Connection, message_id: UUID) -> int:
    return int(value(conn, 'SELECT seq FROM "Messages" WHERE id = :id', id=message_id))


def decision(conn: Connection, conversation_id: UUID, message_id: UUID, **values: Any) -> UUID:
    defaults = {
        "conversation_id": conversation_id,
        "platform_account_id": ACCOUNT,
        "platform": "spareroom",
        "inbound_message_id": message_id,
        "through_seq": seq(conn, message_id),
        "provider": "heuristic",
        "rules_version": "1",
        "intent": "tour_request",
        "effective_intent": "tour_request",
        "follow_up": False,
        "confidence": 0.9,
        "risk_level": "low",
        "outcome": "send",
        "reason": "policy_send_allowed",
        "reasons": ["policy_send_allowed"],
        "guardrails": [],
        "policy": {"isActive": True, "sendMode": "auto_send"},
        "decided_at": NOW,
    }
    return add(conn, operations.decisions, **{**defaults, **values})


def dispatch(conn: Connection, conversation_id: UUID, **values: Any) -> UUID:
    defaults = {
        "purpose": "decision",
        "purpose_key": f"key-{next(_numbers)}",
        "conversation_id": conversation_id,
        "platform_account_id": ACCOUNT,
        "platform": "spareroom",
        "external_thread_id": "thread",
        "body": "Hello Ana",
        "state": "queued",
    }
    return add(conn, operations.outbound_dispatches, **{**defaults, **values})


def showing(conn: Connection, agent_id: UUID, unit_id: UUID, **values: Any) -> UUID:
    defaults = {
        "idempotency_key": f"booking-{next(_numbers)}",
        "platform_account_id": ACCOUNT,
        "unit_id": unit_id,
        "agent_id": agent_id,
        "starts_at": NOW,
        "ends_at": NOW + HOUR,
        "timezone": "UTC",
        "status": "confirmed",
    }
    return add(conn, scheduling.showing_appointments, **{**defaults, **values})
