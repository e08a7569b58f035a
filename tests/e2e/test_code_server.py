"""Real runs through the code server, the daemon and PostgreSQL, with a tiny code location.

Nothing less would notice when Dagster changes the private detail the forkserver leans on, or when its
storage stops working with the database driver.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import make_url

from leasebot_pipeline.processes import code_server, dagster_home, probes
from leasebot_pipeline.processes.ports import choose_port
from leasebot_pipeline.processes.service import ChildProcess
from tests.conftest import Database, DatabaseServer, _fresh, copy_database

_DEADLINE_S = 60.0


def _until(what: str, reached: Callable[[], bool]) -> float:
    began = time.monotonic()
    while not reached():
        assert time.monotonic() - began < _DEADLINE_S, f"not reached in time: {what}"
        time.sleep(0.02)
    return time.monotonic() - began


class Location:
    """A code server and a daemon over one test database. ``storage``: a database with Dagster's tables, to be copied."""

    def __init__(self, database: Database, folder: Path, storage: str | None = None) -> None:
        self.folder = folder
        self.port = choose_port("127.0.0.1", 24300 + os.getpid() % 500, variable="-", explicit=False).port
        home = dagster_home.prepare_home(folder / "dagster_home")
        self.environment = {
            **os.environ,
            **dagster_home.instance_environment(
                home=home,
                database_url=database.url,
                dagster_database_url=None,
                host="127.0.0.1",
                port=self.port,
            ),
            "TINY_FOLDER": str(folder),
            code_server.GRACE_VARIABLE: "2",
        }
        self.dagster_url = dagster_home.libpq_url(self.environment["DAGSTER_PG_URL"])
        self.children: list[ChildProcess] = []
        if storage is not None:
            copy_database(database.url, storage, self.database_name)
            return
        prepared = self.child("storage", (sys.executable, "-m", "leasebot_pipeline.processes.dagster_home"))
        _until("storage prepared", lambda: prepared.poll() is not None)
        assert prepared.poll() == 0, prepared.log.read_text()

    @property
    def database_name(self) -> str:
        """Dagster's own database."""
        return make_url(self.environment["DAGSTER_PG_URL"]).database or ""

    def child(
        self, name: str, command: tuple[str, ...], probe: Callable[[], bool] = probes.always
    ) -> ChildProcess:
        process = ChildProcess(
            command, environment=self.environment, log=self.folder / f"{name}.log", probe=probe
        )
        process.start()
        self.children.append(process)
        return process

    def server(self, launch: str = "forkserver") -> ChildProcess:
        command = code_server.command("127.0.0.1", self.port, launch, "tests.e2e.tiny_definitions")
        server = self.child("code-server", command, probes.port_open("127.0.0.1", self.port))
        self._ready(server)
        return server

    def daemon(self) -> ChildProcess:
        beat = probes.daemon_heartbeat(self.dagster_url, lambda: datetime.now(UTC))
        daemon = self.child("daemon", (sys.executable, "-m", "leasebot_pipeline.processes.daemon"), beat)
        self._ready(daemon)
        return daemon

    def _ready(self, child: ChildProcess) -> None:
        _until(f"{child.log.stem} ready", lambda: child.poll() is not None or child.ready())
        assert child.poll() is None, child.log.read_text()

    def ask(self, job: str, number: int = 1) -> None:
        (self.folder / f"ask-{job}-{number}").touch()

    def runs(self) -> dict[str, str]:
        with psycopg.connect(self.dagster_url) as conn:
            return dict(conn.execute("SELECT pipeline_name, status FROM runs").fetchall())

    def ticks(self, sensor: str) -> set[str]:
        """How its ticks ended."""
        name = "COALESCE(tick_body::json ->> 'job_name', tick_body::json ->> 'instigator_name')"
        with psycopg.connect(self.dagster_url) as conn:
            rows = conn.execute(f"SELECT DISTINCT status FROM job_ticks WHERE {name} = %s", (sensor,))
            return {status for (status,) in rows.fetchall()}

    def parent_of_the_run(self) -> str:
        return next(self.folder.glob("parent-*")).read_text()


def _below(pid: int) -> list[int]:
    """All processes a process started, and those they started."""
    children: dict[int, list[int]] = {}
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError, ValueError, IndexError):
            parent = int((folder / "stat").read_bytes().rpartition(b")")[2].split()[1])
            children.setdefault(parent, []).append(int(folder.name))
    found, waiting = list[int](), [pid]
    while waiting:
        below = children.get(waiting.pop(), [])
        waiting += below
        found += below
    return found


@pytest.fixture(scope="module")
def storage(
    database_server: DatabaseServer, template_database: str, tmp_path_factory: pytest.TempPathFactory
) -> str:
    """Dagster's tables take seconds to make: they are made once."""
    with contextmanager(_fresh)(database_server, template_database) as database:
        return Location(database, tmp_path_factory.mktemp("storage")).database_name


@pytest.fixture
def location(database: Database, storage: str, tmp_path: Path) -> Iterator[Location]:
    place = Location(database, tmp_path, storage)
    try:
        yield place
    finally:
        for child in reversed(place.children):
            child.kill()
        waiting = place.folder / "waiting"
        if waiting.exists():
            (place.folder / "go").touch()


