"""What shards gain: one platform's inboxes read by one poll, and by two or three side by side; seconds, and SQL statements.

Real browser, the sandbox's Roomies, accounts with a login of their own on it; in each round every account has one new
thread. The polls of one process share its browser, as the shards' sensors of a code server do. Before the rounds every
account was signed in once. The machine's load is printed beside.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

from sqlalchemy import Engine, event, text

from leasebot_pipeline.decisions.heuristic import HeuristicProvider
from leasebot_pipeline.domain.platforms import Platform, ReleaseStage, SendMode
from leasebot_pipeline.domain.shards import shards
from leasebot_pipeline.platforms.options import PlatformOptions, RuntimeOptions
from leasebot_pipeline.platforms.registry import BrowserConnectors
from leasebot_pipeline.sandbox import LOGIN_PASSWORD, LOGIN_USER
from leasebot_pipeline.sandbox.testing import SandboxServer
from leasebot_pipeline.stages.pipeline import Pipeline, PipelinePolicy
from leasebot_pipeline.stages.poll import poll
from leasebot_pipeline.storage import bootstrap, migrate
from leasebot_pipeline.storage.engine import create_engine
from leasebot_pipeline.storage.server import EmbeddedServer

PLATFORM = Platform.ROOMIES
LOGIN = {"loginIdRef": "env:LOGIN", "passwordRef": "env:PASSWORD"}


def now() -> datetime:
    return datetime.now(UTC)


def prepare(engine: Engine, accounts: int) -> None:
    migrate.upgrade(engine)
    with engine.begin() as conn:
        choices = {
            one: bootstrap.AccountChoice(LOGIN, one is PLATFORM, "login", SendMode.DRAFT_ONLY)
            for one in Platform
        }
        conn.execute(
            text("""INSERT INTO "PlatformAccounts" (id, platform, account_name, account_external_id, credentials, is_active,
                                                    send_mode)
                    SELECT * FROM unnest(CAST(:ids AS uuid[])) AS id, LATERAL (SELECT :platform, 'Account ' || id,
                           CAST(id AS text), CAST(:login AS jsonb), true, 'draft_only') AS rest"""),
            {
                "ids": [str(UUID(int=number)) for number in range(1, accounts)],
                "platform": PLATFORM.value,
                "login": json.dumps(LOGIN),
            },
        )
        bootstrap.ensure_required_accounts(conn, choices)
        bootstrap.ensure_release_stage(conn, ReleaseStage.SHADOW, "benchmark", now())


def read_all(pipeline: Pipeline, count: int) -> tuple[float, int, int]:
    """Seconds until every account's inbox was read, accounts read, messages landed."""
    parts = shards(count)
    began = time.perf_counter()
    with ThreadPoolExecutor(count) as pool:
        done = list(pool.map(lambda part: poll(pipeline, PLATFORM, "benchmark", shard=part), parts))
    seconds = time.perf_counter() - began
    accounts = [account for result in done for account in result.accounts]
    failed = [account.summary for account in accounts if account.code or not account.visited]
    if failed:
        raise SystemExit(f"not every inbox was read: {failed}")
    return seconds, len(accounts), sum(result.landed for result in done)


def measure(pipeline: Pipeline, sandbox: SandboxServer, counts: list[int], rounds: int) -> dict[str, Any]:
    statements = 0

    def count_one(*_: object) -> None:
        nonlocal statements
        statements += 1

    read_all(pipeline, 1)
    event.listen(pipeline.engine, "before_cursor_execute", count_one)
    found: dict[int, list[tuple[float, int, int, int]]] = {count: [] for count in counts}
    for _ in range(rounds):
        for count in counts:  # in turn, so that the machine's other work falls on all alike
            sandbox.add_lead(PLATFORM, "Could I tour the apartment on Thursday?", reactions=[])
            statements = 0
            seconds, accounts, landed = read_all(pipeline, count)
            found[count].append((seconds, accounts, landed, statements))
    return {
        str(count): {
            "largestShard": max(
                sum(part.holds(one) for one in _accounts(pipeline.engine)) for part in shards(count)
            ),
            "accounts": rows[0][1],
            "messagesLanded": [row[2] for row in rows],
            "seconds": [round(row[0], 2) for row in rows],
            "median": round(statistics.median(row[0] for row in rows), 2),
            "statements": [row[3] for row in rows],
        }
        for count, rows in found.items()
    }


def _accounts(engine: Engine) -> list[UUID]:
    with engine.connect() as conn:
        query = text('SELECT id FROM "PlatformAccounts" WHERE platform = :platform')
        return list(conn.execute(query, {"platform": PLATFORM.value}).scalars())


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--accounts", type=int, default=9)
    parser.add_argument("--shards", type=int, nargs="+", default=[1, 2, 3])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="leasebot-bench-") as name, SandboxServer() as sandbox:
        folder = Path(name)
        folder.chmod(0o755)
        options = RuntimeOptions(
            data_dir=folder / "data",
            environ={"LOGIN": LOGIN_USER, "PASSWORD": LOGIN_PASSWORD},
            runtime="playwright",
            platforms={one: PlatformOptions(base_url=url) for one, url in sandbox.base_urls.items()},
        )
        with EmbeddedServer(folder / "database", durable=False) as server:
            engine = create_engine(server.url("postgres"), application_name="benchmark")
            prepare(engine, arguments.accounts)
            connectors = BrowserConnectors(options, now)
            policy = PipelinePolicy(default_send_mode=SendMode.DRAFT_ONLY)
            load = [os.getloadavg()[0]]
            try:
                pipeline = Pipeline(engine, now, connectors, HeuristicProvider(), policy)
                report = measure(pipeline, sandbox, arguments.shards, arguments.rounds)
            finally:
                connectors.close()
                engine.dispose()
            load.append(os.getloadavg()[0])
    print(json.dumps({"load": load, "shards": report}, indent=None if arguments.json else 2))


if __name__ == "__main__":
    main()
