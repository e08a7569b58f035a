"""Is the process alive, and can it serve?"""

from __future__ import annotations

import asyncio
import time
from datetime import datetime
from typing import Final, Literal

from fastapi import APIRouter, Request, Response
from pydantic import Field
from sqlalchemy import Connection
from sqlalchemy.exc import SQLAlchemyError

from api import readiness
from api.answers import Answer, Instant
from api.errors import not_found
from api.services import Services, ServicesDep
from leasebot_pipeline.storage import figures, migrate
from leasebot_pipeline.storage.figures import Depth, PlatformStand

router = APIRouter(tags=["health"])

_PATIENCE_S: Final = 3.0


class HealthAnswer(Answer):
    status: Literal["ok"]
    service: Literal["api"]
    timestamp: Instant


class Dependency(Answer):
    ok: bool
    detail: str = Field(examples=["answered in 2 ms"])


class ReadyAnswer(Answer):
    status: Literal["ready", "degraded", "not_ready"]
    service: Literal["api"]
    timestamp: Instant
    dependencies: dict[str, Dependency] = Field(description="`database`, `migrations`, `queue`")
    platforms: dict[str, Dependency] = Field(
        description="each platform's last poll; empty while the database does not answer"
    )


@router.get("/health", operation_id="getHealth", summary="The process answers")
async def health(request: Request, services: ServicesDep) -> HealthAnswer:
    """Looks at nothing else. The path is exact: with a query it is not found."""
    if request.url.query:
        raise not_found()
    return HealthAnswer(status="ok", service="api", timestamp=services.clock())


@router.get(
    "/ready",
    operation_id="getReady",
    summary="Database reachable and migrated; what is behind",
    responses={
        503: {"model": ReadyAnswer, "description": "The API can't serve: no database, or not migrated"}
    },
)
async def ready(response: Response, services: ServicesDep) -> ReadyAnswer:
    """503 only for what makes the API unusable. Queues and platforms that are behind make it `degraded`, with 200."""
    now = services.clock()
    needed, others, platforms = await _look(services, now)
    status: Literal["ready", "degraded", "not_ready"] = "ready"
    if not all(one.ok for one in needed.values()):
        status = "not_ready"
        response.status_code = 503
    elif not all(one.ok for one in (*others.values(), *platforms.values())):
        status = "degraded"
    return ReadyAnswer(
        status=status,
        service="api",
        timestamp=now,
        dependencies={**needed, **others},
        platforms=platforms,
    )


_Found = dict[str, Dependency]


async def _look(services: Services, now: datetime) -> tuple[_Found, _Found, _Found]:
    """What the API needs, what is only told, and the platforms."""
    started = time.perf_counter()
    head = services.migrations_head
    try:
        async with asyncio.timeout(_PATIENCE_S):
            revision = await services.database.read(migrate.current)
            answered_ms = (time.perf_counter() - started) * 1000
            depths, stands = await services.database.read(_standing, now) if revision == head else ((), ())
    except TimeoutError:
        return _unreachable(f"no answer within {_PATIENCE_S:.0f} s")
    except SQLAlchemyError as error:
        return _unreachable(f"not reachable ({type(error).__name__})")
    database = Dependency(ok=True, detail=f"answered in {answered_ms:.0f} ms")
    if revision != head:
        needs = f"at {revision or 'none'}, the code needs {head}: run `leasebot migrate`"
        return {"database": database, "migrations": Dependency(ok=False, detail=needs)}, {}, {}
    config = services.config
    found = readiness.platforms(stands, config.read_platforms, config.poll_interval, now)
    return (
        {"database": database, "migrations": Dependency(ok=True, detail=f"at {head}")},
        {"queue": _told(readiness.queues(depths, now))},
        {name: _told(finding) for name, finding in found.items()},
    )


def _standing(conn: Connection, now: datetime) -> tuple[tuple[Depth, ...], tuple[PlatformStand, ...]]:
    return figures.depths(conn, now), figures.platform_stands(conn)


def _told(finding: readiness.Finding) -> Dependency:
    return Dependency(ok=finding.ok, detail=finding.detail)


def _unreachable(detail: str) -> tuple[_Found, _Found, _Found]:
    needed = {
        "database": Dependency(ok=False, detail=detail),
        "migrations": Dependency(ok=False, detail="unknown while the database does not answer"),
    }
    return needed, {}, {}
