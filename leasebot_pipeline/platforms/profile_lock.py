"""One owner per browser profile: our own lock, since a headless shell takes none, and Chromium's."""

from __future__ import annotations

import fcntl
import os
import socket
from pathlib import Path
from typing import Final

from leasebot_pipeline.domain.failures import PlatformFailure

LOCK_NAME: Final = ".leasebot-lock"
CHROMIUM_LOCK: Final = "SingletonLock"


class ProfileLock:
    """Held from construction until :meth:`release`; dies with the process.

    Raises PlatformFailure RPA_PROFILE_LOCKED when another process of ours, or a browser, has the profile.
    """

    def __init__(self, directory: Path) -> None:
        _refuse_chromium_lock(directory)
        self._handle = os.open(directory / LOCK_NAME, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(self._handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(self._handle)
            raise PlatformFailure(
                "RPA_PROFILE_LOCKED", f"another leasebot process uses the profile {directory.name}"
            ) from None

    def release(self) -> None:
        """Give the profile back."""
        os.close(self._handle)


def _refuse_chromium_lock(directory: Path) -> None:
    """Chromium clears a stale lock of its own host; on another host's lock it only dies without a word."""
    lock = directory / CHROMIUM_LOCK
    if not lock.is_symlink():
        return
    host, _, pid = os.readlink(lock).rpartition("-")
    if host != socket.gethostname():
        raise PlatformFailure(
            "RPA_PROFILE_LOCKED",
            f"the profile {directory.name} is locked by host {host}; unlock it when no browser runs there",
        )
    if pid.isdigit() and _is_alive(int(pid)):
        raise PlatformFailure(
            "RPA_PROFILE_LOCKED", f"a browser (process {pid}) uses the profile {directory.name}; close it"
        )


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
