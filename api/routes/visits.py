"""Visits to the platforms: when, what for, how it ended."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Final
from uuid import UUID

from fastapi import Query

from api.answers import Answer, Instant
from api.auth.access import ADMIN_ONLY
from api.edge.json_route import json_router
from api.inputs import one_of, query_id
from api.paging import PageQuery, encode
from api.services import ServicesDep
from leasebot_pipeline.domain.platforms import Platform
from leasebot_pipeline.storage import platform_visits

router = json_router("/api/admin", "platforms")

ACTIONS: Final = ("ingest", "thread_sync", "send", "listing_sync", "reconcile")
OUTCOMES: Final = ("running", "succeeded", "failed", "skipped")


class VisitAnswer(Answer):
    id: UUID
    platform_account_id: UUID
    platform: str
    action: str
    triggered_by: str
    run_id: str | None
    started_at: Instant
    ended_at: Instant | None
    outcome: str
    counts: dict[str, Any]
    latency_ms: int | None
    error_class: str | None
    error_code: str | None
    error_detail: str | None


class VisitsAnswer(Answer):
    items: list[VisitAnswer]
    next_cursor: str | None


@router.get(
    "/platform-runs",
    operation_id="listPlatformRuns",
    summary="Visits to the platforms, newest first",
    dependencies=[ADMIN_ONLY],
)
async def list_visits(
    page: PageQuery,
    services: ServicesDep,
    account_id: Annotated[UUID | None, query_id("platformAccountId")],
    platform: Annotated[str | None, Query()] = None,
    action: Annotated[str | None, Query(description=", ".join(ACTIONS))] = None,
    outcome: Annotated[str | None, Query(description=", ".join(OUTCOMES))] = None,
) -> VisitsAnswer:
    after = page.key(datetime, UUID)
    found = await services.database.read(
        platform_visits.visits,
        page.limit,
        after,
        platform=one_of("platform", platform, [p.value for p in Platform]),
        account_id=account_id,
        action=one_of("action", action, ACTIONS),
        outcome=one_of("outcome", outcome, OUTCOMES),
    )
    last = found[-1] if len(found) == page.limit else None
    return VisitsAnswer(
        items=[VisitAnswer.model_validate(visit) for visit in found],
        next_cursor=encode((last.started_at.isoformat(), str(last.id))) if last else None,
    )
