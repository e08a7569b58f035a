"""From a message visible on a site to its answer, and what a run costs, on the real stack with the sandbox.

Leads write one at a time, each on the next of the five sites, a few seconds apart, one message each; everything else is
as in production: browsers, pacing, Dagster, PostgreSQL, the poll interval. Reported are seconds to the answer (p50,
p95), CPU seconds by process beside the number of runs, and connections opened to each database. CPU seconds and
connections hold on a busy machine too; the latencies are of a machine with nothing else to do.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

import httpx2
import psycopg

from leasebot_pipeline.domain.platforms import Platform
from leasebot_pipeline.processes import demo_report, stack_file
from leasebot_pipeline.processes.dagster_home import libpq_url
from leasebot_pipeline.processes.demo import transcripts
from leasebot_pipeline.processes.stack_file import StackReport
from leasebot_pipeline.storage import demo_figures
from leasebot_pipeline.storage.engine import create_engine, dagster_url

TEXT = "Hi! Could I come and see the apartment this week? Any time works."
TICK = os.sysconf("SC_CLK_TCK")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--leads", type=int, default=15)
    parser.add_argument("--spacing", type=float, default=8.0, help="mean seconds between two leads")
    parser.add_argument("--poll-ms", type=int, default=15_000)
    parser.add_argument("--settle", type=float, default=25.0, help="seconds of idling before the first lead")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="leasebot-bench-") as folder:
        Path(folder).chmod(0o755)
        report = play(Path(folder), arguments)
    print(json.dumps(report, indent=None if arguments.json else 2))


def play(folder: Path, arguments: argparse.Namespace) -> dict[str, Any]:
    command = [sys.executable, "-m", "leasebot_pipeline.cli", "up", "--sandbox", "--no-webserver", "--no-api"]
    command += ["--inquiries", "none", "--data-dir", str(folder)]
    environment = {**os.environ, "DATABASE_URL": "", "WORKER_POLL_INTERVAL_MS": str(arguments.poll_ms)}
    log = folder / "up.log"
    with log.open("wb") as output:
        process = subprocess.Popen(command, stdout=output, stderr=output, env=environment)
    try:
        report = ready(process, folder, log)
        assert report.sandbox_url is not None
        assert report.database_url is not None
        time.sleep(arguments.settle)
        idle = Meter(report)
        time.sleep(15)
        at_rest = idle.read()
        meter = Meter(report)
        with httpx2.Client(base_url=report.sandbox_url, timeout=30) as sandbox:
            latencies = lead_by_lead(sandbox, report.database_url, arguments)
        return {
            "leads": arguments.leads,
            "latencySeconds": {
                "p50": demo_report.percentile(latencies, 0.5),
                "p95": demo_report.percentile(latencies, 0.95),
                "all": [round(value, 1) for value in sorted(latencies)],
            },
            "load": os.getloadavg()[0],
            "withLeads": meter.read(),
            "idle": at_rest,
        }
    finally:
        process.terminate()
        process.wait(120)


def ready(process: subprocess.Popen[bytes], folder: Path, log: Path) -> StackReport:
    deadline = time.monotonic() + 180
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise SystemExit(log.read_text(errors="replace")[-2000:])
        report = stack_file.running(folder)
        if report is not None and report.ready:
            return report
        time.sleep(0.2)
    raise SystemExit("the stack was not ready in time")


def lead_by_lead(sandbox: httpx2.Client, database_url: str, arguments: argparse.Namespace) -> list[float]:
    """Post the leads, wait until the last is answered (three minutes at most), and tell how long each took."""
    chance = random.Random(1)  # spread over the interval, and the same in each session
    engine = create_engine(database_url, application_name="benchmark")
    platforms = list(Platform)
    for number in range(arguments.leads):
        lead = {
            "id": f"bench-{number}",
            "name": f"Lead {number}",
            "platform": platforms[number % len(platforms)].value,
            "messages": [TEXT],
            "max_turns": 0,
        }
        sandbox.post("/leads", json=lead).raise_for_status()
        time.sleep(arguments.spacing * (0.5 + chance.random()))
    deadline = time.monotonic() + 180
    while True:
        with engine.connect() as conn:
            stored = demo_figures.stored_inbound(conn)
        found = demo_report.answer_latencies(transcripts(sandbox), stored)
        if len(found) >= arguments.leads or time.monotonic() > deadline:
            engine.dispose()
            return found
        time.sleep(1)


class Meter:
    """What the stack's processes use between two moments."""

    def __init__(self, report: StackReport) -> None:
        assert report.database_url is not None
        self._report = report
        self._urls = {"leasebot": report.database_url, "dagster": libpq_url(dagster_url(report.database_url))}
        self._began = time.monotonic()
        self._cpu = self._seconds()
        self._counts = self._database()

    def read(self) -> dict[str, Any]:
        seconds, counts = self._seconds(), self._database()
        by_job = {name[4:]: n for name, n in (counts - self._counts).items() if name.startswith("job:")}
        runs = sum(by_job.values())
        cpu = {name: round(seconds[name] - self._cpu[name], 1) for name in sorted(seconds)}
        wall = time.monotonic() - self._began
        return {
            "wallSeconds": round(wall, 1),
            "runs": runs,
            "runsByJob": by_job,
            "cpuSeconds": cpu,
            "cpuShareOfTwoCores": round(sum(cpu.values()) / wall / 2, 2),
            "cpuSecondsPerRun": round(cpu.get("runs", 0.0) / runs, 2) if runs else None,
            "connections": {name: counts[name] - self._counts[name] for name in ("leasebot", "dagster")},
        }

    def _database(self) -> Counter[str]:
        found: Counter[str] = Counter()
        with psycopg.connect(self._urls["dagster"]) as conn:
            conn.execute("SELECT pg_stat_clear_snapshot()")
            for name, sessions in conn.execute(
                "SELECT datname, sessions FROM pg_stat_database WHERE datname LIKE 'leasebot%'"
            ):
                found["dagster" if name.endswith("_dagster") else "leasebot"] = int(sessions)
            ended = (
                "SELECT pipeline_name, count(*) FROM runs WHERE status IN ('SUCCESS', 'FAILURE') GROUP BY 1"
            )
            found.update({f"job:{name}": count for name, count in conn.execute(ended)})
        return found

    def _seconds(self) -> Counter[str]:
        """CPU seconds so far by kind of process, with those of ended children that were waited for."""
        parts = {part.pid: part.name for part in self._report.parts if part.pid is not None}
        children: dict[int, list[int]] = {}
        used: dict[int, tuple[str, float]] = {}
        for entry in Path("/proc").iterdir():
            if not entry.name.isdigit():
                continue
            try:
                stat = (entry / "stat").read_text()
                command = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
            except OSError:
                continue
            fields = stat.rpartition(")")[2].split()
            children.setdefault(int(fields[1]), []).append(int(entry.name))
            used[int(entry.name)] = (command, sum(int(fields[n]) for n in (11, 12, 13, 14)) / TICK)
        total: Counter[str] = Counter()

        def add(pid: int, kind: str) -> None:
            command, seconds = used[pid]
            if "multiprocessing.forkserver" in command:
                kind = "runs"
            elif kind == "code-server" and (
                "playwright" in command or "headless" in command or "chrom" in command
            ):
                kind = "browser of the sensors"
            total[kind] += seconds
            for child in children.get(pid, ()):
                add(child, kind)

        for pid, name in parts.items():
            if pid in used:
                add(pid, name)
        return total


if __name__ == "__main__":
    main()
