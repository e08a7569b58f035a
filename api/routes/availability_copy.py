"""Copying parts of a calendar: a week's exceptions to another week, a weekday's rules to other weekdays."""

from __future__ import annotations

from datetime import date
from typing import Annotated

from pydantic import Field, model_validator

from api.answers import Answer
from api.auth.access import AdminIdentity, Identity, ScopedIdentity
from api.edge.json_route import json_router
from api.errors import not_found, validation_error
from api.inputs import DateText, Input, PathId
from api.services import Services, ServicesDep
from leasebot_pipeline.domain.availability import Owner, OwnerKind
from leasebot_pipeline.storage import availability_copy
from leasebot_pipeline.storage.availability import Change, Refused
from leasebot_pipeline.storage.availability_audit import CalendarActor

router = json_router("/api", "availability")

_Day = Annotated[int, Field(ge=0, le=6, description="0 is Sunday")]


class CopiedAnswer(Answer):
    created_slots: int


class CopyWeekBody(Input):
    """Both dates are the first of seven days."""

    from_date: DateText
    to_date: DateText

    @model_validator(mode="after")
    def _apart(self) -> CopyWeekBody:
        if abs(self.to_date - self.from_date).days < 7:
            raise ValueError("toDate must be at least a week away from fromDate")
        return self


class CopyDayBody(Input):
    from_day: _Day
    to_days: Annotated[list[_Day], Field(min_length=1, max_length=7)]


@router.post(
    "/units/{id}/availability/copy-week",
    operation_id="copyUnitWeek",
    summary="Copy the exceptions of a unit's week to another week",
    status_code=201,
)
async def copy_unit_week(
    unit_id: PathId, identity: AdminIdentity, body: CopyWeekBody, services: ServicesDep
) -> CopiedAnswer:
    """At the same local times; whole or not at all."""
    return await _week(services, identity, Owner(OwnerKind.UNIT, unit_id), body.from_date, body.to_date)


@router.post(
    "/agents/{id}/availability/copy-week",
    operation_id="copyAgentWeek",
    summary="Copy the exceptions of an agent's week to another week",
    status_code=201,
)
async def copy_agent_week(
    scope: ScopedIdentity, agent_id: PathId, body: CopyWeekBody, services: ServicesDep
) -> CopiedAnswer:
    """At the same local times; whole or not at all."""
    scope.own(agent_id)
    owner = Owner(OwnerKind.AGENT, agent_id)
    return await _week(services, scope.identity, owner, body.from_date, body.to_date)


@router.post(
    "/units/{id}/availability/copy-day",
    operation_id="copyUnitDay",
    summary="Give other weekdays the rules of one weekday of a unit",
    status_code=201,
)
async def copy_unit_day(
    unit_id: PathId, identity: AdminIdentity, body: CopyDayBody, services: ServicesDep
) -> CopiedAnswer:
    """Beside the rules those days have; whole or not at all."""
    return await _day(services, identity, Owner(OwnerKind.UNIT, unit_id), body)


@router.post(
    "/agents/{id}/availability/copy-day",
    operation_id="copyAgentDay",
    summary="Give other weekdays the rules of one weekday of an agent",
    status_code=201,
)
async def copy_agent_day(
    scope: ScopedIdentity, agent_id: PathId, body: CopyDayBody, services: ServicesDep
) -> CopiedAnswer:
    """Beside the rules those days have; whole or not at all."""
    scope.own(agent_id)
    return await _day(services, scope.identity, Owner(OwnerKind.AGENT, agent_id), body)


async def _week(
    services: Services, identity: Identity, owner: Owner, from_date: date, to_date: date
) -> CopiedAnswer:
    change = await services.database.run(
        availability_copy.copy_week,
        owner,
        from_date,
        to_date,
        _actor(identity),
        services.clock(),
        services.config.availability_horizon,
    )
    return _copied(change)


async def _day(services: Services, identity: Identity, owner: Owner, body: CopyDayBody) -> CopiedAnswer:
    change = await services.database.run(
        availability_copy.copy_day,
        owner,
        body.from_day,
        body.to_days,
        _actor(identity),
        services.clock(),
        services.config.availability_horizon,
    )
    return _copied(change)


def _copied(change: Change) -> CopiedAnswer:
    if isinstance(change, Refused):
        raise not_found() if change.unknown else validation_error([str(r) for r in change.refusals])
    return CopiedAnswer(created_slots=change.created)


def _actor(identity: Identity) -> CalendarActor:
    return CalendarActor(identity.role, identity.user.id)
