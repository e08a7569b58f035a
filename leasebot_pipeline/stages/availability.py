"""Availability: weekly rules written out as occurrences up to the rolling horizon."""

from __future__ import annotations

from dataclasses import dataclass

from leasebot_pipeline.stages.pipeline import Pipeline
from leasebot_pipeline.storage import audit, availability_horizon
from leasebot_pipeline.storage.availability_horizon import HorizonFigures
from leasebot_pipeline.storage.crash_points import transaction


@dataclass(frozen=True, slots=True)
class HorizonResult:
    """What a run found and did; ``without_agents`` names open units nobody is assigned to."""

    figures: HorizonFigures
    without_agents: tuple[str, ...]


def extend_horizon(pipeline: Pipeline, run_id: str | None) -> HorizonResult:
    """Write all weekly rules out up to the horizon, in one transaction; audited when anything changed."""
    now = pipeline.clock()
    with transaction(pipeline.engine, "availability.before_commit", "availability.after_commit") as conn:
        figures = availability_horizon.extend(conn, now, pipeline.policy.availability_horizon)
        without_agents = availability_horizon.open_units_without_agents(conn, now)
        if figures.created or figures.removed:
            audit.record(conn, [_entry(figures, run_id)])
    return HorizonResult(figures, tuple(without_agents))


def _entry(figures: HorizonFigures, run_id: str | None) -> audit.AuditEntry:
    return audit.AuditEntry(
        actor_type="system",
        entity_type="availability",
        entity_id="horizon",
        action="availability_horizon_extended",
        details={
            "rules": figures.rules,
            "occurrencesCreated": figures.created,
            "occurrencesRemoved": figures.removed,
            "horizonEnd": figures.horizon_end.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        },
        run_id=run_id,
    )
