"""Names of workers: who holds a lease or a claim, told so that its host can see whether it still lives."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class WorkerName:
    """``<host>/<pid>/<token>``; the token tells apart two processes that got the same pid."""

    host: str
    pid: int
    token: str

    def __str__(self) -> str:
        return f"{self.host}/{self.pid}/{self.token}"

    @classmethod
    def parse(cls, text: str) -> WorkerName | None:
        """The name, or None when the text is not one of ours."""
        host, _, rest = text.partition("/")
        pid, _, token = rest.partition("/")
        return cls(host, int(pid), token) if host and pid.isdigit() and token else None


def is_dead(owner: str, this_host: str, alive: Callable[[int], bool]) -> bool:
    """True only when the owner ran on this host and its process is gone; other hosts' leases run out."""
    name = WorkerName.parse(owner)
    return name is not None and name.host == this_host and not alive(name.pid)
