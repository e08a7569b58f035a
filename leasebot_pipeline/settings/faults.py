"""What is wrong with the environment, all of it at once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Fault:
    """A variable and the rule it broke. Holds the shape of the value at most, never the value."""

    name: str
    rule: str
    shape: str = ""

    def __str__(self) -> str:
        return f"{self.name}: {self.rule}" + (f" ({self.shape})" if self.shape else "")


class SettingsError(Exception):
    """The environment can't be used. ``faults`` has one entry per faulty variable."""

    def __init__(self, faults: Sequence[Fault]) -> None:
        self.faults = tuple(faults)
        count = len(self.faults)
        head = "1 setting is faulty:" if count == 1 else f"{count} settings are faulty:"
        super().__init__("\n  ".join([head, *map(str, self.faults)]))

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the faulty variables."""
        return tuple(fault.name for fault in self.faults)
