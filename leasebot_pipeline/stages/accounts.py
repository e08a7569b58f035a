"""Letting a stopped account go on, audited: an operator says so, or its session was renewed."""

from __future__ import annotations

from datetime import UTC, datetime
from uuid import UUID

from sqlalchemy import Engine

from leasebot_pipeline.domain.platforms import Platform
from leasebot_pipeline.domain.stops import RENEWABLE
from leasebot_pipeline.platforms.protocol import AccountRef
from leasebot_pipeline.stages.pipeline import Pipeline
from leasebot_pipeline.storage import accounts_runtime, audit, connector_state
from leasebot_pipeline.storage.accounts_runtime import AccountRow


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


def resume_renewed(pipeline: Pipeline, row: AccountRow) -> AccountRow:
    """Let an account go on whose session a person renewed since it stopped; returns it as it stands now."""
    state = row.state
    if not state.is_active or state.stop_code not in RENEWABLE:
        return row
    connector = pipeline.connectors.for_platform(row.platform)
    mark = connector.session_mark(
        AccountRef(state.id, row.platform, row.account_external_id, row.credentials)
    )
    with pipeline.engine.begin() as conn:
        failed_with = connector_state.load(conn, state.id).session_mark
        if failed_with is None:
            connector_state.note_session(conn, state.id, mark)  # stopped before any look was noted
        if failed_with in (None, mark) or mark.startswith("none:"):
            return row
        now = pipeline.clock()
        if not accounts_runtime.resume_accounts(conn, [state.id], now):
            return row
        connector_state.note_session(conn, state.id, mark)
        audit.record(
            conn,
            [
                audit.AuditEntry(
                    actor_type="system",
                    entity_type="platform_account",
                    entity_id=str(state.id),
                    action="platform_account_resumed",
                    details={"code": state.stop_code, "cause": "session_renewed"},
                    platform=row.platform.value,
                    platform_account_id=state.id,
                )
            ],
        )
        rows = accounts_runtime.accounts(conn, row.platform)
    return next(current for current in rows if current.state.id == state.id)
