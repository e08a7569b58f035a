"""Showings as people see them, with the names around them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, text


@dataclass(frozen=True, slots=True)
class Showing:
    """A showing with its agent's, unit's and lead's names."""

    id: UUID
    idempotency_key: str
    platform_account_id: UUID
    conversation_id: UUID | None
    unit_id: UUID
    listing_id: UUID | None
    agent_id: UUID
    agent_name: str
    starts_at: datetime
    ends_at: datetime
    timezone: str
    status: str
    source: str
    external_booking_ref: str | None
    notes: str | None
    metadata: dict[str, Any]
    hold_expires_at: datetime | None
    unit: str
    external_thread_id: str | None
    lead_name: str | None
    platform: str
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True, slots=True)
class ShowingFilter:
    """What the list shows; None: anything. Shares time with [begin, end)."""

    statuses: tuple[str, ...] = field(default_factory=tuple)
    unit_id: UUID | None = None
    agent_id: UUID | None = None
    begin: datetime | None = None
    end: datetime | None = None


_SELECT = """
    SELECT s.id, s.idempotency_key, s.platform_account_id, s.conversation_id, s.unit_id, s.listing_id, s.agent_id,
           a.full_name AS agent_name, s.starts_at, s.ends_at, s.timezone, s.status, s.source, s.external_booking_ref,
           s.notes, s.metadata, s.hold_expires_at, concat_ws(' ', u.property_name, u.unit_number) AS unit,
           c.external_thread_id, c.lead_name, p.platform, s.created_at, s.updated_at
      FROM "ShowingAppointments" s
      JOIN "Agents" a ON a.id = s.agent_id
      JOIN "Units" u ON u.id = s.unit_id
      JOIN "PlatformAccounts" p ON p.id = s.platform_account_id
      LEFT JOIN "Conversations" c ON c.id = s.conversation_id
"""
_FIND = text(f"{_SELECT} WHERE s.id = :id")


def find_showing(conn: Connection, showing_id: UUID) -> Showing | None:
    row = conn.execute(_FIND, {"id": showing_id}).one_or_none()
    return None if row is None else Showing(*row)


def list_showings(
    conn: Connection, wanted: ShowingFilter, limit: int, after: Sequence[object] | None = None
) -> list[Showing]:
    """Showings by start, then id, those after the key (starts_at as ISO text, id)."""
    parameters: dict[str, object] = {"limit": limit}
    conditions = []
    for name in ("unit_id", "agent_id"):
        if getattr(wanted, name) is not None:
            conditions.append(f"s.{name} = :{name}")
            parameters[name] = getattr(wanted, name)
    if wanted.statuses:
        conditions.append("s.status = ANY(:statuses)")
        parameters["statuses"] = list(wanted.statuses)
    if wanted.begin is not None:
        conditions.append("s.ends_at > :begin")
        parameters["begin"] = wanted.begin
    if wanted.end is not None:
        conditions.append("s.starts_at < :end")
        parameters["end"] = wanted.end
    if after is not None:
        conditions.append("(s.starts_at, s.id) > (CAST(:after_at AS timestamptz), CAST(:after_id AS uuid))")
        parameters["after_at"], parameters["after_id"] = after
    where = f"WHERE {' AND '.join(conditions)}" if conditions else ""
    statement = text(f"{_SELECT} {where} ORDER BY s.starts_at, s.id LIMIT :limit")
    return [Showing(*row) for row in conn.execute(statement, parameters)]
