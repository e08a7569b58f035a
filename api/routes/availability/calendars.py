"""The two kinds of calendar: a unit's, which administrators change, and an agent's, which the agent changes, too."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import time
from typing import Annotated, Final
from uuid import UUID

from fastapi import Depends
from pydantic import BeforeValidator, Field

from api.auth.access import AdminIdentity, Identity, Scope, ScopedIdentity
from api.errors import not_found, validation_error
from api.inputs import PathId, Text, path_id
from api.services import Services, ServicesDep
from leasebot_pipeline.domain.availability import Owner, OwnerKind
from leasebot_pipeline.storage import availability, units
from leasebot_pipeline.storage.availability import Change, Refused
from leasebot_pipeline.storage.availability_audit import CalendarActor

SlotPathId = Annotated[UUID, Depends(path_id("slotId"))]


@dataclass(frozen=True, slots=True)
class Changer:
    """Who changes which calendar, and was allowed to."""

    identity: Identity
    owner: Owner

    @property
    def actor(self) -> CalendarActor:
        return actor(self.identity)


@dataclass(frozen=True, slots=True)
class SlotChanger:
    """Who changes a row of a calendar of the kind, and was allowed to."""

    identity: Identity
    kind: OwnerKind
    slot_id: UUID

    @property
    def actor(self) -> CalendarActor:
        return actor(self.identity)


def actor(identity: Identity) -> CalendarActor:
    return CalendarActor(identity.role, identity.user.id)


async def _unit_read(scope: ScopedIdentity, unit_id: PathId, services: ServicesDep) -> Owner:
    await visible(services, scope, unit_id)
    return Owner(OwnerKind.UNIT, unit_id)


async def _unit_read_id_first(unit_id: PathId, scope: ScopedIdentity, services: ServicesDep) -> Owner:
    return await _unit_read(scope, unit_id, services)


async def _unit_rules(unit_id: PathId, identity: AdminIdentity) -> Changer:
    return Changer(identity, Owner(OwnerKind.UNIT, unit_id))


async def _unit_days(identity: AdminIdentity, unit_id: PathId) -> Changer:
    return Changer(identity, Owner(OwnerKind.UNIT, unit_id))


async def unit_slot(slot_id: SlotPathId, identity: AdminIdentity) -> SlotChanger:
    """Administrators change every unit's rows; whether the row is there, the change tells."""
    return SlotChanger(identity, OwnerKind.UNIT, slot_id)


async def _agent_read(scope: ScopedIdentity, agent_id: PathId) -> Owner:
    scope.own(agent_id)
    return Owner(OwnerKind.AGENT, agent_id)


async def _agent_change(scope: ScopedIdentity, agent_id: PathId) -> Changer:
    scope.own(agent_id)
    return Changer(scope.identity, Owner(OwnerKind.AGENT, agent_id))


async def agent_slot(slot_id: SlotPathId, scope: ScopedIdentity, services: ServicesDep) -> SlotChanger:
    """404 for a row that is not there, 403 for another agent's."""
    owner = await services.database.read(availability.slot_owner, OwnerKind.AGENT, slot_id)
    if owner is None:
        raise not_found()
    scope.own(owner.id)
    return SlotChanger(scope.identity, OwnerKind.AGENT, slot_id)


@dataclass(frozen=True, slots=True)
class Calendar:
    """Where a kind's endpoints are, and the dependencies that find the calendar and ask whether the caller may.

    Whether a faulty id or a wrong role is told first is part of the contract, so units have more of them.
    """

    noun: str
    path: str
    slot_path: str
    read: Callable[..., Awaitable[Owner]]
    read_rules: Callable[..., Awaitable[Owner]]
    change_rules: Callable[..., Awaitable[Changer]]
    change_days: Callable[..., Awaitable[Changer]]
    change_slot: Callable[..., Awaitable[SlotChanger]]
    weekly_summary: str
    day_summary: str

    @property
    def name(self) -> str:
        """The kind within operation ids."""
        return self.noun.capitalize()

    @property
    def possessive(self) -> str:
        return {"unit": "A unit's", "agent": "An agent's"}[self.noun]

    @property
    def article(self) -> str:
        return {"unit": "a unit", "agent": "an agent"}[self.noun]


UNITS: Final = Calendar(
    "unit",
    "/units/{id}/availability",
    "/availability/{slotId}",
    _unit_read,
    _unit_read_id_first,
    _unit_rules,
    _unit_days,
    unit_slot,
    "Open or block a unit every week",
    "Open or block a unit on one date",
)
AGENTS: Final = Calendar(
    "agent",
    "/agents/{id}/availability",
    "/agent-availability/{slotId}",
    _agent_read,
    _agent_read,
    _agent_change,
    _agent_change,
    agent_slot,
    "Say when an agent is, or is not, available every week",
    "Say that an agent is, or is not, available on one date",
)


async def visible(services: Services, scope: Scope, unit_id: UUID) -> None:
    """404 for a unit that is not there, or not the agent's."""
    if await services.database.read(units.find_unit, unit_id, scope.agent_id) is None:
        raise not_found()


def saved(change: Change) -> availability.Saved:
    """The change made. Raises 404 for what is not there, 400 with every broken rule."""
    if isinstance(change, Refused):
        raise not_found() if change.unknown else validation_error([str(r) for r in change.refusals])
    return change


def _clock_time(value: object) -> object:
    if isinstance(value, str):
        try:
            if len(value) == 5 and value[2] == ":":
                return time(int(value[:2]), int(value[3:]))
        except ValueError:
            pass
    raise ValueError("must be a time HH:MM")


ClockTime = Annotated[time, BeforeValidator(_clock_time)]
Notes = Annotated[Text, Field(max_length=1000)]
