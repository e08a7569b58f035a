"""Answers remembered for a caller's Idempotency-Key: a repeated request gets the first one's answer."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Any, Final

from sqlalchemy import Connection, text

KEPT: Final = timedelta(days=7)


class KeyUsedOtherwise(Exception):
    """The key was used before, for another request."""


@dataclass(frozen=True, slots=True)
class Remembered:
    """The first request's answer."""

    status: int
    answer: dict[str, Any]


_LOCK = text("SELECT pg_advisory_xact_lock(hashtextextended(:name, 0))")
_FIND = text("""
    SELECT request_hash, status, answer FROM "IdempotentRequests" WHERE user_id = :user_id AND key = :key
""")
_STORE = text("""
    INSERT INTO "IdempotentRequests" (user_id, key, request_hash, status, answer, created_at)
    VALUES (:user_id, :key, :request_hash, :status, CAST(:answer AS jsonb), :now)
""")
_PURGE = text('DELETE FROM "IdempotentRequests" WHERE created_at < :before')


def request_hash(*parts: object) -> str:
    """What makes two requests the same."""
    return sha256(json.dumps(parts, sort_keys=True, default=str).encode()).hexdigest()


def recall(conn: Connection, user_id: str, key: str, wanted_hash: str) -> Remembered | None:
    """The answer of an earlier request; None for the first one, whose like wait until its transaction ends.

    Raises KeyUsedOtherwise.
    """
    conn.execute(_LOCK, {"name": f"idempotency:{user_id}:{key}"})
    row = conn.execute(_FIND, {"user_id": user_id, "key": key}).one_or_none()
    if row is None:
        return None
    if row.request_hash != wanted_hash:
        raise KeyUsedOtherwise
    return Remembered(row.status, row.answer)


def remember(
    conn: Connection,
    user_id: str,
    key: str,
    wanted_hash: str,
    status: int,
    answer: dict[str, Any],
    now: datetime,
) -> None:
    """Keep the answer, in the transaction of what it tells."""
    parameters = {"user_id": user_id, "key": key, "request_hash": wanted_hash, "status": status, "now": now}
    conn.execute(_STORE, {**parameters, "answer": json.dumps(answer)})


def purge(conn: Connection, now: datetime) -> int:
    """Forget old answers; how many."""
    return conn.execute(_PURGE, {"before": now - KEPT}).rowcount
