"""One clock for all processes of a play, which can be set forward: what only takes time need not take long."""

from __future__ import annotations

import mmap
import struct
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

_SECONDS: Final = struct.Struct("d")


class PlayClock:
    """The machine's time plus an offset that every process reads from the same file.

    ``skew`` is how far this process's own clock is ahead of the others'.
    """

    def __init__(self, path: Path) -> None:
        if not path.exists():
            path.write_bytes(_SECONDS.pack(0.0))
        with path.open("r+b") as file:
            self._shared = mmap.mmap(file.fileno(), _SECONDS.size)
        self.skew = timedelta(0)

    def __call__(self) -> datetime:
        return datetime.now(UTC) + timedelta(seconds=self.offset) + self.skew

    @property
    def offset(self) -> float:
        """Seconds the play is ahead of the machine."""
        seconds: float = _SECONDS.unpack_from(self._shared, 0)[0]
        return seconds

    def advance(self, seconds: float) -> None:
        """Set the clock of all processes forward (or back). One process calls this."""
        _SECONDS.pack_into(self._shared, 0, self.offset + seconds)


Sleep = Callable[[float], None]
