"""Calendars as they stand, when each agent could show a unit, and why a time is not offered."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from typing import Annotated, Any, Final
from uuid import UUID
from zoneinfo import ZoneInfo

from fastapi import Depends, Query
from pydantic import Field

from api.answers import Answer, Instant
from api.auth.access import ScopedIdentity
from api.edge.json_route import json_router
from api.errors import validation_error
from api.inputs import DateRange, DateRangeQuery, PathId, moment, query_id
from api.local_times import local_span
from api.routes.availability.calendars import AGENTS, UNITS, visible
from api.services import Services, ServicesDep
from leasebot_pipeline.domain.availability import Owner
from leasebot_pipeline.storage import availability, slot_candidates, slot_reasons
from leasebot_pipeline.storage.availability import CalendarSlot

router = json_router("/api", "availability")

_YEAR: Final = timedelta(days=366)


class SlotAnswer(Answer):
    id: UUID
    starts_at: Instant
    ends_at: Instant
    timezone: str
    display_timezone: str
    local_start: str
    local_end: str
    status: str
    source: str
    notes: str | None
    rule_id: UUID | None
    created_at: Instant


class UnitSlotAnswer(SlotAnswer):
    unit_id: UUID
    listing_id: UUID | None


class AgentSlotAnswer(SlotAnswer):
    agent_id: UUID


class UnitSlotsAnswer(Answer):
    items: list[UnitSlotAnswer]


class AgentSlotsAnswer(Answer):
    items: list[AgentSlotAnswer]


class CandidateAnswer(Answer):
    unit_id: UUID
    agent_id: UUID
    assignment_mode: str
    priority: int
    agent_name: str
    agent_timezone: str
    unit_slot_id: UUID
    agent_slot_id: UUID
    starts_at: Instant
    ends_at: Instant
    display_timezone: str
    local_start: str
    local_end: str


class CandidatesAnswer(Answer):
    items: list[CandidateAnswer]


class ObstacleAnswer(Answer):
    reason: str
    detail: str


class ExplanationAnswer(Answer):
    unit_id: UUID
    agent_id: UUID
    at: Instant
    offered: bool
    reasons: list[ObstacleAnswer] = Field(description="every reason, in order; empty for a free time")


UnitCalendar = Annotated[Owner, Depends(UNITS.read)]
AgentCalendar = Annotated[Owner, Depends(AGENTS.read)]


@router.get(UNITS.path, operation_id="listUnitAvailability", summary="A unit's calendar")
async def list_unit_slots(
    owner: UnitCalendar, days: DateRangeQuery, services: ServicesDep
) -> UnitSlotsAnswer:
    """Rows that begin on the days asked for, which are meant in `timezone` (UTC without one)."""
    return UnitSlotsAnswer(
        items=[
            UnitSlotAnswer(**_shown(slot, days.timezone), unit_id=owner.id, listing_id=slot.listing_id)
            for slot in await _slots(services, owner, days)
        ]
    )


@router.get(AGENTS.path, operation_id="listAgentAvailability", summary="An agent's calendar")
async def list_agent_slots(
    owner: AgentCalendar, days: DateRangeQuery, services: ServicesDep
) -> AgentSlotsAnswer:
    """Rows that begin on the days asked for, which are meant in `timezone` (UTC without one)."""
    return AgentSlotsAnswer(
        items=[
            AgentSlotAnswer(**_shown(slot, days.timezone), agent_id=owner.id)
            for slot in await _slots(services, owner, days)
        ]
    )


@router.get(
    "/units/{id}/agent-slot-candidates",
    operation_id="listCandidates",
    summary="When each agent could show a unit",
)
async def list_candidates(
    scope: ScopedIdentity,
    unit_id: PathId,
    days: DateRangeQuery,
    services: ServicesDep,
    include_passive: Annotated[
        str | None, Query(alias="includePassive", description="true: agents who stand by, too")
    ] = None,
) -> CandidatesAnswer:
    """Free time of unit and agent together, minus blocks and other showings; by priority, then start."""
    await visible(services, scope, unit_id)
    begin, end = _bounded(days, services.clock())
    found = await services.database.read(
        slot_candidates.candidates, unit_id, begin, end, include_passive=include_passive == "true"
    )
    return CandidatesAnswer(items=[candidate_answer(candidate, days.timezone) for candidate in found])


@router.get(
    "/units/{id}/slot-explanation", operation_id="explainSlot", summary="Why is this time not offered?"
)
async def explain_slot(
    scope: ScopedIdentity,
    unit_id: PathId,
    services: ServicesDep,
    agent_id: Annotated[UUID | None, query_id("agentId")],
    at: Annotated[str | None, Query(description="ISO 8601 with offset")] = None,
) -> ExplanationAnswer:
    """Every reason that speaks against a visit of the unit with the agent at that instant."""
    await visible(services, scope, unit_id)
    instant = moment("at", at)
    missing = [
        f"{name}: is needed" for name, value in (("agentId", agent_id), ("at", instant)) if value is None
    ]
    if agent_id is None or instant is None:
        raise validation_error(missing)
    found = await services.database.read(
        slot_reasons.explain,
        unit_id,
        agent_id,
        instant,
        services.config.slots,
        services.clock(),
        services.config.slot_horizon,
    )
    return ExplanationAnswer(
        unit_id=unit_id,
        agent_id=agent_id,
        at=instant,
        offered=not found,
        reasons=[ObstacleAnswer(reason=reason.obstacle.value, detail=reason.detail) for reason in found],
    )


def candidate_answer(found: slot_candidates.Candidate, timezone: str | None) -> CandidateAnswer:
    """A candidate with its local times: in the zone asked for, else the unit's, else the agent's."""
    names = set(CandidateAnswer.model_fields) - {"display_timezone", "local_start", "local_end"}
    shown = timezone or found.unit_timezone or found.agent_slot_timezone
    return CandidateAnswer(
        **{name: getattr(found, name) for name in names},
        display_timezone=shown,
        **local_span(found.starts_at, found.ends_at, shown),
    )


def span_of(days: DateRange) -> tuple[datetime | None, datetime | None]:
    """The days asked for as instants [begin, end); None for an open end."""
    zone = ZoneInfo(days.timezone or "UTC")
    first, last = days.from_date, days.to_date
    return (
        None if first is None else datetime.combine(first, time(), zone).astimezone(UTC),
        None if last is None else datetime.combine(last + timedelta(days=1), time(), zone).astimezone(UTC),
    )


def _bounded(days: DateRange, now: datetime) -> tuple[datetime, datetime]:
    """As ``span_of``; open ends reach a year back and ahead."""
    begin, end = span_of(days)
    return begin or now - _YEAR, end or now + _YEAR


async def _slots(services: Services, owner: Owner, days: DateRange) -> list[CalendarSlot]:
    begin, end = _bounded(days, services.clock())
    found = await services.database.read(availability.list_slots, owner, begin, end)
    return [slot for slot in found if slot.starts_at >= begin]


def _shown(slot: CalendarSlot, timezone: str | None) -> dict[str, Any]:
    shown = timezone or slot.timezone
    names = set(SlotAnswer.model_fields) - {"display_timezone", "local_start", "local_end"}
    return {
        **{name: getattr(slot, name) for name in names},
        "display_timezone": shown,
        **local_span(slot.starts_at, slot.ends_at, shown),
    }
