"""Platform accounts as administrators see them: switches, credentials by reference, health."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from sqlalchemy import Connection, Row, text

from leasebot_pipeline.domain.platforms import SendMode
from leasebot_pipeline.domain.policy import PlatformPolicy
from leasebot_pipeline.storage.policies import CURRENT_STAGE, STAGE_COLUMNS, policy_of

HEALTH_WINDOW: Final = timedelta(hours=24)
ERROR_ACTIONS: Final = (
    "platform_dispatch_error",
    "ai_reply_error",
    "api_error",
    "inbox_draft_error",
    "inbox_message_error",
)
DISABLED_BY_ADMIN: Final = "disabled_by_admin_policy"


@dataclass(frozen=True, slots=True)
class Account:
    """An account with its policy; ``credentials`` are references such as ``env:NAME``."""

    id: UUID
    platform: str
    account_name: str
    account_external_id: str
    integration_mode: str
    credentials: dict[str, str]
    policy: PlatformPolicy
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True, slots=True)
class AccountHealth:
    """How an account stands. Errors are counted over ``HEALTH_WINDOW``; instants are None when never."""

    account: Account
    last_ingest_at: datetime | None
    last_send_at: datetime | None
    error_count: int
    last_error_at: datetime | None
    disable_reason: str | None
    stopped_at: datetime | None
    stop_code: str | None
    stop_reason: str | None
    circuit_state: str
    circuit_open_until: datetime | None
    last_polled_at: datetime | None


_COLUMNS = f"""a.id, a.platform, a.account_name, a.account_external_id, a.integration_mode, a.credentials,
               a.created_at, a.updated_at, {STAGE_COLUMNS}"""
_LIST = text(f"""
    SELECT {_COLUMNS} FROM "PlatformAccounts" a {CURRENT_STAGE} ORDER BY a.platform, a.account_name, a.id
""")
_FIND = text(f'SELECT {_COLUMNS} FROM "PlatformAccounts" a {CURRENT_STAGE} WHERE a.id = :id FOR UPDATE OF a')
# Successes are what visits recorded; an account of the earlier system has only its messages to tell them.
_HEALTH = text(f"""
    WITH errors AS (
      SELECT platform, count(*) AS error_count, max(created_at) AS last_error_at
        FROM "AuditLogs"
       WHERE action = ANY(:error_actions) AND created_at > :since AND platform IS NOT NULL
       GROUP BY platform
    )
    SELECT {_COLUMNS}, COALESCE(r.last_success_ingest_at, i.at) AS last_ingest_at,
           COALESCE(r.last_success_send_at, o.at) AS last_send_at,
           COALESCE(e.error_count, 0) AS error_count, e.last_error_at,
           CASE WHEN NOT a.is_active THEN COALESCE(p.reason, :disabled) END AS disable_reason,
           r.stopped_at, r.stop_code, r.stop_reason, COALESCE(r.circuit_state, 'closed') AS circuit_state,
           r.circuit_open_until, r.last_polled_at
      FROM "PlatformAccounts" a {CURRENT_STAGE}
      LEFT JOIN "AccountRuntime" r ON r.platform_account_id = a.id
      LEFT JOIN errors e ON e.platform = a.platform
      LEFT JOIN LATERAL (
           SELECT max(m.sent_at) AS at FROM "Conversations" c JOIN "Messages" m ON m.conversation_id = c.id
            WHERE c.platform_account_id = a.id AND m.direction = 'inbound'
              AND r.last_success_ingest_at IS NULL) i ON true
      LEFT JOIN LATERAL (
           SELECT max(m.sent_at) AS at FROM "Conversations" c JOIN "Messages" m ON m.conversation_id = c.id
            WHERE c.platform_account_id = a.id AND m.direction = 'outbound'
              AND COALESCE(m.metadata ->> 'reviewStatus', 'sent') = 'sent'
              AND r.last_success_send_at IS NULL) o ON true
      LEFT JOIN LATERAL (
           SELECT COALESCE(l.details ->> 'disableReason', l.details #>> '{{updates,disableReason}}') AS reason
             FROM "AuditLogs" l
            WHERE l.entity_type = 'platform_account' AND l.entity_id = a.id::text
              AND l.action = 'platform_policy_updated'
              AND (l.details ->> 'isActive' = 'false' OR l.details #>> '{{updates,isActive}}' = 'false')
            ORDER BY l.created_at DESC LIMIT 1) p ON NOT a.is_active
     ORDER BY a.platform, a.account_name, a.id
""")
_UPDATE = text("""
    UPDATE "PlatformAccounts"
       SET is_active = :is_active, send_mode = :send_mode, integration_mode = :integration_mode,
           credentials = CAST(:credentials AS jsonb), updated_at = :now
     WHERE id = :id
""")


def list_accounts(conn: Connection, default_send_mode: SendMode) -> list[Account]:
    """All accounts by platform and name."""
    return [_account(row, default_send_mode) for row in conn.execute(_LIST)]


def find_account(conn: Connection, account_id: UUID, default_send_mode: SendMode) -> Account | None:
    """The account, its row locked."""
    row = conn.execute(_FIND, {"id": account_id}).one_or_none()
    return None if row is None else _account(row, default_send_mode)


def update_account(conn: Connection, account: Account, values: Mapping[str, Any], now: datetime) -> None:
    """Set is_active, send_mode (None inherits), integration_mode, credentials (whole), as far as given."""
    override = account.policy.send_mode_override
    current: dict[str, Any] = {
        "is_active": account.policy.is_active,
        "send_mode": override.value if override else None,
        "integration_mode": account.integration_mode,
        "credentials": account.credentials,
    }
    merged = current | dict(values)
    parameters = merged | {"credentials": json.dumps(merged["credentials"]), "id": account.id, "now": now}
    conn.execute(_UPDATE, parameters)


def account_health(conn: Connection, default_send_mode: SendMode, now: datetime) -> Sequence[AccountHealth]:
    """All accounts with what was last seen of them: one statement."""
    parameters = {
        "error_actions": list(ERROR_ACTIONS),
        "since": now - HEALTH_WINDOW,
        "disabled": DISABLED_BY_ADMIN,
    }
    return [
        AccountHealth(
            account=_account(row, default_send_mode),
            last_ingest_at=row.last_ingest_at,
            last_send_at=row.last_send_at,
            error_count=row.error_count,
            last_error_at=row.last_error_at,
            disable_reason=row.disable_reason,
            stopped_at=row.stopped_at,
            stop_code=row.stop_code,
            stop_reason=row.stop_reason,
            circuit_state=row.circuit_state,
            circuit_open_until=row.circuit_open_until,
            last_polled_at=row.last_polled_at,
        )
        for row in conn.execute(_HEALTH, parameters)
    ]


def _account(row: Row[Any], default_send_mode: SendMode) -> Account:
    return Account(
        id=row.id,
        platform=row.platform,
        account_name=row.account_name,
        account_external_id=row.account_external_id,
        integration_mode=row.integration_mode,
        credentials=row.credentials,
        policy=policy_of(row, default_send_mode),
        created_at=row.created_at,
        updated_at=row.updated_at,
    )
