"""The database a command works on."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated

import typer

from leasebot_pipeline.cli.output import ExitCode, tell

if TYPE_CHECKING:
    from pathlib import Path

    from sqlalchemy import Engine

    from leasebot_pipeline.settings import Settings

DatabaseUrl = Annotated[
    str | None,
    typer.Option("--database-url", help="Default: DATABASE_URL, else the database of the stack that runs."),
]


@contextmanager
def database(given: str | None) -> Iterator[Engine]:
    """``open_engine`` for a block; all connections are closed after it."""
    engine = open_engine(given)
    try:
        yield engine
    finally:
        engine.dispose()


def open_engine(given: str | None) -> Engine:
    """An engine on the database. Ends the command with exit code 3 when there is none."""
    from leasebot_pipeline.settings import load_settings
    from leasebot_pipeline.storage.engine import create_engine

    url = given or known_database_url(load_settings())
    if url is None:
        tell("error: no database: set DATABASE_URL, give --database-url, or start `leasebot up`")
        raise typer.Exit(ExitCode.UNAVAILABLE)
    return create_engine(url, application_name="leasebot cli")


def known_database_url(settings: Settings) -> str | None:
    """The database of DATABASE_URL, else of the stack that runs."""
    url = settings.database.url
    return url.get_secret_value() if url is not None else _running_stack(settings)


def url_despite_faults(given: str | None) -> str:
    """The same for commands that look at a faulty environment: other variables may be wrong. Empty without one."""
    from leasebot_pipeline.settings import SettingsError, load_settings
    from leasebot_pipeline.settings.loading import given_environment

    named = given or given_environment().get("DATABASE_URL", "").strip()
    if named:
        return named
    try:
        return known_database_url(load_settings()) or ""
    except SettingsError:
        return ""


def _running_stack(settings: Settings) -> str | None:
    from leasebot_pipeline.processes import stack_file
    from leasebot_pipeline.processes.stack_plan import data_dir_of

    folders: list[Path] = [data_dir_of(settings, sandbox=kind, given=None) for kind in (False, True)]
    reports = [stack_file.running(folder) for folder in dict.fromkeys(folders)]
    return next((report.database_url for report in reports if report and report.database_url), None)
