"""The directory of page evidence: names, what is there already, and how much of it is kept."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from leasebot_pipeline.platforms.protocol import AccountRef

_UNSAFE: Final = re.compile(r"[^A-Za-z0-9_-]")
_KINDS: Final = ("json", "html", "png")
REPEAT_AFTER: Final = timedelta(hours=1)
"""How long a page that fails in the same way is kept once only."""


@dataclass(frozen=True, slots=True)
class EvidenceLimits:
    """How much is kept: all of it together, and for how long."""

    max_bytes: int = 50_000_000
    max_age: timedelta = timedelta(days=7)


def evidence_name(account: AccountRef, action: str, now: datetime) -> str:
    """``<stamp>-<platform>-<action>-<account>-attempt1``, safe as a file name."""
    stamp = re.sub("[:.]", "-", now.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"))
    return _UNSAFE.sub("_", f"{stamp}-{account.platform.value}-{action}-{account.id}-attempt1")


def kept_already(
    directory: Path, account: AccountRef, action: str, code: str, structure: str, now: datetime
) -> dict[str, str] | None:
    """The paths of evidence of the same failure on the same structure within the hour, if there is some."""
    pattern = _UNSAFE.sub("_", f"-{account.platform.value}-{action}-{account.id}-attempt1")
    for path in sorted(directory.glob(f"*{pattern}.json"), reverse=True):
        try:
            facts = json.loads(path.read_text(encoding="utf-8"))
            taken = datetime.fromisoformat(str(facts["takenAt"]))
            same = facts["code"] == code and facts["structure"] == structure
        except (OSError, ValueError, KeyError, TypeError):
            continue
        if now - taken > REPEAT_AFTER:
            return None
        if same:
            return {kind: str(found) for kind in _KINDS if (found := path.with_suffix(f".{kind}")).exists()}
    return None


def prune(directory: Path, limits: EvidenceLimits, now: datetime) -> int:
    """Remove what is too old, then the oldest until the rest fits; returns how many files went.

    Only files that evidence is made of are touched; several processes may do this at once.
    """
    files: list[tuple[float, int, Path]] = []
    for path in directory.iterdir() if directory.is_dir() else ():
        if path.suffix.lstrip(".") not in _KINDS or "-attempt" not in path.name:
            continue
        try:
            known = path.stat()
        except OSError:
            continue
        files.append((known.st_mtime, known.st_size, path))
    total, gone = sum(size for _, size, _ in files), 0
    oldest = (now - limits.max_age).timestamp()
    for modified, size, path in sorted(files):
        if modified >= oldest and total <= limits.max_bytes:
            break
        path.unlink(missing_ok=True)
        total -= size
        gone += 1
    return gone
