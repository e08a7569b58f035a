"""The sample of linkage audits the runbook looks at."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, text

RESOLVED = "ingest_conversation_linkage_resolved"
UNRESOLVED = "ingest_conversation_linkage_unresolved"


@dataclass(frozen=True, slots=True)
class LinkageAudit:
    action: str
    linkage: Mapping[str, Any]

    @property
    def explains(self) -> bool:
        """A resolved one names its listing, an unresolved one says why or what was tried."""
        if self.action == RESOLVED:
            return bool(self.linkage.get("appliedListingId"))
        return bool(self.linkage)


_RECENT = text(f"""
    SELECT action, COALESCE(details -> 'linkage', '{{}}'::jsonb) AS linkage FROM "AuditLogs"
     WHERE action IN ('{RESOLVED}', '{UNRESOLVED}') ORDER BY created_at DESC, id DESC LIMIT :limit
""")
_WITHOUT = text(f"""
    SELECT count(*) FROM "Conversations" c
     WHERE c.created_at >= :since AND c.newest_inbound_seq IS NOT NULL
       AND NOT EXISTS (SELECT 1 FROM "AuditLogs" l
                        WHERE l.conversation_id = c.id AND l.action IN ('{RESOLVED}', '{UNRESOLVED}'))
""")


def recent(conn: Connection, limit: int) -> list[LinkageAudit]:
    """The newest linkage audits."""
    rows = conn.execute(_RECENT, {"limit": limit})
    return [LinkageAudit(row.action, row.linkage or {}) for row in rows]


def without_audit(conn: Connection, since: datetime) -> int:
    """Conversations begun since then whose linkage nobody wrote down."""
    return int(conn.execute(_WITHOUT, {"since": since}).scalar_one())
