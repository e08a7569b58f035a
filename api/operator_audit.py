"""Audit rows of what people do over the API."""

from __future__ import annotations

from collections.abc import Mapping
from uuid import UUID

from api.auth.access import Identity
from leasebot_pipeline.storage.audit import AuditEntry


def by_user(
    identity: Identity,
    entity_type: str,
    entity_id: object,
    action: str,
    details: Mapping[str, object] | None = None,
    *,
    actor_type: str | None = None,
    platform: str | None = None,
    platform_account_id: UUID | None = None,
    conversation_id: UUID | None = None,
    agent_id: UUID | None = None,
) -> AuditEntry:
    """One step of a signed-in user; the actor type is the role unless the catalogue names another."""
    return AuditEntry(
        actor_type=actor_type or identity.role,
        actor_id=identity.user.id,
        entity_type=entity_type,
        entity_id=str(entity_id),
        action=action,
        details=details or {},
        platform=platform,
        platform_account_id=platform_account_id,
        conversation_id=conversation_id,
        agent_id=None if agent_id is None else str(agent_id),
    )
