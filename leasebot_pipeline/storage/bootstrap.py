"""Rows that must exist before anything runs; only missing ones are created, nothing is overwritten.

An admin's switch-off or credentials survive every start (fault G-46).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import Connection, text

from leasebot_pipeline.domain.platforms import REQUIRED_ACCOUNTS, Platform, ReleaseStage, SendMode


@dataclass(frozen=True, slots=True)
class AccountChoice:
    """What the environment offers for a platform's default account. ``credentials`` are references."""

    credentials: Mapping[str, str]
    is_active: bool
    auth_mode: str
    """``profile``, ``session`` or ``login``: what the references point to."""
    send_mode: SendMode | None = SendMode.DRAFT_ONLY


@dataclass(frozen=True, slots=True)
class AccountResult:
    """One required account as it stands now. ``auth_env_var`` is the variable its credentials point to."""

    platform: Platform
    inserted: bool
    is_active: bool
    auth_mode: str
    auth_env_var: str | None


@dataclass(frozen=True, slots=True)
class BootstrapResult:
    """Ids of the accounts that were created now, and all five as they stand."""

    created: tuple[UUID, ...]
    results: tuple[AccountResult, ...]

    def as_details(self) -> dict[str, object]:
        """The result in the earlier system's shape, for logs."""
        return {
            "created": len(self.created),
            "results": [
                {
                    "platform": result.platform.value,
                    "inserted": result.inserted,
                    "updated": False,
                    "isActive": result.is_active,
                    "authMode": result.auth_mode,
                    "authEnvVar": result.auth_env_var,
                }
                for result in self.results
            ],
        }


_ACCOUNTS = text("""
    INSERT INTO "PlatformAccounts"
           (id, platform, account_name, account_external_id, credentials, is_active, send_mode, integration_mode)
    SELECT id, platform, account_name, account_external_id, credentials, is_active, send_mode, 'rpa'
      FROM jsonb_to_recordset(CAST(:rows AS jsonb)) AS r(
             id uuid, platform text, account_name text, account_external_id text, credentials jsonb,
             is_active boolean, send_mode text)
    ON CONFLICT DO NOTHING
    RETURNING id
""")
_RUNTIME = text("""
    INSERT INTO "AccountRuntime" (platform_account_id) SELECT id FROM "PlatformAccounts" ON CONFLICT DO NOTHING
""")


_ACTIVE = text("""
    SELECT platform, account_external_id, id, is_active FROM "PlatformAccounts"
""")


def ensure_required_accounts(conn: Connection, choices: Mapping[Platform, AccountChoice]) -> BootstrapResult:
    """Create the missing ones of the five required accounts, and a runtime row for every account.

    ``choices`` has one for each platform. An account that exists, under whatever id, is left as it is.
    """
    rows = [
        {
            "id": str(account.id),
            "platform": account.platform.value,
            "account_name": account.account_name,
            "account_external_id": account.account_external_id,
            "credentials": dict(choices[account.platform].credentials),
            "is_active": choices[account.platform].is_active,
            "send_mode": mode.value if (mode := choices[account.platform].send_mode) else None,
        }
        for account in REQUIRED_ACCOUNTS
    ]
    created = tuple(conn.execute(_ACCOUNTS, {"rows": json.dumps(rows)}).scalars())
    conn.execute(_RUNTIME)
    stored = {(row.platform, row.account_external_id): row for row in conn.execute(_ACTIVE)}
    results = []
    for account in REQUIRED_ACCOUNTS:
        row = stored[account.platform.value, account.account_external_id]
        choice = choices[account.platform]
        results.append(
            AccountResult(
                account.platform, row.id in created, row.is_active, choice.auth_mode, _env_variable(choice)
            )
        )
    return BootstrapResult(created, tuple(results))


def _env_variable(choice: AccountChoice) -> str | None:
    """The environment variable that the first reference names."""
    reference = next(iter(choice.credentials.values()), "")
    scheme, _, name = reference.partition(":")
    return name if scheme in ("env", "secret") and name else None


_STAGE = text("""
    INSERT INTO "ReleaseStages" (stage, actor_type, reason, started_at)
    SELECT :stage, 'system', :reason, :now WHERE NOT EXISTS (SELECT 1 FROM "ReleaseStages" WHERE ended_at IS NULL)
    ON CONFLICT DO NOTHING
""")


def ensure_release_stage(conn: Connection, stage: ReleaseStage, reason: str, now: datetime) -> bool:
    """Open the first release stage when there is none; True when it was opened."""
    return conn.execute(_STAGE, {"stage": stage.value, "reason": reason, "now": now}).rowcount == 1
