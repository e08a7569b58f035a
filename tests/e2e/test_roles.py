"""Each role as the cluster starts it: the manifests' commands and variables, nobody's rights, and no place to write but theirs.

As root on Linux the processes get a root file system that is read-only and a user that owns nothing; elsewhere they
run as whoever runs the tests. Dagster's instance is the checkout's: the cluster's starts runs through a cluster.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import grpc
import pytest
import yaml
from grpc_health.v1.health_pb2 import HealthCheckRequest, HealthCheckResponse
from grpc_health.v1.health_pb2_grpc import HealthStub

from leasebot_pipeline.processes import probes
from leasebot_pipeline.processes.browser_lookup import find_browser
from leasebot_pipeline.processes.ports import choose_port
from leasebot_pipeline.sandbox import LOGIN_PASSWORD, LOGIN_USER
from leasebot_pipeline.storage.engine import dagster_url
from tests.conftest import Database
from tests.e2e.conftest import DEADLINE_S, until

ROOT = Path(__file__).parents[2]
BASE = ROOT / "deploy" / "kubernetes" / "base"
NOBODY = 10001
_LOCKED = """
for folder in $WRITABLE; do mount --bind "$folder" "$folder"; done
mount -o remount,bind,ro /
exec setpriv $IDENTITY --no-new-privs --bounding-set=-all --inh-caps=-all "$@"
"""
_IDENTITIES = (f"--reuid {NOBODY} --regid {NOBODY} --clear-groups", "")
"""Nobody; or whoever runs the tests, without any capability, where nobody can't read the interpreter."""


_WRAPPED = ("unshare", "--mount", "sh", "-ec", _LOCKED, "sh")


def identity() -> str | None:
    """As whom a process can be locked in here; None where it can't be."""
    if os.geteuid() != 0 or not (shutil.which("unshare") and shutil.which("setpriv")):
        return None
    # The same interpreter with its own library: one that can't read it may find another's.
    found = "import importlib.util, os, sys; assert importlib.util.find_spec('dagster')"
    proof = f"{found} and sys.version == {sys.version!r} and not os.access({str(ROOT)!r}, os.W_OK)"
    for one in _IDENTITIES:
        environment = {**os.environ, "WRITABLE": "", "IDENTITY": one}
        tried = subprocess.run(
            (*_WRAPPED, sys.executable, "-c", proof), env=environment, capture_output=True, check=False
        )
        if tried.returncode == 0:
            return one
    return None


def manifest(file: str, kind: str) -> dict[str, Any]:
    documents = yaml.safe_load_all((BASE / file).read_text(encoding="utf-8"))
    [found] = [one for one in documents if one and one["kind"] == kind]
    return dict(found)


def deployed(file: str) -> dict[str, Any]:
    """The container of a deployment."""
    return dict(manifest(file, "Deployment")["spec"]["template"]["spec"]["containers"][0])


_SCRIPTS = {"leasebot": "leasebot_pipeline.cli.__main__", "dagster-daemon": "dagster._daemon.cli"}
"""Where the installed commands begin."""


@dataclass
class Cluster:
    """Where the roles run: their variables, their writable folders, what they said."""

    folder: Path
    environment: dict[str, str]
    locked: bool
    processes: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    def command(self, *words: str) -> tuple[str, ...]:
        script = f"from {_SCRIPTS[words[0]]} import main; main()"
        own = (sys.executable, "-c", script, *words[1:])
        return (*_WRAPPED, *own) if self.locked else own

    def leasebot(self, *words: str, **variables: str) -> subprocess.CompletedProcess[str]:
        return self.run("leasebot", *words, **variables)

    def run(self, *words: str, **variables: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            self.command(*words),
            cwd=self.folder / "app",
            env=self.environment | variables,
            capture_output=True,
            text=True,
            timeout=DEADLINE_S,
        )

    def start(self, *words: str, **variables: str) -> None:
        with (self.folder / f"{words[0]}.log").open("wb") as said:
            self.processes[words[0]] = subprocess.Popen(
                self.command("leasebot", *words),
                cwd=self.folder / "app",
                env=self.environment | variables,
                stdout=said,
                stderr=subprocess.STDOUT,
            )

    def said(self, name: str) -> str:
        return (self.folder / f"{name}.log").read_text(errors="replace")

    def serves(self, name: str, probe: Callable[[], bool]) -> None:
        process = self.processes[name]
        until(f"{name} serves", lambda: process.poll() is not None or probe())
        assert process.poll() is None, self.said(name)


