"""What all processes share about an account: lease with fence, pacing, caps, why it is stopped.

The lease is the guarantee "one automation per account at a time" across sensors, runs and hosts: its
fence grows with every new owner, so that a late writer of an expired lease can be told apart. It has two
ends: ``lease_expires_at`` moves with each sign of life (a dead worker is replaced soon), and
``lease_deadline_at`` moves with progress only (a worker that lives but is stuck is replaced too).

The breakers of accounts are in ``accounts_circuits``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import Connection, text

from leasebot_pipeline.domain.platforms import Platform
from leasebot_pipeline.domain.polling import AccountState
from leasebot_pipeline.storage.accounts_circuits import account_circuit, action_circuits


@dataclass(frozen=True, slots=True)
class AccountRow:
    """A platform account with its runtime state."""

    state: AccountState
    platform: Platform
    account_external_id: str
    credentials: dict[str, str]
    last_polled_at: datetime | None
    last_rows: int | None
    daily_send_cap: int | None = None
    """The account's own cap; None leaves it to the general one, 0 is no cap."""
    timezone: str | None = None
    """Zone of the account's day; None leaves it to the general one."""
    send_cap_until: datetime | None = None
    """Until when replies wait because the day's share is sent."""


_ACCOUNTS = text("""
    SELECT a.id, a.platform, a.account_name, a.account_external_id, a.credentials, a.is_active,
           r.stop_code, r.stop_reason, r.stopped_at, r.circuit_state, r.circuit_failures, r.circuit_open_until,
           r.circuit_code, r.action_circuits, r.lease_owner, r.lease_expires_at, r.last_polled_at, r.last_rows,
           r.daily_send_cap, r.timezone, r.send_cap_until
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
                circuit=account_circuit(row),
                lease_owner=row.lease_owner,
                lease_expires_at=row.lease_expires_at,
                action_circuits=action_circuits(row.action_circuits),
            ),
            platform=Platform(row.platform),
            account_external_id=row.account_external_id,
            credentials={key: value for key, value in row.credentials.items() if isinstance(value, str)},
            last_polled_at=row.last_polled_at,
            last_rows=row.last_rows,
            daily_send_cap=row.daily_send_cap,
            timezone=row.timezone,
            send_cap_until=row.send_cap_until,
        )
        for row in conn.execute(_ACCOUNTS, {"platform": platform.value})
    ]


_ACQUIRE = text("""
    INSERT INTO "AccountRuntime" AS r
           (platform_account_id, lease_owner, lease_fence, lease_expires_at, lease_deadline_at, updated_at)
    VALUES (:account, :owner, 1, :expires, :deadline, :now)
    ON CONFLICT (platform_account_id) DO UPDATE
       SET lease_owner = EXCLUDED.lease_owner, lease_fence = r.lease_fence + 1,
           lease_expires_at = EXCLUDED.lease_expires_at, lease_deadline_at = EXCLUDED.lease_deadline_at,
           updated_at = EXCLUDED.updated_at
     WHERE r.lease_owner IS NULL OR r.lease_expires_at IS NULL OR r.lease_expires_at <= :now
    RETURNING lease_fence
""")


def acquire_lease(
    conn: Connection, account: UUID, owner: str, now: datetime, ttl: timedelta, hold: timedelta | None = None
) -> int | None:
    """Take the account's lease; the fence, or None when somebody else holds it.

    ``ttl`` is how long it lives without a sign of life, ``hold`` how long without progress.
    """
    parameters = {
        "account": account,
        "owner": owner,
        "now": now,
        "expires": now + min(ttl, hold or ttl),
        "deadline": now + (hold or ttl),
    }
    fence = conn.execute(_ACQUIRE, parameters).scalar_one_or_none()
    return None if fence is None else int(fence)


_RENEW = text("""
    UPDATE "AccountRuntime"
       SET lease_expires_at = LEAST(:expires, GREATEST(lease_deadline_at, CAST(:deadline AS timestamptz))),
           lease_deadline_at = GREATEST(lease_deadline_at, CAST(:deadline AS timestamptz)), updated_at = :now
     WHERE platform_account_id = :account AND lease_owner = :owner AND lease_fence = :fence
""")


def renew_lease(
    conn: Connection,
    account: UUID,
    owner: str,
    fence: int,
    now: datetime,
    ttl: timedelta,
    hold: timedelta | None = None,
) -> bool:
    """A sign of life, never beyond the lease's deadline; ``hold`` tells of progress and moves that too.

    False when the lease was taken over meanwhile.
    """
    parameters = {
        "account": account,
        "owner": owner,
        "fence": fence,
        "now": now,
        "expires": now + ttl,
        "deadline": None if hold is None else now + hold,
    }
    return conn.execute(_RENEW, parameters).rowcount == 1


_RELEASE = text("""
    UPDATE "AccountRuntime" SET lease_owner = NULL, lease_expires_at = NULL, lease_deadline_at = NULL
     WHERE platform_account_id = :account AND lease_owner = :owner AND lease_fence = :fence
""")


def release_lease(conn: Connection, account: UUID, owner: str, fence: int) -> None:
    """Give the lease back, if it is still ours."""
    conn.execute(_RELEASE, {"account": account, "owner": owner, "fence": fence})


_RESERVE = text("""
    INSERT INTO "AccountRuntime" AS r (platform_account_id, last_action_at, updated_at)
    VALUES (:account, jsonb_build_object(CAST(:action AS text), CAST(:now AS timestamptz)), :now)
    ON CONFLICT (platform_account_id) DO UPDATE
       SET last_action_at = r.last_action_at || jsonb_build_object(CAST(:action AS text), GREATEST(
             CAST(:now AS timestamptz), CAST(r.last_action_at ->> :action AS timestamptz) + CAST(:distance AS interval)))
    RETURNING CAST(last_action_at ->> :action AS timestamptz)
""")


def reserve_action(
    conn: Connection, account: UUID, action: str, now: datetime, distance: timedelta
) -> datetime:
    """The instant from which the account may begin an action of this kind, ``distance`` after the one before.

    The instant is taken with it: two processes never get the same.
    """
    parameters = {"account": account, "action": action, "now": now, "distance": distance}
    reserved: datetime = conn.execute(_RESERVE, parameters).scalar_one()
    return reserved


_SUCCESS = text("""
    UPDATE "AccountRuntime"
       SET last_polled_at = CASE WHEN :action = 'ingest' THEN CAST(:began_at AS timestamptz) ELSE last_polled_at END,
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
    """A visit went well: the account's last success is remembered."""
    parameters = {"account": account, "action": action, "began_at": began_at, "now": now, "rows": rows}
    conn.execute(_SUCCESS, parameters)


_POLLED = text("""
    UPDATE "AccountRuntime" SET last_polled_at = :began_at, updated_at = :now WHERE platform_account_id = :account
""")


def note_failure(conn: Connection, account: UUID, action: str, began_at: datetime, now: datetime) -> None:
    """A visit failed: a failed look counts as a look all the same, the next one comes with its beat."""
    if action == "ingest":
        conn.execute(_POLLED, {"account": account, "began_at": began_at, "now": now})


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
           circuit_open_until = NULL, circuit_code = NULL, action_circuits = '{}'::jsonb, updated_at = :now
     WHERE platform_account_id = ANY(:accounts)
       AND (stop_code IS NOT NULL OR circuit_state <> 'closed' OR action_circuits <> '{}'::jsonb)
    RETURNING platform_account_id
""")


def resume_accounts(conn: Connection, account_ids: Sequence[UUID], now: datetime) -> list[UUID]:
    """Let stopped accounts be visited again, all their breakers closed; returns those that were stopped."""
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


_CLICKS = text("""
    SELECT count(*) FROM "OutboundDispatches"
     WHERE platform_account_id = :account AND sending_at IS NOT NULL AND sending_at >= :since
""")


def clicks_since(conn: Connection, account: UUID, since: datetime) -> int:
    """How many replies of the account went out, or may have, since an instant."""
    return int(conn.execute(_CLICKS, {"account": account, "since": since}).scalar_one())


_CAPPED = text("""
    UPDATE "AccountRuntime" SET send_cap_until = :until, updated_at = :now
     WHERE platform_account_id = :account AND send_cap_until IS DISTINCT FROM :until
       AND daily_send_cap IS NOT DISTINCT FROM :cap AND timezone IS NOT DISTINCT FROM :timezone
""")


def note_capped(conn: Connection, account: AccountRow, until: datetime, now: datetime) -> bool:
    """Let replies wait until the account's next day.

    False when it was so before, or when the limits are no longer those the account was read with.
    """
    read = {"account": account.state.id, "cap": account.daily_send_cap, "timezone": account.timezone}
    return conn.execute(_CAPPED, {**read, "until": until, "now": now}).rowcount == 1


_LIMITS = text("""
    INSERT INTO "AccountRuntime" AS r (platform_account_id, daily_send_cap, timezone, updated_at)
    SELECT id, CAST(:cap AS integer), CAST(:timezone AS text), :now FROM "PlatformAccounts" WHERE id = :account
    ON CONFLICT (platform_account_id) DO UPDATE
       SET daily_send_cap = CASE WHEN :set_cap THEN EXCLUDED.daily_send_cap ELSE r.daily_send_cap END,
           timezone = CASE WHEN :set_timezone THEN EXCLUDED.timezone ELSE r.timezone END,
           send_cap_until = NULL, updated_at = :now
    RETURNING platform_account_id
""")


def set_limits(
    conn: Connection,
    account: UUID,
    *,
    now: datetime,
    cap: int | None = None,
    timezone: str | None = None,
    set_cap: bool = False,
    set_timezone: bool = False,
) -> bool:
    """Set the account's own cap or zone (None: the general one again); False when there is no such account."""
    parameters = {
        "account": account,
        "cap": cap,
        "timezone": timezone,
        "set_cap": set_cap,
        "set_timezone": set_timezone,
        "now": now,
    }
    return conn.execute(_LIMITS, parameters).one_or_none() is not None
