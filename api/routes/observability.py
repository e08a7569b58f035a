"""`GET /api/admin/observability`: one consistent picture of what the system did and how it stands."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query

from api.auth.access import ADMIN_ONLY
from api.routes.observability_schemas import ObservabilityAnswer
from api.services import ServicesDep
from leasebot_pipeline.storage.observability import SnapshotRequest, take_snapshot

router = APIRouter(prefix="/api/admin", tags=["observability"])


def clamp_integer(text: str | None, low: int, high: int, fallback: int) -> int:
    """A query value as an integer of ``low..high``; ``fallback`` when it is missing or not an integer."""
    try:
        value = int(text) if text and "_" not in text else fallback
    except ValueError:
        value = fallback
    return min(max(value, low), high)


@router.get(
    "/observability",
    operation_id="getObservability",
    summary="Metrics, signals, latency and recent audit of a window",
    dependencies=[ADMIN_ONLY],
)
async def observability(
    services: ServicesDep,
    window_hours: Annotated[
        str | None,
        Query(alias="windowHours", description="1..168, default 24; outside is clamped", examples=["24"]),
    ] = None,
    audit_limit: Annotated[
        str | None, Query(alias="auditLimit", description="1..200, default 50", examples=["50"])
    ] = None,
    error_limit: Annotated[
        str | None, Query(alias="errorLimit", description="1..200, default 25", examples=["25"])
    ] = None,
    signal_limit: Annotated[
        str | None, Query(alias="signalLimit", description="1..100, default 25", examples=["25"])
    ] = None,
) -> ObservabilityAnswer:
    """All numbers belong to one moment. A parameter that is missing or not an integer has its default."""
    snapshot = await services.database.read(
        take_snapshot,
        SnapshotRequest(
            now=services.clock(),
            window_hours=clamp_integer(window_hours, 1, 168, 24),
            audit_limit=clamp_integer(audit_limit, 1, 200, 50),
            error_limit=clamp_integer(error_limit, 1, 200, 25),
            signal_limit=clamp_integer(signal_limit, 1, 100, 25),
            ingest_p95_target_ms=services.config.ingest_p95_target_ms,
        ),
    )
    return ObservabilityAnswer.model_validate(snapshot)
