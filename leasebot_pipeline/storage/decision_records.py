"""Decisions with everything they were made from, read back in the order in which they were made. Reads only."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import Connection, text

from leasebot_pipeline.domain.readings import Direction

COLUMNS: Final = (
    "provider",
    "model",
    "rules_version",
    "intent",
    "effective_intent",
    "follow_up",
    "workflow_outcome",
    "confidence",
    "risk_level",
    "outcome",
    "reason",
    "reasons",
    "escalation_reason_code",
    "guardrails",
    "slots",
    "slot_source",
    "selected_slot_index",
    "policy",
    "evidence",
    "provider_details",
    "template_id",
    "reply_body",
)
"""The columns a replay makes again."""

_STORE = text("""
    INSERT INTO "DecisionParts" (digest, content)
    SELECT * FROM unnest(CAST(:digests AS text[]), CAST(:contents AS bytea[]))
    ON CONFLICT (digest) DO UPDATE SET created_at = now()
     WHERE "DecisionParts".created_at < now() - interval '1 day'
""")
_PURGE = text("""
    WITH used AS (
        SELECT record->>'free' AS digest FROM "Decisions" WHERE decided_at >= :before AND record IS NOT NULL
        UNION
        SELECT record->>'book' FROM "Decisions" WHERE decided_at >= :before AND record IS NOT NULL
    )
    DELETE FROM "DecisionParts" p
     WHERE p.created_at < :before AND NOT EXISTS (SELECT 1 FROM used WHERE used.digest = p.digest)
""")


def store_parts(conn: Connection, parts: Mapping[str, bytes]) -> None:
    """Keep what is not kept yet; in one order, so that two batches never wait for each other crosswise.

    A part that is used again counts as new, and is locked until the decision that uses it stands: a purge that
    runs meanwhile waits and then lets it be.
    """
    if parts:
        digests = sorted(parts)
        conn.execute(_STORE, {"digests": digests, "contents": [parts[digest] for digest in digests]})


def purge_parts(conn: Connection, before: datetime) -> int:
    """Forget parts that were used last before a moment; how many. Decisions made since stay replayable."""
    return conn.execute(_PURGE, {"before": before}).rowcount


@dataclass(frozen=True, slots=True)
class StoredDecision:
    """A decision as it stands, and what it was made from. ``record`` is None where nothing was recorded."""

    id: UUID
    conversation_id: UUID
    platform_account_id: UUID
    platform: str
    inbound_message_id: UUID
    through_seq: int
    decided_at: datetime
    lead_name: str | None
    record: dict[str, Any] | None
    columns: dict[str, Any]
    messages: dict[int, tuple[Direction, str]]

    @property
    def erased(self) -> bool:
        """The lead's data was erased on request."""
        return self.columns["evidence"].get("erased") is True


_PAGE = text(f"""
    SELECT d.id, d.conversation_id, d.platform_account_id, d.platform, d.inbound_message_id, d.through_seq, d.decided_at,
           c.lead_name, d.record, {", ".join(f"d.{name}" for name in COLUMNS)}
      FROM "Decisions" d JOIN "Conversations" c ON c.id = d.conversation_id
     WHERE d.decided_at >= :since AND d.decided_at < :until
       AND (CAST(:after_at AS timestamptz) IS NULL OR (d.decided_at, d.id) > (CAST(:after_at AS timestamptz), CAST(:after_id AS uuid)))
     ORDER BY d.decided_at, d.id LIMIT :limit
""")
_MESSAGES = text("""
    SELECT m.conversation_id, m.seq, m.direction, m.body
      FROM unnest(CAST(:conversations AS uuid[]), CAST(:seqs AS bigint[])) AS w(conversation_id, seq)
      JOIN "Messages" m ON m.conversation_id = w.conversation_id AND m.seq = w.seq
""")
_PARTS = text("""SELECT digest, content FROM "DecisionParts" WHERE digest = ANY(CAST(:digests AS text[]))""")


def page(
    conn: Connection, since: datetime, until: datetime, after: tuple[datetime, UUID] | None, limit: int
) -> list[StoredDecision]:
    """Decisions of [since, until), oldest first, those after the key (decided_at, id): two statements."""
    key: tuple[datetime | None, UUID | None] = after or (None, None)
    parameters = {
        "since": since,
        "until": until,
        "after_at": key[0],
        "after_id": key[1],
        "limit": limit,
    }
    rows = list(conn.execute(_PAGE, parameters).mappings())
    wanted = {
        (row["conversation_id"], seq)
        for row in rows
        for seq in [*(row["record"] or {}).get("history", []), *(row["record"] or {}).get("new", [])]
    }
    found: dict[UUID, dict[int, tuple[Direction, str]]] = defaultdict(dict)
    if wanted:
        pairs = {"conversations": [c for c, _ in wanted], "seqs": [seq for _, seq in wanted]}
        for m in conn.execute(_MESSAGES, pairs):
            found[m.conversation_id][m.seq] = (Direction(m.direction), m.body)
    return [
        StoredDecision(
            **{name: row[name] for name in _OWN},
            columns={name: row[name] for name in COLUMNS},
            messages=found[row["conversation_id"]],
        )
        for row in rows
    ]


_OWN: Final = (
    "id",
    "conversation_id",
    "platform_account_id",
    "platform",
    "inbound_message_id",
    "through_seq",
    "decided_at",
    "lead_name",
    "record",
)


def load_parts(conn: Connection, digests: Sequence[str]) -> dict[str, bytes]:
    """Parts by digest; those that are gone are left out."""
    if not digests:
        return {}
    return {row.digest: bytes(row.content) for row in conn.execute(_PARTS, {"digests": list(digests)})}