@pytest.fixture
def cluster(empty_database: Database, tmp_path: Path) -> Iterator[Cluster]:
    known = identity()
    locked, nobody = known is not None, bool(known)
    app, folders = tmp_path / "app", [tmp_path / name for name in ("data", "home", "scratch")]
    app.mkdir()
    shutil.copy(ROOT / "workspace.yaml", app)
    for folder in folders:
        folder.mkdir()
        if nobody:
            os.chown(folder, NOBODY, NOBODY)
    shutil.copy(ROOT / "dagster.yaml", folders[1])
    if nobody:  # who must get there
        for parent in (tmp_path, *tmp_path.parents):
            if parent.owner() == "root" and parent.is_relative_to("/tmp") and parent != Path("/tmp"):
                parent.chmod(parent.stat().st_mode | 0o011)
    port = choose_port("127.0.0.1", 25300 + os.getpid() % 500, variable="-", explicit=False, size=12).port
    config = manifest("config.yaml", "ConfigMap")["data"]
    environment = {
        **{name: text for name, text in os.environ.items() if name in ("PATH", "LANG")},
        **config,
        "DATABASE_URL": empty_database.url,
        "DAGSTER_PG_URL": dagster_url(empty_database.url),
        "BETTER_AUTH_SECRET": "0123456789abcdef0123456789abcdef",
        "PYTHONPATH": str(ROOT),
        "PYTHONDONTWRITEBYTECODE": "1",
        "WRITABLE": " ".join(map(str, folders)),
        "IDENTITY": known or "",
        **dict.fromkeys(("HOME", "TMPDIR"), str(folders[2])),
        "LEASE_BOT_DATA_DIR": str(folders[0]),
        "LEASE_BOT_RPA_DEBUG_DIR": str(folders[0] / "rpa-debug"),
        "DAGSTER_HOME": str(folders[1]),
        **dict.fromkeys(("API_HOST", "LEASE_BOT_DAGSTER_HOST", "DAGSTER_CODE_SERVER_HOST"), "127.0.0.1"),
        "API_PORT": str(port),
        "LEASE_BOT_DAGSTER_PORT": str(port + 1),
        "LEASE_BOT_DAGSTER_CODE_SERVER_PORT": str(port + 2),
        "LEASE_BOT_SANDBOX_PORT": str(port + 3),
    }
    place = Cluster(tmp_path, environment, locked)
    yield place
    for process in place.processes.values():
        process.kill()
        process.wait()


def healthy(port: int) -> Callable[[], bool]:
    """The probe of lease-bot-worker, as kubelet asks it."""

    def probe() -> bool:
        with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
            try:
                answer = HealthStub(channel).Check(HealthCheckRequest(service="DagsterApi"), timeout=2)
            except grpc.RpcError:
                return False
        return bool(answer.status == HealthCheckResponse.SERVING)

    return probe


@pytest.mark.skipif(find_browser(Path("var")) is None, reason="no browser on this machine")
@pytest.mark.timeout(600)
def test_the_roles_of_the_cluster_serve_and_end(cluster: Cluster) -> None:
    started = {name: deployed(f"{name}.yaml")["command"] for name in ("worker", "api", "daemon", "webserver")}
    assert started == {
        "worker": ["leasebot", "code-server", "--host", "0.0.0.0"],
        "api": ["leasebot", "api"],
        "daemon": ["leasebot", "daemon"],
        "webserver": ["leasebot", "webserver"],
    }
    migrated = cluster.leasebot("migrate")
    assert migrated.returncode == 0, migrated.stderr
    port = int(cluster.environment["API_PORT"])
    cluster.start("code-server", "--host", "127.0.0.1")
    _, *others = cluster.environment["WRITABLE"].split()
    cluster.start("api", WRITABLE=" ".join(others))  # its volume is read-only
    cluster.start("sandbox", "--inquiries", "none", LEASE_BOT_ENV="development")
    cluster.start("daemon")
    cluster.start("webserver")
    cluster.serves("api", probes.http_ok("127.0.0.1", port, "/ready"))
    cluster.serves("sandbox", probes.http_ok("127.0.0.1", port + 3, "/health"))
    cluster.serves("code-server", healthy(port + 2))
    cluster.serves("webserver", probes.http_ok("127.0.0.1", port + 1, "/server_info"))

    # The browser of worker and runs: a real page, read by the real connector.
    looked = cluster.leasebot(
        *("session", "check", "roomies", "--base-url", f"http://127.0.0.1:{port + 5}", "--json"),
        DATABASE_URL="",
        LEASE_BOT_ENV="development",
        ROOMIES_USERNAME=LOGIN_USER,
        ROOMIES_PASSWORD=LOGIN_PASSWORD,
    )
    assert looked.returncode == 0, looked.stdout + looked.stderr
    alive = ("dagster-daemon", "liveness-check")
    assert deployed("daemon.yaml")["livenessProbe"]["exec"]["command"] == list(alive)
    until("the daemon lives", lambda: cluster.run(*alive).returncode == 0)

    for process in cluster.processes.values():
        process.terminate()
    for name, process in cluster.processes.items():
        assert process.wait(DEADLINE_S) in (0, -15), cluster.said(name)
        assert "Read-only file system" not in cluster.said(name), cluster.said(name)
        assert "Permission denied" not in cluster.said(name), cluster.said(name)
