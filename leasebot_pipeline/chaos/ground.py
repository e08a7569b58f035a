"""The ground a play stands on: a database of its own that can be taken away, a receiver of alerts, what is due next."""

from __future__ import annotations

import os
import signal
import socket
from contextlib import AbstractContextManager
from datetime import datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from types import TracebackType
from typing import Final, Self

import psycopg
from sqlalchemy import Connection, Engine, text

from leasebot_pipeline.domain.platforms import Platform, ReleaseStage, SendMode
from leasebot_pipeline.processes import practice
from leasebot_pipeline.storage import migrate
from leasebot_pipeline.storage.bootstrap import AccountChoice, ensure_release_stage, ensure_required_accounts
from leasebot_pipeline.storage.engine import create_engine
from leasebot_pipeline.storage.server import EmbeddedServer

_NO_WAIT_FOR_DISKS: Final = {"fsync": "off", "full_page_writes": "off"}
"""What is committed is in the log of the server before it is answered, as ever, and outlives it: only a machine that
loses power could lose it, and none does in a play."""


_JUDGE: Final = timedelta(minutes=5)
"""How long a question about the whole play may take."""


class Database(AbstractContextManager["Database"]):
    """A server of our own with one migrated database, which keeps its port over restarts."""

    def __init__(self, folder: Path, now: datetime) -> None:
        self._server = EmbeddedServer(folder, port=_free_port(), settings=_NO_WAIT_FOR_DISKS)
        self._now = now

    def __enter__(self) -> Self:
        self._server.start()
        self.url = self._server.url("postgres")
        self.engine: Engine = create_engine(
            self.url, application_name="chaos play", pool_size=2, statement_timeout=_JUDGE
        )
        migrate.upgrade(self.engine)
        prepare(self.engine, self._now)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.engine.dispose()
        self._server.stop()

    def stop(self, *, crash: bool = False) -> None:
        """Take it away; ``crash``: without a word, to be recovered from its log."""
        pid = self._server.pid
        if crash and pid is not None:
            os.kill(pid, signal.SIGQUIT)
        self._server.stop()

    def start(self) -> None:
        """Bring it back at the same address."""
        self._server.start()

    def cut_connections(self) -> None:
        """End every connection but our own look at it."""
        with psycopg.connect(self.url, autocommit=True) as conn:
            conn.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE pid <> pg_backend_pid() AND application_name = 'leasebot chaos'"
            )


def prepare(engine: Engine, now: datetime) -> None:
    """Five accounts that may send, and the practice team, in a migrated database."""
    with engine.begin() as conn:
        ensure_required_accounts(conn, {platform: _may_send(platform) for platform in Platform})
        ensure_release_stage(conn, ReleaseStage.FULL, "a play", now)
        practice.prepare(conn, now)


def _may_send(platform: Platform) -> AccountChoice:
    prefix = platform.env_prefix
    references = {"usernameRef": f"env:{prefix}_USERNAME", "passwordRef": f"env:{prefix}_PASSWORD"}
    return AccountChoice(references, is_active=True, auth_mode="login", send_mode=SendMode.AUTO_SEND)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Receiver(AbstractContextManager["Receiver"]):
    """Where alerts go. It counts what it accepted, and refuses while it is down."""

    def __enter__(self) -> Self:
        receiver = self
        self.accepted = 0
        self.down = False

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                self.rfile.read(int(self.headers.get("Content-Length", "0")))
                self.send_response(503 if receiver.down else 200)
                self.send_header("Content-Length", "0")
                self.end_headers()
                receiver.accepted += not receiver.down

            def log_message(self, format: str, *args: object) -> None:
                """Nobody reads it."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        Thread(target=self._server.serve_forever, name="alert receiver", daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}/alerts"


_NEXT = text("""
    SELECT min(at) FROM (
      SELECT next_attempt_at AS at FROM "OutboundDispatches"
       WHERE state IN ('queued', 'retry_scheduled', 'unknown') AND next_attempt_at > :now
      UNION ALL
      SELECT lease_expires_at FROM "OutboundDispatches"
       WHERE state IN ('claimed', 'sending') AND lease_expires_at > :now
      UNION ALL
      SELECT lease_expires_at FROM "AccountRuntime" WHERE lease_owner IS NOT NULL AND lease_expires_at > :now
      UNION ALL
      SELECT circuit_open_until FROM "AccountRuntime" WHERE circuit_open_until > :now
      UNION ALL
      SELECT CAST(c.value ->> 'openUntil' AS timestamptz) FROM "AccountRuntime", jsonb_each(action_circuits) c
       WHERE CAST(c.value ->> 'openUntil' AS timestamptz) > :now) due
""")


def next_due(engine: Engine, now: datetime) -> datetime | None:
    """When something of the pipeline's own is due next."""
    with engine.connect() as conn:
        found: datetime | None = conn.execute(_NEXT, {"now": now}).scalar_one()
        return found


# The database's clock can't be set: what it counts from moves back instead.
_AGE = text("""
    UPDATE "OutboundDispatches" SET in_doubt_since = in_doubt_since - make_interval(secs => :seconds)
     WHERE state = 'unknown'
""")


def let_time_pass(engine: Engine, seconds: float) -> None:
    """For the database, that many seconds went by at once. Raises OperationalError while it is away."""
    with engine.begin() as conn:
        conn.execute(_AGE, {"seconds": seconds})


_STORED = text("""SELECT count(*) FROM "Messages" WHERE direction = 'inbound'""")


def stored(conn: Connection) -> int:
    """How many messages of leads are stored."""
    return int(conn.execute(_STORED).scalar_one())


_END_STAGE = text("""UPDATE "ReleaseStages" SET ended_at = :now WHERE ended_at IS NULL AND stage <> :stage""")
_STAGE = text("""
    INSERT INTO "ReleaseStages" (stage, actor_type, reason, started_at)
    SELECT :stage, 'system', 'a play', :now WHERE NOT EXISTS (SELECT 1 FROM "ReleaseStages" WHERE ended_at IS NULL)
""")
_ACCOUNT = text("""
    UPDATE "PlatformAccounts" SET is_active = :active, send_mode = :send_mode
     WHERE CAST(:platform AS text) IS NULL OR platform = :platform
""")


def set_stage(engine: Engine, stage: ReleaseStage, now: datetime) -> None:
    """What an administrator does: another release stage from this commit on."""
    with engine.begin() as conn:
        parameters = {"stage": stage.value, "now": now}
        conn.execute(_END_STAGE, parameters)
        conn.execute(_STAGE, parameters)


def set_account(
    engine: Engine,
    platform: Platform | None,
    *,
    active: bool = True,
    send_mode: SendMode = SendMode.AUTO_SEND,
) -> None:
    """What an administrator does to the account of a platform (None: to all)."""
    with engine.begin() as conn:
        parameters = {
            "platform": platform.value if platform else None,
            "active": active,
            "send_mode": send_mode.value,
        }
        conn.execute(_ACCOUNT, parameters)
