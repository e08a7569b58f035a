"""`"ReleaseStages"`: the stage in force, its history, and the one way to change it.

Every process reads the stage from here where a reply is claimed, before its intent is committed and immediately
before the click, so a change is in force for each send that is not clicked yet when its transaction commits.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import Connection, Row, text

from leasebot_pipeline.domain.platforms import ReleaseStage

_LOCK_KEY: Final = 7_305_011  # arbitrary, ours alone in the database


@dataclass(frozen=True, slots=True)
class StageRow:
    """A stage as it was entered. ``baseline`` and ``gate_result`` are what the gate stored, or None."""

    id: UUID
    stage: ReleaseStage
    cohort: Mapping[str, Any]
    baseline: Mapping[str, Any] | None
    gate_result: Mapping[str, Any] | None
    commit: str | None
    overridden: bool
    actor_type: str
    actor_id: str | None
    reason: str
    started_at: datetime
    ended_at: datetime | None


@dataclass(frozen=True, slots=True)
class NewStage:
    """A stage to enter."""

    stage: ReleaseStage
    cohort: Mapping[str, Any]
    baseline: Mapping[str, Any] | None
    gate_result: Mapping[str, Any] | None
    commit: str | None
    overridden: bool
    actor_type: str
    actor_id: str | None
    reason: str


_COLUMNS = """id, stage, cohort, baseline, gate_result, commit_sha, overridden, actor_type, actor_id, reason,
              started_at, ended_at"""
_CURRENT = text(f'SELECT {_COLUMNS} FROM "ReleaseStages" WHERE ended_at IS NULL')
_HISTORY = text(f'SELECT {_COLUMNS} FROM "ReleaseStages" ORDER BY started_at DESC, id LIMIT :limit')
_END = text('UPDATE "ReleaseStages" SET ended_at = GREATEST(:now, started_at) WHERE ended_at IS NULL')
_OPEN = text(f"""
    INSERT INTO "ReleaseStages"
           (stage, cohort, baseline, gate_result, commit_sha, overridden, actor_type, actor_id, reason, started_at)
    VALUES (:stage, CAST(:cohort AS jsonb), CAST(:baseline AS jsonb), CAST(:gate_result AS jsonb), :commit,
            :overridden, :actor_type, :actor_id, :reason, :now)
    RETURNING {_COLUMNS}
""")
_BASELINE = text('UPDATE "ReleaseStages" SET baseline = CAST(:baseline AS jsonb) WHERE id = :id')


def lock(conn: Connection) -> None:
    """Let one change of the release happen at a time, until the transaction ends."""
    conn.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK_KEY})


def current(conn: Connection) -> StageRow | None:
    """The stage in force; None before the first, and then nothing is sent."""
    row = conn.execute(_CURRENT).one_or_none()
    return None if row is None else _stage(row)


def history(conn: Connection, limit: int = 20) -> list[StageRow]:
    """Stages, newest first."""
    return [_stage(row) for row in conn.execute(_HISTORY, {"limit": limit})]


def enter(conn: Connection, new: NewStage, now: datetime) -> StageRow:
    """End the stage in force and begin another. Hold ``lock``."""
    conn.execute(_END, {"now": now})
    row = conn.execute(
        _OPEN,
        {
            "stage": new.stage.value,
            "cohort": json.dumps(dict(new.cohort)),
            "baseline": _document(new.baseline),
            "gate_result": _document(new.gate_result),
            "commit": new.commit,
            "overridden": new.overridden,
            "actor_type": new.actor_type,
            "actor_id": new.actor_id,
            "reason": new.reason,
            "now": now,
        },
    ).one()
    return _stage(row)


def keep_baseline(conn: Connection, stage: UUID, baseline: Mapping[str, Any]) -> None:
    """Store the baseline the later stages are compared with."""
    conn.execute(_BASELINE, {"id": stage, "baseline": json.dumps(dict(baseline))})


def _document(value: Mapping[str, Any] | None) -> str | None:
    return None if value is None else json.dumps(dict(value), default=str)


def _stage(row: Row[Any]) -> StageRow:
    return StageRow(
        id=row.id,
        stage=ReleaseStage(row.stage),
        cohort=row.cohort,
        baseline=row.baseline,
        gate_result=row.gate_result,
        commit=row.commit_sha,
        overridden=row.overridden,
        actor_type=row.actor_type,
        actor_id=row.actor_id,
        reason=row.reason,
        started_at=row.started_at,
        ended_at=row.ended_at,
    )
