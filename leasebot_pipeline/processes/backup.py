"""A backup of the database in one file, and its way back into an empty one, by PostgreSQL's own tools."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final

import psycopg
from sqlalchemy import URL
from sqlalchemy.exc import SQLAlchemyError

from leasebot_pipeline.domain.kill_switches import KillScope, KillTarget
from leasebot_pipeline.processes import stack_file
from leasebot_pipeline.processes.database import DatabaseUnusable
from leasebot_pipeline.processes.stack_plan import DATABASE_NAME, embedded_dir
from leasebot_pipeline.storage import kill_switches, migrate
from leasebot_pipeline.storage.engine import DatabaseUrlError, create_engine, ensure_database, sqlalchemy_url
from leasebot_pipeline.storage.outbox_operations import Actor
from leasebot_pipeline.storage.server import EmbeddedServer, find_binaries

RESTORED: Final = "restored from a backup: look at what waits before anything is sent"


@dataclass(frozen=True, slots=True)
class Backup:
    """A file that can be restored. ``sha256`` is of the whole file."""

    file: Path
    size: int
    sha256: str


def backup(url: str, file: Path) -> Backup:
    """Write the database of ``url`` to ``file``, readable by its owner only; an existing file is left alone.

    The file appears only when it is complete and pg_restore can read it. Raises DatabaseUnusable.
    """
    if file.exists():
        raise DatabaseUnusable(f"{file} exists already")
    dump, restore = _tool("pg_dump"), _tool("pg_restore")
    address = _parsed(url)
    file.parent.mkdir(parents=True, exist_ok=True)
    part = file.with_name(f".{file.name}.part")
    part.unlink(missing_ok=True)
    os.close(os.open(part, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
    try:
        _run(
            (dump, "--format=custom", "--no-owner", "--no-privileges", f"--file={part}", *_target(address)),
            address,
        )
        _run((restore, "--list", str(part)), address)
        part.rename(file)
    finally:
        part.unlink(missing_ok=True)
    with file.open("rb") as content:
        digest = hashlib.file_digest(content, "sha256").hexdigest()
    return Backup(file, file.stat().st_size, digest)


def restore(url: str, file: Path, now: datetime) -> str | None:
    """Fill the database of ``url`` from a backup; it is created when it is missing and must be empty. The revision.

    Replies the backup holds as waiting may have been sent since it was made. So the last step stops all
    sending by a kill switch: start leasebot on it only after this returned. Raises DatabaseUnusable.
    """
    if not file.is_file():
        raise DatabaseUnusable(f"{file} is no file")
    tool, address = _tool("pg_restore"), _parsed(url)
    try:
        ensure_database(url)
    except psycopg.Error:
        raise DatabaseUnusable("the database can't be reached") from None
    engine = create_engine(url, application_name="leasebot restore", pool_size=1)
    try:
        with engine.connect() as conn:
            if conn.exec_driver_sql("SELECT 1 FROM pg_tables WHERE schemaname = 'public' LIMIT 1").first():
                raise DatabaseUnusable(
                    "the database is not empty: a backup is restored into an empty one only"
                )
        options = ("--exit-on-error", "--single-transaction", "--no-owner", "--no-privileges")
        _run((tool, *options, *_target(address), str(file)), address)
        with engine.begin() as conn:
            target = KillTarget(KillScope.GLOBAL)
            kill_switches.engage(conn, target, reason=RESTORED, actor=Actor("system", "restore"), now=now)
            return migrate.current(conn)
    except SQLAlchemyError as error:
        raise DatabaseUnusable(f"the database did not answer ({type(error).__name__})") from None
    finally:
        engine.dispose()


def restore_embedded(data_dir: Path, file: Path, now: datetime, tell: Callable[[str], None]) -> str | None:
    """The same for the embedded server of a stack that does not run: its database must be new. The revision.

    Raises DatabaseUnusable, StackBusy, ServerError.
    """
    notes: list[str] = []
    folder = embedded_dir(data_dir, notes)
    for note in notes:
        tell(f"note: {note}")
    given = os.environ.get("LEASE_BOT_PG_BIN")
    with (
        stack_file.hold(data_dir),
        EmbeddedServer(folder, binaries=Path(given) if given else None) as server,
    ):
        try:
            return restore(server.url(DATABASE_NAME), file, now)
        except DatabaseUnusable as error:
            raise DatabaseUnusable(f"{error} ({folder})") from None


def _parsed(url: str) -> URL:
    try:
        return sqlalchemy_url(url)
    except DatabaseUrlError as error:
        raise DatabaseUnusable(str(error)) from None


def _tool(name: str) -> str:
    """The tool beside the server's binaries, else of the system: it must not be older than the server."""
    given = os.environ.get("LEASE_BOT_PG_BIN")
    folder = find_binaries(Path(given) if given else None)
    found = folder / name
    path = str(found) if found.exists() else shutil.which(name)
    if path is None:
        raise DatabaseUnusable(
            f"{name} is not installed: install PostgreSQL's client, or set LEASE_BOT_PG_BIN"
        )
    return path


def _target(address: URL) -> tuple[str, ...]:
    """The database without its password, which never stands on a command line."""
    plain = address.set(drivername="postgresql", password=None).render_as_string(hide_password=False)
    return ("--dbname", plain)


def _run(command: tuple[str, ...], address: URL) -> None:
    password = {"PGPASSWORD": str(address.password)} if address.password else {}
    done = subprocess.run(
        command, capture_output=True, text=True, env={**os.environ, **password}, check=False
    )
    if done.returncode != 0:
        lines = done.stderr.strip().splitlines() or ["no message"]
        raise DatabaseUnusable(f"{Path(command[0]).name}: {lines[0][:300]}")
