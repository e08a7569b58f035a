"""Old audit rows on their way out: which may go, what is written of them, and their deletion.

What people did stays, and so does a delivery that was left to a person: the invariants ask for them, whatever their
age. A row goes only once the tallies have counted it, by its id.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import Connection, text

from leasebot_pipeline.storage import privacy
from leasebot_pipeline.storage.rollups.marks import AUDIT

_MAY_GO: Final = """
    l.created_at < :before AND l.id <= (SELECT through_id FROM "DigestMarks" WHERE name = :digest)
    AND l.actor_type NOT IN ('admin', 'agent', 'user') AND l.action <> 'platform_dispatch_left_to_person'
"""
# By id, so that a file is a span of ids; locked, so that two archivists do not write the same rows.
_OLDEST = text(f"""
    SELECT l.id, jsonb_set(to_jsonb(l), '{{details}}', l.details - CAST(:personal AS text[]))::text AS line
      FROM "AuditLogs" l WHERE {_MAY_GO} ORDER BY l.id LIMIT :at_most FOR UPDATE
""")
_WAITING = text(f'SELECT count(*) FROM "AuditLogs" l WHERE {_MAY_GO}')
_DELETE = text('DELETE FROM "AuditLogs" WHERE id = ANY(:ids)')


@dataclass(frozen=True, slots=True)
class OldRow:
    """``line`` is the row as JSON, without what tells who a lead is: erasing a lead later must not miss a file."""

    id: int
    line: str


def oldest(conn: Connection, before: datetime, at_most: int) -> list[OldRow]:
    """The oldest rows that may go, locked until the transaction ends."""
    values = {
        "before": before,
        "digest": AUDIT,
        "personal": list(privacy.PERSONAL_DETAILS),
        "at_most": at_most,
    }
    return [OldRow(row.id, row.line) for row in conn.execute(_OLDEST, values)]


def waiting(conn: Connection, before: datetime) -> int:
    """How many rows may go."""
    return int(conn.execute(_WAITING, {"before": before, "digest": AUDIT}).scalar_one())


def delete(conn: Connection, ids: Sequence[int]) -> int:
    """Delete rows; how many."""
    return conn.execute(_DELETE, {"ids": list(ids)}).rowcount
