"""How fast landed messages pass ingest, link and decide, and how many SQL statements a batch costs.

A fresh embedded server, one account, listings, two agents with calendars, the heuristic provider; each
round lands that many new threads with one inquiry each. No browser: this is the database's and the
rules' share. Times are seconds of wall clock.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, event

from leasebot_pipeline.decisions.heuristic import HeuristicProvider
from leasebot_pipeline.domain.listings import sync_row
from leasebot_pipeline.domain.platforms import REQUIRED_ACCOUNTS, Platform, ReleaseStage, SendMode
from leasebot_pipeline.domain.readings import ListingRow
from leasebot_pipeline.stages import decide, ingest, link
from leasebot_pipeline.stages.pipeline import Pipeline, PipelinePolicy
from leasebot_pipeline.storage import bootstrap, landing, listings, migrate, platform_runs, sample_workspace
from leasebot_pipeline.storage.engine import create_engine
from leasebot_pipeline.storage.server import EmbeddedServer

PLATFORM = Platform.SPAREROOM
ACCOUNT = next(account.id for account in REQUIRED_ACCOUNTS if account.platform is PLATFORM)
BODIES = (
    "Hi, could I tour the apartment on Thursday after work?",
    "Is this still available?",
    "What is the monthly rent and the deposit?",
    "I'm interested in the apartment. What does availability look like?",
    "Thanks for the information.",
)


def now() -> datetime:
    return datetime.now(UTC)


def prepare(engine: Engine) -> None:
    migrate.upgrade(engine)
    rows = [
        sync_row(
            ACCOUNT, ListingRow(f"L-{n}", "active", title=f"Room {n}", location="Harlem"), now().isoformat()
        )
        for n in range(40)
    ]
    with engine.begin() as conn:
        choice = bootstrap.AccountChoice({}, True, "login", SendMode.AUTO_SEND)
        bootstrap.ensure_required_accounts(conn, dict.fromkeys(Platform, choice))
        bootstrap.ensure_release_stage(conn, ReleaseStage.FULL, "benchmark", now())
        listings.sync(conn, ACCOUNT, rows, complete=True, now=now())
        sample_workspace.seed_replies(conn)
        sample_workspace.seed_team(conn, now())


def land(engine: Engine, messages: int, number: int) -> None:
    with engine.begin() as conn:
        run = platform_runs.begin(
            conn,
            account=ACCOUNT,
            platform=PLATFORM,
            action="ingest",
            triggered_by="bench",
            run_id=None,
            now=now(),
        )
        for thread in range(messages):
            body = BODIES[thread % len(BODIES)]
            landing.land_thread(
                conn,
                account=ACCOUNT,
                platform=PLATFORM,
                external_thread_id=f"{number}-{thread}",
                messages=[landing.LandedMessage("m1", "platform", "inbound", body, now(), "now", True)],
                payload={
                    "leadName": "Alex Doe",
                    "linkageHints": {"listingExternalId": f"L-{thread % 44}"},
                },
                platform_run=run,
                now=now(),
            )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--messages", type=int, default=1000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="leasebot-bench-") as folder:
        Path(folder).chmod(0o755)
        with EmbeddedServer(Path(folder)) as server:
            engine = create_engine(server.url("postgres"), application_name="benchmark")
            prepare(engine)
            report = measure(engine, arguments.messages, arguments.rounds)
            engine.dispose()
    print(json.dumps(report, indent=None if arguments.json else 2))


def measure(engine: Engine, messages: int, rounds: int) -> dict[str, Any]:
    policy = PipelinePolicy(
        default_send_mode=SendMode.AUTO_SEND, ingest_batch_size=messages, decision_batch_size=messages
    )
    pipeline = Pipeline(engine, now, None, HeuristicProvider(), policy)  # type: ignore[arg-type]
    statements = 0

    def count(*_: object) -> None:
        nonlocal statements
        statements += 1

    event.listen(engine, "before_cursor_execute", count)
    seconds: dict[str, list[float]] = {"ingest": [], "link": [], "decide": []}
    counts: dict[str, int] = {}
    for number in range(rounds):
        land(engine, messages, number)

        def timed(name: str, work: Any) -> None:
            nonlocal statements
            statements, begin = 0, time.perf_counter()
            work()
            seconds[name].append(time.perf_counter() - begin)
            counts[name] = statements

        timed("ingest", lambda: ingest.ingest(pipeline, ingest.load(pipeline, PLATFORM), {}, None))
        timed("link", lambda: link.link(pipeline, PLATFORM, None))
        timed("decide", lambda: decide.apply(pipeline, decide.plan(pipeline, PLATFORM, None), {}, None))
    total = [sum(values) for values in zip(*seconds.values(), strict=True)]
    return {
        "messages": messages,
        "rounds": rounds,
        "medianSeconds": {name: round(statistics.median(values), 4) for name, values in seconds.items()},
        "messagesPerSecond": round(messages / statistics.median(total)),
        "statements": counts,
    }


if __name__ == "__main__":
    main()
