"""The API's pool: several reads at one moment."""

from __future__ import annotations

import asyncio

from sqlalchemy import Connection, text

from api.database import Database
from tests.conftest import Database as Fresh


def counters(conn: Connection) -> int:
    return int(conn.execute(text('SELECT count(*) FROM "RateLimits"')).scalar_one())


def count(conn: Connection) -> None:
    conn.execute(
        text("""INSERT INTO "RateLimits" (key, hits, window_ends_at) VALUES (gen_random_uuid(), 1, now())""")
    )


def backend(conn: Connection) -> tuple[object, ...]:
    return tuple(
        conn.execute(text("SELECT pg_backend_pid(), current_setting('transaction_read_only')")).one()
    )


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
