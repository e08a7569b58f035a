"""Counts `"AuditLogs"` once, row by id: slices for the windows, totals for the counters."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from sqlalchemy import Connection, text

from leasebot_pipeline.storage.rollups import audit_facts as facts
from leasebot_pipeline.storage.rollups.marks import AUDIT, Log, Mark

LOG: Final = Log(AUDIT, '"AuditLogs"', "created_at")

_CHUNK: Final = "l.id > :after AND l.id <= :through AND l.created_at >= :floor"
ADD: Final = """
    ON CONFLICT (kind, slice, k1, k2, k3) WHERE merged DO UPDATE SET total = t.total + excluded.total
"""
_ADDITIVE = text(f"""
    WITH rows AS MATERIALIZED ({facts.COUNTED} FROM "AuditLogs" l WHERE {_CHUNK})
    INSERT INTO "Tallies" AS t (kind, slice, k1, k2, k3, total, merged)
    SELECT kind, slice, k1, k2, k3, count(*), true
      FROM ({facts.additive("rows")} UNION ALL {facts.of_all_time("rows")}) counted
     GROUP BY kind, slice, k1, k2, k3
     ORDER BY kind, slice, k1, k2, k3
    {ADD}
""")
_CONVERSATIONS = text(f"""
    INSERT INTO "ConversationTallies" AS t (slice, conversation, total)
    SELECT slice, conversation, count(*)
      FROM ({facts.COUNTED} FROM "AuditLogs" l WHERE {_CHUNK}) rows
     WHERE conversation IS NOT NULL
     GROUP BY slice, conversation
    ON CONFLICT (slice, conversation) DO UPDATE SET total = t.total + excluded.total
""")
_ROLLING = text(f"""
    INSERT INTO "ActiveConversations" AS t (conversation, total)
    SELECT conversation, count(*)
      FROM ({facts.COUNTED} FROM "AuditLogs" l WHERE {_CHUNK}) rows
     WHERE conversation IS NOT NULL AND slice >= :rolling_from
     GROUP BY conversation
     ORDER BY conversation
    ON CONFLICT (conversation) DO UPDATE SET total = t.total + excluded.total
""")
# By its own index, entity by entity (OFFSET 0 keeps the planner from reading the whole log instead).
_EARLIER: Final = """
    FROM entities e CROSS JOIN LATERAL (
         SELECT * FROM "AuditLogs" a
          WHERE a.entity_type = e.entity_type AND a.entity_id = e.entity_id AND a.id <= :after AND a.created_at >= :floor
         OFFSET 0) l
"""
_TOLD: Final = facts.told(f'FROM "AuditLogs" l WHERE {facts.ESCALATED} AND {_CHUNK}')
_TOLD_BEFORE: Final = facts.told(f"{_EARLIER} WHERE {facts.ESCALATED}")
# An escalation told within one slice is a count of that slice. One told in several (seldom) can't be: a window may
# hold some of them. Its rows are kept one by one, and what it counted for before is taken back.
_ESCALATIONS = text(f"""
    WITH news AS MATERIALIZED ({_TOLD}),
         entities AS MATERIALIZED (SELECT DISTINCT entity_type, entity_id FROM news),
         known AS MATERIALIZED ({_TOLD_BEFORE}),
         picked_before AS MATERIALIZED (
           SELECT DISTINCT ON (entity_type, entity_id, slice) * FROM known
            ORDER BY entity_type, entity_id, slice, {facts.BELIEVED}),
         picked AS MATERIALIZED (
           SELECT DISTINCT ON (entity_type, entity_id, slice) *
             FROM (SELECT * FROM known UNION ALL SELECT * FROM news) every
            ORDER BY entity_type, entity_id, slice, {facts.BELIEVED}),
         state AS MATERIALIZED (
           SELECT n.entity_type, n.entity_id, s.slices IS NOT NULL AS was_spread, s.slices IS NOT NULL OR n.slices > 1 AS is_spread
             FROM (SELECT entity_type, entity_id, count(*) AS slices FROM picked GROUP BY 1, 2) n
             LEFT JOIN (SELECT entity_type, entity_id, count(*) AS slices
                          FROM "SpreadEscalations" JOIN entities USING (entity_type, entity_id) GROUP BY 1, 2) s
                  USING (entity_type, entity_id)),
         spread AS (
           INSERT INTO "SpreadEscalations" AS t (entity_type, entity_id, slice, rank, created_at, audit_id, reason)
           SELECT p.entity_type, p.entity_id, p.slice, p.rank, p.created_at, p.audit_id, p.reason
             FROM picked p JOIN state s USING (entity_type, entity_id) WHERE s.is_spread
           ON CONFLICT (entity_type, entity_id, slice) DO UPDATE
              SET rank = excluded.rank, created_at = excluded.created_at, audit_id = excluded.audit_id,
                  reason = excluded.reason)
    INSERT INTO "Tallies" AS t (kind, slice, k1, total, merged)
    SELECT '{facts.ESCALATION}', slice, reason, sum(n), true
      FROM (SELECT p.slice, p.reason, 1 AS n FROM picked p JOIN state s USING (entity_type, entity_id)
             WHERE NOT s.is_spread
            UNION ALL
            SELECT b.slice, b.reason, -1 FROM picked_before b JOIN state s USING (entity_type, entity_id)
             WHERE NOT s.was_spread) changed
     GROUP BY slice, reason
    HAVING sum(n) <> 0
    {ADD}
