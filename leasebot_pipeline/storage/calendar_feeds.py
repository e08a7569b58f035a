"""Calendar feeds: a secret address per agent, stored as a hash only; what it shows.

At most one feed of an agent is live. A new one ends the one before: whoever has the old address sees nothing.
"""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from sqlalchemy import Connection, Row, text

from leasebot_pipeline.domain.calendar_entries import CalendarEntry, Participant
from leasebot_pipeline.domain.showings import ShowingState
from leasebot_pipeline.storage import audit
from leasebot_pipeline.storage.availability_audit import CalendarActor

SHOWN_PAST: Final = timedelta(days=30)
"""How far back a feed reaches."""


@dataclass(frozen=True, slots=True)
class NewFeed:
    """``token`` is known only now. ``rotated``: another address stopped working."""

    id: UUID
    agent_id: UUID
    token: str
    rotated: bool

    def path(self) -> str:
        """The feed's address below the API's base URL."""
        return f"/api/calendar-feeds/{self.id}.ics?token={self.token}"


@dataclass(frozen=True, slots=True)
class FeedState:
    """A live feed, without its secret."""

    id: UUID
    agent_id: UUID
    created_at: datetime
    created_by: str | None
    last_read_at: datetime | None


@dataclass(frozen=True, slots=True)
class FeedContent:
    """What a feed shows."""

    agent_id: UUID
    agent_name: str
    entries: tuple[CalendarEntry, ...]


# Locked, so that two people who ask at once get one live feed between them.
_AGENT = text("""
    SELECT g.id, a.platform, a.id AS account_id FROM "Agents" g JOIN "PlatformAccounts" a ON a.id = g.platform_account_id
     WHERE g.id = :agent AND g.removed_at IS NULL FOR UPDATE OF g
""")
_REVOKE = text("""
    UPDATE "CalendarFeeds" SET revoked_at = :now WHERE agent_id = :agent AND revoked_at IS NULL RETURNING id
""")
_CREATE = text("""
    INSERT INTO "CalendarFeeds" (agent_id, token_hash, created_by, created_at)
    VALUES (:agent, :hash, :by, :now) RETURNING id
""")


def create_feed(conn: Connection, agent_id: UUID, actor: CalendarActor, now: datetime) -> NewFeed | None:
    """A new secret address for an agent, ending the one before; None when there is no such agent."""
    agent = conn.execute(_AGENT, {"agent": agent_id}).one_or_none()
    if agent is None:
        return None
    revoked = conn.execute(_REVOKE, {"agent": agent_id, "now": now}).rowcount
    token = secrets.token_urlsafe(32)
    feed_id = conn.execute(
        _CREATE, {"agent": agent_id, "hash": _hash(token), "by": actor.id, "now": now}
    ).scalar_one()
    action = "calendar_feed_rotated" if revoked else "calendar_feed_created"
    _audit(conn, action, feed_id, agent_id, agent.platform, agent.account_id, actor)
    return NewFeed(feed_id, agent_id, token, rotated=revoked > 0)


def revoke_feed(conn: Connection, agent_id: UUID, actor: CalendarActor, now: datetime) -> bool:
    """End an agent's feed; False when there is none."""
    agent = conn.execute(_AGENT, {"agent": agent_id}).one_or_none()
    feed_id = conn.execute(_REVOKE, {"agent": agent_id, "now": now}).scalar_one_or_none()
    if feed_id is None:
        return False
    platform, account = (agent.platform, agent.account_id) if agent else (None, None)
    _audit(conn, "calendar_feed_revoked", feed_id, agent_id, platform, account, actor)
    return True


_LIVE = text("""
    SELECT id, agent_id, created_at, created_by, last_read_at FROM "CalendarFeeds"
     WHERE agent_id = :agent AND revoked_at IS NULL
""")


def live_feed(conn: Connection, agent_id: UUID) -> FeedState | None:
    """The agent's live feed, if there is one."""
    row = conn.execute(_LIVE, {"agent": agent_id}).one_or_none()
    return None if row is None else FeedState(*row)


_READ = text("""
    UPDATE "CalendarFeeds" f SET last_read_at = :now
      FROM "Agents" g
     WHERE f.id = :feed AND f.token_hash = :hash AND f.revoked_at IS NULL AND g.id = f.agent_id AND g.removed_at IS NULL
    RETURNING g.id, g.full_name
""")
_ENTRY = """
    SELECT s.id, s.starts_at, s.ends_at, s.status, s.hold_expires_at IS NOT NULL AS held, s.sequence, s.created_at, s.updated_at,
           concat_ws(' ', u.property_name, u.unit_number) AS unit,
           NULLIF(concat_ws(', ', u.address_line1, u.city, concat_ws(' ', u.state, u.postal_code)), '') AS address,
           c.lead_name, g.full_name AS agent_name
      FROM "ShowingAppointments" s
      JOIN "Units" u ON u.id = s.unit_id
      JOIN "Agents" g ON g.id = s.agent_id
      LEFT JOIN "Conversations" c ON c.id = s.conversation_id
"""
_ENTRIES = text(
    _ENTRY
    + """
     WHERE s.agent_id = :agent AND s.starts_at > :since AND (s.hold_expires_at IS NULL OR s.hold_expires_at > :now)
     ORDER BY s.starts_at, s.id
"""
)


def read_feed(conn: Connection, feed_id: UUID, token: str, now: datetime) -> FeedContent | None:
    """What a feed shows; None when the address is wrong, revoked, or of an agent who left. Two statements."""
    agent = conn.execute(_READ, {"feed": feed_id, "hash": _hash(token), "now": now}).one_or_none()
    if agent is None:
        return None
    rows = conn.execute(_ENTRIES, {"agent": agent.id, "since": now - SHOWN_PAST, "now": now})
    return FeedContent(agent.id, agent.full_name, tuple(_entry(row) for row in rows))


_INVITE = text(
    _ENTRY.replace(
        "g.full_name AS agent_name",
        "g.full_name AS agent_name, g.email AS agent_email, c.lead_contact ->> 'email' AS lead_email",
    )
    + " WHERE s.id = :appointment"
)


def load_invite(
    conn: Connection, appointment_id: UUID
) -> tuple[CalendarEntry, Participant | None, Participant | None] | None:
    """A showing with whom an invite is from (its agent) and for (its lead), where addresses are known."""
    row = conn.execute(_INVITE, {"appointment": appointment_id}).one_or_none()
    if row is None:
        return None
    organizer = Participant(row.agent_name, row.agent_email) if row.agent_email else None
    attendee = Participant(row.lead_name or row.lead_email, row.lead_email) if row.lead_email else None
    return _entry(row), organizer, attendee


def _entry(row: Row[Any]) -> CalendarEntry:
    return CalendarEntry(
        id=row.id,
        starts_at=row.starts_at,
        ends_at=row.ends_at,
        status=ShowingState(row.status),
        held=row.held,
        sequence=row.sequence,
        created_at=row.created_at,
        updated_at=row.updated_at,
        unit=row.unit,
        address=row.address,
        lead_name=row.lead_name,
        agent_name=row.agent_name,
    )


def _hash(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()


def _audit(
    conn: Connection,
    action: str,
    feed_id: UUID,
    agent_id: UUID,
    platform: str | None,
    account_id: UUID | None,
    actor: CalendarActor,
) -> None:
    entry = audit.AuditEntry(
        actor_type=actor.type,
        actor_id=actor.id,
        entity_type="calendar_feed",
        entity_id=str(feed_id),
        action=action,
        platform=platform,
        platform_account_id=account_id,
        agent_id=str(agent_id),
    )
    audit.record(conn, [entry])
