"""Which commit this is."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import Final

VARIABLE: Final = "LEASE_BOT_COMMIT"
"""Set in the image, where there is no checkout."""


def commit_of(folder: Path) -> str | None:
    """The image's commit, else the checkout's; None where neither is known."""
    given = os.environ.get(VARIABLE, "").strip()
    if given:
        return given
    try:
        done = subprocess.run(
            ("git", "rev-parse", "HEAD"), cwd=folder, capture_output=True, text=True, timeout=10, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() or None if done.returncode == 0 else None


def changes(folder: Path, apart_from: Path) -> list[str] | None:
    """What differs from the checkout's commit, a path each, evidence apart; None where that can't be told."""
    inside = (folder / apart_from).resolve().is_relative_to(folder.resolve())
    excluded = (f":(exclude){apart_from.as_posix()}",) if inside and apart_from != Path() else ()
    try:
        done = subprocess.run(
            ("git", "status", "--porcelain", "--", ".", *excluded),
            cwd=folder,
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return [line[3:] for line in done.stdout.splitlines()] if done.returncode == 0 else None


def is_dirty(folder: Path, apart_from: Path) -> bool:
    """Whether the checkout differs from its commit, evidence apart; True where that can't be told."""
    return changes(folder, apart_from) != []
