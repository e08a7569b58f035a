"""Questions that tell whether a process serves: each answers at once or within a short time-out."""

from __future__ import annotations

import http.client
import socket
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Final

import psycopg

_TIMEOUT_S: Final = 2.0


def http_ok(host: str, port: int, path: str) -> Callable[[], bool]:
    """True when GET ``path`` answers 2xx."""

    def probe() -> bool:
        connection = http.client.HTTPConnection(_reachable(host), port, timeout=_TIMEOUT_S)
        try:
            connection.request("GET", path)
            return 200 <= connection.getresponse().status < 300
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()

    return probe


def port_open(host: str, port: int) -> Callable[[], bool]:
    """True when something accepts connections."""

    def probe() -> bool:
        try:
            with socket.create_connection((_reachable(host), port), timeout=_TIMEOUT_S):
                return True
        except OSError:
            return False

    return probe


def daemon_heartbeat(dagster_database_url: str, now: Callable[[], datetime]) -> Callable[[], bool]:
    """True once a Dagster daemon reported itself after the first time we asked.

    ``dagster_database_url`` is a libpq URL of Dagster's own database.
    """
    asked_first: datetime | None = None

    def probe() -> bool:
        nonlocal asked_first
        if asked_first is None:
            asked_first = now().astimezone(UTC).replace(tzinfo=None)
        try:
            with psycopg.connect(dagster_database_url, connect_timeout=2) as conn:
                row = conn.execute(
                    "SELECT count(*) FROM daemon_heartbeats WHERE daemon_type = 'SENSOR' AND timestamp >= %s",
                    (asked_first,),
                ).fetchone()
        except psycopg.Error:
            return False
        return row is not None and row[0] > 0

    return probe


def always() -> bool:
    """For processes that serve nobody: running is ready."""
    return True


def _reachable(host: str) -> str:
    """Where to connect to reach a server bound to ``host``."""
    return {"0.0.0.0": "127.0.0.1", "::": "::1", "": "127.0.0.1"}.get(host, host)  # noqa: S104
