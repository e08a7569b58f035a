"""Dagster's tables over connections that are kept, named in ``dagster.yaml``.

dagster-postgres opens a connection for each statement and closes it again, "to prevent accumulating connections
per DagsterInstance": an instance is made for each sensor tick and each run. A run of ours stores some 75 events,
so PostgreSQL forked hundreds of backends for it. Here all instances of a process share one small pool.

This leans on one private detail, that the three storages keep their engine in ``_engine``; a test counts the
connections that events really cost.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Mapping
from typing import Any, Final

from dagster._core.storage.config import PostgresStorageConfig
from dagster._serdes import ConfigurableClassData
from dagster_postgres import DagsterPostgresStorage
from dagster_postgres.utils import pg_url_from_config
from sqlalchemy import Engine, create_engine, text

_KEPT: Final = 5
_MORE: Final = 25
"""Beside the kept ones, for the daemon's threads at their busiest; closed when they are given back."""
_RECYCLE_S: Final = 1800

# One table of each storage, and the one that was added to runs later: when they are there, none is to be made.
_PREPARED: Final = text(
    "SELECT count(to_regclass(name)) = 4 FROM unnest(ARRAY['event_logs', 'runs', 'instance_info', 'job_ticks']) AS name"
)

_lock = threading.Lock()
_engines: dict[str, Engine] = {}
_prepared: set[str] = set()


def shared_engine(url: str) -> Engine:
    """The process's engine for a database. A connection the server has closed is replaced when it is next used."""
    with _lock:
        if url not in _engines:
            _engines[url] = create_engine(
                url,
                isolation_level="AUTOCOMMIT",  # as dagster-postgres has it
                pool_size=_KEPT,
                max_overflow=_MORE,
                pool_pre_ping=True,
                pool_recycle=_RECYCLE_S,
                pool_use_lifo=True,
                connect_args={"fallback_application_name": "leasebot dagster"},
            )
        return _engines[url]


def _after_fork() -> None:
    """A child never speaks over its parent's connections, nor ends them."""
    global _lock
    _lock = threading.Lock()
    for engine in _engines.values():
        engine.dispose(close=False)
    _engines.clear()


os.register_at_fork(after_in_child=_after_fork)


class PooledStorage(DagsterPostgresStorage):
    """dagster-postgres' storages on the shared engine. Makes missing tables, as they do."""

    def __init__(self, postgres_url: str, inst_data: ConfigurableClassData | None = None) -> None:
        super().__init__(postgres_url, not _is_prepared(postgres_url), inst_data)
        engine = shared_engine(postgres_url)
        for storage in (self._run_storage, self._event_log_storage, self._schedule_storage):
            storage._engine = engine

    @classmethod
    def from_config_value(
        cls,
        inst_data: ConfigurableClassData | None,
        config_value: PostgresStorageConfig | Mapping[str, Any],
    ) -> PooledStorage:
        return cls(pg_url_from_config(config_value), inst_data)


def _is_prepared(url: str) -> bool:
    """True when the tables exist; asked once, and again until they do."""
    if url not in _prepared:
        from dagster_postgres.utils import create_pg_connection

        with create_pg_connection(shared_engine(url)) as conn:  # tries again while the server is away
            if not conn.execute(_PREPARED).scalar_one():
                return False
        _prepared.add(url)
    return True
