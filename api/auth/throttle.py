"""Slows down password guessing: a sliding window of failures per client, and per client and e-mail.

Counts live in this process: with several API processes each allows the limit, and a restart forgets.
"""

from __future__ import annotations

import math
from collections import OrderedDict, deque
from datetime import datetime, timedelta
from typing import Final

WINDOW: Final = timedelta(minutes=5)
PER_LOGIN: Final = 5
PER_CLIENT: Final = 50
_MOST_KEYS: Final = 20_000


class SignInThrottle:
    """Attempts are counted before the password is checked, so parallel guesses can't slip through."""

    def __init__(self, per_login: int = PER_LOGIN, per_client: int = PER_CLIENT) -> None:
        self._limits = (per_login, per_client)
        self._attempts: OrderedDict[tuple[str, str], deque[datetime]] = OrderedDict()

    def wait_s(self, client: str, email: str, now: datetime) -> int | None:
        """Count an attempt; seconds to wait when it is one too many (it is then not counted)."""
        keys = _keys(client, email)
        waits = [
            attempts[0] + WINDOW - now
            for key, limit in zip(keys, self._limits, strict=True)
            if len(attempts := self._recent(key, now)) >= limit
        ]
        if waits:
            return max(1, math.ceil(max(waits).total_seconds()))
        for key in keys:
            self._attempts.setdefault(key, deque()).append(now)
            self._attempts.move_to_end(key)
        while len(self._attempts) > _MOST_KEYS:
            self._attempts.popitem(last=False)
        return None

    def succeeded(self, client: str, email: str, now: datetime) -> None:
        """Forget the failures of a login; the client's successful attempt no longer counts."""
        login, whole_client = _keys(client, email)
        self._attempts.pop(login, None)
        attempts = self._recent(whole_client, now)
        if attempts:
            attempts.pop()

    def _recent(self, key: tuple[str, str], now: datetime) -> deque[datetime]:
        attempts = self._attempts.get(key)
        if attempts is None:
            return deque()
        while attempts and attempts[0] <= now - WINDOW:
            attempts.popleft()
        if not attempts:
            del self._attempts[key]
        return attempts


def _keys(client: str, email: str) -> tuple[tuple[str, str], tuple[str, str]]:
    return (client, email.lower()), (client, "")
