"""What an operator does to accounts: letting a stopped one go on, audited."""

from __future__ import annotations

from datetime import UTC, datetime
from uuid import UUID

from sqlalchemy import Engine

from leasebot_pipeline.domain.platforms import Platform
from leasebot_pipeline.storage import accounts_runtime, audit


def resume(engine: Engine, platform: Platform, *, actor: str) -> list[UUID]:
    """Clear stop and circuit of the platform's accounts; returns those that were stopped or open."""
    with engine.begin() as conn:
        ids = [row.state.id for row in accounts_runtime.accounts(conn, platform)]
        resumed = accounts_runtime.resume_accounts(conn, ids, datetime.now(UTC))
        audit.record(
            conn,
            [
                audit.AuditEntry(
                    actor_type="admin",
                    actor_id=actor,
                    entity_type="platform_account",
                    entity_id=str(account),
                    action="platform_account_resumed",
                    platform=platform.value,
                    platform_account_id=account,
                )
                for account in resumed
            ],
        )
    return resumed
