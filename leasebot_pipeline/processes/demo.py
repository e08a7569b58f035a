"""`leasebot demo`: a whole stack of its own, leads played over all five sites until idle, and a verdict.

The stack is the real one (`leasebot up --sandbox`) on a data directory of its own. Nothing is shortened:
pacing, polling intervals, browsers and Dagster runs are those of production; only the platforms are played.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Final

import httpx2
import psycopg
import tenacity
from sqlalchemy import Engine
from sqlalchemy.exc import OperationalError

from leasebot_pipeline.domain.platforms import Platform
from leasebot_pipeline.processes import demo_report, stack_file
from leasebot_pipeline.processes.dagster_home import libpq_url
from leasebot_pipeline.processes.demo_report import LeadTranscript
from leasebot_pipeline.processes.stack_file import StackReport
from leasebot_pipeline.storage import demo_figures
from leasebot_pipeline.storage.engine import create_engine, dagster_url

_START_DEADLINE_S = 180.0
_LOOK_EVERY_S = 2.0


# A part of the stack may die and come back while the demo watches (some people kill it on purpose).
_while_parts_restart = tenacity.retry(
    retry=tenacity.retry_if_exception_type(
        (httpx2.TransportError, OperationalError, psycopg.OperationalError)
    ),
    wait=tenacity.wait_fixed(1),
    stop=tenacity.stop_after_delay(60),
    reraise=True,
)


class DemoFailed(RuntimeError):
    """The demo's stack did not start or did not come to rest; the message says what it waited for."""


@dataclass(frozen=True, slots=True)
class DemoOptions:
    """What to play. ``leads_file``: dialogues or scripts; None plays inquiries of our own."""

    data_dir: Path
    leads_file: Path | None = None
    limit: int = 60
    spacing_s: float = 3.0
    time_scale: float = 0.2
    timeout_s: float = 1200.0


def run_demo(options: DemoOptions, say: Callable[[str], None]) -> dict[str, Any]:
    """Start a stack, play the leads until idle, judge, stop the stack. Raises DemoFailed."""
    with _stack(options, say) as report:
        assert report.sandbox_url is not None
        assert report.database_url is not None
        engine = create_engine(report.database_url, application_name="leasebot demo")
        try:
            with httpx2.Client(base_url=report.sandbox_url, timeout=30) as sandbox:
                loaded = _load(sandbox, options)
                say(
                    f"{loaded} leads write over the next {loaded * options.spacing_s:.0f} s; playing until idle"
                )
                _until_idle(sandbox, engine, options, say)
                leads = transcripts(sandbox)
            return _judge(report.database_url, engine, leads)
        finally:
            engine.dispose()


@contextlib.contextmanager
def _stack(options: DemoOptions, say: Callable[[str], None]) -> Iterator[StackReport]:
    command = [sys.executable, "-m", "leasebot_pipeline.cli", "up", "--sandbox", "--no-webserver", "--no-api"]
    command += ["--inquiries", "none", "--data-dir", str(options.data_dir)]
    # A database of its own, whatever the environment names: figures of a demo are of the demo alone.
    environment = {
        **os.environ,
        "DATABASE_URL": "",
        "LEASE_BOT_SANDBOX_TIME_SCALE": str(options.time_scale),
    }
    options.data_dir.mkdir(parents=True, exist_ok=True)
    log = options.data_dir / "demo.log"
    with log.open("wb") as output:
        process = subprocess.Popen(command, stdout=output, stderr=output, env=environment)
    try:
        yield _ready(process, options.data_dir, log, say)
    finally:
        process.terminate()
        try:
            process.wait(90)
        except subprocess.TimeoutExpired:
            process.kill()


def _ready(
    process: subprocess.Popen[bytes], data_dir: Path, log: Path, say: Callable[[str], None]
) -> StackReport:
    say("starting a stack: database, sandbox, code server, daemon")
    deadline = time.monotonic() + _START_DEADLINE_S
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise DemoFailed(f"the stack ended while starting:\n{log.read_text(errors='replace')[-2000:]}")
        report = stack_file.running(data_dir)
        if report is not None and report.ready:
            return report
        time.sleep(0.2)
    raise DemoFailed(f"the stack was not ready within {_START_DEADLINE_S:.0f} s; its log is {log}")


