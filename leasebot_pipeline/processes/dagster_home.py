"""Dagster's instance directory and database: made ready before anything of Dagster starts."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import psycopg

from leasebot_pipeline.storage.engine import dagster_url, ensure_database, sqlalchemy_url

INSTANCE_FILE: Final = "dagster.yaml"
WORKSPACE_FILE: Final = "workspace.yaml"
CODE_SERVER_HOST: Final = "DAGSTER_CODE_SERVER_HOST"
CODE_SERVER_PORT: Final = "LEASE_BOT_DAGSTER_CODE_SERVER_PORT"
_CHECKOUT: Final = Path(__file__).resolve().parents[2]


class DagsterHomeError(RuntimeError):
    """The instance can't be prepared; the message says what is missing."""


def configuration_file(name: str, cwd: Path | None = None) -> Path:
    """``dagster.yaml`` or ``workspace.yaml``: of the working directory, else of our checkout.

    Raises DagsterHomeError when neither has it.
    """
    for folder in (cwd or Path.cwd(), _CHECKOUT):
        if (folder / name).is_file():
            return folder / name
    raise DagsterHomeError(f"{name} is neither in the working directory nor in {_CHECKOUT}")


def prepare_home(home: Path) -> Path:
    """Make ``home`` a DAGSTER_HOME with the current instance file; returns its absolute path.

    Raises DagsterHomeError.
    """
    target = home.resolve()
    target.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(configuration_file(INSTANCE_FILE), target / INSTANCE_FILE)
    return target


def instance_environment(
    *, home: Path, database_url: str, dagster_database_url: str | None, host: str, port: int
) -> Mapping[str, str]:
    """Variables that dagster.yaml and workspace.yaml read.

    ``dagster_database_url`` empty means a database named after ours on the same server.
    """
    url = dagster_storage_url(database_url, dagster_database_url)
    return {
        "DAGSTER_HOME": str(home),
        "DAGSTER_PG_URL": url,
        CODE_SERVER_HOST: host,
        CODE_SERVER_PORT: str(port),
        "DAGSTER_DISABLE_TELEMETRY": "yes",
    }


def dagster_storage_url(database_url: str, dagster_database_url: str | None) -> str:
    """SQLAlchemy URL of Dagster's database, with the driver dagster-postgres needs."""
    if dagster_database_url:
        return sqlalchemy_url(dagster_database_url, "psycopg2").render_as_string(hide_password=False)
    return dagster_url(database_url)


def libpq_url(url: str) -> str:
    """A SQLAlchemy PostgreSQL URL as psycopg itself takes it."""
    return sqlalchemy_url(url).set(drivername="postgresql").render_as_string(hide_password=False)


def prepare_storage() -> None:
    """Create Dagster's database and bring its tables to this version; DAGSTER_* must be set.

    Raises DagsterHomeError.
    """
    url = os.environ.get("DAGSTER_PG_URL")
    if not url:
        raise DagsterHomeError("DAGSTER_PG_URL is not set")
    try:
        ensure_database(url)
    except psycopg.Error as error:
        raise DagsterHomeError(f"Dagster's database can't be created: {str(error).strip()}") from None
    from dagster import DagsterInstance

    with DagsterInstance.get() as instance:  # creates the tables of an empty database
        instance.upgrade()
        instance.reindex()


if __name__ == "__main__":
    prepare_storage()
