"""The API's connection pool. Storage functions take a plain Connection; they run here without blocking."""

from __future__ import annotations

from asyncio import shield
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Concatenate, ParamSpec, TypeVar

from sqlalchemy import Connection
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from leasebot_pipeline.storage.engine import sqlalchemy_url

P = ParamSpec("P")
T = TypeVar("T")

# A list's plan depends on what is asked for: a plan for any value would read the inbox to find one name.
_OPTIONS = (
    "-c timezone=UTC -c jit=off -c plan_cache_mode=force_custom_plan"
    " -c statement_timeout=15000 -c idle_in_transaction_session_timeout=30000"
)


class Database:
    """One pool. Raises sqlalchemy.exc errors; their texts carry no parameter values."""

    def __init__(self, url: str, *, pool_size: int = 8) -> None:
        self._engine: AsyncEngine = create_async_engine(
            sqlalchemy_url(url),
            pool_size=pool_size,
            max_overflow=4,
            pool_timeout=5,
            pool_pre_ping=True,
            pool_recycle=1800,
            hide_parameters=True,
            connect_args={
                "application_name": "lease-bot-api",
                "connect_timeout": 5,
                "options": _OPTIONS,
            },
        )
        self._reader = self._engine.execution_options(
            isolation_level="REPEATABLE READ", postgresql_readonly=True
        )

    async def run(
        self, work: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """Run ``work`` in one transaction, committed when it returns."""
        async with self._engine.begin() as conn:
            return await conn.run_sync(work, *args, **kwargs)

    async def read(
        self, work: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """Run ``work`` read-only, all its statements on one consistent view of the data.

        Who asked may go away meanwhile, as a browser that closes its stream does: the read then ends by itself. Broken
        off, its connection would be closed, or lost on its way out of the pool.
        """
        return await shield(self._read(work, *args, **kwargs))

    async def _read(
        self, work: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        async with self._reader.connect() as conn:
            return await conn.run_sync(work, *args, **kwargs)

    @asynccontextmanager
    async def snapshot(self) -> AsyncIterator[Database]:
        """Several reads on one consistent view of the data, over one connection. A ``run`` has its own, as ever."""
        async with self._reader.connect() as conn:
            yield _Snapshot(self._engine, conn)

    async def dispose(self) -> None:
        await self._engine.dispose()


class _Snapshot(Database):
    """One after the other; what a page asks of several handlers costs one transaction, not one each."""

    def __init__(self, engine: AsyncEngine, conn: AsyncConnection) -> None:
        self._engine = engine
        self._conn = conn

    async def read(
        self, work: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        return await self._conn.run_sync(work, *args, **kwargs)

    @asynccontextmanager
    async def snapshot(self) -> AsyncIterator[Database]:
        yield self
