"""Shards: the accounts of a platform in groups, so that several workers visit them side by side.

Only what a browser does account by account is sharded (reading inboxes, sending). Everything else works on a platform's
rows as one set, whatever the number of accounts.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from typing import Final
from uuid import UUID

_LABEL: Final = re.compile(r"(\d+)of(\d+)")


@dataclass(frozen=True, slots=True)
class Shard:
    """Number ``number`` of ``of`` groups, counted from 1. The same account is in the same one in every process."""

    number: int
    of: int

    def __post_init__(self) -> None:
        if not 1 <= self.number <= self.of:
            raise ValueError(f"no shard {self.number} of {self.of}")

    @property
    def label(self) -> str:
        return f"{self.number}of{self.of}"

    def holds(self, account: UUID) -> bool:
        # Other bytes than the canary's: a cohort of 20 % is spread over all shards.
        return int.from_bytes(hashlib.sha256(account.bytes).digest()[8:12]) % self.of == self.number - 1


WHOLE: Final = Shard(1, 1)
"""All accounts."""


def shards(count: int) -> tuple[Shard, ...]:
    """All shards of that many; each account is in exactly one."""
    return tuple(Shard(number, count) for number in range(1, count + 1))


def shard_of_label(label: str) -> Shard:
    """Read what ``label`` wrote. Raises ValueError."""
    found = _LABEL.fullmatch(label)
    if found is None:
        raise ValueError(f"no shard: {label!r}")
    return Shard(int(found[1]), int(found[2]))
