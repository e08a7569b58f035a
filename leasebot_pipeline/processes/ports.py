"""Which ports the stack uses: a default that is taken moves on, a configured one is an error."""

from __future__ import annotations

import socket
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

_SEARCH_LENGTH: Final = 200


class PortTaken(RuntimeError):
    """A port that was asked for by name belongs to another program."""


@dataclass(frozen=True, slots=True)
class PortChoice:
    """The first of ``size`` ports in a row; ``moved_from`` is the default that was taken, if it was."""

    port: int
    moved_from: int | None = None


def is_free(host: str, port: int) -> bool:
    """True when we could listen on ``host``:``port`` now."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        # As servers do: a connection of the last start that lingers does not make the port taken.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return False
    return True


def choose_port(
    host: str,
    wanted: int,
    *,
    variable: str,
    explicit: bool,
    size: int = 1,
    reserved: frozenset[int] = frozenset(),
    free: Callable[[str, int], bool] = is_free,
) -> PortChoice:
    """``wanted`` when all ``size`` ports from it on are free, else the next row that is.

    ``reserved`` are ports given to others of the stack already. Raises PortTaken when the port was set on
    purpose (``explicit``) and is taken, or when no row is free.
    """

    def usable(first: int) -> bool:
        row = range(first, first + size)
        return row[-1] <= 65535 and all(port not in reserved and free(host, port) for port in row)

    if usable(wanted):
        return PortChoice(wanted)
    span = f"{wanted}" if size == 1 else f"{wanted}-{wanted + size - 1}"
    if explicit:
        raise PortTaken(f"{variable}={wanted}: port {span} on {host} is used by another program")
    for first in range(wanted + size, wanted + _SEARCH_LENGTH, size):
        if usable(first):
            return PortChoice(first, moved_from=wanted)
    raise PortTaken(f"no free port on {host} from {span} on; set {variable}")
