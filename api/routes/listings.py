"""Listings as people manage them."""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import Query, Response
from pydantic import Field
from sqlalchemy import Connection

from api.answers import Answer, CreatedAnswer, DeletedAnswer, Instant, UpdatedAnswer
from api.auth.access import AdminIdentity, ScopedIdentity
from api.edge.json_route import json_router
from api.errors import not_found, validation_error
from api.inputs import DateText, Document, Id, Input, PathId, Trimmed, one_of, query_id
from api.operator_audit import by_user
from api.paging import PageQuery, encode
from api.preconditions import IfMatch, check_match, set_etag
from api.services import Services, ServicesDep
from leasebot_pipeline.domain.platforms import Platform
from leasebot_pipeline.storage import audit, listing_catalogue, sync_requests
from leasebot_pipeline.storage.listing_catalogue import ListingRefused, StoredListing

router = json_router("/api/listings", "listings")

_Status = Literal["active", "paused", "leased", "draft"]
_Rent = Annotated[int, Field(gt=0, le=2_000_000_000)]
_Currency = Annotated[str, Field(pattern=r"^[A-Z]{3}$")]
_External = Annotated[Trimmed, Field(min_length=1, max_length=200)]


class ListingPolicy(Answer):
    is_active: bool
    integration_mode: str
    send_mode: str
    send_mode_override: str | None
    global_default_send_mode: str


class OneListingAnswer(Answer):
    id: UUID
    unit_id: UUID
    platform_account_id: UUID
    listing_external_id: str | None
    status: str
    rent_cents: int
    currency_code: str
    available_on: date | None
    metadata: dict[str, Any]
    assigned_agent_id: str | None
    platform_policy: ListingPolicy
    created_at: Instant
    updated_at: Instant


class ListingAnswer(OneListingAnswer):
    platform: str


class ListingsAnswer(Answer):
    items: list[ListingAnswer]
    next_cursor: str | None


class ListingSyncAnswer(Answer):
    ok: bool
    platforms: list[str]
    requested_at: Instant


class NewListingBody(Input):
    unit_id: Id
    platform_account_id: Id
    rent_cents: _Rent
    currency_code: _Currency = "USD"
    available_on: DateText | None = None
    status: _Status = "active"
    metadata: Document = Field(default_factory=dict)
    assigned_agent_id: Id | None = None
    listing_external_id: _External | None = None


class ListingBody(Input):
    """What is absent keeps its value; metadata is merged; `assignedAgentId: null` removes it."""

    unit_id: Id | None = None
    platform_account_id: Id | None = None
    rent_cents: _Rent | None = None
    currency_code: _Currency | None = None
    available_on: DateText | None = None
    status: _Status | None = None
    metadata: Document | None = None
    assigned_agent_id: Id | None = None
    listing_external_id: _External | None = None


@router.get("", operation_id="listListings", summary="Listings, newest change first")
async def list_listings(
    scope: ScopedIdentity,
    page: PageQuery,
    services: ServicesDep,
    unit_id: Annotated[UUID | None, query_id("unitId")],
    include_inactive: Annotated[
        str | None, Query(alias="includeInactive", description="true: of inactive accounts too (admin)")
    ] = None,
) -> ListingsAnswer:
    """Of active accounts. An agent sees those of the units it shows."""
    after = page.key(datetime, UUID)
    found = await services.database.read(
        listing_catalogue.list_listings,
        page.limit,
        after,
        unit_id=unit_id,
        include_inactive=scope.agent_id is None and include_inactive == "true",
        default_send_mode=services.config.default_send_mode,
        agent_id=scope.agent_id,
    )
    last = found[-1] if len(found) == page.limit else None
    return ListingsAnswer(
        items=[ListingAnswer(platform=row.platform, **_fields(row)) for row in found],
        next_cursor=encode((last.updated_at.isoformat(), str(last.id))) if last else None,
    )


@router.post("", operation_id="createListing", summary="Create a listing", status_code=201)
async def create_listing(
    identity: AdminIdentity, body: NewListingBody, services: ServicesDep
) -> CreatedAnswer:
    values = body.model_dump(exclude={"assigned_agent_id"})
    if body.assigned_agent_id is not None:
        values["metadata"] = {**body.metadata, "assignedAgentId": str(body.assigned_agent_id)}

    def create(conn: Connection) -> UUID:
        made = listing_catalogue.create_listing(conn, values, services.clock())
        details = {"unitId": str(body.unit_id), "rentCents": body.rent_cents, "status": body.status}
        entry = by_user(
            identity,
            "listing",
            made,
            "listing_created",
            details,
            platform_account_id=body.platform_account_id,
        )
        audit.record(conn, [entry])
        return made

    return CreatedAnswer(id=await _taking(services, create))


