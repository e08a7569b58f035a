"""What all processes share about an account: lease with fence, pacing, circuit, why it is stopped.

The lease is the guarantee "one automation per account at a time" across sensors, runs and hosts: its
fence grows with every new owner, so that a late writer of an expired lease can be told apart.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import Connection, text

from leasebot_pipeline.domain.circuit import Circuit, CircuitState
from leasebot_pipeline.domain.platforms import Platform
from leasebot_pipeline.domain.polling import AccountState


@dataclass(frozen=True, slots=True)
class AccountRow:
    """A platform account with its runtime state."""

    state: AccountState
    platform: Platform
    account_external_id: str
    credentials: dict[str, str]
    last_polled_at: datetime | None
    last_rows: int | None


_ACCOUNTS = text("""
    SELECT a.id, a.platform, a.account_name, a.account_external_id, a.credentials, a.is_active,
           r.stop_code, r.stop_reason, r.stopped_at, r.circuit_state, r.circuit_failures, r.circuit_open_until,
           r.lease_owner, r.lease_expires_at, r.last_polled_at, r.last_rows
      FROM "PlatformAccounts" a
      LEFT JOIN "AccountRuntime" r ON r.platform_account_id = a.id
     WHERE a.platform = :platform
     ORDER BY a.account_external_id
""")


def accounts(conn: Connection, platform: Platform) -> list[AccountRow]:
    """All accounts of a platform, inactive ones included."""
    return [
        AccountRow(
            state=AccountState(
                id=row.id,
                name=row.account_name,
                is_active=row.is_active,
                stop_code=row.stop_code,
                stop_reason=row.stop_reason,
                stopped_at=row.stopped_at,
                circuit=Circuit(
                    CircuitState(row.circuit_state or "closed"),
                    row.circuit_failures or 0,
                    row.circuit_open_until,
                ),
                lease_owner=row.lease_owner,
                lease_expires_at=row.lease_expires_at,
            ),
            platform=Platform(row.platform),
            account_external_id=row.account_external_id,
            credentials={key: value for key, value in row.credentials.items() if isinstance(value, str)},
            last_polled_at=row.last_polled_at,
            last_rows=row.last_rows,
        )
        for row in conn.execute(_ACCOUNTS, {"platform": platform.value})
    ]


_ACQUIRE = text("""
    INSERT INTO "AccountRuntime" AS r (platform_account_id, lease_owner, lease_fence, lease_expires_at, updated_at)
    VALUES (:account, :owner, 1, :expires, :now)
    ON CONFLICT (platform_account_id) DO UPDATE
       SET lease_owner = EXCLUDED.lease_owner, lease_fence = r.lease_fence + 1,
           lease_expires_at = EXCLUDED.lease_expires_at, updated_at = EXCLUDED.updated_at
     WHERE r.lease_owner IS NULL OR r.lease_expires_at IS NULL OR r.lease_expires_at <= :now
    RETURNING lease_fence
""")


def acquire_lease(conn: Connection, account: UUID, owner: str, now: datetime, ttl: timedelta) -> int | None:
    """Take the account's lease; the fence, or None when somebody else holds it."""
    fence = conn.execute(
        _ACQUIRE, {"account": account, "owner": owner, "now": now, "expires": now + ttl}
    ).scalar_one_or_none()
    return None if fence is None else int(fence)


_RENEW = text("""
    UPDATE "AccountRuntime" SET lease_expires_at = :expires, updated_at = :now
     WHERE platform_account_id = :account AND lease_owner = :owner AND lease_fence = :fence
""")


def renew_lease(
    conn: Connection, account: UUID, owner: str, fence: int, now: datetime, ttl: timedelta
) -> bool:
    """Extend the lease; False when it was taken over meanwhile."""
    result = conn.execute(
        _RENEW, {"account": account, "owner": owner, "fence": fence, "now": now, "expires": now + ttl}
    )
    return result.rowcount == 1


_RELEASE = text("""
    UPDATE "AccountRuntime" SET lease_owner = NULL, lease_expires_at = NULL
     WHERE platform_account_id = :account AND lease_owner = :owner AND lease_fence = :fence
""")


def release_lease(conn: Connection, account: UUID, owner: str, fence: int) -> None:
    """Give the lease back, if it is still ours."""
    conn.execute(_RELEASE, {"account": account, "owner": owner, "fence": fence})


_LAST_ACTION = text("""
    SELECT (last_action_at ->> :action)::timestamptz FROM "AccountRuntime" WHERE platform_account_id = :account
""")
_NOTE_ACTION = text("""
    UPDATE "AccountRuntime"
       SET last_action_at = last_action_at || jsonb_build_object(CAST(:action AS text), CAST(:at AS text))
     WHERE platform_account_id = :account
""")


def last_action_at(conn: Connection, account: UUID, action: str) -> datetime | None:
    """When this kind of action was last begun on the account, by any process."""
    value = conn.execute(_LAST_ACTION, {"account": account, "action": action}).scalar_one_or_none()
    return value if isinstance(value, datetime) else None


