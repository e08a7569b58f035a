"""One audit row for each change of a calendar: who changed what of whose."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, text

from leasebot_pipeline.domain.availability import Owner, OwnerKind
from leasebot_pipeline.storage import audit


@dataclass(frozen=True, slots=True)
class CalendarActor:
    """Who changes a calendar, as the audit names them."""

    type: str = "system"
    id: str | None = None


@dataclass(frozen=True, slots=True)
class Step:
    """One change."""

    action: str
    entity_type: str
    entity_id: UUID
    details: dict[str, object]


_AGENT_PLATFORM = text("""
    SELECT a.platform, a.id FROM "Agents" g JOIN "PlatformAccounts" a ON a.id = g.platform_account_id WHERE g.id = :agent
""")


def record(conn: Connection, owner: Owner, actor: CalendarActor, steps: Sequence[Step]) -> None:
    """Tell the audit of all steps at once."""
    agent = owner.id if owner.kind is OwnerKind.AGENT else None
    account = conn.execute(_AGENT_PLATFORM, {"agent": agent}).one_or_none() if agent else None
    entries = [
        audit.AuditEntry(
            actor_type=actor.type,
            actor_id=actor.id,
            entity_type=step.entity_type,
            entity_id=str(step.entity_id),
            action=step.action,
            details={f"{owner.kind}Id": str(owner.id), **step.details},
            platform=account.platform if account else None,
            platform_account_id=account.id if account else None,
            agent_id=str(agent) if agent else None,
        )
        for step in steps
    ]
    audit.record(conn, entries)


def rule_details(rule: Any) -> dict[str, object]:
    """A weekly rule, or a row or draft of one, as the audit tells it."""
    return {
        "dayOfWeek": rule.day_of_week,
        "startTime": f"{rule.start_time:%H:%M}",
        "endTime": f"{rule.end_time:%H:%M}",
        "timezone": rule.timezone,
        "status": rule.status,
    }


def instant_text(value: datetime) -> str:
    """``2026-02-06T10:00:00.000Z``."""
    return value.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
