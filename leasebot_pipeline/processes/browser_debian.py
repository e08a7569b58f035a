"""A browser on a Debian-like system: through apt as root, or unpacked into our own directory without root.

Without root, apt works on private state and cache directories, so that it checks signatures and finds the
missing libraries as usual; ``dpkg -x`` unpacks what it downloaded, and a launcher sets the library path.
Nothing outside the given directory is touched.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from leasebot_pipeline.processes.browser_lookup import BrowserError

PACKAGE: Final = "chromium-headless-shell"
_BINARY: Final = Path("usr/lib/chromium/chromium-headless-shell")
_UPDATE_TIMEOUT_S: Final = 300.0
_DOWNLOAD_TIMEOUT_S: Final = 900.0
_DEPENDENCY_FIELDS: Final = ("Depends:", "Pre-Depends:", "Breaks:", "Conflicts:")
_DPKG_STATUS: Final = Path("/var/lib/dpkg/status")

_LAUNCHER: Final = """#!/bin/sh -e
# Starts the browser unpacked beside this file; written by `leasebot browser install`.
here=$(CDPATH= cd -- "$(dirname -- "$0")" && pwd)
root="$here/debian"
export LD_LIBRARY_PATH="{libraries}${{LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}}"
exec "$root/{binary}" "$@"
"""


def available() -> bool:
    """True on a system with apt and dpkg."""
    return all(shutil.which(tool) for tool in ("apt-get", "dpkg", "dpkg-deb"))


def install_as_root() -> None:
    """Install the package for the whole system. Raises BrowserError with the end of apt's output."""
    _run(["apt-get", "update"], _UPDATE_TIMEOUT_S)
    _run(["apt-get", "install", "-y", "--no-install-recommends", PACKAGE], _DOWNLOAD_TIMEOUT_S)


def install_unpacked(target: Path, dpkg_status: Path = _DPKG_STATUS) -> Path:
    """Unpack the package and the libraries this system lacks below ``target``; returns the launcher.

    ``dpkg_status`` is the list of what the system has. Raises BrowserError.
    """
    target.mkdir(parents=True, exist_ok=True)
    work = target / "apt"
    options = _private_apt(work, dpkg_status)
    try:
        _run(["apt-get", *options, "update"], _UPDATE_TIMEOUT_S)
        install = ["install", "-y", "--no-install-recommends", "--download-only", PACKAGE]
        _run(["apt-get", *options, *install], _DOWNLOAD_TIMEOUT_S)
        packages = sorted((work / "cache/archives").glob("*.deb"))
        if not packages:
            raise BrowserError(
                f"apt downloaded nothing for {PACKAGE}: it says the package is installed already"
            )
        fresh = target / "debian.new"
        shutil.rmtree(fresh, ignore_errors=True)
        for package in packages:
            _run(["dpkg-deb", "-x", str(package), str(fresh)], _UPDATE_TIMEOUT_S)
        if not (fresh / _BINARY).exists():
            raise BrowserError(f"{PACKAGE} does not hold {_BINARY}")
        root = target / "debian"
        shutil.rmtree(root, ignore_errors=True)
        fresh.rename(root)
    finally:
        shutil.rmtree(work, ignore_errors=True)
    return _write_launcher(target, root)


def _private_apt(work: Path, dpkg_status: Path) -> list[str]:
    for folder in ("state/lists/partial", "cache/archives/partial"):
        (work / folder).mkdir(parents=True, exist_ok=True)
    resolved = work.resolve()
    (work / "status").write_text(_without_dependencies(dpkg_status), encoding="utf-8")
    values = {
        "Dir::State": f"{resolved}/state",
        "Dir::State::status": f"{resolved}/status",
        "Dir::Cache": f"{resolved}/cache",
        "Debug::NoLocking": "1",
        "APT::Get::List-Cleanup": "0",
        "Acquire::Languages": "none",
    }
    return [part for name, value in values.items() for part in ("-o", f"{name}={value}")]


def _without_dependencies(dpkg_status: Path) -> str:
    """What is installed, with nothing it wants: one broken package elsewhere must not stop apt here."""
    try:
        lines = dpkg_status.read_text(encoding="utf-8", errors="replace").splitlines(keepends=True)
    except OSError as error:
        raise BrowserError(f"{dpkg_status} can't be read: {error.strerror}") from None
    kept: list[str] = []
    dropping = False
    for line in lines:
        if not line.startswith((" ", "\t")):
            dropping = line.startswith(_DEPENDENCY_FIELDS)
        if not dropping:
            kept.append(line)
    return "".join(kept)


def _write_launcher(target: Path, root: Path) -> Path:
    folders = {path.parent for path in root.rglob("*.so*") if path.is_file() or path.is_symlink()}
    folders.discard(root / _BINARY.parent)
    libraries = ":".join(f"$root/{folder.relative_to(root)}" for folder in sorted(folders))
    launcher = target / PACKAGE
    launcher.write_text(
        _LAUNCHER.format(libraries=libraries or "$root/usr/lib", binary=_BINARY), encoding="utf-8"
    )
    launcher.chmod(0o755)
    return launcher


def _run(command: Sequence[str], timeout: float) -> None:
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive", "LC_ALL": "C"}
    try:
        done = subprocess.run(
            command,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=timeout,
            env=environment,
            stdin=subprocess.DEVNULL,
        )
    except subprocess.TimeoutExpired:
        raise BrowserError(f"{' '.join(command[:1])} took more than {timeout:.0f} s") from None
    if done.returncode:
        lines = [line for line in (done.stderr or done.stdout).strip().splitlines() if line.strip()]
        raise BrowserError(f"{command[0]} failed ({done.returncode}): " + "; ".join(lines[-3:])[:600])
