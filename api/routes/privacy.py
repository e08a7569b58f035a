"""A lead's personal data: handed out on request, or erased."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal
from uuid import UUID

from fastapi import Response
from pydantic import Field
from sqlalchemy import Connection

from api.answers import Answer, Instant
from api.auth.access import AdminIdentity, Identity
from api.edge.json_route import json_router
from api.errors import conflict, not_found
from api.inputs import Input, PathId, Trimmed
from api.operator_audit import by_user
from api.services import ServicesDep
from leasebot_pipeline.storage import audit, privacy
from leasebot_pipeline.storage.audit import AuditEntry

router = json_router("/api/admin/leads", "privacy")


class EraseBody(Input):
    """`confirm` says that it can't be undone."""

    confirm: Literal[True]
    reason: Annotated[Trimmed, Field(min_length=3, max_length=500)]


class ErasedAnswer(Answer):
    erased: bool
    conversations: list[UUID]
    counts: dict[str, int]
    erased_at: Instant


@router.get(
    "/{id}/export",
    operation_id="exportLead",
    summary="Everything stored about a lead, by one of its conversations",
    response_class=Response,
    responses={200: {"content": {"application/json": {}}}},
)
async def export(identity: AdminIdentity, conversation_id: PathId, services: ServicesDep) -> Response:
    """A file to hand out. The request itself is audited."""

    def work(conn: Connection) -> str:
        found = privacy.conversations_of_lead(conn, conversation_id)
        if not found:
            raise not_found()
        values = privacy.export(conn, found)
        audit.record(conn, [_entry(identity, one, "lead_data_exported", {}) for one in found])
        return privacy.document(values)

    content = await services.database.run(work)
    name = f"lead-{conversation_id}.json"
    headers = {"content-disposition": f'attachment; filename="{name}"'}
    return Response(content, media_type="application/json", headers=headers)


@router.post(
    "/{id}/erase",
    operation_id="eraseLead",
    summary="Remove a lead's personal data for good",
    responses={409: {"description": "reply_under_way: a reply is being sent or in doubt"}},
)
async def erase(
    identity: AdminIdentity, conversation_id: PathId, body: EraseBody, services: ServicesDep
) -> ErasedAnswer:
    """What happened stays, without what was said and by whom. Open replies and follow-ups are called off."""
    now = services.clock()

    def work(conn: Connection) -> privacy.Erasure:
        found = privacy.conversations_of_lead(conn, conversation_id)
        if not found:
            raise not_found()
        done = privacy.erase(conn, found, now)
        details = {"reason": body.reason, "counts": done.counts}
        audit.record(conn, [_entry(identity, one, "lead_data_erased", details) for one in found])
        return done

    try:
        done = await services.database.run(work)
    except privacy.ReplyUnderWay:
        raise conflict(
            "reply_under_way", "A reply to this lead is being sent or in doubt; settle it first."
        ) from None
    return ErasedAnswer(
        erased=True, conversations=list(done.conversations), counts=done.counts, erased_at=now
    )


def _entry(
    identity: Identity, conversation_id: UUID, action: str, details: Mapping[str, object]
) -> AuditEntry:
    return by_user(
        identity, "conversation", conversation_id, action, details, conversation_id=conversation_id
    )