@pytest.mark.parametrize(("launch", "parent"), [("forkserver", "forkserver"), ("stock", "code_server")])
def test_a_run_requested_by_a_sensor_succeeds(location: Location, launch: str, parent: str) -> None:
    location.ask("quick")
    location.server(launch)
    location.daemon()
    _until("run finished", lambda: location.runs().get("quick") == "SUCCESS")
    assert parent in location.parent_of_the_run()


def test_a_run_orphaned_by_a_killed_code_server_is_closed_when_the_daemon_starts(location: Location) -> None:
    location.ask("patient")
    server, daemon = location.server(), location.daemon()
    _until("run works", (location.folder / "waiting").exists)
    server.kill()  # its workers with it: they are of its process group
    daemon.kill()
    assert location.runs() == {"patient": "STARTED"}
    location.server()
    location.daemon()
    assert location.runs() == {"patient": "FAILURE"}


def test_a_run_whose_worker_died_unnoticed_is_closed_while_the_daemon_works(location: Location) -> None:
    """As after a minute without the database: nobody could note the worker's end, and the queue waits for it."""
    location.ask("patient")
    server, _ = location.server(), location.daemon()
    _until("run works", (location.folder / "waiting").exists)
    assert server.pid is not None
    os.kill(server.pid, signal.SIGSTOP)
    for pid in _below(server.pid):
        os.kill(pid, signal.SIGKILL)
    _until("run closed", lambda: location.runs() == {"patient": "FAILURE"})


def test_a_daemon_goes_on_with_the_code_server_that_follows_a_killed_one(location: Location) -> None:
    """The orphaned run is closed, and what the sensor asks for is run, without a new daemon."""
    location.ask("patient")
    server, daemon = location.server(), location.daemon()
    _until("run works", (location.folder / "waiting").exists)
    server.kill()
    location.ask("quick")
    location.server()
    _until("run closed", lambda: location.runs()["patient"] == "FAILURE")
    _until("next run finished", lambda: location.runs().get("quick") == "SUCCESS")
    assert daemon.poll() is None


def test_an_orphan_that_still_works_is_left_to_finish(location: Location) -> None:
    location.ask("patient")
    server, daemon = location.server(), location.daemon()
    _until("run works", (location.folder / "waiting").exists)
    assert server.pid is not None
    os.kill(server.pid, signal.SIGKILL)
    _until("server gone", lambda: server.poll() is not None)
    daemon.kill()
    location.server()
    location.daemon()
    assert location.runs() == {"patient": "STARTED"}
    (location.folder / "go").touch()
    _until("run finished", lambda: location.runs() == {"patient": "SUCCESS"})


@contextmanager
def _in_the_background() -> Iterator[None]:
    """As a shell starts what runs in its background: with Ctrl-C ignored, and so is it by whatever that starts."""
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def test_what_is_under_way_ends_well_when_daemon_and_code_server_are_stopped(location: Location) -> None:
    """A tick, which then asks for its run, and a run."""
    location.ask("patient")
    (location.folder / "hold").touch()
    with _in_the_background():
        server, daemon = location.server(), location.daemon()
    _until("run works", (location.folder / "waiting").exists)
    _until("sensor is evaluated", (location.folder / "evaluating").exists)
    daemon.request_stop()
    _until("daemon stops", lambda: "no other one begins" in daemon.log.read_text())
    (location.folder / "release").touch()
    _until("daemon gone", lambda: daemon.poll() is not None)
    assert location.ticks("held") == {"SUCCESS"}
    server.request_stop()
    (location.folder / "go").touch()
    took = _until("server gone", lambda: server.poll() is not None)
    assert (location.folder / "went").exists()
    runs = location.runs()
    assert (runs["patient"], set(runs)) == ("SUCCESS", {"patient", "quick"})
    assert took < 15


def test_a_code_server_that_could_not_look_at_its_runs_for_a_while_can_be_stopped(location: Location) -> None:
    location.ask("patient")
    server, daemon = location.server(), location.daemon()
    told = location.folder / "waiting"
    _until("run works", lambda: told.exists() and told.read_text() != "")
    daemon.kill()
    with psycopg.connect(location.dagster_url, autocommit=True) as conn:
        conn.execute("ALTER TABLE runs RENAME TO runs_away")
        os.kill(int(told.read_text()), signal.SIGKILL)
        _until("a look failed", lambda: "NoSuchTableError" in server.log.read_text())
        conn.execute("ALTER TABLE runs_away RENAME TO runs")
    server.request_stop()
    _until("server gone", lambda: server.poll() is not None)
    assert location.runs() == {"patient": "FAILURE"}


def test_a_stopped_code_server_does_not_wait_for_ever_for_a_call(location: Location) -> None:
    """Nor for its thread, which goes on when the call was cut off."""
    (location.folder / "hold").touch()
    server, _ = location.server(), location.daemon()
    _until("sensor is evaluated", (location.folder / "evaluating").exists)
    server.request_stop()
    _until("server gone", lambda: server.poll() is not None)
    assert server.poll() == 0
