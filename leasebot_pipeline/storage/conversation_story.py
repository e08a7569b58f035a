"""One conversation's background: why it is about its listing, and every reply of ours on its way or behind it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import Connection, text

from leasebot_pipeline.storage.outbox_sql import killed
from leasebot_pipeline.storage.policies import CURRENT_STAGE

MOST: Final = 200


@dataclass(frozen=True, slots=True)
class Linkage:
    """What a conversation is about and how that was found; ``attempted`` are the hints of its thread."""

    resolved: bool
    strategy: str | None
    attempted: dict[str, Any]
    preserved: bool
    """A listing it had before was kept although the hints name another one."""
    at: datetime | None
    listing_title: str | None
    listing_external_id: str | None
    listing_status: str | None
    listing_price: str | None
    unit: str | None
    zone: str | None
    silent: str | None
    """Why nothing can be sent now, whoever wrote it: what ``silence`` says."""


# Of account ``a``, its runtime ``r`` and the stage ``s``. In the first two cases nothing is queued, in the others it waits.
_SILENT: Final = f"""CASE WHEN NOT a.is_active THEN 'account_inactive'
                WHEN COALESCE(s.stage, 'shadow') = 'shadow' THEN 'release_shadow'
                WHEN {killed("a", "id")} THEN 'sends_stopped'
                WHEN r.stop_code IS NOT NULL THEN 'account_stopped' END"""
_LINKAGE = text(f"""
    SELECT c.listing_id IS NOT NULL AS resolved, c.linkage_strategy AS strategy,
           COALESCE(l.details #> '{{linkage,attempted}}', c.linkage_hints) AS attempted,
           COALESCE((l.details #>> '{{linkage,preservedExistingListing}}')::boolean, false) AS preserved,
           c.linkage_attempted_at AS at, li.metadata ->> 'title' AS listing_title, li.listing_external_id,
           li.status AS listing_status,
           CASE WHEN li.rent_cents > 0 THEN concat_ws(' ', li.currency_code, (li.rent_cents / 100)::text) END AS listing_price,
           CASE WHEN u.id IS NOT NULL THEN concat_ws(' ', u.property_name, u.unit_number) END AS unit,
           COALESCE((SELECT v.timezone FROM "AvailabilitySlots" v WHERE v.unit_id = u.id ORDER BY v.ends_at DESC LIMIT 1),
                    (SELECT NULLIF(g.timezone, 'UTC') FROM "Agents" g WHERE g.id = c.assigned_agent_id), r.timezone) AS zone,
           {_SILENT} AS silent
      FROM "Conversations" c
      JOIN "PlatformAccounts" a ON a.id = c.platform_account_id
      {CURRENT_STAGE}
      LEFT JOIN "AccountRuntime" r ON r.platform_account_id = c.platform_account_id
      LEFT JOIN "Listings" li ON li.id = c.listing_id
      LEFT JOIN "Units" u ON u.id = li.unit_id
      LEFT JOIN LATERAL (SELECT x.details FROM "AuditLogs" x
                          WHERE x.conversation_id = c.id
                            AND x.action IN ('ingest_conversation_linkage_resolved', 'ingest_conversation_linkage_unresolved')
                          ORDER BY x.created_at DESC LIMIT 1) l ON true
     WHERE c.id = :id
""")


@dataclass(frozen=True, slots=True)
class Reply:
    """A row of the outbox. One that is queued without a message is the bot's, on its way."""

    id: UUID
    message_id: UUID | None
    decision_id: UUID | None
    purpose: str
    state: str
    body: str
    attempts: int
    error_code: str | None
    next_attempt_at: datetime | None
    sent_at: datetime | None
    receipt: dict[str, Any] | None
    created_at: datetime


_REPLIES = text("""
    SELECT d.id, d.message_id, d.decision_id, d.purpose, d.state, d.body, d.attempts, d.error_code, d.next_attempt_at,
           d.sent_at, d.receipt, d.created_at
      FROM "OutboundDispatches" d WHERE d.conversation_id = :id ORDER BY d.created_at DESC, d.id LIMIT :limit
""")


@dataclass(frozen=True, slots=True)
class LastChange:
    """The newest change of a conversation's workflow: how it was before, and the outcome it was given."""

    state: str
    outcome: str | None
    showing_state: str | None
    given: str | None


# By entity: the index of a conversation's audit rows.
_LAST_CHANGE = text("""
    SELECT x.details #>> '{previous,workflowState}' AS state, x.details #>> '{previous,workflowOutcome}' AS outcome,
           x.details #>> '{previous,showingState}' AS showing_state, x.details #>> '{next,workflowOutcome}' AS given
      FROM "AuditLogs" x
     WHERE x.entity_type = 'conversation' AND x.entity_id = CAST(:id AS text) AND x.action = 'workflow_state_transitioned'
     ORDER BY x.created_at DESC LIMIT 1
""")


def last_change(conn: Connection, conversation_id: UUID) -> LastChange | None:
    row = conn.execute(_LAST_CHANGE, {"id": conversation_id}).one_or_none()
    return None if row is None else LastChange(*row)


_SILENCE = text(f"""
    SELECT {_SILENT}
      FROM "Conversations" c
      JOIN "PlatformAccounts" a ON a.id = c.platform_account_id
      {CURRENT_STAGE}
      LEFT JOIN "AccountRuntime" r ON r.platform_account_id = a.id
     WHERE c.id = :id
""")


def silence(conn: Connection, conversation_id: UUID) -> str | None:
    """Why nothing can be sent now: ``account_inactive``, ``release_shadow``, ``sends_stopped`` or ``account_stopped``."""
    found: str | None = conn.execute(_SILENCE, {"id": conversation_id}).scalar_one_or_none()
    return found


def linkage(conn: Connection, conversation_id: UUID) -> Linkage | None:
    row = conn.execute(_LINKAGE, {"id": conversation_id}).one_or_none()
    return None if row is None else Linkage(*row)


def replies(conn: Connection, conversation_id: UUID) -> list[Reply]:
    """The newest of them, newest first."""
    return [Reply(*row) for row in conn.execute(_REPLIES, {"id": conversation_id, "limit": MOST})]
