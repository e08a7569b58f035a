"""Copying parts of a calendar: a week's exceptions to another week, a weekday's rules to other weekdays."""

# Annotations are read as they stand: the endpoints' own are made for each kind.
from typing import Annotated, Self

from fastapi import APIRouter, Depends
from pydantic import Field, model_validator

from api.answers import Answer
from api.edge.json_route import json_router
from api.inputs import DateText, Input
from api.routes.availability.calendars import AGENTS, UNITS, Calendar, Changer, saved
from api.services import Services, ServicesDep
from leasebot_pipeline.storage import availability_copy

_Day = Annotated[int, Field(ge=0, le=6, description="0 is Sunday")]


class CopiedAnswer(Answer):
    created_slots: int


class CopyWeekBody(Input):
    """Both dates are the first of seven days."""

    from_date: DateText
    to_date: DateText

    @model_validator(mode="after")
    def _apart(self) -> Self:
        if abs(self.to_date - self.from_date).days < 7:
            raise ValueError("toDate must be at least a week away from fromDate")
        return self


class CopyDayBody(Input):
    from_day: _Day
    to_days: Annotated[list[_Day], Field(min_length=1, max_length=7)]


def serve(router: APIRouter, calendar: Calendar) -> None:
    """Add the endpoints that copy parts of the kind's calendars."""

    @router.post(
        f"{calendar.path}/copy-week",
        operation_id=f"copy{calendar.name}Week",
        summary=f"Copy the exceptions of {calendar.article}'s week to another week",
        status_code=201,
    )
    async def copy_week_of(
        who: Annotated[Changer, Depends(calendar.change_rules)], body: CopyWeekBody, services: ServicesDep
    ) -> CopiedAnswer:
        """At the same local times; whole or not at all."""
        return await copy_week(services, who, body)

    @router.post(
        f"{calendar.path}/copy-day",
        operation_id=f"copy{calendar.name}Day",
        summary=f"Give other weekdays the rules of one weekday of {calendar.article}",
        status_code=201,
    )
    async def copy_day_of(
        who: Annotated[Changer, Depends(calendar.change_rules)], body: CopyDayBody, services: ServicesDep
    ) -> CopiedAnswer:
        """Beside the rules those days have; whole or not at all."""
        return await copy_day(services, who, body)


router = json_router("/api", "availability")
serve(router, UNITS)
serve(router, AGENTS)


async def copy_week(services: Services, who: Changer, body: CopyWeekBody) -> CopiedAnswer:
    """Raises 400 with every reason why it can't be copied."""
    change = await services.database.run(
        availability_copy.copy_week,
        who.owner,
        body.from_date,
        body.to_date,
        who.actor,
        services.clock(),
        services.config.availability_horizon,
    )
    return CopiedAnswer(created_slots=saved(change).created)


async def copy_day(services: Services, who: Changer, body: CopyDayBody) -> CopiedAnswer:
    """Raises 400 with every reason why it can't be copied."""
    change = await services.database.run(
        availability_copy.copy_day,
        who.owner,
        body.from_day,
        body.to_days,
        who.actor,
        services.clock(),
        services.config.availability_horizon,
    )
    return CopiedAnswer(created_slots=saved(change).created)
