"""What handlers work with: built once in the app's lifespan, reached through the request."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from threading import Event
from typing import Annotated, cast

from fastapi import Depends, Request

from api.auth.passwords import PasswordHasher
from api.auth.throttle import Throttle
from api.config import ApiConfig
from api.database import Database
from api.metrics import RequestMetrics
from leasebot_pipeline.domain.clock import Clock


@dataclass(frozen=True, slots=True)
class Services:
    config: ApiConfig
    clock: Clock
    database: Database
    passwords: PasswordHasher
    throttle: Throttle
    migrations_head: str
    requests: RequestMetrics
    stopping: Event = field(default_factory=Event)
    """Set once the process was asked to end: answers that never end by themselves end then."""

    @asynccontextmanager
    async def at_one_moment(self) -> AsyncIterator[Services]:
        """The same, with all reads on one view of the data and one connection: for an answer put together of several."""
        async with self.database.snapshot() as database:
            yield replace(self, database=database)


def services(request: Request) -> Services:
    return cast(Services, request.app.state.services)


async def _services(request: Request) -> Services:
    return services(request)


# A coroutine, as all dependencies here are: FastAPI sends plain functions to a thread, which costs more than they do.
ServicesDep = Annotated[Services, Depends(_services)]
