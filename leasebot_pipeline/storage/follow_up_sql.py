"""What several follow-up statements ask in the same words. Aliases: ``c`` a conversation, ``a`` its account."""

from __future__ import annotations

from typing import Final

LEAD_LANDED: Final = """
    EXISTS (SELECT 1 FROM "InboundEvents" e
             WHERE e.platform_account_id = c.platform_account_id AND e.external_thread_id = c.external_thread_id
               AND e.direction = 'inbound' AND e.ingested_at IS NULL AND e.quarantined_at IS NULL)
"""
"""A message of the lead has landed and is not ingested yet."""

LEAD_WROTE_SINCE: Final = f"""
    (EXISTS (SELECT 1 FROM "Messages" w
              WHERE w.conversation_id = c.id AND w.direction = 'inbound' AND w.seq > {{seq}})
     OR {LEAD_LANDED})
"""
"""The lead has written after a message."""

LEAD_WAITS: Final = f"(c.newest_inbound_seq > c.handled_through_seq OR {LEAD_LANDED})"
"""The lead wrote something that nobody has dealt with."""

INBOX_READ_SINCE: Final = """
    (EXISTS (SELECT 1 FROM "AccountRuntime" r
              WHERE r.platform_account_id = c.platform_account_id AND r.stop_code IS NULL
                AND r.last_success_ingest_at >= {since})
     AND NOT EXISTS (SELECT 1 FROM "InboxThreads" i
                      WHERE i.platform_account_id = c.platform_account_id
                        AND i.external_thread_id = c.external_thread_id
                        AND i.read_fingerprint IS DISTINCT FROM i.fingerprint))
"""
"""Silence is only believed when the inbox was read since, and the thread where it had changed: a failed poll is
not an empty inbox."""

CONFIRMED_SHOWING_AHEAD: Final = """
    EXISTS (SELECT 1 FROM "ShowingAppointments" s
             WHERE s.conversation_id = c.id AND s.status = 'confirmed' AND s.ends_at > :now)
"""

OWNER: Final = """
    COALESCE(c.assigned_agent_id,
             (SELECT ua.agent_id FROM "Listings" l
                JOIN "UnitAgentAssignments" ua ON ua.unit_id = l.unit_id AND ua.assignment_mode = 'active'
               WHERE l.id = c.listing_id ORDER BY ua.priority, ua.created_at LIMIT 1))
"""
"""Who a follow-up belongs to: the conversation's agent, else its unit's primary one."""

ZONES: Final = """
    ARRAY[c.lead_contact ->> 'timezone',
          (SELECT v.timezone FROM "Listings" l JOIN "AvailabilitySlots" v ON v.unit_id = l.unit_id
            WHERE l.id = c.listing_id ORDER BY v.ends_at DESC LIMIT 1),
          (SELECT NULLIF(g.timezone, 'UTC') FROM "Agents" g WHERE g.id = {agent})]
"""
"""Names to look for a time zone in: the lead's, the unit's, the agent's (whose default says nothing)."""
