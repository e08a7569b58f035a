"""The gate at work: read the figures, judge them, keep the check, write the audit row; one transaction."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import datetime
from math import ceil
from typing import Any, Final

from sqlalchemy import Connection

from leasebot_pipeline.domain.platforms import ReleaseStage
from leasebot_pipeline.domain.release_gate import (
    Baseline,
    GateInput,
    GatePolicy,
    GateResult,
    judge,
)
from leasebot_pipeline.storage import audit, release_gate, release_stages
from leasebot_pipeline.storage.observability import SnapshotRequest, take_snapshot
from leasebot_pipeline.storage.outbox_operations import Actor
from leasebot_pipeline.storage.release_stages import StageRow

POLICY: Final = GatePolicy()
INGEST_TARGET_MS: Final = 60_000


class NoStage(RuntimeError):
    """No release was ever started: nothing is sent, and there is nothing to judge."""

    def __init__(self) -> None:
        super().__init__("no release stage: start one with `leasebot release start`")


@dataclass(frozen=True, slots=True)
class Check:
    """A look of the gate, as it was kept. ``snapshot`` is an excerpt of the observability snapshot."""

    id: int
    stage: StageRow
    since: datetime
    taken_at: datetime
    result: GateResult
    snapshot: dict[str, Any]

    def as_json(self) -> dict[str, Any]:
        return {
            "id": self.id,
            "stage": self.stage.stage.value,
            "commit": self.stage.commit,
            "since": self.since.isoformat(),
            "takenAt": self.taken_at.isoformat(),
            **self.result.as_json(),
            "snapshot": self.snapshot,
        }


def check(conn: Connection, actor: Actor, now: datetime, policy: GatePolicy = POLICY) -> Check:
    """Look once: what happened since the last conclusive check of this stage, at most the stage's window.

    Two consecutive checks therefore never judge the same events twice. Raises NoStage.
    """
    release_stages.lock(conn)
    stage = release_stages.current(conn)
    if stage is None:
        raise NoStage
    earlier = release_gate.conclusive_checks(conn, stage.id)
    begins = [stage.started_at, now - policy.windows[stage.stage]]
    if earlier and stage.stage is not ReleaseStage.SHADOW:
        begins.append(earlier[0].taken_at)
    since = min(max(begins), now)
    cohort = release_gate.cohort_accounts(conn, stage.cohort)
    given = GateInput(
        stage=stage.stage,
        now=now,
        since=since,
        figures=release_gate.figures(conn, since, now),
        baseline=Baseline.from_json(stage.baseline) if stage.baseline else None,
        cohort=cohort,
        earlier=earlier,
        missing_platforms=release_gate.missing_platforms(conn),
        forbidden_runtime=release_gate.forbidden_runtime(conn, since, now),
        # A day of shadow may have had its outages; what counts before a canary is that they are over.
        open_circuits=release_gate.failing_fast(
            conn, now if stage.stage is ReleaseStage.SHADOW else since, now
        ),
        evidence=release_gate.evidence(conn, stage.commit),
        commit=stage.commit,
    )
    result = judge(given, policy)
    snapshot = snapshot_excerpt(conn, now, max(1, ceil((now - since).total_seconds() / 3600)))
    number = release_gate.record_check(
        conn,
        stage.id,
        since=since,
        now=now,
        conclusive=result.conclusive,
        spikes=result.spikes,
        verdict=result.verdict.value,
        result={**result.as_json(), "figures": given.figures.as_json(), "snapshot": snapshot},
        actor_type=actor.type,
        actor_id=actor.id,
    )
    record(
        conn,
        actor,
        stage,
        "release_gate_checked",
        {"check": number, "verdict": result.verdict.value, "broken": broken(result)},
    )
    return Check(number, stage, since, now, result, snapshot)


def take_baseline(conn: Connection, actor: Actor, now: datetime, policy: GatePolicy = POLICY) -> Baseline:
    """Keep what shadow looks like now; only in shadow. Raises NoStage, and ValueError in another stage."""
    release_stages.lock(conn)
    stage = release_stages.current(conn)
    if stage is None:
        raise NoStage
    if stage.stage is not ReleaseStage.SHADOW:
        raise ValueError(f"a baseline is taken in shadow; the stage is {stage.stage}")
    since = max(stage.started_at, now - policy.baseline_window)
    baseline = Baseline(since, now, release_gate.figures(conn, since, now))
    release_stages.keep_baseline(conn, stage.id, baseline.as_json())
    figures = baseline.figures
    details = {
        "since": since.isoformat(),
        "inbound": figures.inbound(),
        "errors": figures.errors().total(),
        "decisions": figures.decisions,
    }
    record(conn, actor, stage, "release_baseline_taken", details)
    return baseline


def broken(result: GateResult) -> dict[str, str]:
    """The rules that were not kept, with their reasons."""
    return {rule.name: rule.reason for rule in result.rules if not rule.kept}


def snapshot_excerpt(conn: Connection, now: datetime, window_hours: int) -> dict[str, Any]:
    """Metrics and the audit slices of the observability snapshot; no rows, so nothing personal."""
    snapshot = take_snapshot(
        conn,
        SnapshotRequest(
            now=now,
            window_hours=min(window_hours, 168),
            audit_limit=1,
            error_limit=1,
            signal_limit=5,
            ingest_p95_target_ms=INGEST_TARGET_MS,
        ),
    )
    return {
        "windowHours": snapshot.window_hours,
        "coreMetrics": asdict(snapshot.core_metrics),
        "auditByPlatform": [asdict(one) for one in snapshot.signals.audit_by_platform],
        "auditByAgent": [asdict(one) for one in snapshot.signals.audit_by_agent],
        "auditByConversation": [asdict(one) for one in snapshot.signals.audit_by_conversation],
        "platformFailures": [asdict(one) for one in snapshot.signals.platform_failures],
        "dispatch": asdict(snapshot.dispatch),
    }


def record(conn: Connection, actor: Actor, stage: StageRow, action: str, details: dict[str, Any]) -> None:
    """The audit row of something that happened to a stage."""
    entry = audit.AuditEntry(
        actor_type=actor.type,
        actor_id=actor.id,
        entity_type="release_stage",
        entity_id=str(stage.id),
        action=action,
        details={"stage": stage.stage.value, "commit": stage.commit, **details},
    )
    audit.record(conn, [entry])
