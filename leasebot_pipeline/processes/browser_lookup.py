"""Which browser executable we drive: the lookup order, and the proof that a candidate really runs."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

NAMES: Final = (
    "chromium-headless-shell",
    "chromium",
    "chromium-browser",
    "google-chrome",
    "google-chrome-stable",
)
"""Executables looked for on PATH. Debian's headless shell starts fastest and needs the least memory."""

CHOSEN_FILE: Final = "chosen"
"""Below the browser directory: the path that was last proven to run, one line."""

_PROOF_TIMEOUT_S: Final = 40.0
_PLAYWRIGHT_BUILDS: Final = (
    "chromium_headless_shell-*/chrome-*/headless_shell",
    "chromium_headless_shell-*/chrome-*/chrome-headless-shell",
    "chromium-*/chrome-*/chrome",
    "chromium-*/chrome-*/Chromium.app/Contents/MacOS/Chromium",
)


class BrowserError(RuntimeError):
    """No usable browser; the message says what was tried and what to do."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """An executable that may be a browser, and where it was found."""

    path: Path
    source: str


def browser_dir(data_dir: Path) -> Path:
    """Where a browser of our own lives."""
    return data_dir / "browser"


def launcher_path(data_dir: Path) -> Path:
    """The script that starts the browser unpacked by :mod:`browser_debian`."""
    return browser_dir(data_dir) / "chromium-headless-shell"


def candidates(
    data_dir: Path, configured: Path | None = None, search_path: str | None = None
) -> Iterator[Candidate]:
    """Executables in the order of preference; ``search_path`` stands in for PATH.

    A configured path is the only candidate: what a person asked for is used or refused, never replaced.
    Raises BrowserError when the configured path is no executable file.
    """
    if configured is not None:
        if not _executable(configured):
            raise BrowserError(f"LEASE_BOT_RPA_BROWSER_PATH is not an executable file: {configured}")
        yield Candidate(configured, "LEASE_BOT_RPA_BROWSER_PATH")
        return
    chosen = _chosen(data_dir)
    if chosen is not None:
        yield Candidate(chosen, "chosen before")
    for name in NAMES:
        found = shutil.which(name, path=search_path)
        if found:
            yield Candidate(Path(found), "PATH")
    yield from (Candidate(path, "playwright") for path in _playwright_builds())
    own = launcher_path(data_dir)
    if _executable(own):
        yield Candidate(own.absolute(), "own installation")


def find_browser(
    data_dir: Path, configured: Path | None = None, search_path: str | None = None
) -> Path | None:
    """The executable to drive, or None. Looks only; :func:`prove` says whether it runs."""
    return next((found.path for found in candidates(data_dir, configured, search_path)), None)


def remember(data_dir: Path, path: Path) -> None:
    """Make ``path`` the first candidate from now on."""
    target = browser_dir(data_dir) / CHOSEN_FILE
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(f"{path.absolute()}\n", encoding="utf-8")


def prove(path: Path) -> str | None:
    """Start the browser headless on an empty page; None when it works, else what went wrong.

    Some systems ship a ``chromium-browser`` that only prints how to install one, and an unpacked browser
    may lack a library: a path alone proves nothing.
    """
    with tempfile.TemporaryDirectory(prefix="leasebot-browser-", ignore_cleanup_errors=True) as profile:
        arguments = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"]
        arguments += [f"--user-data-dir={profile}", "--dump-dom", "data:text/html,<p id=proof>leasebot</p>"]
        try:
            done = subprocess.run(
                [str(path), *arguments],
                capture_output=True,
                text=True,
                errors="replace",
                timeout=_PROOF_TIMEOUT_S,
                stdin=subprocess.DEVNULL,
            )
        except subprocess.TimeoutExpired:
            return f"no page within {_PROOF_TIMEOUT_S:.0f} s"
        except OSError as error:
            return f"could not be started: {error.strerror}"
    if 'id="proof"' in done.stdout:
        return None
    reason = done.stderr.strip().splitlines()
    return f"exit code {done.returncode}: {reason[-1][:300] if reason else 'no output'}"


def _executable(path: Path) -> bool:
    return path.is_file() and os.access(path, os.X_OK)


def _chosen(data_dir: Path) -> Path | None:
    try:
        text = (browser_dir(data_dir) / CHOSEN_FILE).read_text(encoding="utf-8").strip()
    except FileNotFoundError:
        return None
    return Path(text) if text and _executable(Path(text)) else None


def _playwright_builds() -> Iterator[Path]:
    configured = os.environ.get("PLAYWRIGHT_BROWSERS_PATH")
    if configured and configured != "0":
        root = Path(configured)
    elif sys.platform == "darwin":
        root = Path.home() / "Library/Caches/ms-playwright"
    else:
        root = Path.home() / ".cache/ms-playwright"
    for pattern in _PLAYWRIGHT_BUILDS:
        yield from (path for path in sorted(root.glob(pattern), reverse=True) if _executable(path))
