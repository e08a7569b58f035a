"""Invariants of showings and of offered slots."""

from __future__ import annotations

from typing import Final

from leasebot_pipeline.storage.invariant import Invariant

_LIVE = "('pending', 'confirmed', 'reschedule_requested')"

SHOWING_INVARIANTS: Final[tuple[Invariant, ...]] = (
    Invariant(
        "no_overlapping_showings",
        "No agent has overlapping showings in different units, buffers and holds included.",
        f"""
        SELECT format('agent %s: showings %s and %s', a.agent_id, a.id, b.id)
          FROM "ShowingAppointments" a
          JOIN "ShowingAppointments" b
            ON b.agent_id = a.agent_id AND b.unit_id <> a.unit_id AND b.id > a.id
           AND tstzrange(b.busy_from, b.busy_until) && tstzrange(a.busy_from, a.busy_until)
         WHERE a.status IN {_LIVE} AND b.status IN {_LIVE}
        """,
    ),
    # Rows of the earlier system (seq below zero) knew neither seats nor this rule.
    Invariant(
        "visitors_have_their_seats",
        "Visitors of a unit at one time have a seat each, and one agent.",
        f"""
        SELECT format('unit %s: showings %s and %s', a.unit_id, a.id, b.id)
          FROM "ShowingAppointments" a
          JOIN "ShowingAppointments" b
            ON b.unit_id = a.unit_id AND b.id > a.id AND b.starts_at < a.ends_at AND a.starts_at < b.ends_at
         WHERE a.status IN {_LIVE} AND b.status IN {_LIVE} AND a.seq > 0 AND b.seq > 0
           AND (a.seat = b.seat OR a.agent_id <> b.agent_id)
        """,
    ),
    Invariant(
        "showing_agrees",
        "A conversation's showing state is the status of its newest showing.",
        """
        SELECT format('conversation %s says %s, showing %s is %s', c.id, COALESCE(c.showing_state, 'nothing'), a.id, a.status)
          FROM (SELECT DISTINCT ON (conversation_id) conversation_id, id, status, seq FROM "ShowingAppointments"
                 WHERE conversation_id IS NOT NULL AND hold_expires_at IS NULL ORDER BY conversation_id, seq DESC) a
          JOIN "Conversations" c ON c.id = a.conversation_id
         WHERE a.seq > 0 AND c.showing_state IS DISTINCT FROM a.status
        """,
    ),
    Invariant(
        "no_hold_past_its_time",
        "Nothing is held past its time: no agent's time, no offered slot.",
        """
        SELECT format('showing %s, held until %s', a.id, a.hold_expires_at) FROM "ShowingAppointments" a
         WHERE a.status = 'pending' AND a.hold_expires_at < :now - CAST(:hold_bound AS interval)
        UNION ALL
        SELECT format('offer %s, held until %s', o.id, o.hold_expires_at) FROM "SlotOffers" o
         WHERE o.state = 'held' AND o.hold_expires_at < :now - CAST(:hold_bound AS interval)
        """,
    ),
    Invariant(
        "ended_offer_final",
        "An offer that was confirmed, declined, superseded or expired stays so.",
        """
        SELECT format('offer %s: %s to %s', o.id, x ->> 'next', o.state)
          FROM "AuditLogs" l
         CROSS JOIN LATERAL jsonb_array_elements(l.details -> 'offers') x
          JOIN "SlotOffers" o ON o.id = CAST(x ->> 'offerId' AS uuid)
         WHERE l.action = 'slot_offers_changed' AND x ->> 'next' IN ('confirmed', 'declined', 'expired', 'superseded')
           AND o.state <> x ->> 'next'
        """,
    ),
)
