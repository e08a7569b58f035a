"""One date's exceptions, and single rows of a calendar: one set of endpoints, served for each kind of calendar."""

# Annotations are read as they stand: the endpoints' own are made for each kind.
from typing import Annotated, Any

from fastapi import APIRouter, Depends
from pydantic import model_validator

from api.answers import CreatedAnswer, DeletedAnswer, UpdatedAnswer
from api.edge.json_route import json_router
from api.inputs import DateText, Id, Input, Text, Zone
from api.routes.availability.calendars import (
    AGENTS,
    UNITS,
    Calendar,
    Changer,
    ClockTime,
    Notes,
    SlotChanger,
    saved,
)
from api.services import Services, ServicesDep
from leasebot_pipeline.domain.availability import STATUSES, WEEKLY_SOURCE, OwnerKind
from leasebot_pipeline.domain.availability_drafts import OverrideDraft
from leasebot_pipeline.storage import availability


class OverrideBody(Input):
    """One date's exception."""

    date: DateText
    start_time: ClockTime
    end_time: ClockTime
    timezone: Zone
    status: Text | None = None
    notes: Notes | None = None
    listing_id: Id | None = None

    def draft(self, kind: OwnerKind) -> OverrideDraft:
        return OverrideDraft(
            self.date,
            self.start_time,
            self.end_time,
            self.timezone,
            self.status or STATUSES[kind][0],
            self.notes,
            self.listing_id if kind is OwnerKind.UNIT else None,
        )


def _date_of_weekly(value: Any) -> Any:
    """A body of a weekly occurrence names its date as fromDate."""
    if isinstance(value, dict) and value.get("source") == WEEKLY_SOURCE and "date" not in value:
        return {**value, "date": value.get("fromDate")}
    return value


class SlotBody(OverrideBody):
    """A day override, or a weekly body with `source: weekly_recurring` (the date from fromDate or date)."""

    @model_validator(mode="before")
    @classmethod
    def _weekly(cls, value: Any) -> Any:
        return _date_of_weekly(value)


def serve(router: APIRouter, calendar: Calendar) -> None:
    """Add the endpoints of the kind's single days and rows."""

    @router.post(
        f"{calendar.path}/daily-overrides",
        operation_id=f"create{calendar.name}Override",
        summary=calendar.day_summary,
        status_code=201,
    )
    async def create_override_of(
        who: Annotated[Changer, Depends(calendar.change_days)], body: OverrideBody, services: ServicesDep
    ) -> CreatedAnswer:
        return await create_override(services, who, body)

    @router.put(
        calendar.slot_path,
        operation_id=f"replace{calendar.name}Slot",
        summary=f"Change a row of {calendar.article}'s calendar",
    )
    async def replace_slot(
        who: Annotated[SlotChanger, Depends(calendar.change_slot)], body: SlotBody, services: ServicesDep
    ) -> UpdatedAnswer:
        change = await services.database.run(
            availability.replace_override,
            who.kind,
            who.slot_id,
            body.draft(who.kind),
            who.actor,
            services.clock(),
            services.config.availability_horizon,
        )
        saved(change)
        return UpdatedAnswer()

    @router.delete(
        calendar.slot_path,
        operation_id=f"delete{calendar.name}Slot",
        summary=f"Delete a row of {calendar.article}'s calendar",
    )
    async def delete_slot_of(
        who: Annotated[SlotChanger, Depends(calendar.change_slot)], services: ServicesDep
    ) -> DeletedAnswer:
        return await delete_slot(services, who)


router = json_router("/api", "availability")
serve(router, UNITS)
serve(router, AGENTS)


async def create_override(services: Services, who: Changer, body: OverrideBody) -> CreatedAnswer:
    """One date opened or blocked. Raises 400 with every broken rule."""
    change = await services.database.run(
        availability.create_override,
        who.owner,
        body.draft(who.owner.kind),
        who.actor,
        services.clock(),
        services.config.availability_horizon,
    )
    return CreatedAnswer(id=saved(change).id)


async def delete_slot(services: Services, who: SlotChanger) -> DeletedAnswer:
    """A row of a calendar. Raises 404 for one that is not there."""
    change = await services.database.run(
        availability.delete_slot,
        who.kind,
        who.slot_id,
        who.actor,
        services.clock(),
        services.config.availability_horizon,
    )
    saved(change)
    return DeletedAnswer()
