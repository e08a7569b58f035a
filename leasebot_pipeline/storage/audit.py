"""The one way to write `"AuditLogs"`: any number of rows in one statement, dimensions always in place.

Platform, account, conversation, agent and run go into indexed columns and into ``details`` (camelCase),
so that both our queries and an existing runbook find them.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from uuid import UUID

from sqlalchemy import Connection, text

from leasebot_pipeline.domain.redaction import redact_details


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """One audited step. ``details`` is a JSON object with camelCase keys."""

    actor_type: str
    entity_type: str
    entity_id: str
    action: str
    details: Mapping[str, object] = field(default_factory=dict)
    actor_id: str | None = None
    platform: str | None = None
    platform_account_id: UUID | None = None
    conversation_id: UUID | None = None
    agent_id: str | None = None
    run_id: str | None = None

    def row(self) -> dict[str, object]:
        """The entry as a row; dimensions that are known stand in ``details`` too."""
        dimensions: dict[str, object | None] = {
            "platform": self.platform,
            "platformAccountId": _text(self.platform_account_id),
            "conversationId": _text(self.conversation_id),
            "agentId": self.agent_id,
            "runId": self.run_id,
        }
        details = {key: value for key, value in dimensions.items() if value is not None}
        details.update(self.details)
        return {
            "actor_type": self.actor_type,
            "actor_id": self.actor_id,
            "entity_type": self.entity_type,
            "entity_id": self.entity_id,
            "action": self.action,
            "details": redact_details(details),
            "platform": self.platform,
            "platform_account_id": _text(self.platform_account_id),
            "conversation_id": _text(self.conversation_id),
            "agent_id": self.agent_id,
            "run_id": self.run_id,
        }


_RECORD = text("""
    INSERT INTO "AuditLogs"
           (actor_type, actor_id, entity_type, entity_id, action, details,
            platform, platform_account_id, conversation_id, agent_id, run_id)
    SELECT actor_type, actor_id, entity_type, entity_id, action, details,
           platform, platform_account_id, conversation_id, agent_id, run_id
      FROM jsonb_to_recordset(CAST(:rows AS jsonb)) AS r(
             actor_type text, actor_id text, entity_type text, entity_id text, action text, details jsonb,
             platform text, platform_account_id uuid, conversation_id uuid, agent_id text, run_id text)
""")


def record(conn: Connection, entries: Sequence[AuditEntry]) -> None:
    """Append audit rows in the caller's transaction; no entries, no statement."""
    if entries:
        conn.execute(_RECORD, {"rows": json.dumps([entry.row() for entry in entries], default=str)})


def _text(value: UUID | None) -> str | None:
    return None if value is None else str(value)
