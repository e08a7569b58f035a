"""Visits to the platforms, as `"PlatformRuns"` recorded them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, text


@dataclass(frozen=True, slots=True)
class Visit:
    """One visit; ``latency_ms`` is None while it runs."""

    id: UUID
    platform_account_id: UUID
    platform: str
    action: str
    triggered_by: str
    run_id: str | None
    started_at: datetime
    ended_at: datetime | None
    outcome: str
    counts: dict[str, Any]
    latency_ms: int | None
    error_class: str | None
    error_code: str | None
    error_detail: str | None


_COLUMNS = """id, platform_account_id, platform, action, triggered_by, run_id, started_at, ended_at, outcome, counts,
              latency_ms, error_class, error_code, error_detail"""


def visits(
    conn: Connection,
    limit: int,
    after: Sequence[object] | None = None,
    *,
    platform: str | None = None,
    account_id: UUID | None = None,
    action: str | None = None,
    outcome: str | None = None,
) -> list[Visit]:
    """Newest first, those after the key (started_at as ISO text, id)."""
    given = {"platform": platform, "platform_account_id": account_id, "action": action, "outcome": outcome}
    parameters: dict[str, object] = {name: value for name, value in given.items() if value is not None}
    conditions = [f"{name} = :{name}" for name in parameters]
    if after is not None:
        conditions.append("(started_at, id) < (CAST(:after_at AS timestamptz), CAST(:after_id AS uuid))")
        parameters["after_at"], parameters["after_id"] = after
    where = f"WHERE {' AND '.join(conditions)}" if conditions else ""
    statement = text(
        f'SELECT {_COLUMNS} FROM "PlatformRuns" {where} ORDER BY started_at DESC, id DESC LIMIT :limit'
    )
    return [Visit(*row) for row in conn.execute(statement, {**parameters, "limit": limit})]
