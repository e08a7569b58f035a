"""Units and who shows them."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Annotated, Literal, TypeVar
from uuid import UUID

from fastapi import Depends, Response
from pydantic import Field
from sqlalchemy import Connection

from api.answers import Answer, CreatedAnswer, DeletedAnswer, Instant, UpdatedAnswer
from api.auth.access import AdminIdentity, Identity, ScopedIdentity
from api.edge.json_route import json_router
from api.errors import not_found, validation_error
from api.inputs import Id, Input, PathId, Text, Trimmed, path_id
from api.operator_audit import by_user
from api.paging import PageQuery, encode
from api.preconditions import IfMatch, check_match, set_etag
from api.services import Services, ServicesDep
from leasebot_pipeline.storage import audit, units
from leasebot_pipeline.storage.audit import AuditEntry

router = json_router("/api/units", "units")
T = TypeVar("T")

AgentPathId = Annotated[UUID, Depends(path_id("agentId"))]


class AssignedAgent(Answer):
    agent_id: UUID
    assignment_mode: str
    priority: int
    created_at: Instant
    updated_at: Instant


class UnitAnswer(Answer):
    id: UUID
    external_id: str | None
    property_name: str
    unit_number: str
    address_line1: str | None
    city: str | None
    state: str | None
    postal_code: str | None
    bedrooms: int | None
    bathrooms: float | None
    square_feet: int | None
    is_active: bool
    assigned_agent_id: UUID | None
    assigned_agents: tuple[AssignedAgent, ...]
    created_at: Instant
    updated_at: Instant


class UnitsAnswer(Answer):
    items: list[UnitAnswer]
    next_cursor: str | None


class AgentOfUnit(Answer):
    id: UUID
    full_name: str
    email: str | None
    timezone: str
    role: str


class AssignmentAnswer(Answer):
    unit_id: UUID
    agent_id: UUID
    assignment_mode: str
    priority: int
    created_at: Instant
    updated_at: Instant
    agent: AgentOfUnit

    @classmethod
    def of(cls, found: units.Assignment) -> AssignmentAnswer:
        agent = AgentOfUnit(
            id=found.agent_id,
            full_name=found.agent_name,
            email=found.agent_email,
            timezone=found.agent_timezone,
            role=found.agent_role,
        )
        return cls(
            unit_id=found.unit_id,
            agent_id=found.agent_id,
            assignment_mode=found.assignment_mode,
            priority=found.priority,
            created_at=found.created_at,
            updated_at=found.updated_at,
            agent=agent,
        )


class AssignmentsAnswer(Answer):
    items: list[AssignmentAnswer]


class AssignedAnswer(AssignmentsAnswer):
    updated: Literal[True] = True


class PrimaryAnswer(Answer):
    ok: Literal[True] = True
    assigned_agent_id: UUID | None


_PropertyName = Annotated[Trimmed, Field(min_length=2, max_length=200)]
_UnitNumber = Annotated[Trimmed, Field(min_length=1, max_length=50)]
_Line = Annotated[Text, Field(max_length=300)]


class UnitBody(Input):
    """Fields of a unit; in an update, what is absent or null keeps its value."""

    external_id: _Line | None = None
    property_name: _PropertyName | None = None
    unit_number: _UnitNumber | None = None
    address_line1: _Line | None = None
    city: _Line | None = None
    state: _Line | None = None
    postal_code: _Line | None = None
    bedrooms: Annotated[int, Field(ge=0, le=20)] | None = None
    bathrooms: Annotated[Decimal, Field(ge=0, le=20, max_digits=4, decimal_places=2)] | None = None
    square_feet: Annotated[int, Field(ge=0, le=1_000_000)] | None = None
    is_active: bool | None = None

    def values(self) -> dict[str, object]:
        return {name: value for name, value in self.given().items() if value is not None}


class NewUnitBody(UnitBody):
    property_name: _PropertyName
    unit_number: _UnitNumber


class PrimaryBody(Input):
    agent_id: Id | None


class AssignmentBody(Input):
    agent_id: Id
    assignment_mode: Literal["active", "passive"] = "active"
    priority: Annotated[int, Field(ge=1, le=1000)] = 100


DUPLICATE = "propertyName, unitNumber: another unit has this name and number"


@router.get("", operation_id="listUnits", summary="Units by property and number")
async def list_units(scope: ScopedIdentity, page: PageQuery, services: ServicesDep) -> UnitsAnswer:
    """An agent sees the units it shows."""
    after = page.key(str, str, UUID)
    found = await services.database.read(units.list_units, page.limit, after, scope.agent_id)
    last = found[-1] if len(found) == page.limit else None
    return UnitsAnswer(
        items=[UnitAnswer.model_validate(unit) for unit in found],
        next_cursor=encode((last.property_name, last.unit_number, str(last.id))) if last else None,
    )


@router.post("", operation_id="createUnit", summary="Create a unit", status_code=201)
async def create_unit(identity: AdminIdentity, body: NewUnitBody, services: ServicesDep) -> CreatedAnswer:
    def create(conn: Connection) -> UUID:
        made = units.create_unit(conn, body.values(), services.clock())
        audit.record(conn, [by_user(identity, "unit", made, "unit_created", _shown(body))])
        return made

    try:
        return CreatedAnswer(id=await services.database.run(create))
    except units.UnitExists:
        raise validation_error([DUPLICATE]) from None


@router.get("/{id}", operation_id="getUnit", summary="One unit")
async def get_unit(
    unit_id: PathId, scope: ScopedIdentity, response: Response, services: ServicesDep
) -> UnitAnswer:
    found = await services.database.read(units.find_unit, unit_id, scope.agent_id)
    if found is None:
        raise not_found()
    set_etag(response, found.updated_at)
    return UnitAnswer.model_validate(found)


@router.put("/{id}", operation_id="updateUnit", summary="Change a unit; null or absent keeps")
async def update_unit(
    unit_id: PathId,
    identity: AdminIdentity,
    body: UnitBody,
    services: ServicesDep,
    if_match: IfMatch = None,
) -> UpdatedAnswer:
    def update(conn: Connection) -> None:
        found = units.find_unit(conn, unit_id)
        if found is None:
            raise not_found()
        check_match(if_match, found.updated_at)
        units.update_unit(conn, unit_id, body.values(), services.clock())
        audit.record(conn, [by_user(identity, "unit", unit_id, "unit_updated", _shown(body))])

    try:
        await services.database.run(update)
    except units.UnitExists:
        raise validation_error([DUPLICATE]) from None
    return UpdatedAnswer()


@router.delete("/{id}", operation_id="deleteUnit", summary="Take a unit and its listings out of use")
async def delete_unit(unit_id: PathId, identity: AdminIdentity, services: ServicesDep) -> DeletedAnswer:
    """Showings, conversations and audit of the unit stay."""

    def delete(conn: Connection) -> None:
        if not units.delete_unit(conn, unit_id, services.clock()):
            raise not_found()
        audit.record(conn, [by_user(identity, "unit", unit_id, "unit_deleted")])

    await services.database.run(delete)
    return DeletedAnswer()


@router.put("/{id}/assignment", operation_id="assignUnit", summary="Make one agent the only active one")
async def assign_primary(
    unit_id: PathId, identity: AdminIdentity, body: PrimaryBody, services: ServicesDep
) -> PrimaryAnswer:
    """The agent becomes active with priority 1, the others passive; null leaves nobody active."""

    def assign(conn: Connection) -> None:
        units.assign_primary(conn, unit_id, body.agent_id, services.clock())
        audit.record(conn, [_assigned(identity, unit_id, body.agent_id, "active", 1)])

    await _assigning(services, assign)
    return PrimaryAnswer(assigned_agent_id=body.agent_id)


@router.get("/{id}/agents", operation_id="listUnitAgents", summary="Who shows a unit")
async def list_assignments(
    unit_id: PathId, scope: ScopedIdentity, services: ServicesDep
) -> AssignmentsAnswer:
    def read(conn: Connection) -> list[units.Assignment]:
        if units.find_unit(conn, unit_id, scope.agent_id) is None:
            raise not_found()
        return units.assignments(conn, unit_id)

    found = await services.database.read(read)
    return AssignmentsAnswer(items=[AssignmentAnswer.of(assignment) for assignment in found])


@router.put("/{id}/agents", operation_id="assignUnitAgent", summary="Set one agent's assignment")
async def assign_agent(
    unit_id: PathId, identity: AdminIdentity, body: AssignmentBody, services: ServicesDep
) -> AssignedAnswer:
    """Two active agents of a unit can't share a priority (400)."""

    def assign(conn: Connection) -> list[units.Assignment]:
        found = units.assign(
            conn, unit_id, body.agent_id, body.assignment_mode, body.priority, services.clock()
        )
        entry = _assigned(identity, unit_id, body.agent_id, body.assignment_mode, body.priority)
        audit.record(conn, [entry])
        return found

    found = await _assigning(services, assign)
    return AssignedAnswer(items=[AssignmentAnswer.of(assignment) for assignment in found])


