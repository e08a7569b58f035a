"""What connectors remember of an account between visits: its session's mark, its pages, how far it was read."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import Connection, text

from leasebot_pipeline.domain.fingerprints import Fingerprint
from leasebot_pipeline.domain.platforms import Platform

# The rows an inbox shows first are the ones that say where to stop; the rest would only cost memory.
_KNOWN_ROWS = 4000


@dataclass(frozen=True, slots=True)
class ConnectorState:
    """``session_mark`` is of the session last used; ``fingerprints`` are by kind of page."""

    session_mark: str | None = None
    resume_url: str | None = None
    fingerprints: Mapping[str, Fingerprint] | None = None


_STATE = text("""
    SELECT session_mark, inbox_resume_url, page_fingerprints FROM "AccountRuntime" WHERE platform_account_id = :account
""")


def load(conn: Connection, account: UUID) -> ConnectorState:
    """What is remembered of the account; nothing for one never visited."""
    row = conn.execute(_STATE, {"account": account}).one_or_none()
    return ConnectorState() if row is None else ConnectorState(*row)


_MARK = text("""
    UPDATE "AccountRuntime" SET session_mark = :mark
     WHERE platform_account_id = :account AND session_mark IS DISTINCT FROM :mark
""")


def note_session(conn: Connection, account: UUID, mark: str) -> None:
    """Remember which session a visit begins with."""
    conn.execute(_MARK, {"account": account, "mark": mark})


_RESUME_URL = text("""
    UPDATE "AccountRuntime" SET inbox_resume_url = :url
     WHERE platform_account_id = :account AND inbox_resume_url IS DISTINCT FROM :url
""")


def note_resume_url(conn: Connection, account: UUID, url: str | None) -> None:
    """Remember where the inbox was cut off; None when it was read down to what is known."""
    conn.execute(_RESUME_URL, {"account": account, "url": url})


_DEEP_LOOK = text("""
    UPDATE "AccountRuntime"
       SET last_action_at = last_action_at || jsonb_build_object('deep_look', CAST(:now AS timestamptz))
     WHERE platform_account_id = :account
""")
_DEEP_LOOK_DUE = text("""
    SELECT COALESCE(CAST(last_action_at ->> 'deep_look' AS timestamptz) < :before, true)
      FROM "AccountRuntime" WHERE platform_account_id = :account
""")


def deep_look_due(conn: Connection, account: UUID, before: datetime) -> bool:
    """Whether the inbox was last read to its end before that, or never."""
    return (
        conn.execute(_DEEP_LOOK_DUE, {"account": account, "before": before}).scalar_one_or_none() is not False
    )


def note_deep_look(conn: Connection, account: UUID, now: datetime) -> None:
    """Remember that the inbox is read to its end, at once or from where it was cut off."""
    conn.execute(_DEEP_LOOK, {"account": account, "now": now})


_FINGERPRINT = text("""
    UPDATE "AccountRuntime"
       SET page_fingerprints = page_fingerprints || jsonb_build_object(CAST(:kind AS text), CAST(:fingerprint AS jsonb))
     WHERE platform_account_id = :account
""")


def note_fingerprint(conn: Connection, account: UUID, kind: str, fingerprint: Fingerprint) -> None:
    """Remember how a kind of page looked."""
    parameters = {"account": account, "kind": kind, "fingerprint": json.dumps(dict(fingerprint))}
    conn.execute(_FINGERPRINT, parameters)


_READ_ROWS = text("""
    SELECT external_thread_id, read_fingerprint FROM "InboxThreads"
     WHERE platform_account_id = :account AND read_fingerprint IS NOT NULL AND sort_rank IS NOT NULL
     ORDER BY sort_rank LIMIT :limit
""")


def read_rows(conn: Connection, account: UUID, limit: int = _KNOWN_ROWS) -> dict[str, str]:
    """Thread id to the inbox row it was last read under, for the top of the inbox."""
    rows = conn.execute(_READ_ROWS, {"account": account, "limit": limit})
    return {row.external_thread_id: row.read_fingerprint for row in rows}


@dataclass(frozen=True, slots=True)
class AccountStatus:
    """An account as a person looks at it."""

    id: UUID
    platform: Platform
    name: str
    external_id: str
    is_active: bool
    stop_code: str | None
    stop_reason: str | None
    stopped_at: datetime | None
    circuit: str
    circuit_open_until: datetime | None
    last_polled_at: datetime | None
    last_success_ingest_at: datetime | None
    last_success_send_at: datetime | None
    last_rows: int | None
    inbox_cut: bool


_STATUS = text("""
    SELECT a.id, a.platform, a.account_name, a.account_external_id, a.is_active, r.stop_code, r.stop_reason,
           r.stopped_at, COALESCE(r.circuit_state, 'closed'), r.circuit_open_until, r.last_polled_at,
           r.last_success_ingest_at, r.last_success_send_at, r.last_rows, r.inbox_resume_url IS NOT NULL
      FROM "PlatformAccounts" a LEFT JOIN "AccountRuntime" r ON r.platform_account_id = a.id
     ORDER BY array_position(CAST(:order AS text[]), a.platform), a.account_external_id
""")


def statuses(conn: Connection) -> list[AccountStatus]:
    """Every account, in the platforms' order."""
    rows = conn.execute(_STATUS, {"order": [platform.value for platform in Platform]})
    return [AccountStatus(row[0], Platform(row[1]), *row[2:]) for row in rows]
