"""Log files of the children: bounded in size, readable while they grow.

A child appends to its file itself, so its log survives us and no pipe can fill up. Because every write
appends, a file that grew too long can be copied aside and emptied under the writer.
"""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Final

DEFAULT_CAP_BYTES: Final = 10 * 1024 * 1024


def cap(path: Path, limit: int = DEFAULT_CAP_BYTES) -> bool:
    """Move the content aside to ``<name>.1`` when the file passed ``limit`` bytes; True when it did.

    Lines written between the copy and the emptying are lost; nothing else is.
    """
    try:
        if path.stat().st_size <= limit:
            return False
    except FileNotFoundError:
        return False
    shutil.copyfile(path, path.with_name(path.name + ".1"))
    with path.open("r+b") as log:
        log.truncate(0)
    return True


def tail(path: Path, lines: int = 15, reach: int = 16_384) -> list[str]:
    """The last ``lines`` lines within the last ``reach`` bytes; nothing when there is no file."""
    try:
        with path.open("rb") as log:
            log.seek(0, 2)
            log.seek(max(0, log.tell() - reach))
            text = log.read().decode("utf-8", errors="replace")
    except FileNotFoundError:
        return []
    return text.splitlines()[-lines:]


class Follower:
    """Complete new lines of a growing file, from where it ended when we began."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._offset = path.stat().st_size if path.exists() else 0
        self._rest = b""

    def lines(self) -> list[str]:
        """Lines that were completed since the last call."""
        try:
            size = self._path.stat().st_size
            if size < self._offset:  # emptied by cap()
                self._offset, self._rest = 0, b""
            if size == self._offset:
                return []
            with self._path.open("rb") as log:
                log.seek(self._offset)
                chunk = log.read(size - self._offset)
        except FileNotFoundError:
            return []
        self._offset += len(chunk)
        *complete, self._rest = (self._rest + chunk).split(b"\n")
        return [line.decode("utf-8", errors="replace").rstrip("\r") for line in complete]
