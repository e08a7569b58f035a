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
    bucket = int.from_bytes(hashlib.sha256(account.bytes).digest()[:4]) % 10_000
    return bucket < percentage * 100
