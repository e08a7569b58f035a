"""The policy of each account as it stands now: activity, send mode, release stage and cohort."""

from __future__ import annotations

from uuid import UUID

from sqlalchemy import Connection, text

from leasebot_pipeline.domain.cohort import in_canary
from leasebot_pipeline.domain.platforms import Platform, ReleaseStage, SendMode
from leasebot_pipeline.domain.policy import PlatformPolicy

_POLICIES = text("""
    SELECT a.id, a.is_active, a.send_mode, COALESCE(s.stage, 'shadow') AS stage, COALESCE(s.cohort, '{}'::jsonb) AS cohort
      FROM "PlatformAccounts" a
      LEFT JOIN "ReleaseStages" s ON s.ended_at IS NULL
     WHERE a.platform = :platform
""")


def account_policies(
    conn: Connection, platform: Platform, default_send_mode: SendMode
) -> dict[UUID, PlatformPolicy]:
    """Policy by account id. Without any release stage the stage is shadow: nothing is sent."""
    return {
        row.id: PlatformPolicy(
            is_active=row.is_active,
            send_mode_override=SendMode(row.send_mode) if row.send_mode else None,
            global_default=default_send_mode,
            release_stage=ReleaseStage(row.stage),
            in_cohort=in_canary(row.id, row.cohort),
        )
        for row in conn.execute(_POLICIES, {"platform": platform.value})
    }