@router.post("/sync", operation_id="syncListings", summary="Ask for a look at the platforms' listings")
async def sync_listings(
    identity: AdminIdentity,
    services: ServicesDep,
    platform: Annotated[
        str | None, Query(description="one of the five; default: those of the settings")
    ] = None,
) -> ListingSyncAnswer:
    """The pipeline does it: the API opens no browser. What it found is in the runs of the platform."""
    chosen = one_of("platform", platform, [p.value for p in Platform])
    platforms = [chosen] if chosen else list(services.config.sync_platforms)
    now = services.clock()

    def ask(conn: Connection) -> None:
        sync_requests.ask_listings(conn, platforms, identity.user.id, now)
        entries = [
            by_user(identity, "platform", name, "listing_sync_requested", platform=name) for name in platforms
        ]
        audit.record(conn, entries)

    await services.database.run(ask)
    return ListingSyncAnswer(ok=True, platforms=platforms, requested_at=now)


@router.get("/{id}", operation_id="getListing", summary="One listing")
async def get_listing(
    listing_id: PathId, scope: ScopedIdentity, response: Response, services: ServicesDep
) -> OneListingAnswer:
    found = await services.database.read(
        listing_catalogue.find_listing, listing_id, services.config.default_send_mode, scope.agent_id
    )
    if found is None:
        raise not_found()
    set_etag(response, found.updated_at)
    return OneListingAnswer(**_fields(found))


@router.put("/{id}", operation_id="updateListing", summary="Change a listing")
async def update_listing(
    listing_id: PathId,
    identity: AdminIdentity,
    body: ListingBody,
    services: ServicesDep,
    if_match: IfMatch = None,
) -> UpdatedAnswer:
    def update(conn: Connection) -> None:
        current = listing_catalogue.lock_listing(conn, listing_id, services.config.default_send_mode)
        if current is None:
            raise not_found()
        check_match(if_match, current.updated_at)
        given = body.given()
        merged = {**current.metadata, **(given.pop("metadata", None) or {})}
        if "assigned_agent_id" in given:
            agent = given.pop("assigned_agent_id")
            merged.pop("assignedAgentId", None)
            if agent is not None:
                merged["assignedAgentId"] = str(agent)
        values = {name: v for name, v in given.items() if v is not None or name == "available_on"}
        listing_catalogue.update_listing(conn, listing_id, {**values, "metadata": merged}, services.clock())
        entry = by_user(
            identity,
            "listing",
            listing_id,
            "listing_updated",
            {"fields": sorted(body.model_fields_set)},
            platform=current.platform,
            platform_account_id=current.platform_account_id,
        )
        audit.record(conn, [entry])

    await _taking(services, update)
    return UpdatedAnswer()


@router.delete("/{id}", operation_id="deleteListing", summary="Take a listing out of use")
async def delete_listing(listing_id: PathId, identity: AdminIdentity, services: ServicesDep) -> DeletedAnswer:
    def delete(conn: Connection) -> None:
        if not listing_catalogue.delete_listing(conn, listing_id, services.clock()):
            raise not_found()
        audit.record(conn, [by_user(identity, "listing", listing_id, "listing_deleted")])

    await services.database.run(delete)
    return DeletedAnswer()


async def _taking(services: Services, work: Any) -> Any:
    try:
        return await services.database.run(work)
    except ListingRefused as refused:
        raise validation_error([str(refused)]) from None


def _fields(found: StoredListing) -> dict[str, Any]:
    policy = found.policy
    override = policy.send_mode_override
    shown = ListingPolicy(
        is_active=policy.is_active,
        integration_mode=found.integration_mode,
        send_mode=policy.effective_send_mode.value,
        send_mode_override=override.value if override else None,
        global_default_send_mode=policy.global_default.value,
    )
    names = set(OneListingAnswer.model_fields) - {"platform_policy"}
    return {name: getattr(found, name) for name in names} | {"platform_policy": shown}
