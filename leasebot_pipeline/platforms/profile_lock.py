"""One owner per browser profile: our own lock, since a headless shell takes none, and Chromium's."""

from __future__ import annotations

import fcntl
import os
import socket
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from leasebot_pipeline.domain.failures import PlatformFailure

LOCK_NAME: Final = ".leasebot-lock"
CHROMIUM_LOCK: Final = "SingletonLock"
_CHROMIUM_FILES: Final = (CHROMIUM_LOCK, "SingletonCookie", "SingletonSocket")


class ProfileLock:
    """Held from construction until :meth:`release`; dies with the process.

    Raises PlatformFailure RPA_PROFILE_LOCKED when another process of ours, or a browser, has the profile.
    """

    def __init__(self, directory: Path) -> None:
        _refuse_chromium_lock(directory)
        self._handle = _own_lock(directory)

    def release(self) -> None:
        """Give the profile back."""
        os.close(self._handle)


@dataclass(frozen=True, slots=True)
class Unlocked:
    """What :func:`unlock` removed, by file name; nothing when the profile was free."""

    removed: tuple[str, ...]
    holder: str | None = None
    """``host-pid`` of the browser that had it."""


def unlock(directory: Path, *, host_gone: str | None = None) -> Unlocked:
    """Remove the lock of a browser that is gone, and nothing else.

    A lock of another host (a container that was replaced) is removed only when ``host_gone`` names that host:
    from here nobody can see whether it lives. Raises PlatformFailure RPA_PROFILE_LOCKED while a browser or
    another leasebot process has the profile, RPA_PROFILE_INVALID when there is no such directory.
    """
    if not directory.is_dir():
        raise PlatformFailure("RPA_PROFILE_INVALID", f"there is no profile at {directory}")
    handle = _own_lock(directory)
    try:
        holder = _holder(directory)
        if holder is not None and (holder.host != host_gone or holder.host == socket.gethostname()):
            _refuse_chromium_lock(directory)
        removed = tuple(name for name in _CHROMIUM_FILES if _is_there(directory / name))
        for name in removed:
            (directory / name).unlink(missing_ok=True)
        return Unlocked(removed, f"{holder.host}-{holder.pid}" if holder else None)
    finally:
        os.close(handle)


def _own_lock(directory: Path) -> int:
    handle = os.open(directory / LOCK_NAME, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(handle)
        raise PlatformFailure(
            "RPA_PROFILE_LOCKED", f"another leasebot process uses the profile {directory.name}"
        ) from None
    return handle


def _is_there(path: Path) -> bool:
    return path.is_symlink() or path.exists()


@dataclass(frozen=True, slots=True)
class _Holder:
    host: str
    pid: str


def _holder(directory: Path) -> _Holder | None:
    """Who Chromium's lock names."""
    lock = directory / CHROMIUM_LOCK
    if not lock.is_symlink():
        return None
    host, _, pid = os.readlink(lock).rpartition("-")
    return _Holder(host, pid)


def _refuse_chromium_lock(directory: Path) -> None:
    """Chromium clears a stale lock of its own host; on another host's lock it only dies without a word."""
    holder = _holder(directory)
    if holder is None:
        return
    if holder.host != socket.gethostname():
        raise PlatformFailure(
            "RPA_PROFILE_LOCKED",
            f"the profile {directory.name} is locked by host {holder.host}; unlock it when no browser runs there",
        )
    if holder.pid.isdigit() and _is_browser(int(holder.pid), directory):
        raise PlatformFailure(
            "RPA_PROFILE_LOCKED",
            f"a browser (process {holder.pid}) uses the profile {directory.name}; close it",
        )


def _is_browser(pid: int, directory: Path) -> bool:
    """True when the process lives and is not plainly another program that got its number."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    try:
        command = Path(f"/proc/{pid}/cmdline").read_bytes().decode("utf-8", "replace").lower()
    except OSError:
        return True
    return (
        not command or "chrom" in command or "headless_shell" in command or directory.name.lower() in command
    )
