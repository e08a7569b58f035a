"""The observability snapshot and the inbox list at 10k / 100k / 1M rows: p50 and p95.

A fresh embedded server per run, fsync off, one database per size. Rows come from SQL files of a workload (``--workload
DIR`` or LEASE_BOT_WORKLOAD: ``00_helpers 10_base 40_window 50_inbox``, psql variables ``r``, ``c`` and ``anchor``), else
from the generator below, which spreads as many messages and audit rows evenly over the last day. Times are
milliseconds of wall clock on one warm connection; the machine's load is printed beside them.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID

import psycopg
from sqlalchemy import Connection, Engine, text

from leasebot_pipeline.storage import inbox, migrate, rollups
from leasebot_pipeline.storage.engine import create_engine
from leasebot_pipeline.storage.figures import figures
from leasebot_pipeline.storage.inbox import InboxFilter
from leasebot_pipeline.storage.observability import SnapshotRequest, take_snapshot
from leasebot_pipeline.storage.rollups import tallies
from leasebot_pipeline.storage.server import EmbeddedServer, find_binaries
from leasebot_pipeline.storage.waiting_for_people import by_kind, count_waiting, waiting_for_people

MESSAGES_OF_A_CONVERSATION = 6

_GENERATED = (
    """INSERT INTO "PlatformAccounts" (platform, account_name, account_external_id)
       SELECT p, p, p FROM unnest(ARRAY['spareroom', 'roomies', 'leasebreak', 'renthop', 'furnishedfinder']) p""",
    """INSERT INTO "Agents" (platform_account_id, full_name)
       SELECT a.id, 'Agent ' || n FROM "PlatformAccounts" a, generate_series(1, 4) n""",
    """INSERT INTO "Conversations" (platform_account_id, assigned_agent_id, external_thread_id, lead_name, last_message_at)
       SELECT a.platform_account_id, a.id, 'w' || c, 'Lead ' || c, :now - interval '10 minutes'
         FROM generate_series(0, GREATEST(1, :window / 8) - 1) c
         JOIN (SELECT id, platform_account_id, row_number() OVER (ORDER BY id) - 1 AS n FROM "Agents") a ON a.n = c % 20""",
    """INSERT INTO "Messages" (conversation_id, sender_type, external_message_id, direction, body, metadata, sent_at, created_at)
       SELECT c.id, 'lead', 'w' || g, CASE g % 2 WHEN 0 THEN 'inbound' ELSE 'outbound' END, 'Is it still available?',
              CASE g % 2 WHEN 0 THEN '{"aiProcessedAt": "x"}'::jsonb
                ELSE jsonb_build_object('reviewStatus', (ARRAY['sent', 'sent', 'sent', 'draft', 'hold'])[(g / 2) % 5 + 1]) END, t, t
         FROM (SELECT g, :now - interval '23 hours 50 minutes' * (1 - g::float / :window) AS t FROM generate_series(0, :window - 1) g) s
         JOIN (SELECT id, row_number() OVER (ORDER BY id) - 1 AS n FROM "Conversations") c ON c.n = g % GREATEST(1, :window / 8)""",
    """INSERT INTO "AuditLogs" (actor_type, entity_type, entity_id, action, details, created_at, platform, conversation_id, agent_id)
       SELECT 'worker', 'message', 'm' || g / 4, s.action,
              CASE WHEN s.action IN ('ai_reply_decision', 'ai_reply_escalated', 'ai_reply_skipped')
                THEN jsonb_build_object('outcome', CASE g % 12 / 4 WHEN 0 THEN 'escalate' ELSE 'draft' END, 'provider', 'heuristic',
                       'escalationReasonCode', CASE g % 12 / 4 WHEN 0 THEN 'escalate_' || g % 5 END) ELSE '{"stage": "pipeline"}' END,
              t, a.platform, c.id, c.assigned_agent_id::text
         FROM (SELECT g, (ARRAY['ai_reply_decision', 'ai_reply_escalated', 'ai_reply_skipped', 'ai_reply_created', 'ai_reply_decision',
                  'ai_reply_created', 'platform_dispatch_sent', 'workflow_state_transitioned', 'ai_reply_decision', 'ai_reply_error',
                  'ingest_conversation_linkage_resolved', 'inbox_message_approved'])[g % 12 + 1] AS action,
                      :now - interval '23 hours 50 minutes' * (1 - g::float / :window) AS t
                 FROM generate_series(0, :window - 1) g) s
         JOIN (SELECT id, platform_account_id, assigned_agent_id, row_number() OVER (ORDER BY id) - 1 AS n FROM "Conversations") c
           ON c.n = g / 4 % GREATEST(1, :window / 8)
         JOIN "PlatformAccounts" a ON a.id = c.platform_account_id""",
    """INSERT INTO "Conversations" (platform_account_id, assigned_agent_id, external_thread_id, lead_name, last_message_at)
       SELECT a.platform_account_id, a.id, 'i' || c, 'Inbox lead ' || c, :now - c * interval '37 seconds'
         FROM generate_series(0, :inbox - 1) c
         JOIN (SELECT id, platform_account_id, row_number() OVER (ORDER BY id) - 1 AS n FROM "Agents") a ON a.n = c % 20""",
    """INSERT INTO "Messages" (conversation_id, sender_type, external_message_id, direction, body, metadata, sent_at, created_at)
       SELECT id, 'lead', 'i' || j, CASE j % 2 WHEN 0 THEN 'inbound' ELSE 'outbound' END, 'Hello',
              CASE j % 2 WHEN 0 THEN '{"aiProcessedAt": "x"}'::jsonb
                ELSE jsonb_build_object('reviewStatus', (ARRAY['sent', 'sent', 'draft', 'hold'])[(n + j) % 4 + 1]) END, at, at
         FROM (SELECT id, row_number() OVER () AS n, last_message_at AS at FROM "Conversations" WHERE external_thread_id LIKE 'i%') c,
              generate_series(0, 5) j""",
)
_DELAYS = """
    INSERT INTO "InboundEvents" (platform_account_id, platform, external_thread_id, external_message_id, identity_source,
                                 direction, body, sent_at, sent_at_has_time, landed_at, ingested_at)
    SELECT a.id, a.platform, 't', g::text, 'platform', 'inbound', 'x', t - g % 90 * interval '1 second', true, t, t
      FROM (SELECT g, :now - interval '23 hours 50 minutes' * (1 - g::float / :events) AS t FROM generate_series(0, :events - 1) g) s
      JOIN (SELECT id, platform, row_number() OVER (ORDER BY id) - 1 AS n FROM "PlatformAccounts") a ON a.n = g % 5
