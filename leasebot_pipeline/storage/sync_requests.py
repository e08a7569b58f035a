"""Looks at the platforms that people ask for over the API; sensors and polls see them in the database."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import Connection, text

from leasebot_pipeline.domain.platforms import Platform

_ASK = text("""
    INSERT INTO "SyncRequests" (platform, requested_by, requested_at)
    SELECT p, :user_id, :now FROM unnest(CAST(:platforms AS text[])) AS p
    ON CONFLICT (platform) WHERE taken_at IS NULL DO NOTHING
""")
_OPEN = text('SELECT platform FROM "SyncRequests" WHERE taken_at IS NULL ORDER BY platform')
_TAKE = text("""
    UPDATE "SyncRequests" SET taken_at = :now
     WHERE taken_at IS NULL AND platform = ANY(:platforms) AND requested_at <= :now
""")
# The next look at the inbox reads the thread's page, whatever its row shows.
_ASK_THREAD = text("""
    UPDATE "InboxThreads" i SET read_fingerprint = NULL, failures = 0
      FROM "Conversations" c
     WHERE c.id = :conversation AND i.platform_account_id = c.platform_account_id
       AND i.external_thread_id = c.external_thread_id
    RETURNING i.sort_rank IS NOT NULL AS listed, i.read_at
""")


def ask_listings(conn: Connection, platforms: Sequence[str], user_id: str | None, now: datetime) -> None:
    """Ask for the listings of platforms to be read; one that is asked for already is asked for once."""
    conn.execute(_ASK, {"platforms": list(platforms), "user_id": user_id, "now": now})


def open_listings(conn: Connection) -> list[Platform]:
    """Platforms whose listings somebody waits for."""
    return [Platform(name) for name in conn.execute(_OPEN).scalars()]


def take_listings(conn: Connection, platforms: Sequence[Platform], now: datetime) -> None:
    """The listings of these platforms are being read: requests up to now are answered by it."""
    conn.execute(_TAKE, {"platforms": [platform.value for platform in platforms], "now": now})


@dataclass(frozen=True, slots=True)
class ThreadRequest:
    """``listed``: the inbox shows the thread, so the next poll reads it. ``read_at``: when its page was last read."""

    listed: bool
    read_at: datetime | None


def ask_thread(conn: Connection, conversation_id: UUID) -> ThreadRequest | None:
    """Ask for a conversation's page to be read at the next poll; None when its thread was never seen."""
    row = conn.execute(_ASK_THREAD, {"conversation": conversation_id}).one_or_none()
    return None if row is None else ThreadRequest(row.listed, row.read_at)
