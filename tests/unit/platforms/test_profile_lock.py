"""A profile's lock is removed only when the browser that took it is gone."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from leasebot_pipeline.domain.failures import PlatformFailure
from leasebot_pipeline.platforms.profile_lock import ProfileLock, unlock

HOST = socket.gethostname()


@pytest.fixture
def profile(tmp_path: Path) -> Path:
    (tmp_path / "SingletonCookie").symlink_to("123")
    (tmp_path / "SingletonSocket").symlink_to("/tmp/nowhere/SingletonSocket")
    return tmp_path


@pytest.fixture
def browser() -> Iterator[int]:
    with subprocess.Popen(["chromium", "60"], executable=shutil.which("sleep")) as running:
        yield running.pid
        running.kill()


def test_the_lock_of_a_browser_that_ended_is_removed(profile: Path) -> None:
    with subprocess.Popen(["true"]) as ended:
        pass
    (profile / "SingletonLock").symlink_to(f"{HOST}-{ended.pid}")
    unlocked = unlock(profile)
    assert set(unlocked.removed) == {"SingletonLock", "SingletonCookie", "SingletonSocket"}
    assert unlocked.holder == f"{HOST}-{ended.pid}"
    assert not (profile / "SingletonLock").is_symlink()
    assert unlock(profile).removed == ()


def test_a_browser_that_lives_keeps_its_lock(profile: Path, browser: int) -> None:
    (profile / "SingletonLock").symlink_to(f"{HOST}-{browser}")
    for host_gone in (None, HOST):
        with pytest.raises(PlatformFailure, match=r"RPA_PROFILE_LOCKED.*close it"):
            unlock(profile, host_gone=host_gone)
    assert (profile / "SingletonLock").is_symlink()


@pytest.mark.skipif(not Path("/proc/self/cmdline").exists(), reason="asks /proc what a process is")
def test_another_program_with_the_browsers_old_number_is_no_browser(profile: Path) -> None:
    (profile / "SingletonLock").symlink_to(f"{HOST}-{os.getppid()}")
    assert "SingletonLock" in unlock(profile).removed


def test_a_lock_of_another_host_needs_that_hosts_name(profile: Path) -> None:
    """A container that was replaced: its name never comes back, and nobody can look whether it lives."""
    (profile / "SingletonLock").symlink_to("worker-7f9c-4711")
    for wrong in (None, "worker"):
        with pytest.raises(PlatformFailure, match="locked by host worker-7f9c"):
            unlock(profile, host_gone=wrong)
    assert "SingletonLock" in unlock(profile, host_gone="worker-7f9c").removed


def test_a_profile_leasebot_itself_uses_is_not_unlocked(profile: Path) -> None:
    held = ProfileLock(profile)
    with pytest.raises(PlatformFailure, match="another leasebot process"):
        unlock(profile)
    held.release()
    unlock(profile)


def test_there_is_nothing_to_unlock_where_no_profile_is(tmp_path: Path) -> None:
    with pytest.raises(PlatformFailure, match="RPA_PROFILE_INVALID"):
        unlock(tmp_path / "nowhere")
