"""``leasebot backup`` and ``restore``."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from leasebot_pipeline.cli.database import DatabaseUrl, known_database_url
from leasebot_pipeline.cli.output import ExitCode, JsonFlag, emit, refused, tell


def register(app: typer.Typer) -> None:
    app.command("backup")(backup)
    app.command("restore")(restore)


def backup(
    file: Annotated[Path, typer.Argument(help="Where it is written; must not exist.", dir_okay=False)],
    database_url: DatabaseUrl = None,
    as_json: JsonFlag = False,
) -> None:
    """Write the whole database into one file, readable by its owner only. It holds personal data."""
    with refused():
        from leasebot_pipeline.processes.backup import backup as write
        from leasebot_pipeline.settings import load_settings

        url = database_url or known_database_url(load_settings())
        if url is None:
            tell("error: no database: set DATABASE_URL, give --database-url, or start `leasebot up`")
            raise typer.Exit(ExitCode.UNAVAILABLE)
        done = write(url, file)
    values = {"file": str(done.file), "bytes": done.size, "sha256": done.sha256}
    emit(values, f"{done.file}: {done.size} bytes, sha256 {done.sha256}", as_json=as_json)


def restore(
    file: Annotated[Path, typer.Argument(help="A file `leasebot backup` wrote.", dir_okay=False)],
    database_url: Annotated[
        str | None,
        typer.Option(
            "--database-url",
            help="An empty database; created when it is missing. Default: a new one of the stack that does not run.",
        ),
    ] = None,
    data_dir: Annotated[
        Path | None,
        typer.Option(
            "--data-dir",
            help="Whose stack, without --database-url. Default: LEASE_BOT_DATA_DIR.",
            file_okay=False,
        ),
    ] = None,
    as_json: JsonFlag = False,
) -> None:
    """Fill an empty database from a backup. All sending is stopped in it until `leasebot resume all`."""
    with refused():
        from leasebot_pipeline.processes.backup import restore as fill
        from leasebot_pipeline.processes.backup import restore_embedded
        from leasebot_pipeline.processes.stack_plan import data_dir_of
        from leasebot_pipeline.settings import load_settings

        now = datetime.now(UTC)
        if database_url is not None:
            revision = fill(database_url, file, now)
        else:
            settings = load_settings()
            if settings.database.url is not None:  # it may be the damaged one: never by default
                tell("error: DATABASE_URL is set: name the empty database with --database-url")
                raise typer.Exit(ExitCode.USAGE)
            revision = restore_embedded(data_dir_of(settings, sandbox=False, given=data_dir), file, now, tell)
    said = f"restored, at revision {revision}; sending is stopped: look at `leasebot outbox list`, then `leasebot resume all`"
    emit({"revision": revision, "killSwitches": ["global"]}, said, as_json=as_json)