""")
_LINKED: Final = facts.linked(f'FROM "AuditLogs" l WHERE {facts.LINKED} AND {_CHUNK}')
_LINKED_BEFORE: Final = facts.linked(f"{_EARLIER} WHERE {facts.LINKED}")
# Only a conversation's newest attempt counts, in the slice it was made in; the one before it is taken back.
_LINKAGE = text(f"""
    WITH entities AS MATERIALIZED (
           SELECT DISTINCT ON (entity_type, entity_id) * FROM ({_LINKED}) attempts
            ORDER BY entity_type, entity_id, {facts.NEWEST}),
         known AS MATERIALIZED (
           SELECT DISTINCT ON (entity_type, entity_id) * FROM ({_LINKED_BEFORE}) attempts
            ORDER BY entity_type, entity_id, {facts.NEWEST}),
         moved AS (
           SELECT n.slice, n.resolved, n.strategy, b.slice AS left_slice, b.resolved AS left_resolved,
                  b.strategy AS left_strategy
             FROM entities n LEFT JOIN known b USING (entity_type, entity_id)
            WHERE b.audit_id IS NULL OR (n.created_at, n.audit_id) > (b.created_at, b.audit_id))
    INSERT INTO "Tallies" AS t (kind, slice, k1, k2, total, merged)
    SELECT '{facts.LINKAGE}', slice, resolved, strategy, sum(n), true
      FROM (SELECT slice, resolved, strategy, 1 AS n FROM moved
            UNION ALL
            SELECT left_slice, left_resolved, left_strategy, -1 FROM moved WHERE left_slice IS NOT NULL) changed
     GROUP BY slice, resolved, strategy
    HAVING sum(n) <> 0
    {ADD}
""")
_LEFT = text("""
    UPDATE "ActiveConversations" t SET total = t.total - l.total
      FROM (SELECT conversation, sum(total) AS total FROM "ConversationTallies"
             WHERE slice >= :rolling_from AND slice < :new_from GROUP BY conversation) l
     WHERE l.conversation = t.conversation
""")
_INACTIVE = text('DELETE FROM "ActiveConversations" WHERE total <= 0')
_FORGET: Final = (
    text('DELETE FROM "Tallies" WHERE kind = ANY(:kinds) AND slice < :floor'),
    text('DELETE FROM "ConversationTallies" WHERE slice < :floor'),
    text('DELETE FROM "SpreadEscalations" WHERE slice < :floor'),
)


def count(conn: Connection, mark: Mark, through_id: int) -> None:
    """Count the rows after the mark up to ``through_id``: five statements."""
    chunk = {"after": mark.through_id, "through": through_id, "floor": mark.floor_at}
    for statement in (_ADDITIVE, _CONVERSATIONS, _ESCALATIONS, _LINKAGE):
        conn.execute(statement, chunk)
    conn.execute(_ROLLING, chunk | {"rolling_from": mark.rolling_from})


def roll(conn: Connection, mark: Mark, rolling_from: datetime) -> None:
    """Take the slices before ``rolling_from`` out of the counts that roll."""
    span = {"rolling_from": mark.rolling_from, "new_from": rolling_from}
    conn.execute(_LEFT, span)
    conn.execute(_INACTIVE)


def forget(conn: Connection, mark: Mark) -> None:
    """Delete the slices before the mark's floor, which no window reaches; totals of all time stay."""
    kinds = list(facts.KINDS)
    for statement in _FORGET:
        parameters = {"floor": mark.floor_at}
        conn.execute(statement, parameters | ({"kinds": kinds} if ":kinds" in statement.text else {}))
