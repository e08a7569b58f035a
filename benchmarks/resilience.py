"""How soon work goes on after kill -9 of each process of a running stack, and after a minute without the database.

Starts `leasebot up --sandbox` on a database server of this script's own, lets leads write, and kills one process after
the other. "First" is when the first inbox was read again by a visit that began after the kill (or the first page was
answered again), "all" when every platform's was. Ends with a count of replies doubled and messages lost.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx2
import psycopg
from sqlalchemy import text

from leasebot_pipeline.domain.platforms import Platform
from leasebot_pipeline.processes import demo_report, stack_file
from leasebot_pipeline.processes.demo import transcripts
from leasebot_pipeline.processes.stack_file import StackReport
from leasebot_pipeline.storage import demo_figures, invariants
from leasebot_pipeline.storage.engine import create_engine
from leasebot_pipeline.storage.server import EmbeddedServer

TOUR = "Hi! Could I come and see the apartment this week? Any time works."
_START_S, _RESUME_S, _IDLE_S = 240.0, 180.0, 120.0
_LOOKS = """
    SELECT platform FROM "PlatformRuns"
     WHERE action = 'ingest' AND outcome = 'succeeded' AND started_at >= to_timestamp(%s) GROUP BY platform
"""


_OPEN = {
    "events": """SELECT count(*) FROM "InboundEvents" WHERE ingested_at IS NULL AND quarantined_at IS NULL""",
    "conversations": """SELECT count(*) FROM "Conversations" WHERE newest_inbound_seq > handled_through_seq""",
    "replies": """SELECT string_agg(state || ' ' || COALESCE(error_code, '') || ' ' || COALESCE(next_attempt_at::text, ''), '; ')
                    FROM "OutboundDispatches" WHERE state NOT IN ('sent', 'cancelled')""",
    "stopped": """SELECT string_agg(stop_code || ': ' || stop_reason, '; ') FROM "AccountRuntime" WHERE stop_code IS NOT NULL""",
    "breakers": """SELECT count(*) FROM "AccountRuntime" WHERE circuit_state <> 'closed'""",
}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--poll-ms", type=int, default=5000, help="time between two looks at an inbox")
    parser.add_argument(
        "--away", type=float, default=60.0, help="seconds without the database; 0 leaves that out"
    )
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    with ExitStack() as stack:
        folder = Path(
            stack.enter_context(
                tempfile.TemporaryDirectory(prefix="leasebot-kill-", ignore_cleanup_errors=True)
            )
        )
        folder.chmod(0o755)
        report = Kills(stack, folder, given.poll_ms).all(given.away)
    if given.json:
        print(json.dumps(report))
        return
    for name, figures in report["resumed"].items():
        print(f"{name:>14}: first {figures['first']:5.1f} s, all {figures['all']:5.1f} s")
    print({key: value for key, value in report.items() if key != "resumed"})


class Kills:
    """A stack and what is done to it."""

    def __init__(self, stack: ExitStack, folder: Path, poll_ms: int) -> None:
        self.server = EmbeddedServer(folder / "pg", port=_free_port())
        self.server.start()
        stack.callback(self.server.stop)
        with psycopg.connect(self.server.url("postgres"), autocommit=True) as conn:
            conn.execute("CREATE DATABASE lease_bot")
        self.url = self.server.url("lease_bot")
        self.data = folder / "data"
        self.data.mkdir()
        command = [sys.executable, "-m", "leasebot_pipeline.cli", "up", "--sandbox", "--inquiries", "none"]
        environment = os.environ | {"DATABASE_URL": self.url, "WORKER_POLL_INTERVAL_MS": str(poll_ms)}
        log = stack.enter_context((folder / "log").open("wb"))
        self.process = subprocess.Popen(
            [*command, "--data-dir", str(self.data)], stdout=log, stderr=log, env=environment
        )
        stack.callback(self._end)
        self._until("the stack is up", lambda: (found := self.report()) is not None and found.ready, _START_S)
        found = self.report()
        assert found is not None
        assert found.sandbox_url is not None
        self.sandbox = stack.enter_context(httpx2.Client(base_url=found.sandbox_url, timeout=30))
        self.engine = create_engine(self.url, application_name="resilience", pool_size=1)
        stack.callback(self.engine.dispose)
        self.leads = 0

    def all(self, away_s: float) -> dict[str, Any]:
        """Kill one after the other, then judge."""
        resumed: dict[str, dict[str, float]] = {}
        self._steady()
        for name in ("code-server", "daemon", "browser"):
            self._write()
            began = time.time()
            self._kill(name)
            resumed[name] = self._told(name, self._looked_again(began))
            self._steady()
        self._write()
        assert self.server.pid is not None
        os.kill(self.server.pid, signal.SIGKILL)
        time.sleep(0.5)  # its children see that it is gone
        self.server.stop()
        self.server.start()
        resumed["database"] = self._told("database", self._looked_again(time.time()))
        self._steady()
        if away_s:
            self._write(4)
            self.server.stop()
            time.sleep(away_s)
            self.server.start()
            name = f"{away_s:.0f} s away"
            resumed[name] = self._told(name, self._looked_again(time.time()))
        for name, page in (("api", "/ready"), ("webserver", "/server_info")):
            began = time.time()
            self._kill(name)
            at = self._until(f"{name} answers", lambda n=name, p=page: self._answers(n, p), _RESUME_S)
            resumed[name] = self._told(name, {"first": round(at - began, 1), "all": round(at - began, 1)})
        return {"resumed": resumed, **self._judged()}

    @staticmethod
    def _told(name: str, figures: dict[str, float]) -> dict[str, float]:
        print(name, figures, file=sys.stderr, flush=True)
        return figures

    def report(self) -> StackReport | None:
        return stack_file.running(self.data)

    def _kill(self, name: str) -> None:
        if name == "browser":
            server = self._pid("code-server")
            for pid in _below(server):
                line = _command(pid)
                if b"--headless" in line and b"--type=" not in line:
                    os.kill(pid, signal.SIGKILL)
            return
        os.kill(self._pid(name), signal.SIGKILL)

    def _pid(self, name: str) -> int:
        found = self.report()
        assert found is not None
        pid = next(part.pid for part in found.parts if part.name == name)
        assert pid is not None
        return pid

    def _answers(self, name: str, page: str) -> bool:
        found = self.report()
        url = None if found is None else (found.api_url if name == "api" else found.dagster_url)
        try:
            return url is not None and httpx2.get(url + page, timeout=2).status_code == 200
        except httpx2.HTTPError:
            return False

    def _looked_again(self, since: float) -> dict[str, float]:
        first = self._until("a platform is read again", lambda: bool(self._read_since(since)), _RESUME_S)
        every = self._until(
            "all are read again", lambda: len(self._read_since(since)) == len(Platform), _RESUME_S
        )
        return {"first": round(first - since, 1), "all": round(every - since, 1)}

    def _read_since(self, since: float) -> set[str]:
        try:
            with psycopg.connect(self.url, connect_timeout=2) as conn:
                return {row[0] for row in conn.execute(_LOOKS, (since,))}
        except psycopg.OperationalError:
            return set()

    def _steady(self) -> None:
        """All parts are ready, and every inbox is read."""
        self._until("all parts are ready", lambda: (f := self.report()) is not None and f.ready, _RESUME_S)
        self._looked_again(time.time())

    def _write(self, each: int = 1) -> None:
        for platform in [*Platform] * each:
            self.leads += 1
            lead = {"id": f"kill-{self.leads}", "name": f"Ana {self.leads}", "platform": platform.value}
            self.sandbox.post("/leads", json={**lead, "messages": [TOUR], "max_turns": 0}).raise_for_status()

    def _judged(self) -> dict[str, Any]:
        def idle() -> bool:
            with self.engine.connect() as conn:
                stored = demo_figures.stored_inbound(conn)
                return len(stored) >= self.leads and demo_figures.open_work(conn) == 0

        with contextlib.suppress(TimeoutError):
            self._until("nothing is open", idle, _IDLE_S)
        leads = transcripts(self.sandbox)
        with self.engine.connect() as conn:
            clicked = demo_figures.clicked_replies(conn)
            inbound = demo_figures.stored_inbound(conn)
            broken = [one.name for one in invariants.check(conn) if not one.holds]
            left = {what: conn.execute(text(query)).scalar_one() for what, query in _OPEN.items()}
        return {
            "leads": len(leads),
            "received": sum(len(lead.received) for lead in leads),
            "doubled": demo_report.duplicates(leads, clicked),
            "lost": demo_report.lost_inbound(leads, inbound) + demo_report.lost_outbound(leads, clicked),
            "brokenInvariants": broken,
            "open": {what: count for what, count in left.items() if count},
        }

    def _until(self, what: str, reached: Callable[[], bool], deadline_s: float) -> float:
        """The instant it was reached. Raises TimeoutError."""
        ends = time.monotonic() + deadline_s
        while not reached():
            if time.monotonic() > ends or self.process.poll() is not None:
                raise TimeoutError(f"not reached: {what}")
            time.sleep(0.1)
        return time.time()

    def _end(self) -> None:
        self.process.terminate()
        try:
            self.process.wait(60)
        except subprocess.TimeoutExpired:
            self.process.kill()


def _below(pid: int) -> list[int]:
    children: dict[int, list[int]] = {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            parent = int((folder / "stat").read_bytes().rpartition(b")")[2].split()[1])
        except (OSError, ValueError, IndexError):
            continue
        children.setdefault(parent, []).append(int(folder.name))
    found, waiting = [], [pid]
    while waiting:
        waiting += (below := children.get(waiting.pop(), []))
        found += below
    return found


def _command(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


if __name__ == "__main__":
    main()
