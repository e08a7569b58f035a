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