"""


def load_workload(folder: Path, url: str, window: int, conversations: int, now: datetime) -> None:
    """Run the workload's files. Its showings are written with triggers on: our columns of busy times need them."""
    psql = [str(find_binaries() / "psql"), "-X", "-q", "-v", "ON_ERROR_STOP=1", "-d", url]
    psql += ["-v", f"anchor={now.isoformat()}", "-v", f"r={window}", "-v", f"c={conversations}"]
    for name in ("00_helpers", "10_base", "40_window", "50_inbox"):
        script = (folder / f"{name}.sql").read_text(encoding="utf-8")
        script = script.replace(
            'INSERT INTO "ShowingAppointments"',
            'SET LOCAL session_replication_role = origin;\nINSERT INTO "ShowingAppointments"',
        )
        subprocess.run(psql, input=script, text=True, check=True, stderr=subprocess.DEVNULL)


def generate(engine: Engine, window: int, conversations: int, now: datetime) -> None:
    for statement in _GENERATED:
        with engine.begin() as conn:
            conn.execute(text("SET LOCAL session_replication_role = replica"))
            sql = text(statement)
            values = {"now": now, "window": window, "inbox": conversations}
            conn.execute(sql, {name: values[name] for name in sql.compile().params})


def prepare(engine: Engine, url: str, size: int, workload: Path | None, now: datetime) -> None:
    """A database of ``size`` messages and audit rows in the window, half as many landed ones, and an inbox of that size."""
    migrate.upgrade(engine)
    conversations = max(1, size // MESSAGES_OF_A_CONVERSATION)
    if workload is not None:
        load_workload(workload, url, size, conversations, now)
    else:
        generate(engine, size, conversations, now)
    with engine.begin() as conn:
        conn.execute(text(_DELAYS), {"now": now, "events": size // 2})
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as conn:
        conn.execute(text("VACUUM ANALYZE"))


def digest(engine: Engine, now: datetime) -> dict[str, float]:
    """Count everything, as the sensor does minute by minute; seconds."""
    started = time.perf_counter()
    with engine.begin() as conn:
        conn.execute(text("SET LOCAL statement_timeout = 0"))
        tallies.mend(conn, now)
    mended = time.perf_counter()
    rollups.advance(engine, now, timedelta(hours=1))
    done = time.perf_counter()
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as conn:
        conn.execute(text("VACUUM ANALYZE"))
    return {"mend_s": round(mended - started, 1), "digest_s": round(done - mended, 1)}


def measure(engine: Engine, rounds: int, work: Callable[[Connection], object]) -> dict[str, float]:
    """Milliseconds of one call, in a read-only snapshot of its own as the API takes it."""
    reader = engine.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
    taken = []
    with reader.connect() as conn:
        with conn.begin():  # as the API's connections have it
            conn.execute(text("SET plan_cache_mode = force_custom_plan"))
        for number in range(rounds + 2):
            started = time.perf_counter()
            with conn.begin():
                work(conn)
            if number >= 2:
                taken.append((time.perf_counter() - started) * 1000)
    return {
        "p50_ms": round(statistics.median(taken), 1),
        "p95_ms": round(statistics.quantiles(taken, n=20)[18], 1) if len(taken) > 1 else round(taken[0], 1),
        "best_ms": round(min(taken), 1),
    }


def lists(engine: Engine, rounds: int) -> dict[str, dict[str, float]]:
    """The inbox list's pages of fifty."""
    with engine.connect() as conn:
        agent: UUID = conn.execute(
            text('SELECT assigned_agent_id FROM "Conversations" WHERE assigned_agent_id IS NOT NULL LIMIT 1')
        ).scalar_one()
        deep = conn.execute(
            text("""SELECT COALESCE(last_message_at, created_at) AS at, COALESCE(external_inbox_sort_rank, 2147483647) AS rank, id
                      FROM "Conversations" WHERE status = 'open' ORDER BY 1 DESC, 2, 3
                    OFFSET (SELECT count(*) * 9 / 10 FROM "Conversations") LIMIT 1""")
        ).one()
    after = (deep.at.isoformat(), deep.rank, deep.id)
    pages = {
        "first_page": (InboxFilter(), None),
        "deep_page": (InboxFilter(), after),
        "held": (InboxFilter(status="hold"), None),
        "drafts": (InboxFilter(status="draft"), None),
        "agents_own": (InboxFilter(agent_id=agent), None),
        "agents_held": (InboxFilter(agent_id=agent, status="hold"), None),
        "for_a_person": (InboxFilter(for_person=True), None),
        "search_a_lead": (InboxFilter(search="lead 1234"), None),
        "search_a_unit": (InboxFilter(search="unit 77"), None),
        "search_in_vain": (InboxFilter(search="nobody of that name"), None),
    }
    return {
        name: measure(engine, rounds, lambda conn, w=wanted, a=key: inbox.list_inbox(conn, w, 50, a))  # type: ignore[misc]
        for name, (wanted, key) in pages.items()
    }


def waiting(engine: Engine, rounds: int, now: datetime) -> dict[str, dict[str, float]]:
    """What waits for people: the list's first fifty, their number, and the first of each kind."""
    return {
        "waiting": measure(engine, rounds, lambda conn: waiting_for_people(conn, now, 50)),
        "waiting_count": measure(engine, rounds, lambda conn: count_waiting(conn, now)),
        "waiting_by_kind": measure(engine, rounds, lambda conn: by_kind(conn, now, 15)),
    }


def run(server: EmbeddedServer, size: int, rounds: int, workload: Path | None) -> dict[str, object]:
    name = f"bench_{size}"
    with psycopg.connect(server.url("postgres"), autocommit=True) as conn:
        conn.execute(f"CREATE DATABASE {name}")
    url = server.url(name)
    engine = create_engine(
        url, application_name="benchmark", pool_size=1, statement_timeout=timedelta(hours=1)
    )
    now = datetime.now(UTC)
    prepare(engine, url, size, workload, now)

    def snapshot(conn: Connection) -> object:
        return take_snapshot(conn, SnapshotRequest(now, 24, 50, 25, 25, 60_000))

    live = measure(engine, 2, snapshot)
    with engine.connect() as conn:
        by_rows = snapshot(conn)
    spent = digest(engine, now)
    result: dict[str, object] = {
        "rows": size,
        "snapshot": measure(engine, rounds, snapshot),
        "snapshot_uncounted": live,
        "metrics": measure(engine, rounds, lambda conn: figures(conn, now)),
        "inbox": lists(engine, rounds) | waiting(engine, rounds, now),
        "counting": spent,
        "load": [round(one, 1) for one in os.getloadavg()],
    }
    with engine.connect() as conn:
        result["same_figures"] = _counted(snapshot(conn)) == _counted(by_rows)
    engine.dispose()
    return result


def _counted(snapshot: object) -> object:
    """What does not depend on whether messages were mended."""
    return snapshot.signals  # type: ignore[attr-defined]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sizes", type=int, nargs="+", default=[10_000, 100_000, 1_000_000])
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--workload", type=Path, default=os.environ.get("LEASE_BOT_WORKLOAD"))
    parser.add_argument("--folder", type=Path, help="where the server's files go, for example in memory")
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    workload = Path(args.workload) if args.workload else None
    with tempfile.TemporaryDirectory(dir=args.folder, ignore_cleanup_errors=True) as folder:
        Path(folder).chmod(0o755)
        with EmbeddedServer(Path(folder), durable=False) as server:
            for size in args.sizes:
                result = run(server, size, args.rounds, workload)
                if args.json:
                    print(json.dumps(result), flush=True)
                else:
                    print(f"{size:>9,} rows, load {result['load']}", flush=True)
                    inbox_lists: dict[str, dict[str, float]] = result["inbox"]  # type: ignore[assignment]
                    for name in ("snapshot", "snapshot_uncounted", "metrics"):
                        print(f"  {name:<20}{result[name]}")
                    for name, figure in inbox_lists.items():
                        print(f"  inbox {name:<16}{figure}")
                    print(
                        f"  counting            {result['counting']}, same figures: {result['same_figures']}"
                    )


if __name__ == "__main__":
    main()
