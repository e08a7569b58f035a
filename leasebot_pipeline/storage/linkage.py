"""Linkage of conversations to listings, units and agents: one statement for any number of conversations."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import Connection, text

from leasebot_pipeline.domain.platforms import Platform


@dataclass(frozen=True, slots=True)
class LinkedConversation:
    """The outcome of one attempt, with what the audit row needs."""

    conversation_id: UUID
    platform_account_id: UUID
    external_thread_id: str
    external_message_id: str | None
    hints: dict[str, str]
    strategy: str
    matched_listing_id: UUID | None
    matched_unit_id: UUID | None
    applied_listing_id: UUID | None
    assigned_agent_id: UUID | None
    preserved_existing: bool
    first_attempt: bool


# Tried: conversations with a message newer than the last attempt; unresolved ones again once a listing
# of their account changed since (fault G-51). An existing listing is kept (preserved), never replaced.
# The agent is the unit's primary one: active, lowest priority, then oldest (fault G-30).
_LINK = text("""
    WITH due AS (
      SELECT c.id, c.platform_account_id, c.external_thread_id, c.listing_id, c.assigned_agent_id, c.linkage_hints AS h,
             c.linkage_attempted_at,
             (SELECT m.external_message_id FROM "Messages" m
               WHERE m.conversation_id = c.id AND m.direction = 'inbound' ORDER BY m.seq DESC LIMIT 1) AS message
        FROM "Conversations" c
        JOIN "PlatformAccounts" a ON a.id = c.platform_account_id
       WHERE a.platform = :platform AND c.status = 'open'
         AND (c.linkage_attempted_at IS NULL
              OR EXISTS (SELECT 1 FROM "Messages" m WHERE m.conversation_id = c.id
                            AND m.direction = 'inbound' AND m.created_at > c.linkage_attempted_at)
              OR (c.listing_id IS NULL AND c.linkage_hints <> '{}'::jsonb
                  AND EXISTS (SELECT 1 FROM "Listings" l WHERE l.platform_account_id = c.platform_account_id
                                 AND l.updated_at > c.linkage_attempted_at)))
       ORDER BY c.id
       LIMIT :limit
       FOR UPDATE OF c SKIP LOCKED
    ), scored AS (
      SELECT d.id, l.id AS listing_id, l.unit_id, l.updated_at, CASE
               WHEN l.id::text = lower(d.h ->> 'listingId') THEN 500
               WHEN l.listing_external_id = d.h ->> 'listingExternalId' THEN 400
               WHEN l.unit_id::text = lower(d.h ->> 'unitId') THEN 300
               WHEN u.external_id = d.h ->> 'unitExternalId' THEN 200
               WHEN lower(u.property_name) = lower(d.h ->> 'propertyName')
                AND lower(u.unit_number) = lower(d.h ->> 'unitNumber') THEN 100
             END AS score
        FROM due d
        JOIN "Listings" l ON l.platform_account_id = d.platform_account_id
        JOIN "Units" u ON u.id = l.unit_id
       WHERE d.h <> '{}'::jsonb
    ), matched AS (
      SELECT DISTINCT ON (id) id, listing_id, unit_id, score
        FROM scored WHERE score IS NOT NULL
       ORDER BY id, score DESC, updated_at DESC, listing_id
    ), result AS (
      SELECT d.*, m.listing_id AS matched_listing_id, m.unit_id AS matched_unit_id, m.score,
             COALESCE(d.listing_id, m.listing_id) AS applied_listing_id
        FROM due d LEFT JOIN matched m USING (id)
    ), agents AS (
      SELECT DISTINCT ON (r.id) r.id, ua.agent_id
        FROM result r
        JOIN "Listings" l ON l.id = r.applied_listing_id
        JOIN "UnitAgentAssignments" ua ON ua.unit_id = l.unit_id AND ua.assignment_mode = 'active'
       ORDER BY r.id, ua.priority, ua.created_at
    ), applied AS (
      UPDATE "Conversations" c
         SET listing_id = r.applied_listing_id,
             assigned_agent_id = COALESCE(c.assigned_agent_id, a.agent_id),
             linkage_strategy = CASE r.score WHEN 500 THEN 'listing_id' WHEN 400 THEN 'listing_external_id'
               WHEN 300 THEN 'unit_id' WHEN 200 THEN 'unit_external_id' WHEN 100 THEN 'property_name_unit_number'
               ELSE CASE WHEN r.h = '{}'::jsonb THEN 'none' ELSE 'unresolved' END END,
             linkage_attempted_at = :now
        FROM result r LEFT JOIN agents a ON a.id = r.id
       WHERE c.id = r.id
      RETURNING c.id, c.linkage_strategy, c.assigned_agent_id
    )
    SELECT r.id, r.platform_account_id, r.external_thread_id, r.message, r.h, p.linkage_strategy,
           r.matched_listing_id, r.matched_unit_id, r.applied_listing_id, p.assigned_agent_id,
           (r.listing_id IS NOT NULL AND r.matched_listing_id IS NOT NULL
             AND r.listing_id <> r.matched_listing_id) AS preserved,
           r.linkage_attempted_at IS NULL AS first_attempt
      FROM result r JOIN applied p USING (id)
     ORDER BY r.id
""")


def link_conversations(
    conn: Connection, platform: Platform, now: datetime, limit: int
) -> list[LinkedConversation]:
    """Try to link every conversation that is due; apply listing and agent; return each attempt."""
    return [
        LinkedConversation(
            conversation_id=row.id,
            platform_account_id=row.platform_account_id,
            external_thread_id=row.external_thread_id,
            external_message_id=row.message,
            hints=row.h,
            strategy=row.linkage_strategy,
            matched_listing_id=row.matched_listing_id,
            matched_unit_id=row.matched_unit_id,
            applied_listing_id=row.applied_listing_id,
            assigned_agent_id=row.assigned_agent_id,
            preserved_existing=row.preserved,
            first_attempt=row.first_attempt,
        )
        for row in conn.execute(_LINK, {"platform": platform.value, "now": now, "limit": limit})
    ]


_REASSIGN = text("""
    WITH primaries AS (
      SELECT DISTINCT ON (c.id) c.id, ua.agent_id
        FROM "Conversations" c
        JOIN "PlatformAccounts" a ON a.id = c.platform_account_id
        JOIN "Listings" l ON l.id = c.listing_id
        JOIN "UnitAgentAssignments" ua ON ua.unit_id = l.unit_id AND ua.assignment_mode = 'active'
       WHERE a.platform = :platform AND c.status = 'open' AND c.assigned_agent_id IS NULL
       ORDER BY c.id, ua.priority, ua.created_at
    )
    UPDATE "Conversations" c SET assigned_agent_id = p.agent_id FROM primaries p WHERE c.id = p.id
""")


def assign_missing_agents(conn: Connection, platform: Platform) -> int:
    """Give linked conversations without an agent their unit's primary one (an assignment came later)."""
    return conn.execute(_REASSIGN, {"platform": platform.value}).rowcount