@router.delete("/{id}/agents/{agentId}", operation_id="unassignUnitAgent", summary="Take an agent off a unit")
async def unassign_agent(
    unit_id: PathId, agent_id: AgentPathId, identity: AdminIdentity, services: ServicesDep
) -> DeletedAnswer:
    def unassign(conn: Connection) -> None:
        if not units.unassign(conn, unit_id, agent_id, services.clock()):
            raise not_found()
        audit.record(conn, [_assigned(identity, unit_id, agent_id, None, None)])

    await services.database.run(unassign)
    return DeletedAnswer()


async def _assigning(services: Services, work: Callable[[Connection], T]) -> T:
    try:
        return await services.database.run(work)
    except units.UnitUnknown:
        raise not_found() from None
    except units.AgentUnknown:
        raise validation_error(["agentId: must be the id of an agent"]) from None
    except units.PriorityTaken:
        raise validation_error(["priority: another active agent of the unit has this priority"]) from None


def _assigned(
    identity: Identity, unit_id: UUID, agent_id: UUID | None, mode: str | None, priority: int | None
) -> AuditEntry:
    details = {
        "unitId": str(unit_id),
        "agentId": None if agent_id is None else str(agent_id),
        "assignmentMode": mode,
        "priority": priority,
    }
    return by_user(identity, "unit", unit_id, "unit_assignment_changed", details, agent_id=agent_id)


def _shown(body: UnitBody) -> dict[str, object]:
    return {"fields": body.model_dump(mode="json", by_alias=True, exclude_unset=True)}