def note_action(conn: Connection, account: UUID, action: str, at: datetime) -> None:
    """Remember that an action begins now (pacing)."""
    conn.execute(_NOTE_ACTION, {"account": account, "action": action, "at": at.isoformat()})


_SUCCESS = text("""
    UPDATE "AccountRuntime"
       SET circuit_state = 'closed', circuit_failures = 0, circuit_open_until = NULL,
           last_polled_at = CASE WHEN :action = 'ingest' THEN CAST(:began_at AS timestamptz) ELSE last_polled_at END,
           last_success_ingest_at =
             CASE WHEN :action = 'ingest' THEN CAST(:now AS timestamptz) ELSE last_success_ingest_at END,
           last_success_send_at =
             CASE WHEN :action = 'send' THEN CAST(:now AS timestamptz) ELSE last_success_send_at END,
           last_rows = COALESCE(:rows, last_rows), updated_at = :now
     WHERE platform_account_id = :account
""")


def note_success(
    conn: Connection, account: UUID, action: str, began_at: datetime, now: datetime, rows: int | None = None
) -> None:
    """A visit went well: the circuit closes, the account's last success is remembered."""
    parameters = {"account": account, "action": action, "began_at": began_at, "now": now, "rows": rows}
    conn.execute(_SUCCESS, parameters)


_CIRCUIT = text("""
    UPDATE "AccountRuntime"
       SET circuit_state = :state, circuit_failures = :failures, circuit_open_until = :open_until,
           last_polled_at = CASE WHEN :action = 'ingest' THEN CAST(:began_at AS timestamptz) ELSE last_polled_at END,
           updated_at = :now
     WHERE platform_account_id = :account
""")


def save_circuit(
    conn: Connection, account: UUID, circuit: Circuit, action: str, began_at: datetime, now: datetime
) -> None:
    """Store the breaker after a failed visit."""
    conn.execute(
        _CIRCUIT,
        {
            "account": account,
            "state": circuit.state.value,
            "failures": circuit.failures,
            "open_until": circuit.open_until,
            "action": action,
            "began_at": began_at,
            "now": now,
        },
    )


_STOP = text("""
    UPDATE "AccountRuntime" SET stopped_at = :now, stop_code = :code, stop_reason = :reason, updated_at = :now
     WHERE platform_account_id = :account AND stop_code IS NULL
""")


def stop_account(conn: Connection, account: UUID, code: str, reason: str, now: datetime) -> bool:
    """Stop the account until a person acts; False when it was stopped already."""
    return conn.execute(_STOP, {"account": account, "code": code, "reason": reason, "now": now}).rowcount == 1


_RESUME = text("""
    UPDATE "AccountRuntime"
       SET stopped_at = NULL, stop_code = NULL, stop_reason = NULL, circuit_state = 'closed', circuit_failures = 0,
           circuit_open_until = NULL, updated_at = :now
     WHERE platform_account_id = ANY(:accounts) AND (stop_code IS NOT NULL OR circuit_state <> 'closed')
    RETURNING platform_account_id
""")


def resume_accounts(conn: Connection, account_ids: Sequence[UUID], now: datetime) -> list[UUID]:
    """Let stopped accounts be visited again; returns those that were stopped."""
    return list(conn.execute(_RESUME, {"accounts": list(account_ids), "now": now}).scalars())


_OWNERS = text("""
    SELECT r.lease_owner AS owner
      FROM "AccountRuntime" r JOIN "PlatformAccounts" a ON a.id = r.platform_account_id
     WHERE a.platform = :platform AND r.lease_owner IS NOT NULL AND r.lease_expires_at > :now
    UNION
    SELECT claimed_by FROM "OutboundDispatches"
     WHERE platform = :platform AND state IN ('claimed', 'sending') AND claimed_by IS NOT NULL AND lease_expires_at > :now
""")
_EXPIRE_LEASES = text("""
    UPDATE "AccountRuntime" SET lease_expires_at = :now WHERE lease_owner = ANY(:owners) AND lease_expires_at > :now
""")
_EXPIRE_CLAIMS = text("""
    UPDATE "OutboundDispatches" SET lease_expires_at = :now
     WHERE claimed_by = ANY(:owners) AND state IN ('claimed', 'sending') AND lease_expires_at > :now
""")


def owners(conn: Connection, platform: Platform, now: datetime) -> set[str]:
    """Workers that hold a running lease or claim on the platform."""
    return set(conn.execute(_OWNERS, {"platform": platform.value, "now": now}).scalars())


def expire_owners(conn: Connection, dead: Sequence[str], now: datetime) -> None:
    """Let the leases and claims of dead workers run out now instead of at their end."""
    parameters = {"owners": list(dead), "now": now}
    conn.execute(_EXPIRE_LEASES, parameters)
    conn.execute(_EXPIRE_CLAIMS, parameters)
