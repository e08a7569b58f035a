"""The follow-up policy of each account: what an operator set over the defaults of the settings."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Final, Literal
from uuid import UUID

from sqlalchemy import Connection, text

from leasebot_pipeline.domain.follow_ups import FollowUpPolicy, PolicyChange
from leasebot_pipeline.domain.platforms import Platform
from leasebot_pipeline.storage import audit

_COLUMNS: Final = ", ".join(PolicyChange.__dataclass_fields__)

_LOAD = text(f"""
    SELECT a.id, {_COLUMNS}
      FROM "PlatformAccounts" a LEFT JOIN "FollowUpPolicies" p ON p.platform_account_id = a.id
     WHERE CAST(:platform AS text) IS NULL OR a.platform = :platform
""")


def changes_by_account(conn: Connection, platform: Platform | None = None) -> dict[UUID, PolicyChange]:
    """What was set for each account; an account nobody set anything for is there too, with nothing set."""
    rows = conn.execute(_LOAD, {"platform": platform.value if platform else None}).mappings()
    return {
        row["id"]: PolicyChange(**{str(key): row[key] for key in row if str(key) != "id"}) for row in rows
    }


def policies(conn: Connection, platform: Platform, defaults: FollowUpPolicy) -> dict[UUID, FollowUpPolicy]:
    """The policy in force by account id."""
    return {account: change.over(defaults) for account, change in changes_by_account(conn, platform).items()}


@dataclass(frozen=True, slots=True)
class PolicyUpdate:
    """What became of an operator's change. ``refused`` names field and rule; ``policy`` is in force after it."""

    outcome: Literal["updated", "not_found", "refused"]
    policy: FollowUpPolicy | None = None
    refused: str | None = None


_ACCOUNT = text('SELECT platform FROM "PlatformAccounts" WHERE id = :account FOR UPDATE')
_SAVE = text(f"""
    INSERT INTO "FollowUpPolicies" (platform_account_id, updated_by, {_COLUMNS})
    VALUES (:account, :actor, {", ".join(f":{name}" for name in PolicyChange.__dataclass_fields__)})
    ON CONFLICT (platform_account_id) DO UPDATE
       SET updated_by = :actor, updated_at = now(),
           {", ".join(f"{name} = EXCLUDED.{name}" for name in PolicyChange.__dataclass_fields__)}
""")


def set_policy(
    conn: Connection,
    account: UUID,
    change: PolicyChange,
    defaults: FollowUpPolicy,
    *,
    actor_type: Literal["admin", "agent", "user", "system"],
    actor: str | None,
) -> PolicyUpdate:
    """Replace what is set for an account, in the caller's transaction, with its audit row."""
    platform = conn.execute(_ACCOUNT, {"account": account}).scalar_one_or_none()
    if platform is None:
        return PolicyUpdate("not_found")
    try:
        policy = change.over(defaults)
    except ValueError as refused:
        return PolicyUpdate("refused", refused=str(refused))
    values: Mapping[str, object] = {**asdict(change), "account": account, "actor": actor}
    if change.quiet_hours is not None:
        values = {**values, "quiet_hours": change.quiet_hours.strip().casefold()}
    conn.execute(_SAVE, values)
    audit.record(
        conn,
        [
            audit.AuditEntry(
                actor_type=actor_type,
                actor_id=actor,
                entity_type="platform_account",
                entity_id=str(account),
                action="follow_up_policy_updated",
                details={
                    "updates": {name: value for name, value in asdict(change).items() if value is not None},
                    "policy": policy.as_details(),
                },
                platform=platform,
                platform_account_id=account,
            )
        ],
    )
    return PolicyUpdate("updated", policy)
