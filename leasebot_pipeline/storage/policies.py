"""The policy of each account as it stands now: activity, send mode, release stage and cohort."""

from __future__ import annotations

from typing import Any, Final, Literal
from uuid import UUID

from sqlalchemy import Connection, Row, text

from leasebot_pipeline.domain.cohort import in_canary
from leasebot_pipeline.domain.platforms import Platform, ReleaseStage, SendMode
from leasebot_pipeline.domain.policy import PlatformPolicy

STAGE_COLUMNS = """a.id AS account_id, a.is_active, a.send_mode,
       COALESCE(s.stage, 'shadow') AS stage, COALESCE(s.cohort, '{}'::jsonb) AS cohort"""
CURRENT_STAGE = 'LEFT JOIN "ReleaseStages" s ON s.ended_at IS NULL'
"""What ``policy_of`` needs, beside ``"PlatformAccounts" a``."""

Kept = Literal["release_shadow"]
IN_SHADOW: Final = "release_shadow"
"""Why a reply stays as it is although nothing speaks against what a person wants of it: in shadow nothing is sent."""

_POLICIES = text(f"""
    SELECT {STAGE_COLUMNS} FROM "PlatformAccounts" a {CURRENT_STAGE} WHERE a.platform = :platform
""")


def policy_of(row: Row[Any], default_send_mode: SendMode) -> PlatformPolicy:
    """The policy of a row with ``STAGE_COLUMNS``."""
    return PlatformPolicy(
        is_active=row.is_active,
        send_mode_override=SendMode(row.send_mode) if row.send_mode else None,
        global_default=default_send_mode,
        release_stage=ReleaseStage(row.stage),
        in_cohort=in_canary(row.account_id, row.cohort),
    )


def account_policies(
    conn: Connection, platform: Platform, default_send_mode: SendMode
) -> dict[UUID, PlatformPolicy]:
    """Policy by account id. Without any release stage the stage is shadow: nothing is sent."""
    rows = conn.execute(_POLICIES, {"platform": platform.value})
    return {row.account_id: policy_of(row, default_send_mode) for row in rows}
