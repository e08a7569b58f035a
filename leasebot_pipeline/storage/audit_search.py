"""Looking for audit rows: any of the indexed dimensions and a span of time, newest first, page by page."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import Connection, text


@dataclass(frozen=True, slots=True)
class AuditRow:
    """One row of ``"AuditLogs"``."""

    id: int
    actor_type: str
    actor_id: str | None
    entity_type: str
    entity_id: str
    action: str
    details: dict[str, Any]
    created_at: datetime
    platform: str | None
    platform_account_id: UUID | None
    conversation_id: UUID | None
    agent_id: str | None
    run_id: str | None


@dataclass(frozen=True, slots=True)
class AuditFilter:
    """What rows must have; None: anything. ``since`` is included, ``until`` is not."""

    actions: tuple[str, ...] = ()
    platform: str | None = None
    platform_account_id: UUID | None = None
    conversation_id: UUID | None = None
    agent_id: str | None = None
    run_id: str | None = None
    entity_type: str | None = None
    entity_id: str | None = None
    actor_id: str | None = None
    since: datetime | None = None
    until: datetime | None = None


COLUMNS: Final = (
    "id",
    "actor_type",
    "actor_id",
    "entity_type",
    "entity_id",
    "action",
    "details",
    "created_at",
    "platform",
    "platform_account_id",
    "conversation_id",
    "agent_id",
    "run_id",
)
_EQUAL: Final = (
    "platform",
    "platform_account_id",
    "conversation_id",
    "agent_id",
    "run_id",
    "entity_type",
    "entity_id",
    "actor_id",
)


# From one name to the next by the index of actions: as many steps as there are names, however many rows.
_ACTIONS = text("""
    WITH RECURSIVE named AS (
      (SELECT action FROM "AuditLogs" ORDER BY action LIMIT 1)
      UNION ALL
      SELECT (SELECT a.action FROM "AuditLogs" a WHERE a.action > n.action ORDER BY a.action LIMIT 1)
        FROM named n WHERE n.action IS NOT NULL
    )
    SELECT action FROM named WHERE action IS NOT NULL
""")


def actions(conn: Connection) -> list[str]:
    """The actions there are rows of."""
    return list(conn.execute(_ACTIONS).scalars())


def search(
    conn: Connection, wanted: AuditFilter, limit: int, after: Sequence[object] | None = None
) -> list[AuditRow]:
    """Matching rows, newest first, those after the key (created_at as ISO text, id).

    Conditions are put together as needed, so that each search has a plan by its own index.
    """
    parameters: dict[str, object] = {"limit": limit}
    conditions = []
    for name in _EQUAL:
        value = getattr(wanted, name)
        if value is not None:
            conditions.append(f"{name} = :{name}")
            parameters[name] = value
    if wanted.actions:
        conditions.append("action = ANY(:actions)")
        parameters["actions"] = list(wanted.actions)
    if wanted.since is not None:
        conditions.append("created_at >= :since")
        parameters["since"] = wanted.since
    if wanted.until is not None:
        conditions.append("created_at < :until")
        parameters["until"] = wanted.until
    if after is not None:
        conditions.append("(created_at, id) < (CAST(:after_at AS timestamptz), CAST(:after_id AS bigint))")
        parameters["after_at"], parameters["after_id"] = after
    where = f"WHERE {' AND '.join(conditions)}" if conditions else ""
    statement = text(
        f'SELECT {", ".join(COLUMNS)} FROM "AuditLogs" {where} ORDER BY created_at DESC, id DESC LIMIT :limit'
    )
    return [AuditRow(*row) for row in conn.execute(statement, parameters)]
