"""The API's pool: several reads at one moment."""

from __future__ import annotations

import asyncio

import pytest
from sqlalchemy import Connection, text

from api.database import Database
from tests.conftest import Database as Fresh


def counters(conn: Connection) -> int:
    return int(conn.execute(text('SELECT count(*) FROM "RateLimits"')).scalar_one())


def count(conn: Connection) -> None:
    conn.execute(
        text("""INSERT INTO "RateLimits" (key, hits, window_ends_at) VALUES (gen_random_uuid(), 1, now())""")
    )


def backend(conn: Connection) -> tuple[int, str]:
    found = conn.execute(text("SELECT pg_backend_pid(), current_setting('transaction_read_only')")).one()
    return found[0], found[1]


def test_reads_of_one_moment_see_the_same_and_what_is_written_meanwhile_is_seen_afterwards(
    database: Fresh,
) -> None:
    async def play() -> None:
        pool = Database(database.url)
        try:
            async with pool.snapshot() as moment:
                assert await moment.read(counters) == 0
                await moment.run(count)  # a write stays a transaction of its own
                await pool.run(count)
                assert await moment.read(counters) == 0
                first, second = await moment.read(backend), await moment.read(backend)
                assert first == second
                assert first[1] == "on"
                async with moment.snapshot() as inner:
                    assert await inner.read(backend) == first
            assert await pool.read(counters) == 2
        finally:
            await pool.dispose()

    asyncio.run(play())


def test_a_read_whose_asker_goes_away_leaves_its_connection_in_the_pool(database: Fresh) -> None:
    """As a browser does that closes its stream: the connection is not closed, nor lost."""
    asked: list[int] = []

    def look(conn: Connection) -> None:
        asked.append(backend(conn)[0])
        conn.execute(text("SELECT pg_advisory_lock_shared(7)"))

    async def play() -> None:
        pool = Database(database.url)
        try:
            [first, _] = await pool.read(backend)
            async with pool._engine.connect() as other:
                await other.execute(text("SELECT pg_advisory_lock(7)"))
                stream = asyncio.create_task(pool.read(look))
                while not asked:
                    await asyncio.sleep(0)
                stream.cancel()
                with pytest.raises(asyncio.CancelledError):
                    await stream
                await other.execute(text("SELECT pg_advisory_unlock(7)"))
            while pool._engine.pool.checkedout():  # type: ignore[attr-defined]
                await asyncio.sleep(0)
            async with pool._engine.connect() as one, pool._engine.connect() as two:
                kept = [(await conn.run_sync(backend))[0] for conn in (one, two)]
            assert sorted(kept) == sorted([first, *asked])
        finally:
            await pool.dispose()

    asyncio.run(play())