def _load(sandbox: httpx2.Client, options: DemoOptions) -> int:
    request: dict[str, object] = {"spacing": options.spacing_s / options.time_scale}
    request["platforms"] = [platform.value for platform in Platform]
    if options.leads_file is None:
        request["builtin"] = options.limit
    else:
        request |= {"path": str(options.leads_file.resolve()), "limit": options.limit}
    answer = sandbox.post("/leads/load", json=request)
    if answer.status_code != 201:
        raise DemoFailed(f"the sandbox refused the leads: {answer.text[:500]}")
    return int(answer.json()["added"])


def _until_idle(
    sandbox: httpx2.Client, engine: Engine, options: DemoOptions, say: Callable[[str], None]
) -> None:
    """Wait until no lead will write any more, every message is stored and no work is open."""
    begun = time.monotonic()
    said = 0.0
    while True:
        idle, inbound, work = _look(sandbox, engine)
        missing = demo_report.lost_inbound(transcripts(sandbox), inbound) if idle["idle"] else None
        elapsed = time.monotonic() - begun
        if idle["idle"] and not work and missing == 0:
            say(f"idle after {elapsed:.0f} s")
            return
        if elapsed > options.timeout_s:
            say(
                f"not idle after {elapsed:.0f} s: {work} items open, {missing} messages not stored; judging as it is"
            )
            return
        if elapsed - said >= 10:
            said = elapsed
            answered = sum(message.answered_at is not None for message in inbound)
            say(
                f"{elapsed:4.0f} s: {idle['leads']} leads, {idle['writing'] + idle['waiting']} still active; "
                f"{len(inbound)} messages stored, {answered} answered, {work} items open"
            )
        time.sleep(_LOOK_EVERY_S)


@_while_parts_restart
def _look(
    sandbox: httpx2.Client, engine: Engine
) -> tuple[dict[str, Any], list[demo_figures.StoredInbound], int]:
    """How far the leads are, what is stored, how much waits."""
    idle: dict[str, Any] = sandbox.get("/idle").json()
    with engine.connect() as conn:
        return idle, demo_figures.stored_inbound(conn), demo_figures.open_work(conn)


@_while_parts_restart
def _judge(database_url: str, engine: Engine, leads: list[LeadTranscript]) -> dict[str, Any]:
    runs, checks = dagster_figures(libpq_url(dagster_url(database_url)))
    with engine.connect() as conn:
        return demo_report.build(conn, leads, dagster_runs=runs, checks=checks)


@_while_parts_restart
def transcripts(sandbox: httpx2.Client) -> list[LeadTranscript]:
    """Every lead's thread as the sandbox keeps it, without what it invented as history of ours."""
    found = []
    for summary in sandbox.get("/leads").json()["leads"]:
        lead = sandbox.get(f"/leads/{summary['lead']}").json()
        inbound = [message for message in lead["messages"] if message["direction"] == "inbound"]
        received = [m["text"] for m in lead["messages"] if m["direction"] == "outbound" and not m["scripted"]]
        found.append(
            LeadTranscript(
                platform=lead["platform"],
                external_thread_id=lead["threadId"],
                written=tuple((m["text"], datetime.fromisoformat(m["at"])) for m in inbound),
                received=tuple(received),
            )
        )
    return found


# A check that was planned by a killed run stays "planned": it was never evaluated.
_CHECKS: Final = """
    SELECT count(*) FILTER (WHERE execution_status = 'SUCCEEDED'),
           count(*) FILTER (WHERE execution_status = 'FAILED' AND NOT warned),
           count(*) FILTER (WHERE execution_status = 'FAILED' AND warned)
      FROM (SELECT execution_status, evaluation_event LIKE '%AssetCheckSeverity.WARN%' AS warned
              FROM asset_check_executions) each
"""


def dagster_figures(url: str) -> tuple[int, dict[str, int]]:
    """Runs and asset check results, from Dagster's own tables; a failed check that only warns is counted apart."""
    with psycopg.connect(url) as conn:
        runs = conn.execute("SELECT count(*) FROM runs").fetchone()
        checks = conn.execute(_CHECKS).fetchone() or (0, 0, 0)
    return int(runs[0]) if runs else 0, dict(
        zip(("passed", "failed", "warned"), map(int, checks), strict=True)
    )
