"""Is the process alive, and can it serve?"""

from __future__ import annotations

import asyncio
import time
from typing import Final, Literal

from fastapi import APIRouter, Request, Response
from pydantic import Field
from sqlalchemy.exc import SQLAlchemyError

from api.answers import Answer, Instant
from api.errors import not_found
from api.services import Services, ServicesDep
from leasebot_pipeline.storage import migrate

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
    status: Literal["ready", "not_ready"]
    service: Literal["api"]
    timestamp: Instant
    dependencies: dict[str, Dependency]


@router.get("/health", operation_id="getHealth", summary="The process answers")
async def health(request: Request, services: ServicesDep) -> HealthAnswer:
    """Looks at nothing else. The path is exact: with a query it is not found."""
    if request.url.query:
        raise not_found()
    return HealthAnswer(status="ok", service="api", timestamp=services.clock())


@router.get(
    "/ready",
    operation_id="getReady",
    summary="Database reachable and migrated",
    responses={503: {"model": ReadyAnswer, "description": "At least one dependency is not ready"}},
)
async def ready(response: Response, services: ServicesDep) -> ReadyAnswer:
    """503 until every dependency is ready; each one says what was found."""
    dependencies = await _dependencies(services)
    is_ready = all(dependency.ok for dependency in dependencies.values())
    if not is_ready:
        response.status_code = 503
    return ReadyAnswer(
        status="ready" if is_ready else "not_ready",
        service="api",
        timestamp=services.clock(),
        dependencies=dependencies,
    )


async def _dependencies(services: Services) -> dict[str, Dependency]:
    started = time.perf_counter()
    try:
        async with asyncio.timeout(_PATIENCE_S):
            revision = await services.database.read(migrate.current)
    except TimeoutError:
        return _unreachable(f"no answer within {_PATIENCE_S:.0f} s")
    except SQLAlchemyError as error:
        return _unreachable(f"not reachable ({type(error).__name__})")
    answered_ms = (time.perf_counter() - started) * 1000
    head = services.migrations_head
    if revision == head:
        migrations = Dependency(ok=True, detail=f"at {head}")
    else:
        migrations = Dependency(
            ok=False, detail=f"at {revision or 'none'}, the code needs {head}: run `leasebot migrate`"
        )
    return {
        "database": Dependency(ok=True, detail=f"answered in {answered_ms:.0f} ms"),
        "migrations": migrations,
    }


def _unreachable(detail: str) -> dict[str, Dependency]:
    return {
        "database": Dependency(ok=False, detail=detail),
        "migrations": Dependency(ok=False, detail="unknown while the database does not answer"),
    }
