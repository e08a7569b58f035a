"""Audit rows: looking for them, and taking them away as a file."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import AsyncIterator, Callable, Iterable
from datetime import datetime
from typing import Annotated, Any, Final
from uuid import UUID

from fastapi import Depends, Query
from fastapi.responses import StreamingResponse
from sqlalchemy import Connection

from api.answers import Answer, Instant, iso_millis
from api.auth.access import ADMIN_ONLY, AdminIdentity
from api.edge.json_route import json_router
from api.errors import validation_error
from api.inputs import moment, one_of, query_id
from api.operator_audit import by_user
from api.paging import PageQuery, encode
from api.services import Services, ServicesDep
from leasebot_pipeline.domain.platforms import Platform
from leasebot_pipeline.storage import audit
from leasebot_pipeline.storage.audit_search import COLUMNS, AuditFilter, AuditRow, search

router = json_router("/api/admin/audit", "audit")

_AT_ONCE: Final = 2000
_Write = Callable[[list[AuditRow]], str]
_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r")


class AuditItem(Answer):
    id: str
    actor_type: str
    actor_id: str | None
    entity_type: str
    entity_id: str
    action: str
    details: dict[str, Any]
    created_at: Instant
    platform: str | None
    platform_account_id: UUID | None
    conversation_id: UUID | None
    agent_id: str | None
    run_id: str | None

    @classmethod
    def of(cls, row: AuditRow) -> AuditItem:
        return cls(**{name: getattr(row, name) for name in COLUMNS if name != "id"}, id=str(row.id))


class AuditAnswer(Answer):
    items: list[AuditItem]
    next_cursor: str | None


def wanted_rows(
    platform_account_id: Annotated[UUID | None, query_id("platformAccountId")],
    conversation_id: Annotated[UUID | None, query_id("conversationId")],
    action: Annotated[list[str] | None, Query(description="may be given several times")] = None,
    platform: Annotated[str | None, Query()] = None,
    agent_id: Annotated[str | None, Query(alias="agentId")] = None,
    run_id: Annotated[str | None, Query(alias="runId", description="Dagster's run id")] = None,
    entity_type: Annotated[str | None, Query(alias="entityType")] = None,
    entity_id: Annotated[str | None, Query(alias="entityId")] = None,
    actor_id: Annotated[str | None, Query(alias="actorId")] = None,
    since: Annotated[str | None, Query(description="ISO 8601 with offset, included")] = None,
    until: Annotated[str | None, Query(description="ISO 8601 with offset, not included")] = None,
) -> AuditFilter:
    """The filter asked for; 400 names what can't be one."""
    texts = {
        "agentId": agent_id,
        "runId": run_id,
        "entityType": entity_type,
        "entityId": entity_id,
        "actorId": actor_id,
        **{f"action[{n}]": name for n, name in enumerate(action or [])},
    }
    faults = [
        f"{name}: must not contain a NUL character" for name, text in texts.items() if text and "\x00" in text
    ]
    if faults:
        raise validation_error(faults)
    return AuditFilter(
        actions=tuple(name for name in action or [] if name),
        platform=one_of("platform", platform, [p.value for p in Platform]),
        platform_account_id=platform_account_id,
        conversation_id=conversation_id,
        agent_id=agent_id or None,
        run_id=run_id or None,
        entity_type=entity_type or None,
        entity_id=entity_id or None,
        actor_id=actor_id or None,
        since=moment("since", since),
        until=moment("until", until),
    )


Wanted = Annotated[AuditFilter, Depends(wanted_rows)]


@router.get("", operation_id="searchAudit", summary="Audit rows, newest first", dependencies=[ADMIN_ONLY])
async def search_audit(wanted: Wanted, page: PageQuery, services: ServicesDep) -> AuditAnswer:
    after = page.key(datetime, int)
    found = await services.database.read(search, wanted, page.limit, after)
    last = found[-1] if len(found) == page.limit else None
    return AuditAnswer(
        items=[AuditItem.of(row) for row in found],
        next_cursor=encode((last.created_at.isoformat(), last.id)) if last else None,
    )


@router.get(
    "/export",
    operation_id="exportAudit",
    summary="Audit rows as CSV, or as one JSON object a line",
    response_class=StreamingResponse,
)
async def export_audit(
    identity: AdminIdentity,
    wanted: Wanted,
    services: ServicesDep,
    format: Annotated[str | None, Query(description="csv (default) or json")] = None,
) -> StreamingResponse:
    """Every matching row, newest first, page by page: any number of rows takes constant memory."""
    chosen = one_of("format", format, ("csv", "json")) or "csv"

    def note(conn: Connection) -> None:
        shown = {name: str(getattr(wanted, name)) for name in AuditFilter.__slots__ if getattr(wanted, name)}
        audit.record(
            conn, [by_user(identity, "audit", "export", "audit_exported", {"format": chosen, **shown})]
        )

    await services.database.run(note)
    write: _Write = _csv if chosen == "csv" else _json_lines
    media, head = ("text/csv", _csv_head()) if chosen == "csv" else ("application/x-ndjson", "")
    name = f"audit-{services.clock():%Y%m%dT%H%M%SZ}.{'csv' if chosen == 'csv' else 'jsonl'}"
    return StreamingResponse(
        _pages(services, wanted, head, write),
        media_type=f"{media}; charset=utf-8",
        headers={"content-disposition": f'attachment; filename="{name}"'},
    )


async def _pages(services: Services, wanted: AuditFilter, head: str, write: _Write) -> AsyncIterator[str]:
    yield head
    after: tuple[object, ...] | None = None
    while True:
        rows = await services.database.read(search, wanted, _AT_ONCE, after)
        if rows:
            yield write(rows)
        if len(rows) < _AT_ONCE:
            return
        after = (rows[-1].created_at.isoformat(), rows[-1].id)


def _csv_head() -> str:
    return _lines([AuditItem.model_json_schema(by_alias=True)["properties"]])


def _csv(rows: list[AuditRow]) -> str:
    return _lines([_cell(getattr(row, name)) for name in COLUMNS_OF_ITEM] for row in rows)


def _lines(rows: Iterable[Iterable[str]]) -> str:
    out = io.StringIO()
    csv.writer(out).writerows(rows)
    return out.getvalue()


COLUMNS_OF_ITEM: Final = tuple(AuditItem.model_fields)


def _cell(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, datetime):
        return iso_millis(value)
    text = json.dumps(value, ensure_ascii=False) if isinstance(value, dict) else str(value)
    # A spreadsheet must not take a lead's words for a formula.
    return f"'{text}" if text.startswith(_FORMULA) else text


def _json_lines(rows: list[AuditRow]) -> str:
    return "".join(AuditItem.of(row).model_dump_json(by_alias=True) + "\n" for row in rows)
