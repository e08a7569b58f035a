"""Canary membership: a stable hash of the account, or an explicit list."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from uuid import UUID


def in_canary(account: UUID, cohort: Mapping[str, object]) -> bool:
    """Whether an account belongs to the canary.

    ``cohort``: ``{"accounts": [uuid, ...]}`` and/or ``{"percentage": 0..100}``. The same account falls
    into the same percentage in every process and after every restart.
    """
    listed = cohort.get("accounts")
    if isinstance(listed, list) and str(account) in {str(item).lower() for item in listed}:
        return True
    percentage = cohort.get("percentage")
    if isinstance(percentage, bool) or not isinstance(percentage, int | float):
        return False
    return _bucket(account) < percentage * 100


def joins_at(account: UUID) -> int:
    """The smallest whole percentage that holds the account."""
    return _bucket(account) // 100 + 1


def _bucket(account: UUID) -> int:
    return int.from_bytes(hashlib.sha256(account.bytes).digest()[:4]) % 10_000
