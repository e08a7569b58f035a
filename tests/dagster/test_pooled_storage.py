"""Dagster's storage keeps its connections: between statements, between instances, over a restart; not over a fork."""

from __future__ import annotations

import multiprocessing
from collections.abc import Iterator
from multiprocessing.connection import Connection as Pipe
from pathlib import Path

import dagster as dg
import psycopg
import pytest
from sqlalchemy import event, text
from sqlalchemy.pool import Pool

from leasebot_pipeline.processes import dagster_home
from leasebot_pipeline.processes.dagster_storage import PooledStorage, shared_engine
from tests.conftest import Database


@dg.op
def nothing() -> None:
    """A step."""


@dg.job(executor_def=dg.in_process_executor)
def small() -> None:
    nothing()


@pytest.fixture
def home(empty_database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A DAGSTER_HOME with the repository's own instance file, its tables in the test's database."""
    url = dagster_home.dagster_storage_url(empty_database.url, empty_database.url)
    monkeypatch.setenv("DAGSTER_PG_URL", url)
    yield dagster_home.prepare_home(tmp_path / "home")
    shared_engine(url).dispose()


@pytest.fixture
def opened() -> Iterator[list[object]]:
    """Every connection any pool of this process opens; also pools that keep none."""
    found: list[object] = []

    def note(connection: object, _record: object) -> None:
        found.append(connection)

    event.listen(Pool, "connect", note)
    yield found
    event.remove(Pool, "connect", note)


def _backend(storage: PooledStorage) -> int:
    with shared_engine(storage.postgres_url).connect() as conn:
        return int(conn.execute(text("SELECT pg_backend_pid()")).scalar_one())


def _storage(instance: dg.DagsterInstance) -> PooledStorage:
    storage = instance.get_ref().storage
    assert isinstance(storage, PooledStorage)
    return storage


def test_runs_of_many_instances_share_a_connection(home: Path, opened: list[object]) -> None:
    with dg.DagsterInstance.from_config(str(home)) as instance:
        assert small.execute_in_process(instance=instance).success  # makes the tables
    opened.clear()
    for _ in range(3):
        with dg.DagsterInstance.from_config(str(home)) as instance:
            done = small.execute_in_process(instance=instance)
            assert len(instance.all_logs(done.run_id)) > 5
    assert len(opened) <= 1  # one beside another while a statement waits for it


def test_connections_the_server_closed_are_replaced(home: Path, empty_database: Database) -> None:
    with dg.DagsterInstance.from_config(str(home)) as instance:
        before = _backend(_storage(instance))
        with psycopg.connect(empty_database.url, autocommit=True) as conn:
            conn.execute(
                "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity"
                " WHERE application_name = 'leasebot dagster' AND datname = current_database()"
            )
        assert small.execute_in_process(instance=instance).success
        assert _backend(_storage(instance)) != before


def _tell_backend(url: str, pipe: Pipe) -> None:
    pipe.send(_backend(PooledStorage(url)))


def test_a_forked_process_opens_its_own(home: Path) -> None:
    with dg.DagsterInstance.from_config(str(home)) as instance:
        storage = _storage(instance)
        ours = _backend(storage)
        here, there = multiprocessing.Pipe()
        child = multiprocessing.get_context("fork").Process(
            target=_tell_backend, args=(storage.postgres_url, there)
        )
        child.start()
        assert here.poll(30)
        assert here.recv() != ours
        child.join()
        assert _backend(storage) == ours
